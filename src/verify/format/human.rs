//! Findings as text: a sentence, the findings with their source lines, denials first, then a line of counts. Accepted findings
//! are included with their reason, for reviewers.

use rayon::prelude::*;

use super::report::{more, sentence, worst_first};
use crate::error::Place;
use crate::output::{Diagnostic, Paint, Severity, Text, escape};
use crate::verify::{Finding, FindingTarget, Level, Lowered};

/// Minimum number of findings that are formatted in parallel.
const MANY: usize = 256;

/// The sentence, all findings, the lowered settings and the line of counts.
pub fn findings(
    findings: &[Finding],
    lowered: &[Lowered],
    summary: &impl std::fmt::Display,
    paint: Paint,
) -> Text {
    let draw = |(finding, others): &(&Finding, usize)| one(finding, *others, paint);
    let found = worst_first(findings);
    let drawn: Vec<Text> = if found.len() < MANY {
        found.iter().map(draw).collect()
    } else {
        found.par_iter().map(draw).collect()
    };
    let summary = summary.to_string();
    let mut text = Text::default();
    if !found.is_empty() {
        text.line(format_args!("{}.", sentence(&summary, findings)));
        text.blank();
    }
    for one in &drawn {
        text.append(one);
        text.blank();
    }
    for lowered in lowered {
        text.line(format_args!("{}: {lowered}", paint.warn("lowered")));
    }
    text.line(summary);
    text
}

/// A finding, with the number of other schemas that have it.
pub(super) fn one(finding: &Finding, others: usize, paint: Paint) -> Text {
    let accepted = finding.allowed.as_ref().map(|because| format!("allowed because {because}"));
    let observed = finding.observed.iter().map(|effect| format!("on the shadow: {effect}"));
    let notes = more(others).into_iter().chain(observed).chain(accepted.clone()).chain(finding.acceptance());
    let notes: Vec<String> = notes.map(|note| escape(&note)).collect();
    let (place, label) = match &finding.subject {
        FindingTarget::Text { place, scope } => {
            (place.clone(), scope.map(|scope| format!("on {scope}")).unwrap_or_default())
        }
        FindingTarget::Object(object) => (Place::File(object.title()), String::new()),
    };
    // A name in the database may contain a line break; a finding has none.
    let message = escape(&finding.message);
    let help = escape(&finding.help);
    Diagnostic {
        severity: match (finding.level, &accepted) {
            (_, Some(_)) => Severity::Note,
            (Level::Deny, None) => Severity::Error,
            (Level::Warn | Level::Off, None) => Severity::Warning,
        },
        code: Some(finding.rule.as_str()),
        title: &message,
        place: Some(&place),
        label: &label,
        notes: &notes.iter().map(String::as_str).collect::<Vec<_>>(),
        // An accepted finding needs no help.
        help: accepted.is_none().then_some(help.as_str()),
    }
    .render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;
    use crate::sql::{Scope, Script};
    use crate::verify::{File, Kind, Policy, ProjectSchemas, Schema, Summary, verify};

    fn shown(sql: &str) -> Text {
        let script = Script::parse(Source::new("migrations/v1.0.0_to_v1.0.1_a.sql", sql)).unwrap();
        let statements: Vec<_> =
            script.statements.iter().map(|statement| (statement, Some(Scope::Tenant))).collect();
        let file = File {
            script: &script,
            replay: &Schema::unknown("datalinx_platform").replay(&script, statements.iter().copied()),
            kind: Kind::Migration,
            observed_effects: None,
            schemas: ProjectSchemas {
                platform: "datalinx_platform",
                prefix: "org_",
                shared: &[],
                registry: ("organizations", &[]),
            },
        };
        let found = verify(&file, &Policy::default());
        findings(&found, &[], &Summary::of(&found, 1, statements.len()), Paint::PLAIN)
    }

    #[test]
    fn findings_are_drawn_and_counted() {
        let sql = "-- Allow: drop-view old because 2.1 was the last release to use it\nALTER TABLE users\n    DROP COLUMN email;\nCREATE INDEX i ON users (name);\nDROP VIEW old;\n";
        insta::assert_snapshot!(shown(sql), @r#"
        checked 1 file, 3 statements: 1 finding is denied, 1 is a warning, 1 is accepted.

        error[drop-column]: `DROP COLUMN email` drops a column that the running release may read or write
         --> migrations/v1.0.0_to_v1.0.1_a.sql:3:5
          |
        3 |     DROP COLUMN email;
          |     ^^^^^^^^^^^^^^^^^ on tenant
          |
          = note: to accept it, add the line `-- Allow: drop-column users.email because <reason>`; see also `tenure explain drop-column`
          = help: stop using it in one release, and drop it in a later migration when that release no longer runs

        warning[index-locks-writes]: `CREATE INDEX i ON users (name)` blocks writes to the table until the index is built
         --> migrations/v1.0.0_to_v1.0.1_a.sql:4:1
          |
        4 | CREATE INDEX i ON users (name);
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ on tenant
          |
          = help: on a big table, CREATE INDEX CONCURRENTLY in a migration of its own, without BEGIN and COMMIT

        note[drop-view]: `DROP VIEW old` drops a view that the running release may query
         --> migrations/v1.0.0_to_v1.0.1_a.sql:5:1
          |
        5 | DROP VIEW old;
          | ^^^^^^^^^^^^^ on tenant
          |
          = note: allowed because 2.1 was the last release to use it

        1 file, 3 statements: 1 denied, 1 warned, 1 allowed
        "#);
    }

    #[test]
    fn nothing_is_said_in_one_line() {
        insta::assert_snapshot!(shown("SELECT 1;"), @"1 file, 1 statement: nothing found");
    }
}
