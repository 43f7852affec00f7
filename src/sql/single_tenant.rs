//! Finds the schema names of single tenants in a statement. In parsed text this is exact; in bodies and strings, which are
//! only split into tokens, a name counts if the server would resolve it as a schema.

use std::collections::HashSet;
use std::ops::Range;

use squawk_lexer::TokenKind;
use squawk_syntax::SyntaxKind;

use super::mentions::{Piece, tokens};
use super::text_names::content;
use super::{Node, Script, Statement, normalized};

/// A name after one of these words is a relation, also in a fragment of a statement.
const BEFORE_RELATIONS: &[&str] =
    &["from", "into", "join", "only", "references", "sequence", "table", "truncate", "update", "view"];

/// A name after one of these words is not a schema, even before a dot: it is a setting, or a table with its column.
const BEFORE_OTHERS: &[&str] = &["by", "column", "local", "reset", "session", "set", "show"];

/// A string that starts with one of these words is a statement.
const VERBS: &[&str] = &[
    "alter", "analyze", "call", "comment", "copy", "create", "delete", "do", "drop", "execute", "grant",
    "insert", "lock", "merge", "refresh", "reindex", "revoke", "select", "set", "truncate", "update",
    "vacuum", "with",
];

/// The ranges in which `statement` names a schema for which `is_tenant_schema` returns true.
pub fn tenant_schema_ranges(
    script: &Script,
    statement: &Statement,
    is_tenant_schema: &dyn Fn(&str) -> bool,
) -> Vec<Range<usize>> {
    let text = &script.masked()[statement.range.clone()];
    let exact = statement.names.iter().filter(|name| name.schema.as_deref().is_some_and(is_tenant_schema));
    let mut found: Vec<Range<usize>> = exact.map(|name| name.range.clone()).collect();
    let mut scan = Scan { is_tenant_schema, bare: HashSet::new(), found: Vec::new() };
    scan.collect_bare(text);
    scan.read(text, statement.range.start, Place::Parsed(&code(script, statement)));
    found.extend(scan.found);
    // A schema may be found both as a name and as an element of a list.
    found.sort_by_key(|range| (range.start, range.end));
    found.dedup_by_key(|range| range.start);
    found
}

/// The ranges of a statement in which strings may be code.
fn code(script: &Script, statement: &Statement) -> Vec<Range<usize>> {
    match statement.kind {
        SyntaxKind::DO | SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE => {
            vec![statement.range.clone()]
        }
        SyntaxKind::COMMENT_ON | SyntaxKind::SECURITY_LABEL => Vec::new(),
        _ => {
            let node = statement.node(script);
            let holders = [SyntaxKind::ARG_LIST, SyntaxKind::CAST_EXPR];
            node.descendants().filter(|part| holders.contains(&part.kind())).map(Node::span).collect()
        }
    }
}

/// The kind of text that is scanned.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// Text whose names the parser has read. Strings in these ranges may be code.
    Parsed(&'a [Range<usize>]),
    /// The body of a routine or block.
    Body,
    /// A string with unknown content.
    String,
}

struct Scan<'a> {
    is_tenant_schema: &'a dyn Fn(&str) -> bool,
    /// Names that occur without a following dot: tables, aliases and variables.
    bare: HashSet<String>,
    found: Vec<Range<usize>>,
}

impl Scan<'_> {
    fn tenant_schema(&self, token: &Piece<'_>) -> Option<String> {
        let is_name = matches!(token.kind, TokenKind::Ident | TokenKind::QuotedIdent { .. });
        is_name.then(|| normalized(token.text)).filter(|name| (self.is_tenant_schema)(name))
    }

    fn collect_bare(&mut self, text: &str) {
        let all = tokens(text);
        for (index, token) in all.iter().enumerate() {
            if let Some((_, inner)) = string(token) {
                self.collect_bare(inner);
            }
            let dotted = all.get(index + 1).is_some_and(|next| next.kind == TokenKind::Dot);
            if let Some(name) = self.tenant_schema(token).filter(|_| !dotted) {
                self.bare.insert(name);
            }
        }
    }

    /// Scans `text`, which starts at byte `offset` of the file.
    fn read(&mut self, text: &str, offset: usize, place: Place<'_>) {
        let all = tokens(text);
        let is_statement = all.first().is_some_and(|first| VERBS.contains(&word(first).as_str()));
        let mut schemas = Schemas::None;
        for (index, token) in all.iter().enumerate() {
            let before = |back: usize| index.checked_sub(back).map_or_else(String::new, |at| word(&all[at]));
            let range = offset + token.start..offset + token.start + token.text.len();
            if let Some((start, inner)) = string(token) {
                let at = range.start + start;
                if schemas.advance(&all, index) {
                    self.find_in_list(inner, &range);
                } else if is_path_of_relation(&all, index) {
                    self.find_in_path(inner, &range);
                }
                let is_code = match place {
                    Place::Parsed(code) => {
                        code.iter().any(|it| it.start <= range.start && range.end <= it.end)
                    }
                    // The message of RAISE is not code.
                    Place::Body | Place::String => before(1) != "raise" && before(2) != "raise",
                };
                if is_code {
                    let is_body = token.text.starts_with('$')
                        || matches!(place, Place::Parsed(_)) && at_body(&all, index);
                    self.read(inner, at, if is_body { Place::Body } else { Place::String });
                }
                continue;
            }
            let is_schema = schemas.advance(&all, index);
            let Some(name) = self.tenant_schema(token) else { continue };
            let is_dotted = all.get(index + 1).is_some_and(|next| next.kind == TokenKind::Dot)
                && before(1) != "."
                && !self.bare.contains(&name)
                && (!BEFORE_OTHERS.contains(&before(1).as_str()) || is_of_three(&all, index));
            let is_found = match place {
                // Positions that are not in `Statement::names`.
                Place::Parsed(_) => is_schema || (is_dotted && before(1) == "collate"),
                Place::Body => is_schema || is_dotted,
                Place::String => {
                    is_schema
                        || (is_dotted && (is_statement || BEFORE_RELATIONS.contains(&before(1).as_str())))
                }
            };
            if is_found {
                self.found.push(range);
            }
        }
    }

    /// Finds tenant schemas in a list of schemas.
    fn find_in_list(&mut self, list: &str, range: &Range<usize>) {
        let names = list.split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == '$'));
        if names.into_iter().any(self.is_tenant_schema) {
            self.found.push(range.clone());
        }
    }

    /// Finds a tenant schema in a string that is a qualified name.
    fn find_in_path(&mut self, path: &str, range: &Range<usize>) {
        let parts = tokens(path);
        if let [schema, dot, _, ..] = parts.as_slice()
            && dot.kind == TokenKind::Dot
            && self.tenant_schema(schema).is_some()
        {
            self.found.push(range.clone());
        }
    }
}

/// Whether the next name is a schema: after SCHEMA, or in a search path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Schemas {
    None,
    Next,
    /// After a schema; a comma and another schema may follow.
    InList,
}

impl Schemas {
    /// Advances to the token at `index` and returns whether it is a schema.
    fn advance(&mut self, all: &[Piece<'_>], index: usize) -> bool {
        let token = &all[index];
        let text = word(token);
        let next = |at: usize| all.get(index + at).map_or_else(String::new, word);
        let is_name = matches!(
            token.kind,
            TokenKind::Ident | TokenKind::QuotedIdent { .. } | TokenKind::Literal { .. }
        );
        let names_setting = text == "search_path" || text == "'search_path'";
        if names_setting && matches!(next(1).as_str(), "=" | "to" | ",") {
            *self = Self::Next;
            return false;
        }
        let is_between = matches!(text.as_str(), "if" | "not" | "exists" | "to" | "=" | ",");
        match *self {
            _ if text == "schema" => *self = Self::Next,
            Self::Next if is_between => {}
            Self::Next if is_name => {
                *self = Self::InList;
                return true;
            }
            Self::InList if text == "," => *self = Self::Next,
            _ => *self = Self::None,
        }
        false
    }
}

/// The byte offset of a string's content, and the content.
fn string<'t>(token: &Piece<'t>) -> Option<(usize, &'t str)> {
    matches!(token.kind, TokenKind::Literal { .. }).then(|| content(token.text)).flatten()
}

/// The token's text in lower case.
fn word(token: &Piece<'_>) -> String {
    token.text.to_ascii_lowercase()
}

/// Whether the string at `index` is the body of a routine or of a block.
fn at_body(all: &[Piece<'_>], index: usize) -> bool {
    let before = index.checked_sub(1).map(|at| word(&all[at]));
    before.is_some_and(|before| matches!(before.as_str(), "as" | "do")) || index == all.len() - 1
}

/// Whether `a.b.c` starts at `index`.
fn is_of_three(all: &[Piece<'_>], index: usize) -> bool {
    all.get(index + 3).is_some_and(|third| third.kind == TokenKind::Dot)
}

/// Whether the server resolves the string at `index` as a relation name.
fn is_path_of_relation(all: &[Piece<'_>], index: usize) -> bool {
    let at = |at: Option<usize>| at.and_then(|at| all.get(at)).map_or_else(String::new, word);
    let looks = |function: &str| {
        matches!(function, "nextval" | "setval" | "currval")
            || function.starts_with("to_reg")
            || function.starts_with("pg_")
    };
    let called = at(index.checked_sub(1)) == "(" && looks(&at(index.checked_sub(2)));
    let cast =
        at(Some(index + 1)) == ":" && at(Some(index + 2)) == ":" && at(Some(index + 3)).starts_with("reg");
    called || cast
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;

    fn found(sql: &str) -> Vec<String> {
        let script =
            Script::parse(Source::new("t.sql", sql)).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let is_tenant_schema = |name: &str| name.starts_with("org_");
        let all = script
            .statements
            .iter()
            .flat_map(|statement| tenant_schema_ranges(&script, statement, &is_tenant_schema));
        all.map(|range| sql[range].to_owned()).collect()
    }

    #[test]
    fn a_tenant_schema_is_found_in_all_positions() {
        for sql in [
            "ALTER TABLE org_acme.workspaces ADD c int",
            "DELETE FROM \"org_acme\".t",
            "SELECT * FROM ORG_ACME.t",
            "SELECT org_acme.f(1)",
            "CREATE TABLE t (a org_acme.mood)",
            "CREATE TABLE t (a text COLLATE org_acme.de)",
            "SELECT 1 OPERATOR(org_acme.+) 2",
            "CREATE TABLE t (a int REFERENCES org_acme.u (id))",
            "CREATE TABLE t (LIKE org_acme.u)",
            "GRANT USAGE ON SCHEMA org_acme TO r",
            "GRANT SELECT ON ALL TABLES IN SCHEMA org_acme TO r",
            "DROP SCHEMA org_acme CASCADE",
            "CREATE SCHEMA org_acme",
            "CREATE SCHEMA IF NOT EXISTS org_acme",
            "ALTER SCHEMA org_acme RENAME TO x",
            "ALTER TABLE t SET SCHEMA org_acme",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA org_acme GRANT SELECT ON TABLES TO r",
            "COMMENT ON SCHEMA org_acme IS 'x'",
            "COMMENT ON COLUMN org_acme.t.a IS 'x'",
            "SET search_path = public, org_acme",
            "SET SCHEMA 'org_acme'",
            "SELECT set_config('search_path', 'org_acme, public', true)",
            "ALTER ROLE r SET search_path = org_acme",
            "ALTER FUNCTION f() SET search_path TO org_acme",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = org_acme AS 'SELECT 1'",
            "SELECT nextval('org_acme.s')",
            "SELECT 'org_acme.t'::regclass",
            "DO $$ BEGIN UPDATE org_acme.t SET a = 1; END $$",
            "DO 'BEGIN DELETE FROM org_acme.t; END'",
            "DO $$ BEGIN EXECUTE 'TRUNCATE a, org_acme.b'; END $$",
            "DO $$ BEGIN EXECUTE 'DELETE ' || 'FROM org_acme.t'; END $$",
            "DO $$ BEGIN PERFORM org_acme.f(); END $$",
            "DO $$ DECLARE m org_acme.mood; BEGIN NULL; END $$",
            "DO $$ BEGIN DROP SCHEMA IF EXISTS a, org_acme; END $$",
            "DO $$ BEGIN EXECUTE $q$SET LOCAL search_path = org_acme$q$; END $$",
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM a, org_acme.t $$",
            "SELECT run('DROP TABLE org_acme.t')",
        ] {
            assert_eq!(found(sql).len(), 1, "{sql}: {:?}", found(sql));
        }
    }

    #[test]
    fn similar_names_are_not_found() {
        for sql in [
            "SELECT org_members.id FROM org_members",
            "SELECT o.id FROM org_members o WHERE o.org_id = 1",
            "ALTER TABLE {org_schema}.t ADD c int",
            "COMMENT ON COLUMN org_members.id IS 'from org_acme.t'",
            "ALTER SEQUENCE s OWNED BY org_members.id",
            "UPDATE {org_schema}.org_members SET a = org_members.b",
            "INSERT INTO t VALUES ('DELETE FROM org_acme.t', 'org_acme.t')",
            "SET LOCAL org_app.tenant = 'x'",
            "SELECT current_setting('org_app.tenant')",
            "DO $$ DECLARE org_row record; BEGIN FOR org_row IN SELECT 1 LOOP PERFORM f(org_row.id); END LOOP; END $$",
            "DO $$ BEGIN SET LOCAL org_app.tenant = 'x'; RAISE NOTICE 'not from org_acme.t'; END $$",
            "CREATE FUNCTION f(org_user t) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN org_user.id; END $$",
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS $$ SELECT org_members.id FROM p.org_members $$",
            "DO $$ BEGIN UPDATE t SET a = 'org_chart.pdf' WHERE b IS DISTINCT FROM 'org_x.y'; END $$",
            "DO $$ BEGIN EXECUTE format('ALTER TABLE %I ADD org_id int', 'org_members'); END $$",
            "DO $$ BEGIN EXECUTE 'COMMENT ON COLUMN org_members.id IS ''x'''; END $$",
            "DO $$ DECLARE s text; BEGIN FOR s IN SELECT schema_name FROM p.organizations LOOP EXECUTE format('DROP TABLE %I.t', s); END LOOP; END $$",
            "CREATE ROLE {org_schema}_reader",
            "-- org_acme.t\nSELECT 1 /* org_acme.t */",
        ] {
            assert_eq!(found(sql), Vec::<String>::new(), "{sql}");
        }
    }
}
