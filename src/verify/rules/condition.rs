//! Conditions: whether one has the same result for every row, and what it implies for columns.

use squawk_syntax::SyntaxKind;

use crate::sql::{Name, Node};
use crate::verify::rule_context::RuleContext;
use crate::verify::schema::{name_of, words};

/// Whether `condition` certainly has the same result for every row of `table`.
pub(super) fn is_constant(context: &RuleContext<'_>, table: Option<&Name>, condition: Node<'_>) -> bool {
    if condition.kind() == SyntaxKind::PAREN_EXPR {
        return condition.children().all(|inner| is_constant(context, table, inner));
    }
    if let Some((left, operator, right)) = sides(condition) {
        let either = || is_constant(context, table, left) || is_constant(context, table, right);
        let null_or_not_null = || {
            !nulls(left).is_empty() && not_nulls(right) == nulls(left)
                || !nulls(right).is_empty() && not_nulls(left) == nulls(right)
        };
        // `id = id` excludes at most NULL.
        if (operator == "or" && (either() || null_or_not_null()))
            || (operator == "and" && is_constant(context, table, left) && is_constant(context, table, right))
            || (operator == "=" && words(left) == words(right))
            || (operator == "in" && table.is_some_and(|table| is_all_of(context, table, left, right)))
        {
            return true;
        }
    }
    let columns = not_nulls(condition);
    let known = table.and_then(|name| context.schema.table(name, context.scope).present());
    if !columns.is_empty()
        && known.is_some_and(|table| columns.iter().all(|name| table.proves_not_null(name)))
    {
        return true;
    }
    let reads_row = |node: Node<'_>| {
        node.kind() == SyntaxKind::NAME_REF
            && node.parent().is_none_or(|parent| {
                parent.kind() != SyntaxKind::CALL_EXPR || parent.children().next() != Some(node)
            })
    };
    !condition.descendants().any(reads_row)
}

/// Whether the condition is `id IN (SELECT id FROM the_same_table)`.
fn is_all_of(context: &RuleContext<'_>, table: &Name, column: Node<'_>, list: Node<'_>) -> bool {
    let Some(select) = list.first(SyntaxKind::SELECT) else {
        return false;
    };
    let Some(from) = select.child(SyntaxKind::FROM_CLAUSE) else { return false };
    let only_from = select.children().all(|part| {
        matches!(
            part.kind(),
            SyntaxKind::SELECT_CLAUSE | SyntaxKind::FROM_CLAUSE | SyntaxKind::ORDER_BY_CLAUSE
        )
    });
    let range = from.range();
    let sources: Vec<&Name> = context
        .statement
        .names
        .iter()
        .filter(|name| range.start <= name.range.start && name.range.end <= range.end)
        .collect();
    let shown = select.child(SyntaxKind::SELECT_CLAUSE).map(|clause| words(clause)).unwrap_or_default();
    let last = |words: &[String]| words.last().cloned();
    only_from
        && matches!(sources.as_slice(), [only] if only.name == table.name)
        && last(&shown) == last(&words(column))
}

/// The columns that a condition requires to be NULL, in all parts joined by AND.
pub(super) fn nulls(condition: Node<'_>) -> Vec<String> {
    match condition.kind() {
        SyntaxKind::PAREN_EXPR => condition.children().flat_map(|inner| nulls(inner)).collect(),
        SyntaxKind::POSTFIX_EXPR if condition.has_token(SyntaxKind::ISNULL_KW) => column(condition),
        SyntaxKind::BIN_EXPR if condition.has_token(SyntaxKind::AND_KW) => {
            condition.children().flat_map(|side| nulls(side)).collect()
        }
        SyntaxKind::BIN_EXPR if condition.has_token(SyntaxKind::IS_KW) && against_null(condition) => {
            column(condition)
        }
        _ => Vec::new(),
    }
}

/// The column of `c IS NOT NULL`.
fn not_nulls(condition: Node<'_>) -> Vec<String> {
    match condition.kind() {
        SyntaxKind::PAREN_EXPR => condition.children().flat_map(|inner| not_nulls(inner)).collect(),
        SyntaxKind::POSTFIX_EXPR if condition.has_token(SyntaxKind::NOTNULL_KW) => column(condition),
        SyntaxKind::BIN_EXPR if condition.child(SyntaxKind::IS_NOT).is_some() && against_null(condition) => {
            column(condition)
        }
        _ => Vec::new(),
    }
}

fn against_null(condition: Node<'_>) -> bool {
    condition.children().any(|side| side.kind() == SyntaxKind::LITERAL && words(side) == ["null"])
}

/// The column that is the first operand, qualified or not.
fn column(expression: Node<'_>) -> Vec<String> {
    let named = expression.children().next().and_then(|operand| match operand.kind() {
        SyntaxKind::NAME_REF => Some(name_of(operand)),
        SyntaxKind::FIELD_EXPR => operand.children().last().map(|last| name_of(last)),
        _ => None,
    });
    named.into_iter().collect()
}

/// The operands and the operator, in lower case.
pub(super) fn sides(expression: Node<'_>) -> Option<(Node<'_>, String, Node<'_>)> {
    if expression.kind() != SyntaxKind::BIN_EXPR {
        return None;
    }
    let mut operands = expression.children().filter(|child| child.kind() != SyntaxKind::OP);
    let (left, right) = (operands.next()?, operands.next()?);
    let tokens = expression.tokens();
    let between = tokens.filter(|token| {
        left.range().end <= token.range().start
            && token.range().end <= right.range().start
            && !token.kind.is_trivia()
    });
    let operator = between.map(|token| token.text.to_lowercase()).collect();
    Some((left, operator, right))
}
