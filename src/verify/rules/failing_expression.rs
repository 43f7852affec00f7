//! An index on an expression, or a generated column, is computed for each written row. If the expression fails, the write fails
//! (manual, chapters 5.3 and 11.7).

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::{SqlType, Table, mentioned, words};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::FailingExpression,
    level: Level::Deny,
    impact: &[Impact::OldReaders, Impact::OldWriters],
    why: "fails for some rows that the running release may write, and these writes then fail",
    remediation: "use an expression that never fails: nullif(…, 0) as divisor, CASE around a cast",
    bad: "CREATE INDEX unit_price ON orders ((price / amount));",
    good: "CREATE INDEX unit_price ON orders ((price / nullif(amount, 0)));",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    let table = context.table().present();
    let places = [SyntaxKind::PARTITION_ITEM, SyntaxKind::GENERATED_STORED];
    context
        .nodes(&places)
        .filter(|_| matches!(context.statement.kind, SyntaxKind::CREATE_INDEX | SyntaxKind::ALTER_TABLE))
        .flat_map(|place| place.descendants().collect::<Vec<_>>())
        .filter(|part| divides(*part) || reads_text(*part, table))
        .map(Node::span)
        .collect()
}

/// A division by a value that may be 0.
fn divides(part: Node<'_>) -> bool {
    if part.kind() != SyntaxKind::BIN_EXPR
        || !(part.has_token(SyntaxKind::SLASH) || part.has_token(SyntaxKind::PERCENT))
    {
        return false;
    }
    let by = part.children().last().map(|by| words(by)).unwrap_or_default();
    let number = by.concat().parse::<f64>().is_ok_and(|number| number != 0.0);
    // `nullif(…, 0)` makes the result NULL.
    !number && by.iter().find(|word| *word != "(").is_none_or(|first| first != "nullif")
}

/// A cast of a text to a type that not every text can represent.
fn reads_text(part: Node<'_>, table: Option<&Table>) -> bool {
    if part.kind() != SyntaxKind::CAST_EXPR {
        return false;
    }
    let to_text = SqlType::of(part).is_some_and(|to| to.is_one_of(TEXTS));
    let Some(operand) = part.children().next().filter(|_| !to_text) else { return false };
    let of_text = |name: &String| {
        let column = table.and_then(|table| table.column(name).present());
        column.and_then(|column| column.of_type.as_ref()).is_some_and(|own| own.is_one_of(TEXTS))
    };
    is_text_of_json(operand) || (is_bare(operand) && mentioned(operand).iter().any(of_text))
}

const TEXTS: &[&str] = &["text", "varchar", "bpchar", "name", "citext"];

/// Whether the expression is a bare column.
fn is_bare(expression: Node<'_>) -> bool {
    match expression.kind() {
        SyntaxKind::PAREN_EXPR => expression.children().all(|inner| is_bare(inner)),
        kind => kind == SyntaxKind::NAME_REF,
    }
}

/// Whether the expression is `data ->> 'name'` or `data #>> path`.
fn is_text_of_json(expression: Node<'_>) -> bool {
    match expression.kind() {
        SyntaxKind::PAREN_EXPR => expression.children().all(|inner| is_text_of_json(inner)),
        _ => expression
            .children()
            .any(|part| part.kind() == SyntaxKind::CUSTOM_OP && ["->>", "#>>"].contains(&part.text())),
    }
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::ids_on;

    #[test]
    fn an_expression_that_cannot_fail_is_not_reported() {
        let base = "CREATE TABLE t (a int, b int, c text, d timestamp, j jsonb);";
        let denied = |sql: &str| ids_on(base, sql).contains(&"failing-expression");
        for expression in
            ["a / b", "a % b", "a / (b)", "c::int", "cast(c AS date)", "(j->>'n')::int", "1 + a / b", "a / 0"]
        {
            assert!(denied(&format!("CREATE INDEX i ON t (({expression}))")), "{expression}");
            let column = format!("ALTER TABLE t ADD COLUMN g text GENERATED ALWAYS AS ({expression}) STORED");
            assert!(denied(&column), "{column}");
        }
        for expression in [
            "a / 2",
            "a * b",
            "lower(c)",
            "a / nullif(b, 0)",
            "c::varchar",
            "d::date",
            "a::text",
            "a::bigint",
        ] {
            assert!(!denied(&format!("CREATE INDEX i ON t (({expression}))")), "{expression}");
        }
        assert!(!denied("CREATE TABLE n (a int, b int); CREATE INDEX i ON n ((a / b))"));
    }
}
