//! Column types in a form in which two texts can be compared: one name per type, with its modifiers. Also the effect of changing
//! one type into another.

use squawk_syntax::SyntaxKind;

use crate::error::Source;
use crate::sql::{Node, Script, normalized};

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) struct SqlType {
    /// The name in the catalog (`int4`, `varchar`); for a user-defined type, qualified if the text qualifies it.
    pub(in crate::verify) name: String,
    /// The length, or the precision and scale.
    modifiers: Vec<u32>,
    /// The number of array dimensions.
    dimensions: usize,
}

/// The effect of `ALTER COLUMN … TYPE` on the running release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// Nothing changes.
    Same,
    /// Only the catalog changes: every old value fits and reads as before.
    Widens,
    /// Every old value fits and reads as before, but the table is rewritten.
    Rewrites,
    /// A value that the running release writes does not fit, or one that it reads changes.
    Impact,
}

impl Conversion {
    /// The effect of changing a column of the type `from` into `to`, both as the server prints them.
    pub fn between(from: &str, to: &str) -> Self {
        let text = format!("ALTER TABLE a ADD b {from}, ADD c {to}");
        let Ok(script) = Script::parse(Source::new("types", text)) else { return Self::Impact };
        let Some(statement) = script.statements.first() else { return Self::Impact };
        let columns =
            statement.node(&script).descendants().filter(|node| node.kind() == SyntaxKind::ADD_COLUMN);
        match columns.map(SqlType::of).collect::<Vec<_>>().as_slice() {
            [Some(from), Some(to)] => from.conversion(to),
            _ => Self::Impact,
        }
    }
}

impl SqlType {
    /// The type in the definition of a column or parameter, if it can be parsed.
    pub(in crate::verify) fn of(definition: Node<'_>) -> Option<Self> {
        definition.children().find_map(|child| Self::read(child))
    }

    /// Its name and modifiers, if it is not an array.
    pub(in crate::verify) fn scalar(&self) -> Option<(&str, &[u32])> {
        (self.dimensions == 0).then_some((self.bare_name(), self.modifiers.as_slice()))
    }

    /// The name without its schema.
    pub(in crate::verify) fn bare_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    /// The type `node`.
    pub(super) fn read(node: Node<'_>) -> Option<Self> {
        let plain =
            |name: &str| Some(Self { name: name.to_owned(), modifiers: numbers(node), dimensions: 0 });
        let zoned = |zoned: &str, bare: &str| {
            let zone = node.children().any(|child| child.kind() == SyntaxKind::WITH_TIMEZONE);
            plain(if zone { zoned } else { bare })
        };
        match node.kind() {
            SyntaxKind::ARRAY_TYPE => {
                let inner = Self::of(node)?;
                let bounds = node.children().filter(|child| child.kind() == SyntaxKind::ARRAY_BOUND).count();
                Some(Self { dimensions: inner.dimensions + bounds.max(1), ..inner })
            }
            SyntaxKind::PATH_TYPE => Some(named(node)),
            SyntaxKind::VARCHAR_TYPE => plain("varchar"),
            SyntaxKind::CHARACTER_TYPE => plain("bpchar").map(Self::or_one),
            SyntaxKind::BIT_TYPE => plain("bit").map(Self::or_one),
            SyntaxKind::BIT_VARYING_TYPE => plain("varbit"),
            SyntaxKind::DOUBLE_TYPE => plain("float8"),
            SyntaxKind::TIME_TYPE => zoned("timetz", "time"),
            SyntaxKind::TIMESTAMP_TYPE => zoned("timestamptz", "timestamp"),
            SyntaxKind::INTERVAL_TYPE => {
                let fields =
                    node.children().any(|child| format!("{:?}", child.kind()).starts_with("INTERVAL_"));
                let text = node.text().to_lowercase();
                plain(if fields { &text } else { "interval" })
            }
            _ => None,
        }
    }

    /// The type as text, with the short name of the catalog: `varchar(255)`, `int4[]`.
    pub(super) fn text(&self) -> String {
        let modifiers: Vec<String> = self.modifiers.iter().map(ToString::to_string).collect();
        let modifiers =
            if modifiers.is_empty() { String::new() } else { format!("({})", modifiers.join(",")) };
        format!("{}{modifiers}{}", self.name, "[]".repeat(self.dimensions))
    }

    pub(super) fn is_array(&self) -> bool {
        self.dimensions > 0
    }

    fn or_one(mut self) -> Self {
        if self.modifiers.is_empty() {
            self.modifiers.push(1);
        }
        self
    }

    /// The maximum length of a text.
    pub(in crate::verify) fn max_length(&self) -> Option<usize> {
        let is_text = self.is_one_of(&["varchar", "bpchar"]);
        self.modifiers.first().filter(|_| is_text).map(|length| *length as usize)
    }

    /// Whether it is one of these types, and not an array.
    pub(in crate::verify) fn is_one_of(&self, names: &[&str]) -> bool {
        self.dimensions == 0 && names.contains(&self.name.as_str())
    }

    /// The effect of changing this type into `to`.
    pub(in crate::verify) fn conversion(&self, to: &Self) -> Conversion {
        if self == to {
            return Conversion::Same;
        }
        if (self.dimensions > 0) != (to.dimensions > 0) {
            return Conversion::Impact;
        }
        let scalar = scalar(self, to);
        // No two array types are binary coercible, whatever their elements are.
        if self.dimensions > 0 && scalar == Conversion::Widens { Conversion::Rewrites } else { scalar }
    }
}

/// Types whose only modifier is a maximum length or precision.
const SHORTENED: &[&str] = &["varchar", "varbit", "time", "timetz", "timestamp", "timestamptz", "interval"];

/// Compares types without their dimensions.
fn scalar(from: &SqlType, to: &SqlType) -> Conversion {
    let (old, new) = (from.modifiers.as_slice(), to.modifiers.as_slice());
    // A type without a modifier accepts all values of the type.
    let fits = new.first().is_none_or(|new| old.first().is_some_and(|old| old <= new));
    match (from.name.as_str(), to.name.as_str()) {
        (a, b) if a == b && old == new => Conversion::Same,
        ("varchar" | "text", "text") => Conversion::Widens,
        ("text", "varchar") if new.is_empty() => Conversion::Widens,
        (a, b) if a == b && fits && SHORTENED.contains(&a) => Conversion::Widens,
        ("numeric", "numeric") => numeric(old, new),
        ("int2", "int4" | "int8") | ("int4", "int8") | ("float4", "float8") => Conversion::Rewrites,
        _ => Conversion::Impact,
    }
}

/// Values fit if there are at least as many digits before and after the point. Only another scale rewrites the table.
fn numeric(old: &[u32], new: &[u32]) -> Conversion {
    let parts = |modifiers: &[u32]| match modifiers {
        [] => None,
        [precision] => Some((*precision, 0)),
        [precision, scale, ..] => Some((*precision, *scale)),
    };
    match (parts(old), parts(new)) {
        (_, None) => Conversion::Widens,
        (Some((p, s)), Some((q, t))) if s == t && p <= q => Conversion::Widens,
        (Some((p, s)), Some((q, t))) if s < t && p.saturating_sub(s) <= q.saturating_sub(t) => {
            Conversion::Rewrites
        }
        _ => Conversion::Impact,
    }
}

fn named(node: Node<'_>) -> SqlType {
    let path = node.children().find(|child| child.kind() == SyntaxKind::PATH_REF);
    let written = path.map(Node::text).unwrap_or_default();
    let parts: Vec<String> = written.split('.').map(normalized).collect();
    let name = parts.join(".");
    let bare = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    let modifiers = numbers(node);
    let one = |name: &str| name.to_owned();
    let quoted = written.contains('"');
    let name = match bare {
        _ if quoted => one(bare),
        "int" | "integer" | "serial" | "serial4" => one("int4"),
        "bigint" | "bigserial" | "serial8" => one("int8"),
        "smallint" | "smallserial" | "serial2" => one("int2"),
        "decimal" | "dec" => one("numeric"),
        "boolean" => one("bool"),
        "real" => one("float4"),
        "float" if modifiers.first().is_some_and(|bits| *bits <= 24) => one("float4"),
        "float" => one("float8"),
        _ => one(bare),
    };
    let modifiers = if name.starts_with("float") { Vec::new() } else { modifiers };
    SqlType { name, modifiers, dimensions: 0 }
}

/// The numbers in parentheses. Anything else becomes `u32::MAX`, which makes the type unequal to known ones.
fn numbers(node: Node<'_>) -> Vec<u32> {
    let literals = node.descendants().filter(|child| child.kind() == SyntaxKind::LITERAL);
    literals.map(|literal| literal.text().trim().parse().unwrap_or(u32::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tests::parse;

    fn of(text: &str) -> SqlType {
        let script = parse(&format!("ALTER TABLE t ADD COLUMN c {text}"));
        let node = script.statements[0].node(&script);
        let column = node.first(SyntaxKind::ADD_COLUMN).unwrap();
        SqlType::of(column).unwrap()
    }

    #[test]
    fn a_type_has_one_name() {
        for (a, b) in [
            ("int", "pg_catalog.int4"),
            ("VARCHAR(50)", "character varying(50)"),
            ("timestamp(3) with time zone", "timestamp (3) WITH TIME ZONE"),
            ("double precision", "float"),
            ("decimal(10,2)", "numeric(10, 2)"),
            ("char", "character(1)"),
            ("Text[]", "text[]"),
            ("app.Mood", "app.mood"),
        ] {
            assert_eq!(of(a), of(b), "{a}");
        }
        assert_ne!(of("\"char\""), of("char"));
        assert_ne!(of("timestamp"), of("timestamp with time zone"));
    }

    #[test]
    fn types_are_compared_as_the_server_prints_them() {
        use Conversion::{Impact, Rewrites, Widens};
        for (from, to, expected) in [
            ("character varying(50)[]", "text[]", Rewrites),
            ("timestamp(3) with time zone", "timestamp with time zone", Widens),
            ("numeric(2,-3)", "numeric(5,0)", Impact),
            ("{org_schema}.mood", "text", Impact),
        ] {
            assert_eq!(Conversion::between(from, to), expected, "{from} -> {to}");
        }
    }

    #[test]
    fn a_type_change_has_an_effect() {
        use Conversion::{Impact, Rewrites, Same, Widens};
        for (from, to, expected) in [
            ("varchar(50)", "varchar(100)", Widens),
            ("varchar(50)", "varchar", Widens),
            ("varchar(50)", "text", Widens),
            ("varchar", "text", Widens),
            ("text", "varchar", Widens),
            ("numeric(10,2)", "numeric(12,2)", Widens),
            ("numeric(10,2)", "numeric", Widens),
            ("timestamptz(3)", "timestamptz", Widens),
            ("timestamp(0)", "timestamp(6)", Widens),
            ("integer", "int4", Same),
            ("int", "bigint", Rewrites),
            ("serial", "bigint", Rewrites),
            ("smallint", "int", Rewrites),
            ("real", "double precision", Rewrites),
            ("numeric(10,2)", "numeric(12,4)", Rewrites),
            ("varchar(10)[]", "text[]", Rewrites),
            ("varchar(100)", "varchar(50)", Impact),
            // Blanks at the end count in a text, and are shown in a longer char.
            ("char(3)", "text", Impact),
            ("char(3)", "varchar", Impact),
            ("char(3)", "varchar(3)", Impact),
            ("char(3)", "char(5)", Impact),
            ("char", "character(2)", Impact),
            ("cidr", "inet", Impact),
            ("char(3)[]", "text[]", Impact),
            ("varchar", "varchar(50)", Impact),
            ("text", "varchar(50)", Impact),
            ("bigint", "int", Impact),
            ("numeric(10,2)", "numeric(10,4)", Impact),
            ("numeric(10,2)", "numeric(12,1)", Impact),
            ("numeric", "numeric(10,2)", Impact),
            ("int", "numeric", Impact),
            ("int", "text", Impact),
            ("text", "uuid", Impact),
            ("text", "text[]", Impact),
            ("timestamp", "timestamptz", Impact),
            ("timestamptz", "timestamptz(3)", Impact),
            ("json", "jsonb", Impact),
            ("mood", "text", Impact),
            ("text", "citext", Impact),
            ("interval", "interval day to second", Impact),
        ] {
            assert_eq!(of(from).conversion(&of(to)), expected, "{from} -> {to}");
        }
    }
}
