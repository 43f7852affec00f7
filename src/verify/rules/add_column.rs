//! A new required column makes the server refuse every insert of a release that does not set it.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::{OmittedValue, default_value};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::AddRequiredColumn,
    level: Level::Deny,
    impact: &[Impact::OldWriters],
    why: "adds a required column that inserts of the running release do not set",
    remediation: "add it as nullable or with a constant DEFAULT, and require it when the old release no longer runs",
    bad: "ALTER TABLE users ADD COLUMN phone text NOT NULL;",
    good: "ALTER TABLE users ADD COLUMN phone text NOT NULL DEFAULT '';",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    let required = [SyntaxKind::NOT_NULL_CONSTRAINT, SyntaxKind::PRIMARY_KEY_CONSTRAINT];
    context
        .nodes(&[SyntaxKind::ADD_COLUMN])
        .filter(|column| {
            (column.has_child(&required) || is_never_null(context, *column)) && !has_generated_value(*column)
        })
        .map(Node::span)
        .collect()
}

/// Whether the type that `column` names is a domain that does not allow NULL.
pub(in crate::verify) fn is_never_null(context: &RuleContext<'_>, column: Node<'_>) -> bool {
    let Some(of_type) = column.child(SyntaxKind::PATH_TYPE).map(Node::span) else { return false };
    let names = context.statement.names.iter();
    names.filter(|name| of_type.start <= name.range.start && name.range.end <= of_type.end).any(|name| {
        context
            .schema
            .type_def(name, context.scope)
            .present()
            .is_some_and(|def| context.schema.refuses_null(def))
    })
}

/// Whether the server gives the column a value other than NULL: a default, an identity, a generated column, or a serial type
/// (manual, chapter 8.1.4).
pub(super) fn has_generated_value(column: Node<'_>) -> bool {
    column.children().any(|part| match part.kind() {
        SyntaxKind::GENERATED_CONSTRAINT => true,
        SyntaxKind::DEFAULT_CONSTRAINT => default_value(part) != OmittedValue::Null,
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
    fn a_column_with_a_generated_value_is_not_required() {
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
