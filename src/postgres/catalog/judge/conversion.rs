//! The effect of a changed type on clients that read and write the old type.

/// The relation of a new type to the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// All values can be read and written as before: a longer `varchar`, `varchar` to `text`.
    Wider,
    /// All old values fit and have the same text, but a client that decodes by type receives another type: `integer` to `bigint`.
    Decoded,
    /// Some values can no longer be written.
    Narrower,
    /// Values change their meaning or are invalid in the new type.
    Other,
}

/// A type as `format_type` prints it, split into its parts.
struct Type<'a> {
    base: &'a str,
    /// The text after the closing parenthesis: `[]`, ` with time zone`.
    rest: &'a str,
    modifiers: Vec<i64>,
}

impl<'a> Type<'a> {
    fn read(text: &'a str) -> Self {
        let parts = text.split_once('(').and_then(|(base, more)| {
            let (inside, rest) = more.split_once(')')?;
            let modifiers =
                inside.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?;
            Some(Self { base, rest, modifiers })
        });
        parts.unwrap_or_else(|| match text.find(" with").or_else(|| text.find("[]")) {
            Some(at) => Self { base: &text[..at], rest: &text[at..], modifiers: Vec::new() },
            None => Self { base: text, rest: "", modifiers: Vec::new() },
        })
    }
}

/// From narrow to wide. A client's decoder supports one width.
const WIDTHS: &[&[&str]] = &[&["smallint", "integer", "bigint"], &["real", "double precision"]];

impl Conversion {
    /// The conversion from the type `from` to the type `to`, both as `format_type` prints them.
    pub fn between(from: &str, to: &str) -> Self {
        let (old, new) = (Type::read(from), Type::read(to));
        if old.rest != new.rest {
            return Self::Other;
        }
        if old.base == new.base {
            return same(&old, &new);
        }
        match (old.base, new.base) {
            ("character varying", "text") => return Self::Wider,
            // Both hold the same values, and drivers accept one for the other.
            ("text", "character varying") if new.modifiers.is_empty() => return Self::Wider,
            ("text", "character varying") => return Self::Narrower,
            ("json", "jsonb") => return Self::Decoded,
            _ => {}
        }
        let widths = WIDTHS.iter().find_map(|widths| {
            let position = |base| widths.iter().position(|width| *width == base);
            Some((position(old.base)?, position(new.base)?))
        });
        match widths {
            Some((before, after)) if before < after => Self::Decoded,
            Some(_) => Self::Narrower,
            None => Self::Other,
        }
    }
}

/// The conversion between two types that differ only in modifiers.
fn same(old: &Type<'_>, new: &Type<'_>) -> Conversion {
    let length = |one: &Type<'_>| one.modifiers.first().copied();
    let is_longer = length(old).is_some() && length(new) >= length(old);
    let is_bounded =
        ["character varying", "bit varying", "timestamp", "time", "interval"].contains(&old.base);
    match (old.base, old.modifiers.as_slice(), new.modifiers.as_slice()) {
        ("numeric", _, []) => Conversion::Wider,
        ("numeric", [before, scale], [after, now]) if scale == now && after >= before => Conversion::Wider,
        // More fractional digits: the same number has a different text.
        ("numeric", [before, scale], [after, now]) if now > scale && after - now >= before - scale => {
            Conversion::Decoded
        }
        // A fixed length is padded with spaces, which readers receive too.
        ("character", ..) if is_longer => Conversion::Decoded,
        (_, _, modifiers) if is_bounded && (modifiers.is_empty() || is_longer) => Conversion::Wider,
        _ => Conversion::Narrower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_conversions() {
        for (from, to, expected) in [
            ("character varying(50)", "character varying(100)", Conversion::Wider),
            ("character varying(50)", "character varying", Conversion::Wider),
            ("character varying(50)", "text", Conversion::Wider),
            ("character varying(50)[]", "text[]", Conversion::Wider),
            ("text", "character varying", Conversion::Wider),
            ("numeric(10,2)", "numeric(12,2)", Conversion::Wider),
            ("numeric(10,2)", "numeric", Conversion::Wider),
            ("timestamp(3) with time zone", "timestamp(6) with time zone", Conversion::Wider),
            ("integer", "bigint", Conversion::Decoded),
            ("smallint[]", "bigint[]", Conversion::Decoded),
            ("real", "double precision", Conversion::Decoded),
            ("numeric(10,2)", "numeric(12,4)", Conversion::Decoded),
            ("character(3)", "character(5)", Conversion::Decoded),
            ("json", "jsonb", Conversion::Decoded),
            ("text", "character varying(10)", Conversion::Narrower),
            ("character varying(50)", "character varying(10)", Conversion::Narrower),
            ("character varying", "character varying(10)", Conversion::Narrower),
            ("numeric", "numeric(10,2)", Conversion::Narrower),
            ("numeric(10,2)", "numeric(10,4)", Conversion::Narrower),
            ("bigint", "integer", Conversion::Narrower),
            ("timestamp(3) with time zone", "timestamp with time zone", Conversion::Wider),
            ("timestamp with time zone", "timestamp(0) with time zone", Conversion::Narrower),
            ("timestamp without time zone", "timestamp with time zone", Conversion::Other),
            ("numeric(2,-3)", "numeric(5,0)", Conversion::Decoded),
            ("numeric(3,5)", "numeric(4,6)", Conversion::Decoded),
            ("integer", "integer[]", Conversion::Other),
            ("text", "integer", Conversion::Other),
            ("{org_schema}.mood", "text", Conversion::Other),
        ] {
            assert_eq!(Conversion::between(from, to), expected, "{from} → {to}");
        }
    }
}
