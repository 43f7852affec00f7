//! A new column that must be given refuses every insert of a release that does not know it.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::TypeDef;

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("add-required-column"),
    level: Level::Deny,
    impact: &[Impact::OldWriters],
    why: "adds a column that inserts of the running release leave out and the server then requires",
    remediation: "add it nullable or with a constant DEFAULT; require it when the old release is gone",
    bad: "ALTER TABLE users ADD COLUMN phone text NOT NULL;",
    good: "ALTER TABLE users ADD COLUMN phone text NOT NULL DEFAULT '';",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

fn judge(subject: &RuleContext<'_>) -> Vec<Span> {
    let required = [SyntaxKind::NOT_NULL_CONSTRAINT, SyntaxKind::PRIMARY_KEY_CONSTRAINT];
    subject
        .nodes(&[SyntaxKind::ADD_COLUMN])
        .filter(|column| {
            (column.has_child(&required) || is_never_null(subject, *column)) && !fills_itself(*column)
        })
        .map(Node::span)
        .collect()
}

/// Whether its type is a domain that takes no NULL.
fn is_never_null(subject: &RuleContext<'_>, column: Node<'_>) -> bool {
    let Some(of_type) = column.child(SyntaxKind::PATH_TYPE).map(Node::span) else { return false };
    let names = subject.statement.names.iter();
    names.filter(|name| of_type.start <= name.range.start && name.range.end <= of_type.end).any(|name| {
        let found = subject.schema.type_def(name, subject.scope).there();
        matches!(found, Some(TypeDef::Domain { refuses_null: true }))
    })
}

/// Whether the server gives the column a value that is not NULL: a default, an identity, a generated
/// column, or a serial type (manual, chapter 8.1.4).
pub(super) fn fills_itself(column: Node<'_>) -> bool {
    column.children().any(|part| match part.kind() {
        SyntaxKind::GENERATED_CONSTRAINT => true,
        SyntaxKind::DEFAULT_CONSTRAINT => {
            !part.children().any(|value| value.text().trim().eq_ignore_ascii_case("null"))
        }
        SyntaxKind::PATH_TYPE => {
            let name = part.text().trim().to_lowercase();
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
