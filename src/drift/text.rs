//! The text of `tenure drift`.

use std::collections::BTreeMap;

use super::{Basis, ComparedWith, DriftCounts, Drifted};
use crate::output::{Paint, Text, plural};
use crate::postgres::metadata::platform_fingerprint::PlatformDrift;

/// Maximum number of named schemas with the same differences.
const MAX_NAMED: usize = 5;

/// The differences, grouped by tenants with the same differences, and the counts.
pub fn drifted(drifted: &Drifted, paint: Paint) -> Text {
    let mut text = Text::default();
    let mut of_schema: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for line in &drifted.differences {
        of_schema.entry(line.schema.as_str()).or_default().push((&line.object, &line.change));
    }
    let mut groups: BTreeMap<&[(&str, &str)], Vec<&str>> = BTreeMap::new();
    for (schema, changes) in &of_schema {
        groups.entry(changes).or_default().push(schema);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|one, other| one.1.cmp(&other.1));
    for (changes, schemas) in groups {
        text.line(paint.bold(&names(&schemas)));
        for (object, change) in changes {
            text.line(format_args!("  {object}: {change}"));
        }
        text.blank();
    }
    for with in &drifted.references {
        if let Some(note) = note(with) {
            text.line(paint.dim(&note));
        }
    }
    if let Some(PlatformDrift::Unknown { because }) = &drifted.platform {
        text.line(paint.dim(&format!("note: the platform schema was not compared: {because}")));
    }
    text.line(summary(drifted, paint));
    text
}

/// One line: the tenants, and the platform schema if it was compared.
pub(super) fn summary(drifted: &Drifted, paint: Paint) -> String {
    let counts = counts(drifted.tenants, paint);
    match &drifted.platform {
        Some(PlatformDrift::Same) => {
            format!("{counts}; the platform schema is {}", paint.good("as expected"))
        }
        Some(PlatformDrift::Different { since, .. }) => {
            let changed = paint.bad("was changed by something else");
            format!("{counts}; the platform schema {changed} since the step to {since}")
        }
        Some(PlatformDrift::Unknown { .. }) | None => counts,
    }
}

/// One line: the numbers of compared and of different tenants.
fn counts(counts: DriftCounts, paint: Paint) -> String {
    let head = match (counts.total, counts.different) {
        (0, _) => "no tenants to compare".to_owned(),
        (total, 0) => format!("{}, {}", plural(total, "tenant"), paint.good("all as expected")),
        (total, different) => {
            format!(
                "{}, {} as expected, {}",
                plural(total, "tenant"),
                counts.same,
                paint.bad(&format!("{different} different"))
            )
        }
    };
    if counts.unknown > 0 { format!("{head}; {} without a version", counts.unknown) } else { head }
}

fn names(schemas: &[&str]) -> String {
    match schemas.split_at_checked(MAX_NAMED) {
        Some((first, rest)) if !rest.is_empty() => {
            format!("{} and {} more", first.join(", "), rest.len())
        }
        _ => schemas.join(", "),
    }
}

/// A note if the reference did not come from the files.
fn note(with: &ComparedWith) -> Option<String> {
    let what = match (with.definitions, with.access) {
        (Basis::Files, Basis::Files) => return None,
        (Basis::Files, Basis::Majority) => "owners and privileges were",
        (Basis::Majority, _) => "schemas were",
    };
    let because = with.because.as_deref().map(|because| format!(": {because}")).unwrap_or_default();
    Some(format!("note: at {}, {what} compared with the majority of tenants{because}", with.version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::SchemaDifference;

    fn line(schema: &str, change: &str) -> SchemaDifference {
        SchemaDifference {
            schema: crate::ident::SchemaName::existing(schema).unwrap(),
            object: "table t".to_owned(),
            change: change.to_owned(),
        }
    }

    #[test]
    fn tenants_with_equal_differences_are_grouped() {
        let mut found = Drifted {
            platform: None,
            tenants: DriftCounts { total: 12, same: 3, different: 9, unknown: 1 },
            differences: (0..7).map(|number| line(&format!("org_{number}"), "column added: a")).collect(),
            references: vec![ComparedWith {
                version: "1.0.0".parse().unwrap(),
                template: "default".to_owned(),
                parameters: std::collections::BTreeMap::new(),
                tenants: 12,
                definitions: Basis::Majority,
                access: Basis::Majority,
                because: Some("no server".to_owned()),
            }],
        };
        found.differences.push(line("org_8", "column added: b"));
        insta::assert_snapshot!(drifted(&found, Paint::PLAIN), @r"
        org_0, org_1, org_2, org_3, org_4 and 2 more
          table t: column added: a

        org_8
          table t: column added: b

        note: at 1.0.0, schemas were compared with the majority of tenants: no server
        12 tenants, 3 as expected, 9 different; 1 without a version
        ");
    }
}
