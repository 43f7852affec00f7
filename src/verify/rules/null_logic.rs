//! The value of a condition for a row in which every column of the condition is NULL (manual, chapter 9.1).

use squawk_syntax::SyntaxKind;

use crate::sql::Node;
use crate::verify::rules::condition::sides;
use crate::verify::schema::{is_strict, name_of, words};

/// A value, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Null,
    Bool(bool),
    /// Any value but NULL.
    NotNull,
    Unknown,
}

/// Whether a CHECK with this condition accepts a row in which its columns are NULL: it is true or NULL.
pub(super) fn passes_for_null(condition: Node<'_>) -> bool {
    matches!(value(condition), Value::Null | Value::Bool(true))
}

fn value(node: Node<'_>) -> Value {
    match node.kind() {
        SyntaxKind::NAME_REF => Value::Null,
        SyntaxKind::LITERAL => match words(node).concat().as_str() {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::NotNull,
        },
        SyntaxKind::PAREN_EXPR | SyntaxKind::CAST_EXPR | SyntaxKind::BETWEEN_EXPR => {
            // The first operand decides: NULL is between no values.
            let inner = node.children().next().map_or(Value::Unknown, |inner| value(inner));
            if node.kind() == SyntaxKind::PAREN_EXPR || inner == Value::Null { inner } else { Value::Unknown }
        }
        SyntaxKind::PREFIX_EXPR => {
            let inner = node.children().last().map_or(Value::Unknown, |inner| value(inner));
            match inner {
                Value::Bool(inner) if node.has_token(SyntaxKind::NOT_KW) => Value::Bool(!inner),
                Value::Null => Value::Null,
                _ => Value::Unknown,
            }
        }
        SyntaxKind::POSTFIX_EXPR => {
            let inner = node.children().next().map_or(Value::Unknown, |inner| value(inner));
            is_null(inner, node.has_token(SyntaxKind::ISNULL_KW))
        }
        SyntaxKind::BIN_EXPR => binary(node),
        SyntaxKind::CALL_EXPR => call(node),
        _ => Value::Unknown,
    }
}

/// `x IS NULL`, or `x IS NOT NULL`.
fn is_null(value: Value, expected: bool) -> Value {
    match value {
        Value::Null => Value::Bool(expected),
        Value::Bool(_) | Value::NotNull => Value::Bool(!expected),
        Value::Unknown => Value::Unknown,
    }
}

fn binary(node: Node<'_>) -> Value {
    let Some((left, operator, right)) = sides(node) else { return Value::Unknown };
    let (one, two) = (value(left), value(right));
    // Operators of several words are nodes.
    if node.child(SyntaxKind::IS_NOT).is_some()
        && node.children().last().is_some_and(|last| words(last) == ["null"])
    {
        return is_null(one, false);
    }
    if node.children().any(|part| format!("{:?}", part.kind()).starts_with("IS_")) {
        return Value::Unknown;
    }
    match operator.as_str() {
        "and" if [one, two].contains(&Value::Bool(false)) => Value::Bool(false),
        "or" if [one, two].contains(&Value::Bool(true)) => Value::Bool(true),
        "and" | "or" => match (one, two) {
            (Value::Bool(one), Value::Bool(two)) if one == two => Value::Bool(one),
            (Value::Bool(_) | Value::Null, Value::Bool(_) | Value::Null) => Value::Null,
            _ => Value::Unknown,
        },
        "is" if words(right) == ["null"] => is_null(one, true),
        _ if operator.starts_with("is") => Value::Unknown,
        // The operators of the server return NULL for NULL.
        _ if one == Value::Null || (two == Value::Null && !right.contains(&[SyntaxKind::SELECT])) => {
            Value::Null
        }
        "=" | "<>" | "!=" => match (one, two) {
            (Value::Bool(one), Value::Bool(two)) => Value::Bool((one == two) == (operator == "=")),
            _ => Value::Unknown,
        },
        _ => Value::Unknown,
    }
}

/// Whether a function with a syntax of its own, such as `trim(both ' ' from x)`, has an argument that is NULL.
fn has_null_argument(function: Node<'_>) -> bool {
    let is_part = |kind: SyntaxKind| {
        ["OVERLAY_", "POSITION_", "SUBSTRING_", "TRIM_"]
            .iter()
            .any(|name| format!("{kind:?}").starts_with(name))
    };
    is_part(function.kind())
        && function.children().any(|part| value(part) == Value::Null || has_null_argument(part))
}

fn call(node: Node<'_>) -> Value {
    if node.children().next().is_some_and(|function| has_null_argument(function)) {
        return Value::Null;
    }
    let name = node.children().next().map(|callee| name_of(callee)).unwrap_or_default();
    let list = node.child(SyntaxKind::ARG_LIST);
    let arguments: Vec<Value> = list
        .into_iter()
        .flat_map(Node::children)
        .map(|argument| match argument.kind() {
            SyntaxKind::ARG => argument.children().next().map_or(Value::Unknown, |inner| value(inner)),
            _ => value(argument),
        })
        .collect();
    if is_strict(&name) && arguments.contains(&Value::Null) {
        return Value::Null;
    }
    match name.as_str() {
        "coalesce" => arguments.into_iter().find(|argument| *argument != Value::Null).unwrap_or(Value::Null),
        "any" | "all" | "some" => Value::NotNull,
        _ => Value::Unknown,
    }
}
