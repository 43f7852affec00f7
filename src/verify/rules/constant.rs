//! Whether a condition on one column is certainly false for a constant. Only comparisons with literals are evaluated.

use std::cmp::Ordering;

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use crate::verify::schema::words;

/// Whether `condition` is certainly false for a column with `value`, a literal in its source form.
pub(super) fn refutes(value: &str, condition: Node<'_>) -> bool {
    let parts: Vec<Node<'_>> = condition.children().collect();
    match (condition.kind(), parts.as_slice()) {
        (SyntaxKind::PAREN_EXPR | SyntaxKind::TUPLE_EXPR, [inner]) => refutes(value, *inner),
        (SyntaxKind::BETWEEN_EXPR, [column, low, high]) if is_column(*column) => {
            order(value, *low) == Some(Ordering::Less) || order(value, *high) == Some(Ordering::Greater)
        }
        (SyntaxKind::BIN_EXPR, [left, .., right]) if condition.has_token(SyntaxKind::AND_KW) => {
            refutes(value, *left) || refutes(value, *right)
        }
        (SyntaxKind::BIN_EXPR, [left, .., right]) if condition.has_token(SyntaxKind::OR_KW) => {
            refutes(value, *left) && refutes(value, *right)
        }
        (SyntaxKind::BIN_EXPR, [column, .., list]) if list.kind() == SyntaxKind::TUPLE_EXPR => {
            let differs = |item: Node<'_>| {
                order(value, item).is_some_and(|found| found != Ordering::Equal) || texts_differ(value, item)
            };
            let tokens = words(condition);
            let not_in = tokens.iter().take_while(|word| *word != "(").any(|word| word == "not");
            let is_in = tokens.iter().take_while(|word| *word != "(").any(|word| word == "in");
            is_column(*column) && is_in && !not_in && list.children().all(differs)
        }
        (SyntaxKind::BIN_EXPR, [column, .., other]) if is_column(*column) => {
            let (own, all) = (words(*column).len() + words(*other).len(), words(condition));
            let start = words(*column).len();
            let operator = all.get(start..start + all.len().saturating_sub(own)).unwrap_or_default().concat();
            if operator == "=" && texts_differ(value, *other) {
                return true;
            }
            let Some(order) = order(value, *other) else { return false };
            match operator.as_str() {
                "=" => order != Ordering::Equal,
                "<>" | "!=" => order == Ordering::Equal,
                "<" => order != Ordering::Less,
                "<=" => order == Ordering::Greater,
                ">" => order != Ordering::Greater,
                ">=" => order == Ordering::Less,
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether both are texts that are different in every collation.
fn texts_differ(value: &str, literal: Node<'_>) -> bool {
    let other = words(literal).concat();
    let folded = |text: &str| {
        let text = text.strip_prefix('\'')?.strip_suffix('\'')?;
        Some(text.trim().to_lowercase())
    };
    literal.kind() == SyntaxKind::LITERAL
        && matches!((folded(value), folded(&other)), (Some(one), Some(two)) if one != two)
}

fn is_column(node: Node<'_>) -> bool {
    node.kind() == SyntaxKind::NAME_REF
}

/// Compares a value with a literal. For texts only equality is known, since their order depends on the collation.
fn order(value: &str, literal: Node<'_>) -> Option<Ordering> {
    let other = words(literal).concat();
    let number = |text: &str| text.replace(' ', "").parse::<f64>().ok();
    if let (Some(one), Some(two)) = (number(value), number(&other)) {
        return one.partial_cmp(&two);
    }
    let is_text = |text: &str| text.len() > 1 && text.starts_with('\'') && text.ends_with('\'');
    (literal.kind() == SyntaxKind::LITERAL && is_text(value) && value == other).then_some(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::denied_on;

    #[test]
    fn a_default_that_violates_the_condition_is_reported() {
        let base = "CREATE TABLE t (a int);";
        let denied =
            |column: &str| !denied_on(base, &format!("ALTER TABLE t ADD COLUMN {column}")).is_empty();
        for column in [
            "c int DEFAULT 5 CHECK (c > 10)",
            "c int DEFAULT 5 CHECK (c BETWEEN 6 AND 9)",
            "c int DEFAULT 5 CHECK (c IN (1, 2))",
            "c int DEFAULT 5 CHECK (c > 0 AND c <> 5)",
            "c int DEFAULT 5 CHECK ((c < 0) OR (c > 7))",
            "c text DEFAULT 'a' CHECK (c <> 'a')",
            "c text DEFAULT 'a' CHECK (c IN ('b', 'c'))",
            "c text DEFAULT 'a' CHECK (c = 'b')",
        ] {
            assert!(denied(column), "{column}");
        }
        for column in [
            "c int DEFAULT 5 CHECK (c > 1)",
            "c int DEFAULT 5 CHECK (c BETWEEN 1 AND 9)",
            "c int DEFAULT 5 CHECK (c IN (1, 5))",
            "c int DEFAULT 5 CHECK (c NOT IN (1, 2))",
            "c int DEFAULT 5 CHECK (c < 0 OR c > 1)",
            "c text DEFAULT 'a' CHECK (c IN ('a', 'b'))",
            "c text DEFAULT 'a' CHECK (c < 'b')",
            "c int DEFAULT -1 CHECK (c >= -1)",
        ] {
            assert!(!denied(column), "{column}");
        }
    }
}
