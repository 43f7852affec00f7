//! The text output of `init --from-database` and `template from-schema`.

use std::collections::BTreeMap;

use super::{FromSchema, Initialized, NotCarried};
use crate::drift::{self, Drifted};
use crate::output::{Paint, Text, plural, plural_of};
use crate::tenant::copy::text::differences;

/// Maximum number of objects that are listed for one reason.
const MAX_LISTED: usize = 10;

/// The result of `init --from-database`.
pub fn initialized(done: &Initialized, paint: Paint) -> Text {
    let Initialized { platform, registry, version, template, from_schema, tenants, .. } = done;
    let mut text = Text::of_line(format_args!(
        "{}: the schema {platform} at {version}; its registry is {registry}",
        paint.bold("platform")
    ));
    let prefix = match done.schema_prefix.as_str() {
        "" => "their schemas have no prefix".to_owned(),
        prefix => format!("their schemas start with {prefix}"),
    };
    text.line(format_args!(
        "{}: {}; {prefix}",
        paint.bold("tenants"),
        done.groups.iter().map(|group| group.tenants).sum::<usize>()
    ));
    text.line(format_args!("{}: {template}, from the schema {from_schema}", paint.bold("template")));
    text.line("files:");
    for file in &done.files {
        text.line(format_args!("  {file}"));
    }
    text.append(&not_carried(&done.not_carried));
    list(&mut text, "rows that a fresh database needs, which are not in the files:", &done.rows_needed);
    list(&mut text, "rows of the registry whose schema does not exist:", &done.missing_schemas);
    let unregistered: Vec<String> = done.unregistered_schemas.iter().map(ToString::to_string).collect();
    list(&mut text, "schemas like those of tenants that are not in the registry:", &unregistered);
    text.blank();
    let drifted = Drifted { tenants: *tenants, differences: done.differences.clone(), ..Drifted::default() };
    text.append(&drift::text::drifted(&drifted, paint));
    if done.groups.len() > 1 {
        text.line(format_args!(
            "the tenants have {}: {}",
            plural(done.groups.len(), "shape"),
            done.groups
                .iter()
                .map(|group| {
                    let first = group.schemas.first().map(ToString::to_string).unwrap_or_default();
                    format!("{} like {first}", group.tenants)
                })
                .collect::<Vec<_>>()
                .join(", ")
        ));
        text.line("--tenant chooses another; `tenure template from-schema` makes a second template of one");
    }
    let head = if done.proved { paint.good("proved") } else { paint.bad("not proved") };
    text.line(if done.proved {
        format!("{head}: a fresh database of these files has the same platform and the same schema as {from_schema}")
    } else {
        format!("{head}: a fresh database of these files differs from this one in the platform or in {from_schema}")
    });
    text
}

/// What was written to the database, and the commands to run next.
pub fn next(done: &Initialized, paint: Paint) -> Text {
    let mut text = Text::default();
    if done.baseline {
        text.line(format_args!("{}: the database is at {}", paint.good("done"), done.version));
    }
    text.line("next:");
    for line in done.next() {
        text.line(format_args!("  {}", paint.bold(&line)));
    }
    text
}

/// The result of `template from-schema`.
pub fn from_schema(done: &FromSchema, paint: Paint) -> Text {
    let FromSchema { template, version, from_schema, files, .. } = done;
    let mut text = Text::default();
    for file in files {
        text.line(format_args!("  {file}"));
    }
    text.append(&not_carried(&done.not_carried));
    text.append(&differences(&done.differences, paint));
    text.line(if done.proved {
        format!("{}: {template} at {version} creates the same schema as {from_schema}", paint.good("proved"))
    } else {
        format!(
            "{}: {template} at {version} creates another schema than {from_schema}",
            paint.bad("not proved")
        )
    });
    text
}

/// The objects that the files do not create, by reason.
fn not_carried(all: &[NotCarried]) -> Text {
    let mut text = Text::default();
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in all {
        reasons.entry(one.because.as_str()).or_default().push(one.object.clone());
    }
    for (because, objects) in reasons {
        let count = plural_of(objects.len(), "object is", "objects are");
        list(&mut text, &format!("{count} not carried, since {because}:"), &objects);
    }
    text
}

fn list(text: &mut Text, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    text.line(title);
    for line in lines.iter().take(MAX_LISTED) {
        text.line(format_args!("  {line}"));
    }
    if lines.len() > MAX_LISTED {
        text.line(format_args!("  and {} more", lines.len() - MAX_LISTED));
    }
}
