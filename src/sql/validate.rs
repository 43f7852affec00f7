//! Rejects files that cannot be run: NUL bytes, excessive nesting, COPY from or to the client, psql commands and syntax
//! errors, including those that the parser accepts.

use std::ops::Range;
use std::sync::Arc;

use squawk_lexer::{LiteralKind, TokenKind, tokenize};
use squawk_syntax::SyntaxKind;
use squawk_syntax::syntax_error::SyntaxError;

use super::SqlError;
use super::script::mentions;
use super::tree::{Kinds, Node, Token};
use crate::error::{Place, Source};

/// The maximum nesting of brackets and CASEs, far above that of real files. The parser is recursive, as PostgreSQL's own
/// is (`max_stack_depth`), so the depth needs a limit.
const MAX_DEPTH: usize = 256;

/// The maximum number of words without a comma between them. Each operator of a chain (`1 + 1 + …`) makes the tree one
/// node deeper. In a debug build, a word uses at most 4 KB of stack and a bracket at most 8 KB (measured);
/// [`super::STACK`] is several times larger.
const MAX_WORDS: usize = 10_000;

/// Checks a text before it is parsed.
pub(super) fn check_text(source: &Arc<Source>, masked: &str) -> Result<(), SqlError> {
    let invalid = |message: &str, range| {
        let place = Place::at(source, range);
        Err(SqlError::Syntax { message: message.to_owned(), place })
    };
    if let Some(nul) = masked.find('\0') {
        return invalid("a NUL byte, which text in PostgreSQL cannot contain", nul..nul + 1);
    }
    match if cannot_be_deep(masked) { None } else { too_deep(masked, true) } {
        Some(range) => invalid("nested too deeply, or too long an expression", range),
        None => Ok(()),
    }
}

/// A cheap check on the bytes: the text is short, has few brackets, and no escapes that could hide brackets.
fn cannot_be_deep(text: &str) -> bool {
    let opens = |byte: &&u8| matches!(byte, b'(' | b'[' | b'{' | b'c' | b'C');
    text.len() < MAX_WORDS
        && !text.contains('\\')
        && !mentions(text, "uescape")
        && text.as_bytes().iter().filter(opens).count() < MAX_DEPTH
}

/// The range of the first token beyond the limits, from an upper bound of the tree's depth that needs only tokens.
fn too_deep(text: &str, outermost: bool) -> Option<Range<usize>> {
    let mut open = vec![Level::default()];
    let mut total = 0;
    let mut start = 0;
    let mut routine = false;
    for token in tokenize(text) {
        let range = start..start + token.len as usize;
        start = range.end;
        let word = &text[range.clone()];
        let is = |known: &str| token.kind == TokenKind::Ident && word.eq_ignore_ascii_case(known);
        let opens = |case| Level { case, ..Level::default() };
        let inside_case = open.len() > 1 && open.last().is_some_and(|level| level.case);
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => continue,
            TokenKind::OpenParen | TokenKind::OpenBracket | TokenKind::OpenCurly => open.push(opens(false)),
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseCurly
                if open.len() > 1 && !inside_case =>
            {
                total -= open.pop().map_or(0, |level| level.words());
            }
            TokenKind::Comma => {
                total -= open.last_mut().map_or(0, |level| std::mem::take(&mut level.since_comma));
            }
            TokenKind::Literal { kind } if outermost && routine && body_too_deep(kind, word) => {
                return Some(range);
            }
            TokenKind::Semi => {
                routine = false;
                open.truncate(1);
                open[0] = Level::default();
                total = 0;
            }
            _ if is("function") || is("procedure") => routine = true,
            _ if is("case") => open.push(opens(true)),
            _ if is("end") && inside_case => total -= open.pop().map_or(0, |level| level.words()),
            _ if ["union", "intersect", "except", "join"].iter().any(|word| is(word)) => {
                open.last_mut()?.chained += 1;
                total += 1;
            }
            _ => {}
        }
        open.last_mut()?.since_comma += 1;
        total += 1;
        if open.len() > MAX_DEPTH || total > MAX_WORDS {
            return Some(range);
        }
    }
    None
}

/// The parser also parses the body of an SQL routine, which is a string.
fn body_too_deep(kind: LiteralKind, literal: &str) -> bool {
    // An unterminated string is a syntax error in any case; its rest is treated as part of the body.
    let within = |marks: usize| {
        literal.get(marks..literal.len().saturating_sub(marks)).or(literal.get(marks..)).unwrap_or_default()
    };
    match kind {
        LiteralKind::Str { .. } => too_deep(&within(1).replace("''", "'"), false).is_some(),
        LiteralKind::DollarQuotedString { .. } => {
            let tag = literal.get(1..).and_then(|rest| rest.find('$')).map_or(0, |end| end + 2);
            too_deep(within(tag), false).is_some()
        }
        // An escape may encode a bracket, and has at least four bytes.
        LiteralKind::EscStr { .. } | LiteralKind::UnicodeEscStr { .. } => {
            literal.len() > 4 * MAX_WORDS || too_deep(literal.get(2..).unwrap_or_default(), false).is_some()
        }
        _ => false,
    }
}

/// The words since an open bracket or CASE, or outside all of them.
#[derive(Debug, Default)]
struct Level {
    case: bool,
    since_comma: usize,
    /// Words that continue a chain across commas: `SELECT a, b UNION SELECT c, d`.
    chained: usize,
}

impl Level {
    fn words(&self) -> usize {
        self.since_comma + self.chained
    }
}

/// Checks the tree of a file.
pub(super) fn check_tree(
    source: &Arc<Source>,
    root: Node<'_>,
    kinds: &Kinds,
    errors: &[SyntaxError],
) -> Result<(), SqlError> {
    // The server treats `STDIN` and `STDOUT` as synonyms; the direction comes from FROM or TO.
    let streams = [SyntaxKind::COPY_STDIN, SyntaxKind::COPY_STDOUT];
    let stream = kinds
        .contains(&streams)
        .then(|| root.descendants().find(|node| streams.contains(&node.kind())))
        .flatten();
    if let Some(stream) = stream {
        let place = Place::at(source, stream.span());
        let is_out = stream.parent().is_some_and(|parent| parent.kind() == SyntaxKind::COPY_TO);
        let error = if is_out { SqlError::CopyToStdout { place } } else { SqlError::CopyFromStdin { place } };
        return Err(error);
    }
    if let Some(range) = meta_command(&source.text, root) {
        return Err(SqlError::PsqlMetaCommand { place: Place::at(source, range) });
    }
    if let Some((message, range)) = super::syntax::first_error(root, errors) {
        return Err(SqlError::Syntax { message, place: Place::at(source, range) });
    }
    match root.children().find(|statement| drops_nothing(*statement)) {
        Some(drop) => Err(SqlError::Syntax {
            message: "expected a name".to_owned(),
            place: Place::at(source, drop.span()),
        }),
        None => Ok(()),
    }
}

/// `DROP TABLE;`, which the parser accepts.
fn drops_nothing(statement: Node<'_>) -> bool {
    format!("{:?}", statement.kind()).starts_with("DROP_")
        && statement.children().all(|child| child.kind() == SyntaxKind::IF_EXISTS)
}

/// The comments with which the files of other tools begin their reverse part: in lower case, without spaces.
const REVERSE_PARTS: &[(&str, &str)] = &[
    ("--+goosedown", "goose"),
    ("--migrate:down", "dbmate"),
    ("--//@undo", "MyBatis Migrations"),
    ("--+migratedown", "sql-migrate"),
    ("--+micratedown", "micrate"),
    ("--ramblerdown", "rambler"),
    ("----createabove/dropbelow----", "tern"),
    ("--====down====", "shmig"),
    ("--downmigration", "node-pg-migrate"),
];

/// Rejects a comment that begins the reverse part in a file of another tool.
pub(super) fn check_comments<'t>(
    source: &Arc<Source>,
    comments: impl Iterator<Item = Token<'t>>,
) -> Result<(), SqlError> {
    let mut lines = comments.filter(|comment| comment.text.starts_with("--"));
    let found = lines.find_map(|token| {
        let words: String = token.text.split_whitespace().collect::<String>().to_ascii_lowercase();
        // dbmate allows options after the word.
        let is_marker =
            |marker: &str| words == marker || (marker.ends_with(":down") && words.starts_with(marker));
        let (_, tool) = REVERSE_PARTS.iter().find(|(marker, _)| is_marker(marker))?;
        Some((*tool, token.range()))
    });
    found.map_or(Ok(()), |(tool, range)| Err(SqlError::ReversePart { tool, place: Place::at(source, range) }))
}

/// The text without the lines `\restrict` and `\unrestrict`, with which newer versions of `pg_dump` keep psql from running other
/// commands of the dump. Only the parser gets it; a string that contains such a line is sent unchanged.
pub(super) fn without_dump_guards(text: String) -> String {
    let is_guard = |line: &str| {
        let key = line.strip_prefix("\\restrict ").or_else(|| line.strip_prefix("\\unrestrict "));
        key.is_some_and(|key| key.trim_end().bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    if !text.contains("restrict ") {
        return text;
    }
    let line = |line: &str| if is_guard(line) { blank(line) } else { line.to_owned() };
    text.split_inclusive('\n').map(line).collect()
}

/// Spaces of the same length in bytes; line breaks stay.
pub(super) fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

/// A backslash outside strings and comments. SQL has none, so it starts a psql command, on its own line (`\i`) or after a
/// statement (`\gexec`).
fn meta_command(text: &str, root: Node<'_>) -> Option<Range<usize>> {
    if !text.contains('\\') {
        return None;
    }
    let mut tokens = root.tokens();
    let backslash = tokens.find(|token| token.text == "\\")?;
    let start = backslash.range().start;
    let line_end = text[start..].find(['\n', '\r']).map_or(text.len(), |newline| start + newline);
    Some(start..start + text[start..line_end].trim_end().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Script;

    fn error(text: &str) -> Option<SqlError> {
        Script::parse(Source::new("t.sql", text)).err()
    }

    #[test]
    fn copy_with_the_client_is_an_error() {
        for sql in
            ["COPY t TO STDOUT", "COPY (SELECT 1) TO stdout WITH (FORMAT csv)", "COPY BINARY t TO STDOUT"]
        {
            assert!(matches!(error(sql), Some(SqlError::CopyToStdout { .. })), "{sql}");
        }
        for sql in ["COPY t FROM STDIN", "COPY t FROM STDOUT", "SELECT 1; COPY t (a) FROM stdin CSV"] {
            assert!(matches!(error(sql), Some(SqlError::CopyFromStdin { .. })), "{sql}");
        }
        // The server accepts it, squawk's parser does not.
        assert!(error("COPY t TO STDIN").is_some());
        assert_eq!(error("COPY t TO PROGRAM 'x'; COPY t FROM '/x'"), None);
    }

    #[test]
    fn the_reverse_part_of_another_tool_is_an_error() {
        for (sql, expected) in [
            ("-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;", "goose"),
            ("--   +goose   down\nSELECT 2;\n-- +goose Up\nSELECT 1;", "goose"),
            ("-- migrate:up\nSELECT 1;\n\n-- migrate:down transaction:false\nSELECT 2;", "dbmate"),
            ("--migrate:down", "dbmate"),
            ("SELECT 1;\n--//@UNDO\nSELECT 2;", "MyBatis Migrations"),
            ("SELECT 1;\n-- // @undo", "MyBatis Migrations"),
            ("-- +migrate Up\nSELECT 1;\n-- +migrate Down", "sql-migrate"),
            ("SELECT 1;\n---- create above / drop below ----\nSELECT 2;", "tern"),
            ("-- Up Migration\nSELECT 1;\n-- Down Migration\nSELEC", "node-pg-migrate"),
        ] {
            let found = error(sql);
            assert!(
                matches!(found, Some(SqlError::ReversePart { tool, .. }) if tool == expected),
                "{sql}: {found:?}"
            );
        }
        for sql in [
            "-- +goose Up\nSELECT 1;",
            "-- migrate:up\nSELECT 1;",
            "SELECT '\n-- +goose Down\n';",
            "DO $$ BEGIN\n-- migrate:down\nNULL; END $$;",
            "-- the rate goes down\nSELECT 1; -- undo",
            "/*\n-- +goose Down\n*/ SELECT 1;",
        ] {
            assert_eq!(error(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_nul_byte_is_an_error_everywhere() {
        for sql in ["SELECT '\0'", "-- \0\nSELECT 1", "\0", "SELECT $$\0$$", "SELECT 1;\0"] {
            assert!(matches!(error(sql), Some(SqlError::Syntax { message, .. }) if message.contains("NUL")));
        }
    }

    #[test]
    fn a_drop_needs_a_name() {
        for sql in ["DROP TABLE", "DROP TABLE;", "DROP TABLE IF EXISTS", "SELECT 1; DROP VIEW ;"] {
            assert!(matches!(error(sql), Some(SqlError::Syntax { .. })), "{sql}");
        }
        for sql in [
            "DROP OWNED BY r",
            "DROP CAST (a AS b)",
            "DROP OPERATOR + (int, int)",
            "DROP TABLE IF EXISTS a CASCADE",
        ] {
            assert_eq!(error(sql), None, "{sql}");
        }
    }

    #[test]
    fn realistic_files_are_within_the_limits() {
        let rows = format!("INSERT INTO t VALUES (1, 'a'){}", ", (1 + 2 * (3), 'a')".repeat(5_000));
        let unions = format!("SELECT 1, 2{}", " UNION ALL SELECT 1, 2".repeat(4_000));
        let ors = format!("SELECT 1 WHERE {}", vec!["a = 1"; 2_400].join(" OR "));
        let cases = format!("SELECT {}", vec!["CASE WHEN a THEN b ELSE c END"; 5_000].join(", "));
        let statements = "SELECT ((1)); BEGIN; END;".repeat(5_000);
        let nested = format!("SELECT {}1{}", "(".repeat(250), ")".repeat(250));
        let body = format!("DO $$ {} $$", "(".repeat(50_000));
        for sql in [rows, unions, ors, cases, statements, nested, body] {
            assert_eq!(too_deep(&sql, true), None, "{}", &sql[..40]);
        }
    }

    #[test]
    fn excessive_nesting_is_an_error() {
        let many = |piece: &str| piece.repeat(20_000);
        for (before, piece, after) in [
            ("SELECT ", "(", ")"),
            ("SELECT array", "[", "]"),
            ("SELECT ", "f(1, ", ")"),
            ("SELECT 1", "+1", ""),
            ("SELECT ", "- ", ""),
            ("SELECT ", "NOT ", ""),
            ("SELECT a", ".a", ""),
            ("SELECT a", "::int", ""),
            ("SELECT a", " IS NULL", ""),
            ("SELECT 1", " UNION SELECT 1", ""),
            ("SELECT 1, 2", " UNION SELECT 1, 2", ""),
            ("SELECT a, b FROM a", " JOIN b USING (c, d)", ""),
            ("SELECT ", "CASE WHEN a THEN b ELSE ", " END"),
            ("SELECT ", "CASE WHEN f(a, b) THEN ", " END"),
            ("", "EXPLAIN ", ""),
            ("", "CASE ", ""),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $a$ SELECT ", "(", " $a$"),
            ("CREATE PROCEDURE f() LANGUAGE sql AS 'SELECT ''a'' || ", "(", "'"),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS E'SELECT \\'a\\' || ", "\\050", "'"),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS U&'SELECT ", "\\0028", "'"),
        ] {
            let sql = format!("{before}{}1{}", many(piece), many(after));
            assert!(
                matches!(error(&sql), Some(SqlError::Syntax { message, .. }) if message.contains("deep"))
            );
        }
    }
}
