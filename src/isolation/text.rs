//! The result of `tenant audit` as text, and its rules explained.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

use super::{Audited, Finding, Rule};
use crate::error::Place;
use crate::output::{Diagnostic, Paint, Severity, plural, plural_of};
use crate::verify::Level;

/// What `tenant audit` found: what is so in many tenants alike is told of one.
pub fn audited(audited: &Audited, paint: Paint) -> String {
    let mut alike: Vec<(&Finding, usize)> = Vec::new();
    let mut known: HashMap<(&str, String, String), usize> = HashMap::new();
    for finding in &audited.findings {
        let of_nobody = |text: &str| match &finding.schema {
            Some(schema) => text.replace(schema.as_str(), "\0"),
            None => text.to_owned(),
        };
        let key = (finding.rule, of_nobody(&finding.object), of_nobody(&finding.message));
        match known.entry(key) {
            Entry::Occupied(at) => alike[*at.get()].1 += 1,
            Entry::Vacant(free) => {
                free.insert(alike.len());
                alike.push((finding, 0));
            }
        }
    }
    let mut text = String::new();
    for (finding, others) in alike {
        let place = Place::File(match &finding.schema {
            Some(schema) if finding.object != "schema" => format!("{schema}, {}", finding.object),
            Some(schema) => format!("schema {schema}"),
            None => finding.object.clone(),
        });
        let more = format!("the same of {}", plural_of(others, "other tenant", "other tenants"));
        let drawn = Diagnostic {
            severity: if finding.level == Level::Deny { Severity::Error } else { Severity::Warning },
            code: Some(finding.rule),
            title: &finding.message,
            place: Some(&place),
            label: "",
            notes: if others > 0 { &[more.as_str()] } else { &[] },
            help: Some(&finding.help),
        };
        let _written = writeln!(text, "{}\n", drawn.render(paint));
    }
    let counts = audited.summary;
    let found: Vec<String> = [(counts.deny, "denied"), (counts.warn, "warned")]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let found = if found.is_empty() { paint.good("nothing found") } else { found.join(", ") };
    let _written = writeln!(text, "{}: {found}", plural(counts.tenants, "tenant"));
    text
}

/// One rule of the audit, at length.
pub fn explained_wall(rule: &Rule) -> String {
    format!(
        "{id} ({level}, of `tenure tenant audit`)\n\nFound where {finds}.\n\nWhy: {why}.\n\nWhat to do: {remediation}.\n\n\
         To change the level, in tenure.toml (deny, warn or off):\n\n    [audit.levels]\n    {id} = \"warn\"\n",
        id = rule.id,
        level = rule.level,
        finds = rule.finds,
        why = rule.why,
        remediation = rule.remediation,
    )
}
