//! The results of adopt, clone, export and import as text.

use std::fmt::Write as _;

use crate::output::{Paint, Text, or_dash, plural};
use crate::postgres::catalog::SchemaDifference;
use crate::postgres::metadata::Tenant;
use crate::tenant::{Adopted, AdoptedAll, Cloned, Exported, Imported, Restored};

/// The result of `tenant adopt`.
pub fn adopted(adopted: &Adopted, paint: Paint) -> Text {
    let mut text = differences(&adopted.differences, paint);
    text.append(&access(&adopted.access, paint));
    text.append(&tenant_line("adopted", &adopted.tenant, paint));
    text
}

/// The result of `tenant adopt --all`.
pub fn adopted_all(done: &AdoptedAll, paint: Paint) -> Text {
    const MAX_LISTED: usize = 20;
    let mut text = Text::default();
    for one in &done.not_adopted {
        text.line(format_args!("{}  {}: {}", paint.bold(&one.slug), one.schema, one.because));
        for line in &one.differences {
            text.line(format_args!("  {}: {}", line.object, line.change));
        }
        text.blank();
    }
    for tenant in done.tenants.iter().take(MAX_LISTED) {
        text.append(&tenant_line("adopted", tenant, paint));
    }
    if done.tenants.len() > MAX_LISTED {
        text.line(format_args!("and {} more", done.tenants.len() - MAX_LISTED));
    }
    if !done.missing_schemas.is_empty() {
        let names: Vec<String> = done.missing_schemas.iter().map(ToString::to_string).collect();
        text.append(&notes(&[format!("the schema of the row does not exist: {}", names.join(", "))], paint));
    }
    let unregistered = &done.unregistered_schemas;
    if !unregistered.is_empty() {
        text.append(&notes(&[format!("not in the registry: {}", unregistered.join(", "))], paint));
    }
    text.line(match (done.tenants.len(), done.not_adopted.len()) {
        (0, 0) => format!("{}: every row of the registry has a version", paint.good("nothing to do")),
        (adopted, 0) => format!("{}: {} adopted", paint.good("done"), plural(adopted, "tenant")),
        (adopted, others) => {
            format!("{} adopted, {}", plural(adopted, "tenant"), paint.bad(&format!("{others} not")))
        }
    });
    text
}

/// The result of `tenant clone`.
pub fn cloned(cloned: &Cloned, paint: Paint) -> Text {
    let mut text = access(&cloned.access, paint);
    text.append(&notes(&cloned.notes, paint));
    text.append(&tenant_line("cloned", &cloned.tenant, paint));
    if cloned.tables > 0 {
        text.line(format_args!("{} of {} copied", rows(cloned.rows), plural(cloned.tables, "table")));
    }
    text
}

fn notes(notes: &[String], paint: Paint) -> Text {
    let mut text = Text::default();
    for note in notes {
        text.line(paint.dim(&format!("note: {note}")));
    }
    text
}

/// Differences of one schema in the format of `tenure drift`, then an empty line.
pub fn differences(lines: &[SchemaDifference], paint: Paint) -> Text {
    let mut text = Text::default();
    if let Some(first) = lines.first() {
        text.line(paint.bold(first.schema.as_str()));
        for line in lines {
            text.line(format_args!("  {}: {}", line.object, line.change));
        }
        text.blank();
    }
    text
}

/// Differences in owners and privileges, as notes.
fn access(lines: &[SchemaDifference], paint: Paint) -> Text {
    let lines: Vec<String> = lines.iter().map(|line| format!("{}: {}", line.object, line.change)).collect();
    notes(&lines, paint)
}

fn tenant_line(word: &str, tenant: &Tenant, paint: Paint) -> Text {
    Text::of_line(format_args!(
        "{} {}  {}  at {}  id {}",
        paint.good(word),
        paint.bold(&tenant.slug),
        tenant.schema,
        or_dash(tenant.version.as_ref()),
        or_dash(tenant.id.as_ref()),
    ))
}

/// The result of `tenant export`.
pub fn exported(exported: &Exported, paint: Paint) -> Text {
    let tenant = &exported.tenant;
    let (slug, at) = (paint.bold(&tenant.slug), or_dash(tenant.version.as_ref()));
    let (word, file) = (paint.good("exported"), &exported.file);
    let checked = if exported.checked { "; it can be imported" } else { "" };
    Text::of_line(format_args!("{word} {slug}  {}  at {at}  to {file}{checked}", tenant.schema))
}

/// The result of `tenant import`.
pub fn imported(imported: &Imported, paint: Paint) -> Text {
    let mut text = differences(&imported.differences, paint);
    text.append(&tenant_line("imported", &imported.tenant, paint));
    let mut line = format!("{} restored", rows(imported.rows));
    if imported.units > 0 {
        let _written =
            write!(line, "; migrated from {} by {}", imported.from, plural(imported.units, "unit"));
    }
    text.line(line);
    text
}

/// The result of `tenant restore`.
pub fn restored(restored: &Restored, paint: Paint) -> Text {
    let mut text = differences(&restored.differences, paint);
    text.append(&tenant_line("restored", &restored.tenant, paint));
    let aside = or_dash(restored.dropped_schema.as_ref());
    text.line(format_args!("{} restored; the former schema is now {aside}", rows(restored.rows)));
    for dependent in &restored.dependents {
        text.line(paint.dim(&format!("note: {dependent} depends on the former schema")));
    }
    if restored.is_behind {
        text.line(format_args!(
            "it is behind the platform: tenure migrate up --tenant {}",
            restored.tenant.slug
        ));
    }
    text
}

fn rows(count: u64) -> String {
    plural(usize::try_from(count).unwrap_or(usize::MAX), "row")
}
