//! A new column that must be given refuses every insert of a release that does not know it.

use squawk_syntax::{SyntaxKind, SyntaxNode};

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};
use crate::verify::schema::{TypeDef, child};
use crate::verify::subject::{Hit, Subject, has, span};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("add-required-column"),
    level: Level::Deny,
    breaks: &[Breaks::OldWriters],
    why: "adds a column that inserts of the running release leave out and the server then requires",
    instead: "add it nullable or with a constant DEFAULT; require it when the old release is gone",
    bad: "ALTER TABLE users ADD COLUMN phone text NOT NULL;",
    good: "ALTER TABLE users ADD COLUMN phone text NOT NULL DEFAULT '';",
    spares: Spares::NewObjects,
    judge: Judge::Code(judge),
};

fn judge(subject: &Subject<'_>) -> Vec<Hit> {
    let required = [SyntaxKind::NOT_NULL_CONSTRAINT, SyntaxKind::PRIMARY_KEY_CONSTRAINT];
    subject
        .nodes(&[SyntaxKind::ADD_COLUMN])
        .filter(|column| (has(column, &required) || is_never_null(subject, column)) && !fills_itself(column))
        .map(|column| span(&column))
        .collect()
}

/// Whether its type is a domain that takes no NULL.
fn is_never_null(subject: &Subject<'_>, column: &SyntaxNode) -> bool {
    let Some(of_type) = child(column, SyntaxKind::PATH_TYPE).map(|part| span(&part)) else { return false };
    let names = subject.statement.names.iter();
    names.filter(|name| of_type.start <= name.range.start && name.range.end <= of_type.end).any(|name| {
        let found = subject.schema.type_def(name, subject.scope).there();
        matches!(found, Some(TypeDef::Domain { refuses_null: true }))
    })
}

/// Whether the server gives the column a value that is not NULL: a default, an identity, a generated
/// column, or a serial type (manual, chapter 8.1.4).
pub(super) fn fills_itself(column: &SyntaxNode) -> bool {
    column.children().any(|part| match part.kind() {
        SyntaxKind::GENERATED_CONSTRAINT => true,
        SyntaxKind::DEFAULT_CONSTRAINT => {
            !part.children().any(|value| value.text().to_string().trim().eq_ignore_ascii_case("null"))
        }
        SyntaxKind::PATH_TYPE => {
            let name = part.text().to_string().trim().to_lowercase();
            let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
            ["serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"].contains(&name)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::denied;

    #[test]
    fn what_fills_itself_is_not_required() {
        for column in [
            "a bigserial NOT NULL",
            "a int GENERATED ALWAYS AS IDENTITY NOT NULL",
            "a int GENERATED ALWAYS AS (1) STORED NOT NULL",
            "a int DEFAULT 1 NOT NULL",
            "a int NULL",
        ] {
            assert!(denied(&format!("ALTER TABLE users ADD COLUMN {column}")).is_empty(), "{column}");
        }
        for column in ["a int NOT NULL DEFAULT NULL", "a int CONSTRAINT b NOT NULL", "a int PRIMARY KEY"] {
            assert!(
                denied(&format!("ALTER TABLE users ADD {column}")).contains(&"add-required-column"),
                "{column}"
            );
        }
    }
}
