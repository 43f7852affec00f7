//! Decides whether a statement can leave session state: a setting, a role, a temporary table, a prepared statement or a
//! lock. If it can, its unit resets the session, since the next unit on the connection belongs to another tenant.

use squawk_syntax::SyntaxKind;

use super::script::mentions;
use super::tree::{Node, Token};

/// Built-in functions that leave no session state.
const HARMLESS_CALLS: &[&str] =
    &["clock_timestamp", "coalesce", "gen_random_uuid", "length", "lower", "nextval", "now", "upper"];

/// Definitions that run no user code.
const DEFINITIONS: &[SyntaxKind] = &[
    SyntaxKind::ALTER_SEQUENCE,
    SyntaxKind::COMMENT_ON,
    SyntaxKind::CREATE_DOMAIN,
    SyntaxKind::CREATE_FUNCTION,
    SyntaxKind::CREATE_INDEX,
    SyntaxKind::CREATE_POLICY,
    SyntaxKind::CREATE_PROCEDURE,
    SyntaxKind::CREATE_SEQUENCE,
    SyntaxKind::CREATE_TRIGGER,
    SyntaxKind::CREATE_TYPE,
    SyntaxKind::CREATE_VIEW,
    SyntaxKind::DROP_INDEX,
    SyntaxKind::GRANT,
    SyntaxKind::REVOKE,
];

/// Whether the statement changes the search path, as far as the text shows.
pub(super) fn changes_search_path(statement: Node<'_>) -> bool {
    let says = |word| mentions(statement.text(), word);
    let settings = [SyntaxKind::SET, SyntaxKind::RESET, SyntaxKind::DISCARD];
    let is_setting = settings.contains(&statement.kind());
    if empties_search_path(statement) {
        return false;
    }
    (is_setting && (says("schema") || says("all")))
        || (says("search_path") && (is_setting || says("set_config")))
}

/// Whether the statement only sets the search path to the empty one, as `pg_dump` does, so that unqualified names that are only read
/// find nothing but built-in objects.
pub fn empties_search_path(statement: Node<'_>) -> bool {
    const FORMS: &[&str] = &[
        "selectset_config('search_path','',false)",
        "selectset_config('search_path','',true)",
        "selectpg_catalog.set_config('search_path','',false)",
        "selectpg_catalog.set_config('search_path','',true)",
        "setsearch_path=''",
        "setsearch_pathto''",
        "setlocalsearch_path=''",
        "setlocalsearch_pathto''",
        "setsessionsearch_path=''",
        "setsessionsearch_pathto''",
    ];
    if !mentions(statement.text(), "search_path") {
        return false;
    }
    let tokens = statement.tokens().filter(|token| token.kind != SyntaxKind::SEMICOLON);
    let words: String = tokens.map(|token| token.text).collect();
    FORMS.contains(&words.to_ascii_lowercase().as_str())
}

/// Whether the statement certainly leaves no session state.
pub(super) fn is_session_neutral(statement: Node<'_>) -> bool {
    let is_temporary = statement.children().any(|part| part.kind() == SyntaxKind::TEMP);
    match statement.kind() {
        _ if is_temporary || names_temp_schema(statement) => false,
        // A new table evaluates no default.
        SyntaxKind::CREATE_TABLE => true,
        // Substitution a new column evaluates its default in every row.
        SyntaxKind::ALTER_TABLE => calls_are_harmless(statement),
        kind => DEFINITIONS.contains(&kind),
    }
}

/// Whether it calls only built-in functions that leave no session state.
pub(super) fn calls_are_harmless(statement: Node<'_>) -> bool {
    let name = |call: Node<'_>| call.children().next().map(|name| super::normalized(name.text()));
    let mut calls = statement.descendants().filter(|node| node.kind() == SyntaxKind::CALL_EXPR);
    calls.all(|call| name(call).is_some_and(|name| is_harmless(&name)))
}

/// Whether a function of that name is one of those.
pub(super) fn is_harmless(name: &str) -> bool {
    HARMLESS_CALLS.contains(&name)
}

/// Whether it names an object in the temporary schema. The server searches this schema first for tables and types, so an
/// object left there would hide those of the next tenant.
fn names_temp_schema(statement: Node<'_>) -> bool {
    let says = |word| mentions(statement.text(), word);
    let names = |name: Token<'_>, next: Token<'_>| {
        next.text == "." && super::normalized(name.text).starts_with("pg_temp")
    };
    // A name with Unicode escapes may be any name, and its UESCAPE clause is outside the token.
    says("u&\"")
        || (says("pg_temp")
            && statement.tokens().zip(statement.tokens().skip(1)).any(|(name, next)| names(name, next)))
}

#[cfg(test)]
mod tests {
    use crate::error::Source;
    use crate::sql::Script;

    fn session_neutral(sql: &str) -> bool {
        Script::parse(Source::new("t.sql", sql)).unwrap().statements[0].session_neutral
    }

    #[test]
    fn definitions_are_session_neutral_and_user_code_is_not() {
        for sql in [
            "CREATE TABLE t (id uuid DEFAULT gen_random_uuid(), x text DEFAULT f())",
            "ALTER TABLE t ADD COLUMN c timestamptz DEFAULT now()",
            "ALTER TABLE t ADD COLUMN c jsonb DEFAULT '{}'",
            "CREATE INDEX i ON t (lower(c))",
            "GRANT SELECT ON t TO r",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = a, pg_temp AS 'SELECT 1'",
        ] {
            assert!(session_neutral(sql), "{sql}");
        }
        for sql in [
            "CREATE TEMP TABLE t (id int)",
            "CREATE LOCAL TEMPORARY TABLE t (id int)",
            "CREATE TABLE pg_temp.t (id int)",
            "CREATE TABLE PG_TEMP . t (id int)",
            "CREATE TYPE pg_temp.mood AS ENUM ('a')",
            "CREATE TYPE \"pg_temp\".mood AS ENUM ('a')",
            "CREATE TYPE U&\"pg!005ftemp\" UESCAPE '!'.mood AS ENUM ('a')",
            "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE VIEW pg_temp.v AS SELECT 1",
            "CREATE SEQUENCE pg_temp_3.s",
            "CREATE DOMAIN pg_temp.d AS int",
            "ALTER SEQUENCE pg_temp.s RESTART",
            "CREATE TABLE t AS SELECT 1",
            "ALTER TABLE t ADD COLUMN c text DEFAULT set_config('a.b', 'c', false)",
            "ALTER TABLE t ADD COLUMN c text DEFAULT pg_catalog.set_config('a.b', 'c', false)",
            "SET ROLE r",
            "SET LOCAL a.b = 1",
            "RESET ALL",
            "DO $$ BEGIN NULL; END $$",
            "SELECT 1",
            "UPDATE t SET a = 1",
            "PREPARE p AS SELECT 1",
            "LISTEN x",
            "CALL p()",
        ] {
            assert!(!session_neutral(sql), "{sql}");
        }
    }
}
