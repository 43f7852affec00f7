//! Findings for people: each with the lines that it is about, then one line that counts. What was
//! accepted is shown too, with its reason, since a reviewer has to see it.

use rayon::prelude::*;

use crate::output::{Diagnostic, Paint, Severity, plural};
use crate::verify::{Finding, Level, Summary};

/// As many findings are worth more than one core.
const MANY: usize = 256;

/// All findings and the summary, each line ended.
pub fn findings(findings: &[Finding], counts: &Summary, paint: Paint) -> String {
    let draw = |finding: &Finding| one(finding, paint) + "\n\n";
    let drawn: Vec<String> = if findings.len() < MANY {
        findings.iter().map(draw).collect()
    } else {
        findings.par_iter().map(draw).collect()
    };
    let mut text = drawn.concat();
    text.push_str(&summary(counts));
    text.push('\n');
    text
}

/// One finding.
pub(super) fn one(finding: &Finding, paint: Paint) -> String {
    let accepted = finding.allowed.as_ref().map(|because| format!("allowed because {because}"));
    let scope = finding.scope.map(|scope| format!("on {scope}"));
    Diagnostic {
        severity: match (finding.level, &accepted) {
            (_, Some(_)) => Severity::Note,
            (Level::Deny, None) => Severity::Error,
            (Level::Warn | Level::Off, None) => Severity::Warning,
        },
        code: Some(finding.rule.as_str()),
        title: &finding.message,
        place: Some(&finding.place),
        label: scope.as_deref().unwrap_or_default(),
        notes: &accepted.iter().map(String::as_str).collect::<Vec<_>>(),
        // Advice against what was decided already is noise.
        help: accepted.is_none().then_some(finding.help.as_str()),
    }
    .render(paint)
}

/// One line: what was looked at and what was found.
pub fn summary(counts: &Summary) -> String {
    let looked_at = format!("{}, {}", plural(counts.files, "file"), plural(counts.statements, "statement"));
    let found: Vec<String> = [(counts.deny, "denied"), (counts.warn, "warned"), (counts.allowed, "allowed")]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let found = if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") };
    format!("{looked_at}: {found}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;
    use crate::sql::{Scope, Script};
    use crate::verify::{File, Kind, Policy, ProjectSchemas, Schema, verify};

    fn shown(sql: &str) -> String {
        let script = Script::parse(Source::new("migrations/v1.0.0_to_v1.0.1_a.sql", sql)).unwrap();
        let statements: Vec<_> =
            script.statements.iter().map(|statement| (statement, Some(Scope::Tenant))).collect();
        let file = File {
            script: &script,
            walk: &Schema::unknown("datalinx_platform").walk(&script, statements.iter().copied()),
            kind: Kind::Migration,
            observed_effects: None,
            schemas: ProjectSchemas { platform: "datalinx_platform", prefix: "org_", shared: &[] },
        };
        let found = verify(&file, &Policy::default());
        findings(&found, &Summary::of(&found, 1, statements.len()), Paint::Plain)
    }

    #[test]
    fn findings_are_drawn_and_counted() {
        let sql = "-- Allow: drop-view old because 2.1 was the last release to use it\nALTER TABLE users\n    DROP COLUMN email;\nCREATE INDEX i ON users (name);\nDROP VIEW old;\n";
        insta::assert_snapshot!(shown(sql), @r#"
        error[drop-column]: `DROP COLUMN email` removes a column that the running release may read or write
         --> migrations/v1.0.0_to_v1.0.1_a.sql:3:5
          |
        3 |     DROP COLUMN email;
          |     ^^^^^^^^^^^^^^^^^ on tenant
          |
          = help: stop using it in one release, drop it in a migration that comes after that release is gone

        warning[index-locks-writes]: `CREATE INDEX i ON users (name)` makes writes to the table wait until the index is built
         --> migrations/v1.0.0_to_v1.0.1_a.sql:4:1
          |
        4 | CREATE INDEX i ON users (name);
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ on tenant
          |
          = help: on a big table, CREATE INDEX CONCURRENTLY in a migration of its own, without BEGIN and COMMIT

        note[drop-view]: `DROP VIEW old` removes a view that the running release may query
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
