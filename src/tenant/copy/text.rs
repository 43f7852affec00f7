//! The results of adopt, clone, export and import as text.

use std::fmt::Write as _;

use crate::output::{Paint, or_dash, plural};
use crate::postgres::catalog::SchemaDifference;
use crate::postgres::metadata::Tenant;
use crate::tenant::{Adopted, Cloned, Exported, Imported};

/// The result of `tenant adopt`.
pub fn adopted(adopted: &Adopted, paint: Paint) -> String {
    let mut text = differences(&adopted.differences, paint);
    text.push_str(&access(&adopted.access, paint));
    text.push_str(&tenant_line("adopted", &adopted.tenant, paint));
    text
}

/// The result of `tenant clone`.
pub fn cloned(cloned: &Cloned, paint: Paint) -> String {
    let mut text = access(&cloned.access, paint);
    text.push_str(&notes(&cloned.notes, paint));
    text.push_str(&tenant_line("cloned", &cloned.tenant, paint));
    if cloned.tables > 0 {
        let _written = writeln!(text, "{} of {} copied", rows(cloned.rows), plural(cloned.tables, "table"));
    }
    text
}

fn notes(notes: &[String], paint: Paint) -> String {
    notes.iter().map(|note| paint.dim(&format!("note: {note}")) + "\n").collect()
}

/// Differences of one schema in the format of `tenure drift`, then an empty line.
pub fn differences(lines: &[SchemaDifference], paint: Paint) -> String {
    let mut text = String::new();
    if let Some(first) = lines.first() {
        let _written = writeln!(text, "{}", paint.bold(first.schema.as_str()));
        for line in lines {
            let _written = writeln!(text, "  {}: {}", line.object, line.change);
        }
        text.push('\n');
    }
    text
}

/// Differences in owners and privileges, as notes.
fn access(lines: &[SchemaDifference], paint: Paint) -> String {
    let note = |line: &SchemaDifference| format!("note: {}: {}", line.object, line.change);
    lines.iter().map(|line| paint.dim(&note(line)) + "\n").collect()
}

fn tenant_line(word: &str, tenant: &Tenant, paint: Paint) -> String {
    format!(
        "{} {}  {}  at {}  id {}\n",
        paint.good(word),
        paint.bold(&tenant.slug),
        tenant.schema,
        or_dash(tenant.version.as_ref()),
        or_dash(tenant.id.as_ref()),
    )
}

/// The result of `tenant export`.
pub fn exported(exported: &Exported, paint: Paint) -> String {
    let tenant = &exported.tenant;
    let (slug, at) = (paint.bold(&tenant.slug), or_dash(tenant.version.as_ref()));
    format!("{} {slug}  {}  at {at}  to {}\n", paint.good("exported"), tenant.schema, exported.file)
}

/// The result of `tenant import`.
pub fn imported(imported: &Imported, paint: Paint) -> String {
    let mut text = differences(&imported.differences, paint);
    text.push_str(&tenant_line("imported", &imported.tenant, paint));
    let _written = write!(text, "{} restored", rows(imported.rows));
    if imported.units > 0 {
        let _written =
            write!(text, "; migrated from {} by {}", imported.from, plural(imported.units, "unit"));
    }
    text.push('\n');
    text
}

fn rows(count: u64) -> String {
    plural(usize::try_from(count).unwrap_or(usize::MAX), "row")
}
