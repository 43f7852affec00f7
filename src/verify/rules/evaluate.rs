//! The value of a condition for a row whose columns have known values (manual, chapter 9.1).

use std::cmp::Ordering;

use squawk_syntax::SyntaxKind;

use crate::sql::Node;
use crate::verify::rules::condition::sides;
use crate::verify::schema::{Column, OmittedValue, SqlType, is_server_function, is_strict, name_of, words};

/// A value, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// A number or a string, in its source form without spaces and casts.
    Constant(String),
    /// A string that the server reads as a value of another type: other strings may be the same value.
    Read(String),
    /// Any value but NULL.
    NotNull,
    Unknown,
}

/// The value of a column, by its name.
type Columns<'a> = &'a dyn Fn(&str) -> Value;

impl Value {
    /// The value of a column that an INSERT omits.
    pub(super) fn omitted(column: &Column) -> Self {
        let value = match &column.omitted_value {
            OmittedValue::Null => Self::Null,
            OmittedValue::Default(text) => Self::literal(text),
            OmittedValue::Generated => Self::Unknown,
        };
        let of_type = column.of_type.as_ref().and_then(SqlType::scalar);
        let name = of_type.map(|(name, _)| name);
        match value {
            Self::Constant(text) if text.starts_with('\'') => match name {
                Some("text" | "varchar" | "bpchar" | "citext" | "name") => Self::Constant(text),
                // A row whose fields are all NULL is NULL (manual, chapter 9.2).
                _ if text.starts_with("'(") => Self::Unknown,
                _ => Self::Read(text),
            },
            // The type may round it.
            Self::Constant(text) if text.contains(['.', 'e', 'E']) => {
                let scale = text.split_once('.').map_or(usize::MAX, |(_, digits)| digits.len());
                let is_kept = |modifiers: &[u32]| match modifiers {
                    [] => true,
                    [_, of_type] => usize::try_from(*of_type).is_ok_and(|of_type| scale <= of_type),
                    _ => false,
                };
                match of_type {
                    Some(("numeric", modifiers)) if is_kept(modifiers) => Self::Constant(text),
                    Some(("float8", _)) => Self::Constant(text),
                    _ => Self::NotNull,
                }
            }
            value => value,
        }
    }

    /// The value of a literal, perhaps with a cast to a text type.
    fn literal(text: &str) -> Self {
        let plain = text.split(" :: ").next().unwrap_or(text);
        let is_text = plain.len() > 1 && plain.starts_with('\'') && plain.ends_with('\'');
        let cast = text.strip_prefix(plain).unwrap_or_default().trim_start_matches(" :: ");
        match plain {
            "null" => Self::Null,
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            _ if is_text && ["", "text", "varchar", "character varying"].contains(&cast) => {
                Self::Constant(plain.to_owned())
            }
            _ if is_text => Self::NotNull,
            _ if cast.is_empty() && number(plain).is_some() => Self::Constant(plain.replace(' ', "")),
            _ => Self::Unknown,
        }
    }
}

/// Whether a CHECK with this condition accepts a row with these columns: it is true or NULL.
pub(super) fn passes(condition: Node<'_>, columns: Columns<'_>) -> bool {
    matches!(value(condition, columns), Value::Null | Value::Bool(true))
}

/// Whether `condition` is certainly false if all its columns have the value `constant`, a literal in its source form.
pub(super) fn refutes(constant: &str, condition: Node<'_>) -> bool {
    value(condition, &|_| Value::literal(constant)) == Value::Bool(false)
}

fn value(node: Node<'_>, columns: Columns<'_>) -> Value {
    let first = || node.children().next().map_or(Value::Unknown, |inner| value(inner, columns));
    match node.kind() {
        SyntaxKind::NAME_REF => columns(&name_of(node)),
        SyntaxKind::LITERAL => match Value::literal(&words(node).concat()) {
            Value::Unknown => Value::NotNull,
            known => known,
        },
        SyntaxKind::PAREN_EXPR => first(),
        SyntaxKind::CAST_EXPR => match first() {
            Value::Null => Value::Null,
            Value::Constant(text) if text.starts_with('\'') => {
                let last = words(node).pop().unwrap_or_default();
                if ["text", "varchar", "varying"].contains(&last.as_str()) {
                    Value::Constant(text)
                } else {
                    Value::Unknown
                }
            }
            _ => Value::Unknown,
        },
        SyntaxKind::BETWEEN_EXPR => between(node, columns),
        SyntaxKind::PREFIX_EXPR => {
            let inner = node.children().last().map_or(Value::Unknown, |inner| value(inner, columns));
            match inner {
                Value::Bool(inner) if node.has_token(SyntaxKind::NOT_KW) => Value::Bool(!inner),
                Value::Null => Value::Null,
                _ => Value::literal(&words(node).join(" ")),
            }
        }
        SyntaxKind::POSTFIX_EXPR => is_null(first(), node.has_token(SyntaxKind::ISNULL_KW)),
        SyntaxKind::BIN_EXPR => binary(node, columns),
        SyntaxKind::CALL_EXPR => call(node, columns),
        _ => Value::Unknown,
    }
}

/// `x IS NULL`, or `x IS NOT NULL`.
fn is_null(value: Value, expected: bool) -> Value {
    match value {
        Value::Null => Value::Bool(expected),
        Value::Bool(_) | Value::Constant(_) | Value::Read(_) | Value::NotNull => Value::Bool(!expected),
        Value::Unknown => Value::Unknown,
    }
}

fn binary(node: Node<'_>, columns: Columns<'_>) -> Value {
    let Some((left, operator, right)) = sides(node) else { return Value::Unknown };
    let (operator, right) = match right.kind() {
        SyntaxKind::CUSTOM_OP => (right.text().to_owned(), node.children().last().unwrap_or(right)),
        _ => (operator, right),
    };
    let (one, two) = (value(left, columns), value(right, columns));
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
        "and" if one == Value::Bool(false) || two == Value::Bool(false) => Value::Bool(false),
        "or" if one == Value::Bool(true) || two == Value::Bool(true) => Value::Bool(true),
        "and" | "or" => match (one, two) {
            (Value::Bool(one), Value::Bool(two)) if one == two => Value::Bool(one),
            (Value::Bool(_) | Value::Null, Value::Bool(_) | Value::Null) => Value::Null,
            _ => Value::Unknown,
        },
        "is" if words(right) == ["null"] => is_null(one, true),
        _ if operator.starts_with("is") => Value::Unknown,
        // NULL is appended to an array, or an array to NULL.
        "||" => Value::Unknown,
        // The other operators of the server return NULL for NULL.
        _ if one == Value::Null || (two == Value::Null && !right.contains(&[SyntaxKind::SELECT])) => {
            Value::Null
        }
        "in" | "notin" => is_in(&one, right, columns, operator == "in"),
        "=" if right.has_child(ANY) => is_in(&one, right, columns, true),
        "=" => equals(&one, &two).map_or(Value::Unknown, Value::Bool),
        "<>" | "!=" => equals(&one, &two).map_or(Value::Unknown, |equal| Value::Bool(!equal)),
        "<" | "<=" | ">" | ">=" => {
            order(&one, &two).map_or(Value::Unknown, |order| Value::Bool(is_ordered(order, &operator)))
        }
        _ => Value::Unknown,
    }
}

const ANY: &[SyntaxKind] = &[SyntaxKind::ANY_FN, SyntaxKind::SOME_FN];

fn is_ordered(order: Ordering, operator: &str) -> bool {
    match operator {
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }
}

fn number(text: &str) -> Option<f64> {
    text.replace(' ', "").parse().ok()
}

/// Compares constants. For texts only equality is known, since their order depends on the collation.
fn order(one: &Value, two: &Value) -> Option<Ordering> {
    let (Value::Constant(one), Value::Constant(two)) = (one, two) else { return None };
    match (number(one), number(two)) {
        (Some(one), Some(two)) => one.partial_cmp(&two),
        (None, None) => (one == two).then_some(Ordering::Equal),
        _ => None,
    }
}

/// Whether the values are equal; different texts are if they are different in every collation.
fn equals(one: &Value, two: &Value) -> Option<bool> {
    let folded = |text: &str| text.trim_matches('\'').trim().to_lowercase();
    match (one, two) {
        (Value::Bool(one), Value::Bool(two)) => Some(one == two),
        (Value::Read(own), Value::Constant(other)) | (Value::Constant(other), Value::Read(own)) => {
            (own == other).then_some(true)
        }
        (Value::Constant(own), Value::Constant(other)) => {
            order(one, two).map(|order| order == Ordering::Equal).or_else(|| {
                (number(own).is_none() && number(other).is_none() && folded(own) != folded(other))
                    .then_some(false)
            })
        }
        _ => None,
    }
}

/// `x IN (…)`, or `x = ANY (ARRAY[…])`.
fn is_in(value_of: &Value, list: Node<'_>, columns: Columns<'_>, expected: bool) -> Value {
    let Some(items) = items(list) else { return Value::Unknown };
    let found: Vec<_> = items.into_iter().map(|item| equals(value_of, &value(item, columns))).collect();
    if found.contains(&Some(true)) {
        Value::Bool(expected)
    } else if found.iter().all(|equal| *equal == Some(false)) {
        Value::Bool(!expected)
    } else {
        Value::Unknown
    }
}

/// The items of a list, or of the array in `ANY (ARRAY[…])`.
fn items(list: Node<'_>) -> Option<Vec<Node<'_>>> {
    match list.kind() {
        SyntaxKind::TUPLE_EXPR | SyntaxKind::ARRAY_EXPR | SyntaxKind::PAREN_EXPR => {
            Some(list.children().collect())
        }
        SyntaxKind::CALL_EXPR => array(list.children().next()?),
        _ => None,
    }
}

fn array(node: Node<'_>) -> Option<Vec<Node<'_>>> {
    match node.kind() {
        SyntaxKind::ARRAY_EXPR => items(node),
        SyntaxKind::ANY_FN | SyntaxKind::SOME_FN | SyntaxKind::PAREN_EXPR | SyntaxKind::CAST_EXPR => {
            array(node.children().next()?)
        }
        _ => None,
    }
}

/// `x BETWEEN a AND b`: NULL is between no values.
fn between(node: Node<'_>, columns: Columns<'_>) -> Value {
    let parts: Vec<Value> = node.children().map(|part| value(part, columns)).collect();
    match parts.as_slice() {
        [Value::Null, ..] => Value::Null,
        [own, low, high] if !node.has_token(SyntaxKind::NOT_KW) => {
            match (order(own, low), order(own, high)) {
                (Some(Ordering::Less), _) | (_, Some(Ordering::Greater)) => Value::Bool(false),
                (Some(_), Some(_)) => Value::Bool(true),
                _ => Value::Unknown,
            }
        }
        _ => Value::Unknown,
    }
}

/// Whether a function with a syntax of its own, such as `trim(both ' ' from x)`, has an argument that is NULL.
fn has_null_argument(function: Node<'_>, columns: Columns<'_>) -> bool {
    let is_part = |kind: SyntaxKind| {
        ["OVERLAY_", "POSITION_", "SUBSTRING_", "TRIM_"]
            .iter()
            .any(|name| format!("{kind:?}").starts_with(name))
    };
    is_part(function.kind())
        && function
            .children()
            .any(|part| value(part, columns) == Value::Null || has_null_argument(part, columns))
}

fn call(node: Node<'_>, columns: Columns<'_>) -> Value {
    if node.children().next().is_some_and(|function| has_null_argument(function, columns)) {
        return Value::Null;
    }
    let name = node.children().next().map(|callee| name_of(callee)).unwrap_or_default();
    let list = node.child(SyntaxKind::ARG_LIST);
    let arguments: Vec<Value> = list
        .into_iter()
        .flat_map(Node::children)
        .map(|argument| match argument.kind() {
            SyntaxKind::ARG => {
                argument.children().next().map_or(Value::Unknown, |inner| value(inner, columns))
            }
            _ => value(argument, columns),
        })
        .collect();
    if is_strict(&name) && is_server_function(&name) && arguments.contains(&Value::Null) {
        return Value::Null;
    }
    match name.as_str() {
        "coalesce" => arguments.into_iter().find(|argument| *argument != Value::Null).unwrap_or(Value::Null),
        _ => Value::Unknown,
    }
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
