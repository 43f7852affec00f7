//! Removes column options that only a server sets from the statements of a dump.

use std::borrow::Cow;
use std::ops::Range;

use squawk_lexer::{TokenKind, tokenize};

use super::normalized;

/// Options in `pg_attribute.attoptions` that some servers write internally. A `pg_dump` without support for them dumps
/// them as user settings, and a server without support for them rejects them.
const SET_BY_SERVER: &[&str] = &["pg_attver"];

/// Returns `text` without the column options that only a server sets. `ALTER TABLE t ALTER COLUMN c SET (pg_attver=7,
/// n_distinct=5)` keeps `n_distinct`. A statement that sets no other option is removed.
pub fn without_server_options(text: &str) -> Cow<'_, str> {
    if !SET_BY_SERVER.iter().any(|option| text.to_ascii_lowercase().contains(option)) {
        return Cow::Borrowed(text);
    }
    let tokens = tokens(text);
    let mut kept = String::with_capacity(text.len());
    let mut copied = 0;
    for statement in tokens.split_inclusive(|token| token.kind == TokenKind::Semi) {
        if let Some(changed) = changed(text, statement) {
            let (Some(first), Some(last)) = (statement.first(), statement.last()) else { continue };
            kept.push_str(&text[copied..first.range.start]);
            kept.push_str(&changed);
            copied = last.range.end;
        }
    }
    kept.push_str(&text[copied..]);
    Cow::Owned(kept)
}

struct Token {
    kind: TokenKind,
    range: Range<usize>,
}

/// Returns all tokens except white space and comments.
fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut start = 0;
    for token in tokenize(text) {
        let range = start..start + token.len as usize;
        start = range.end;
        let separates = matches!(
            token.kind,
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } | TokenKind::Eof
        );
        if !separates {
            found.push(Token { kind: token.kind, range });
        }
    }
    found
}

/// Returns the statement without those options, or `None` if it sets none of them. The result may be empty.
fn changed(text: &str, statement: &[Token]) -> Option<String> {
    let (body, end) = match statement.split_last()? {
        (last, body) if last.kind == TokenKind::Semi => (body, ";"),
        _ => (statement, ""),
    };
    let start = first_action(text, body)?;
    let actions = members(&body[start..]);
    let rest: Vec<Cow<'_, str>> = actions.iter().filter_map(|action| without(text, action)).collect();
    let is_same = rest.len() == actions.len() && rest.iter().all(|action| matches!(action, Cow::Borrowed(_)));
    if is_same {
        return None;
    }
    if rest.is_empty() {
        return Some(String::new());
    }
    let head = &text[body[0].range.start..body[start].range.start];
    Some(format!("{head}{}{end}", rest.join(", ")))
}

/// Returns the index of the first token after the name in an `ALTER TABLE`. `pg_dump` writes this statement for
/// foreign tables and materialized views too.
fn first_action(text: &str, tokens: &[Token]) -> Option<usize> {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| is_word(text, token, word));
    let mut at = usize::from(is(1, "foreign")) + 1;
    if !is(0, "alter") || !is(at, "table") {
        return None;
    }
    at += 1;
    for word in ["if", "exists", "only"] {
        at += usize::from(is(at, word));
    }
    at += 1;
    while tokens.get(at).is_some_and(|token| token.kind == TokenKind::Dot) {
        at += 2;
    }
    at += usize::from(tokens.get(at).is_some_and(|token| token.kind == TokenKind::Star));
    (at < tokens.len()).then_some(at)
}

/// Returns an action without those options: unchanged if it sets none of them, `None` if it sets no other option.
fn without<'a>(text: &'a str, action: &[Token]) -> Option<Cow<'a, str>> {
    let (first, last) = (action.first()?, action.last()?);
    let whole = Cow::Borrowed(&text[first.range.start..last.range.end]);
    let name = 1 + usize::from(action.get(1).is_some_and(|token| is_word(text, token, "column")));
    let is_set = is_word(text, first, "alter")
        && action.get(name + 1).is_some_and(|token| is_word(text, token, "set"))
        && action.get(name + 2).is_some_and(|token| token.kind == TokenKind::OpenParen)
        && last.kind == TokenKind::CloseParen;
    if !is_set {
        return Some(whole);
    }
    let options = members(&action[name + 3..action.len() - 1]);
    let rest: Vec<&str> = options
        .iter()
        .filter(|option| {
            let key = option.first().map(|token| normalized(&text[token.range.clone()]));
            !key.is_some_and(|key| SET_BY_SERVER.contains(&key.as_str()))
        })
        .filter_map(|option| Some(&text[option.first()?.range.start..option.last()?.range.end]))
        .collect();
    if rest.len() == options.len() {
        return Some(whole);
    }
    let head = &text[first.range.start..action[name + 2].range.end];
    (!rest.is_empty()).then(|| Cow::Owned(format!("{head}{})", rest.join(", "))))
}

/// Splits at commas outside parentheses.
fn members(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_u32;
    let is_comma = |token: &Token| {
        match token.kind {
            TokenKind::OpenParen => depth += 1,
            TokenKind::CloseParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.kind == TokenKind::Comma
    };
    tokens.split(is_comma).filter(|member| !member.is_empty()).collect()
}

fn is_word(text: &str, token: &Token, word: &str) -> bool {
    token.kind == TokenKind::Ident && text[token.range.clone()].eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_server_options_are_removed() {
        for (text, expected) in [
            ("ALTER TABLE ONLY a.t ALTER COLUMN c SET (pg_attver=7);", ""),
            (
                "ALTER TABLE ONLY a.t ALTER COLUMN c SET (pg_attver=7, n_distinct=5);",
                "ALTER TABLE ONLY a.t ALTER COLUMN c SET (n_distinct=5);",
            ),
            (
                "ALTER TABLE ONLY a.t ALTER COLUMN c SET (n_distinct=-0.5, pg_attver='7', n_distinct_inherited=3);",
                "ALTER TABLE ONLY a.t ALTER COLUMN c SET (n_distinct=-0.5, n_distinct_inherited=3);",
            ),
            (
                "ALTER FOREIGN TABLE ONLY a.\"t;\n(\" ALTER COLUMN \"se\"\"t\" SET (\"pg_attver\"=7);\nSELECT 1;",
                "\nSELECT 1;",
            ),
            (
                "alter table if exists a.t * alter a set ( PG_ATTVER = 7 ), alter column b set (n_distinct=2), \
                 add column d numeric(3, 1);",
                "alter table if exists a.t * alter column b set (n_distinct=2), add column d numeric(3, 1);",
            ),
            ("SELECT 1; -- x\nALTER TABLE t ALTER c SET (pg_attver=7)", "SELECT 1; -- x\n"),
        ] {
            assert_eq!(without_server_options(text), expected, "{text}");
        }
    }

    #[test]
    fn similar_text_is_unchanged() {
        for text in [
            "ALTER TABLE t ALTER COLUMN pg_attver SET (n_distinct=5);",
            "ALTER TABLE t ALTER COLUMN c SET DEFAULT 'SET (pg_attver=7)';",
            "ALTER TABLE t ALTER COLUMN c SET (\"Pg_attver\"=7);",
            "ALTER TABLE t SET (pg_attver=7);",
            "ALTER TABLE t ADD COLUMN pg_attver int;",
            "COMMENT ON TABLE t IS 'ALTER TABLE t ALTER COLUMN c SET (pg_attver=7);';",
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN\nALTER TABLE t ALTER COLUMN c SET \
             (pg_attver=7); END $$;",
            "/* ; ALTER TABLE t ALTER COLUMN c SET (pg_attver=7); */ SELECT $x$;ALTER TABLE t ALTER c SET (pg_attver=7);$x$;",
            "ALTER TABLE pg_attver",
            ";;",
        ] {
            assert_eq!(without_server_options(text), text);
        }
    }
}
