//! What the body of a SECURITY DEFINER function may do, judged by its tokens (manual, "Writing SECURITY DEFINER Functions Safely").

use squawk_lexer::TokenKind;

use super::mentions::{Piece, tokens};
use super::text_names::content;

/// Functions that run SQL of a text, or read a table that an argument names.
const RUNNERS: &[&str] = &[
    "cursor_to_xml",
    "database_to_xml",
    "dblink",
    "dblink_exec",
    "dblink_open",
    "dblink_send_query",
    "query_to_xml",
    "query_to_xml_and_xmlschema",
    "query_to_xmlschema",
    "schema_to_xml",
    "table_to_xml",
    "table_to_xml_and_xmlschema",
    "ts_rewrite",
    "ts_stat",
];

/// Functions that read nothing but their arguments and the clock.
const COMPUTING: &[&str] = &[
    "abs",
    "ceil",
    "char_length",
    "clock_timestamp",
    "coalesce",
    "concat",
    "concat_ws",
    "date_trunc",
    "encode",
    "extract",
    "floor",
    "format",
    "gen_random_uuid",
    "greatest",
    "json_build_object",
    "jsonb_build_object",
    "least",
    "left",
    "length",
    "lower",
    "ltrim",
    "md5",
    "mod",
    "now",
    "nullif",
    "quote_ident",
    "quote_literal",
    "quote_nullable",
    "regexp_replace",
    "replace",
    "right",
    "round",
    "rtrim",
    "sha256",
    "split_part",
    "statement_timestamp",
    "strpos",
    "substr",
    "substring",
    "to_char",
    "trim",
    "upper",
];

/// Words of statements that read or change something.
const ACTING: &[&str] = &[
    "alter", "analyze", "call", "cluster", "comment", "copy", "create", "delete", "do", "drop", "execute",
    "from", "grant", "insert", "join", "listen", "lock", "merge", "notify", "perform", "refresh", "reset",
    "revoke", "set", "table", "truncate", "update", "using",
];

/// Whether a body reads and changes nothing: it only computes.
pub fn reads_nothing(body: &str) -> bool {
    let all = tokens(body);
    let is_call = |at: usize| all.get(at + 1).is_some_and(|next| next.kind == TokenKind::OpenParen);
    all.iter().enumerate().all(|(at, token)| match token.kind {
        TokenKind::Ident => {
            let word = token.text.to_ascii_lowercase();
            !ACTING.contains(&word.as_str())
                && (!is_call(at) || COMPUTING.contains(&word.as_str()) || is_type_or_keyword(&word))
        }
        TokenKind::QuotedIdent { .. } => !is_call(at),
        _ => true,
    })
}

fn is_type_or_keyword(word: &str) -> bool {
    matches!(
        word,
        "varchar"
            | "char"
            | "numeric"
            | "decimal"
            | "in"
            | "values"
            | "return"
            | "and"
            | "or"
            | "not"
            | "if"
            | "when"
            | "then"
    )
}

/// Whether a body runs a statement that its text does not contain: EXECUTE of something else than constants, quoted values, and names
/// that stay in `schema`. A body of no tenant has no schema whose names are harmless.
pub fn runs_other_text(body: &str, schema: Option<&str>) -> bool {
    let all = tokens(body);
    all.iter().enumerate().any(|(at, token)| {
        let TokenKind::Ident = token.kind else { return false };
        let word = token.text.to_ascii_lowercase();
        if RUNNERS.contains(&word.as_str()) {
            // A constant argument is judged by the names in it.
            let is_constant = matches!(all.get(at + 2), Some(Piece { kind: TokenKind::Literal { .. }, .. }))
                && matches!(
                    all.get(at + 3),
                    Some(Piece { kind: TokenKind::Comma | TokenKind::CloseParen, .. })
                );
            return all.get(at + 1).is_some_and(|next| next.kind == TokenKind::OpenParen) && !is_constant;
        }
        if word == "set_config" {
            // A search path that the caller chooses.
            let argument = |at: usize| all.get(at).and_then(literal);
            return argument(at + 2).is_none_or(|name| ["search_path", "role"].contains(&name.as_str()))
                && argument(at + 4).is_none();
        }
        word == "execute" && !names_a_routine(&all, at) && !is_harmless(expression(&all[at + 1..]), schema)
    })
}

/// `EXECUTE FUNCTION f()` of a trigger, and `GRANT EXECUTE ON`.
fn names_a_routine(all: &[Piece<'_>], at: usize) -> bool {
    let next = all.get(at + 1).map(|next| next.text.to_ascii_lowercase()).unwrap_or_default();
    matches!(next.as_str(), "function" | "procedure" | "on")
}

/// The tokens of the expression, without INTO and USING.
fn expression<'a, 't>(rest: &'a [Piece<'t>]) -> &'a [Piece<'t>] {
    let mut depth = 0_usize;
    let end = rest.iter().position(|token| {
        match token.kind {
            TokenKind::OpenParen | TokenKind::OpenBracket => depth += 1,
            TokenKind::CloseParen | TokenKind::CloseBracket => depth = depth.saturating_sub(1),
            TokenKind::Semi => return true,
            TokenKind::Ident if depth == 0 => {
                return matches!(token.text.to_ascii_lowercase().as_str(), "into" | "using" | "loop");
            }
            _ => {}
        }
        false
    });
    &rest[..end.unwrap_or(rest.len())]
}

/// Whether the expression is a concatenation of constants, quoted values, `format` with such, and names of the schema.
fn is_harmless(expression: &[Piece<'_>], schema: Option<&str>) -> bool {
    let mut expression = expression;
    while let [
        Piece { kind: TokenKind::OpenParen, .. },
        inner @ ..,
        Piece { kind: TokenKind::CloseParen, .. },
    ] = expression
    {
        expression = inner;
    }
    let mut before = String::new();
    let mut rest = expression;
    while let Some((first, others)) = rest.split_first() {
        if let Some(text) = literal(first) {
            // A name in two parts is not in the text.
            if before.ends_with(is_part) && text.starts_with(is_part) {
                return false;
            }
            before.push_str(&text);
            rest = others;
        } else if matches!(first.kind, TokenKind::Or) || first.text == "|" || first.text == "||" {
            rest = others;
        } else {
            let Some((arguments, behind)) = call(rest) else { return false };
            match first.text.to_ascii_lowercase().as_str() {
                "quote_literal" | "quote_nullable" => before.push_str("''"),
                "quote_ident" => {
                    let follows = behind.iter().find_map(literal).is_some_and(|next| next.starts_with('.'));
                    if follows || !may_be_named(&before, schema) {
                        return false;
                    }
                    before.push('x');
                }
                "format" if is_harmless_format(arguments, schema) => before.push(' '),
                _ => return false,
            }
            rest = behind;
        }
    }
    !expression.is_empty()
}

fn is_part(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

/// The content of a string constant.
fn literal(token: &Piece<'_>) -> Option<String> {
    let is_literal = matches!(token.kind, TokenKind::Literal { .. });
    is_literal.then(|| content(token.text)).flatten().map(|(_, inner)| inner.to_owned())
}

/// The arguments of the call that begins here, and the tokens after it.
fn call<'a, 't>(tokens: &'a [Piece<'t>]) -> Option<(&'a [Piece<'t>], &'a [Piece<'t>])> {
    let [Piece { kind: TokenKind::Ident, .. }, Piece { kind: TokenKind::OpenParen, .. }, inner @ ..] = tokens
    else {
        return None;
    };
    let mut depth = 1_usize;
    for (at, token) in inner.iter().enumerate() {
        match token.kind {
            TokenKind::OpenParen => depth += 1,
            TokenKind::CloseParen => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&inner[..at], &inner[at + 1..]));
        }
    }
    None
}

/// Whether a name that follows `before` stays in the schema: it is qualified with the schema, or not qualified.
fn may_be_named(before: &str, schema: Option<&str>) -> bool {
    let Some(schema) = schema else { return false };
    match before.strip_suffix('.') {
        None => true,
        Some(qualified) => {
            let qualified = qualified.strip_suffix('"').unwrap_or(qualified);
            qualified.strip_suffix(schema).is_some_and(|rest| !rest.ends_with(is_part))
        }
    }
}

/// Whether `format(…)` makes a harmless text.
fn is_harmless_format(arguments: &[Piece<'_>], schema: Option<&str>) -> bool {
    let Some(pattern) = arguments.first().and_then(literal) else { return false };
    // The table of a trigger, which only its owner makes.
    let words: Vec<_> = arguments[1..].iter().map(|token| token.text.to_ascii_lowercase()).collect();
    if words == [",", "tg_table_schema", ",", "tg_table_name"]
        && pattern.matches('%').count() == 2
        && !pattern.contains("%s")
    {
        return true;
    }
    let mut rest = pattern.as_str();
    let mut before = String::new();
    while let Some((head, tail)) = rest.split_once('%') {
        before.push_str(head);
        let tail =
            tail.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '$' || letter == '-');
        let mut letters = tail.chars();
        match letters.next() {
            Some('L') => before.push_str("''"),
            Some('%') => before.push('%'),
            Some('I')
                if !letters.as_str().trim_start_matches('"').starts_with('.')
                    && may_be_named(&before, schema) =>
            {
                before.push('x');
            }
            _ => return false,
        }
        rest = letters.as_str();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_statement_is_in_the_text() {
        for body in [
            "BEGIN EXECUTE 'UPDATE org_a.t SET x = 1'; END",
            "BEGIN EXECUTE 'UPDATE t SET x = ' || quote_literal(y) || ' WHERE true' USING z; END",
            "BEGIN EXECUTE format('DELETE FROM org_a.%I WHERE id = %L', t, i) INTO n; END",
            "BEGIN EXECUTE format('SELECT %I FROM t', c); END",
            "BEGIN EXECUTE format('SELECT * FROM %I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME); END",
            "BEGIN RETURN 1; END",
            "SELECT 1 FROM t",
        ] {
            assert!(!runs_other_text(body, Some("org_a")), "{body}");
        }
    }

    #[test]
    fn another_statement_is_not() {
        for body in [
            "BEGIN EXECUTE q; END",
            "BEGIN EXECUTE 'SELECT * FROM ' || t; END",
            "BEGIN EXECUTE format('SELECT * FROM %s', t); END",
            "BEGIN EXECUTE format('SELECT * FROM %I.%I', s, t); END",
            "BEGIN EXECUTE format('SELECT * FROM org_%I.t', s); END",
            "BEGIN EXECUTE format('SELECT * FROM p.%I', t); END",
            "BEGIN EXECUTE 'SELECT * FROM ' || quote_ident(s) || '.t'; END",
            "BEGIN RETURN QUERY EXECUTE format(q, t); END",
            "BEGIN FOR r IN EXECUTE q LOOP NULL; END LOOP; END",
            "SELECT query_to_xml(q, true, true, '')",
            "BEGIN EXECUTE 'SELECT * FROM org_' || 'b.t'; END",
            "BEGIN PERFORM set_config('search_path', p, true); END",
        ] {
            assert!(runs_other_text(body, Some("org_a")), "{body}");
        }
        assert!(runs_other_text("BEGIN EXECUTE format('SELECT * FROM %I', t); END", None));
    }

    #[test]
    fn a_computation_reads_nothing() {
        assert!(reads_nothing("SELECT lower($1) || 'x'"));
        assert!(reads_nothing("BEGIN RETURN upper(a); END"));
        for body in [
            "SELECT x FROM t",
            "BEGIN EXECUTE q; END",
            "SELECT p.f(1)",
            "SELECT nextval('s')",
            "INSERT INTO t VALUES (1)",
        ] {
            assert!(!reads_nothing(body), "{body}");
        }
    }
}
