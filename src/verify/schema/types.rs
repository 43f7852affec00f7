//! A column's type as two texts can be compared: one name for each type however it is written, with its
//! modifiers. What a change of it costs, and whom it breaks, is one table.

use squawk_syntax::SyntaxKind;

use crate::sql::{Node, normalized};

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) struct SqlType {
    /// As the catalog calls it (`int4`, `varchar`); a user's own with its schema, where the text has one.
    pub(in crate::verify) name: String,
    /// The length, or precision and scale.
    modifiers: Vec<u32>,
    /// How many `[]`.
    dimensions: usize,
}

/// What `ALTER COLUMN … TYPE` means for the release that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum Conversion {
    /// Nothing changes.
    Same,
    /// The catalog changes, no row does: every old value fits and reads as before.
    Widens,
    /// Every old value fits and reads as before, but each row is written anew.
    Rewrites,
    /// Something that the running release writes does not fit, or what it reads is another.
    Impact,
}

impl SqlType {
    /// The type that a column's or parameter's definition gives, if the text is one that we can read.
    pub(in crate::verify) fn of(definition: Node<'_>) -> Option<Self> {
        definition.children().find_map(|child| Self::read(child))
    }

    /// The type that `node` is.
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

    fn or_one(mut self) -> Self {
        if self.modifiers.is_empty() {
            self.modifiers.push(1);
        }
        self
    }

    /// Whether it is one of these, and no array.
    pub(in crate::verify) fn is_one_of(&self, names: &[&str]) -> bool {
        self.dimensions == 0 && names.contains(&self.name.as_str())
    }

    /// What changing it to `to` means.
    pub(in crate::verify) fn conversion(&self, to: &Self) -> Conversion {
        if self == to {
            return Conversion::Same;
        }
        if (self.dimensions > 0) != (to.dimensions > 0) {
            return Conversion::Impact;
        }
        let scalar = scalar(self, to);
        // The server holds no two array types for the same bytes, whatever their elements are.
        if self.dimensions > 0 && scalar == Conversion::Widens { Conversion::Rewrites } else { scalar }
    }
}

/// Types whose only modifier is a greatest length, or precision.
const SHORTENED: &[&str] = &["varchar", "varbit", "time", "timetz", "timestamp", "timestamptz", "interval"];

/// Of the names of types, and of the lengths that stand behind them.
fn scalar(from: &SqlType, to: &SqlType) -> Conversion {
    let (old, new) = (from.modifiers.as_slice(), to.modifiers.as_slice());
    // Without a modifier everything fits that fits the type at all.
    let fits = new.first().is_none_or(|new| old.first().is_some_and(|old| old <= new));
    match (from.name.as_str(), to.name.as_str()) {
        (a, b) if a == b && old == new => Conversion::Same,
        ("varchar" | "text", "text") | ("cidr", "inet") => Conversion::Widens,
        ("text", "varchar") if new.is_empty() => Conversion::Widens,
        (a, b) if a == b && fits && SHORTENED.contains(&a) => Conversion::Widens,
        ("numeric", "numeric") => numeric(old, new),
        ("bpchar", "bpchar" | "varchar") if fits => Conversion::Rewrites,
        ("bpchar", "text") | ("int2", "int4" | "int8") | ("int4", "int8") | ("float4", "float8") => {
            Conversion::Rewrites
        }
        _ => Conversion::Impact,
    }
}

/// As many digits before the point and behind it, or more. Only another scale writes rows anew.
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

/// The numbers in brackets; something else there is no number that we know, and makes the type its own.
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
    fn what_a_change_means() {
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
