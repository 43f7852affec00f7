//! A statement as a query of an application: its parameters, the columns that they belong to, the tenant schemas in it,
//! and a canonical text for comparing queries.

use std::collections::BTreeSet;
use std::ops::Range;

use squawk_syntax::SyntaxKind;

use super::names::{Name, RELATIONS, normalized};
use super::placeholder::{ORG_SCHEMA, STAND_IN};
use super::script::{Script, Statement};
use super::tree::{Node, Token};

/// The kinds of statements with which an application reads or writes rows.
const QUERIES: &[SyntaxKind] = &[
    SyntaxKind::CALL,
    SyntaxKind::COMPOUND_SELECT,
    SyntaxKind::DELETE,
    SyntaxKind::INSERT,
    SyntaxKind::MERGE,
    SyntaxKind::PAREN_SELECT,
    SyntaxKind::SELECT,
    SyntaxKind::TABLE,
    SyntaxKind::UPDATE,
    SyntaxKind::VALUES,
];

/// The nodes that write rows, at any depth of a statement.
const WRITING: &[SyntaxKind] =
    &[SyntaxKind::DELETE, SyntaxKind::INSERT, SyntaxKind::MERGE, SyntaxKind::UPDATE];

/// Outer joins.
const OUTER: &[SyntaxKind] = &[SyntaxKind::JOIN_FULL, SyntaxKind::JOIN_LEFT, SyntaxKind::JOIN_RIGHT];

/// One `$1` in a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its number, from 1.
    pub number: usize,
    /// Its bytes in the text.
    pub range: Range<usize>,
}

/// The column that a parameter is written to or compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The parameter's number.
    pub parameter: usize,
    /// The table's schema, if the query names it.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// The column's name, or its position among the table's columns, from 1.
    pub column: Result<String, usize>,
    /// Whether the value goes into a new row, rather than into an existing row or a condition.
    pub new_row: bool,
}

impl Statement {
    /// Whether it reads or writes rows, or calls a procedure.
    pub fn is_query(&self) -> bool {
        QUERIES.contains(&self.kind)
    }

    /// Whether it writes rows, itself or in a `WITH`.
    pub fn writes_rows(&self, script: &Script) -> bool {
        self.node(script).contains(WRITING)
    }

    /// Whether an outer join in it may return NULL for a NOT NULL column.
    pub fn has_outer_join(&self, script: &Script) -> bool {
        self.node(script).contains(OUTER)
    }

    /// Its parameters in the order of the text.
    pub fn parameters(&self, script: &Script) -> Vec<Parameter> {
        self.node(script).tokens().filter_map(parameter).collect()
    }

    /// Its text without comments and with uniform white space and case. Without `values`, each parameter and literal is
    /// replaced by `?`.
    pub fn canonical_text(&self, script: &Script, values: bool) -> String {
        let mut text = String::new();
        for token in self.node(script).tokens().filter(|token| token.kind != SyntaxKind::SEMICOLON) {
            if !text.is_empty() {
                text.push(' ');
            }
            match token.text {
                _ if !values && is_value(token) => text.push('?'),
                word if word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                    && !is_value(token) =>
                {
                    text.push_str(&word.to_ascii_lowercase());
                }
                word => text.push_str(word),
            }
        }
        text
    }

    /// Its text with `{org_schema}` for each schema for which `is_tenant` returns true. A word before a dot is a schema
    /// only if the query names an object in it; it may also be a table or an alias.
    pub fn with_placeholders(&self, script: &Script, is_tenant: impl Fn(&str) -> bool) -> String {
        let tenants: BTreeSet<&str> = self
            .names
            .iter()
            .filter_map(|name| name.schema.as_deref())
            .filter(|schema| *schema != STAND_IN && is_tenant(schema))
            .collect();
        let text = script.text(self);
        let tokens: Vec<_> = self.node(script).tokens().collect();
        let (mut replaced, mut at) = (String::new(), 0);
        for pair in tokens.windows(2) {
            if pair[1].kind == SyntaxKind::DOT && tenants.contains(normalized(pair[0].text).as_str()) {
                let range = pair[0].range();
                let (start, end) = (range.start - self.range.start, range.end - self.range.start);
                replaced.push_str(&text[at..start]);
                replaced.push_str(ORG_SCHEMA);
                at = end;
            }
        }
        replaced.push_str(&text[at..]);
        replaced
    }

    /// The columns of its parameters, if the text shows them directly: a value of a new row, a value in SET, or a value
    /// that a column is compared with.
    pub fn destinations(&self, script: &Script) -> Vec<Destination> {
        let mut found = Vec::new();
        for write in self.node(script).descendants().filter(|below| WRITING.contains(&below.kind())) {
            let Some(target) = target(self, write) else { continue };
            let mut add = |parameter, column, new_row| {
                let (schema, table) = (target.schema.clone(), target.name.clone());
                found.push(Destination { parameter, schema, table, column, new_row });
            };
            for (parameter, column) in new_values(write) {
                add(parameter, column, true);
            }
            for (parameter, column) in compared_and_set(write) {
                add(parameter, Ok(column), false);
            }
        }
        found
    }
}

/// The table that a writing node writes to.
fn target<'a>(statement: &'a Statement, write: Node<'_>) -> Option<&'a Name> {
    let holder =
        write.children().flat_map(Node::descendants).find(|below| RELATIONS.contains(&below.kind()))?;
    let start = holder.range().start;
    statement.names.iter().find(|name| RELATIONS.contains(&name.kind) && name.range.start == start)
}

/// The parameters among the values of an INSERT, with their columns.
fn new_values(insert: Node<'_>) -> Vec<(usize, Result<String, usize>)> {
    if insert.kind() != SyntaxKind::INSERT {
        return Vec::new();
    }
    let child = |kind| insert.child(kind);
    let named: Option<Vec<String>> = child(SyntaxKind::COLUMN_TARGET_LIST).map(|list| column_names(list));
    let column = |index: usize| match &named {
        Some(names) => names.get(index).cloned().map(Ok),
        None => Some(Err(index + 1)),
    };
    let rows: Vec<Vec<Node<'_>>> = if let Some(values) = child(SyntaxKind::VALUES) {
        let rows = values.descendants().filter(|below| below.kind() == SyntaxKind::ROW);
        rows.map(|row| row.children().collect()).collect()
    } else {
        let select = child(SyntaxKind::SELECT);
        let targets = select.and_then(|select| select.first(SyntaxKind::TARGET_LIST));
        targets.map(|targets| targets.children().collect()).into_iter().collect()
    };
    rows.iter()
        .flat_map(|row| row.iter().enumerate())
        .filter_map(|(index, value)| Some((only_parameter(*value)?, column(index)?)))
        .collect()
}

/// The parameters in `SET a = $1` and `a = $1`, with their columns.
fn compared_and_set(write: Node<'_>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for node in write.descendants() {
        match node.kind() {
            SyntaxKind::SET_SINGLE_COLUMN => {
                let parameter = node.children().last().and_then(|value| only_parameter(value));
                found.extend(parameter.zip(column_names(node).into_iter().next()));
            }
            SyntaxKind::SET_MULTIPLE_COLUMNS => {
                let list = |kind| node.child(kind);
                let names =
                    list(SyntaxKind::COLUMN_TARGET_LIST).map(|list| column_names(list)).unwrap_or_default();
                let values = list(SyntaxKind::SET_EXPR_LIST);
                let values = values.into_iter().flat_map(Node::children);
                let both = values.zip(names);
                found.extend(both.filter_map(|(value, name)| Some((only_parameter(value)?, name))));
            }
            SyntaxKind::BIN_EXPR if node.has_token(SyntaxKind::EQ) => {
                let sides: Vec<_> = node.children().collect();
                let pair = |value: &Node<'_>, column: &Node<'_>| {
                    Some((only_parameter(*value)?, compared_column(*column)?))
                };
                if let [left, right] = sides.as_slice() {
                    found.extend(pair(right, left).or_else(|| pair(left, right)));
                }
            }
            _ => {}
        }
    }
    found
}

/// The column in `c` or `t.c`.
fn compared_column(node: Node<'_>) -> Option<String> {
    match node.kind() {
        SyntaxKind::NAME_REF => Some(normalized(node.text())),
        SyntaxKind::FIELD_EXPR => node.children().last().map(|name| normalized(name.text())),
        _ => None,
    }
}

fn column_names(list: Node<'_>) -> Vec<String> {
    let targets = list.children().filter(|child| child.kind() == SyntaxKind::COLUMN_TARGET);
    targets.filter_map(|target| Some(normalized(target.children().next()?.text()))).collect()
}

/// The number of the parameter if `value` is one, with or without a cast.
fn only_parameter(value: Node<'_>) -> Option<usize> {
    match value.kind() {
        SyntaxKind::LITERAL => value.tokens().find_map(parameter).map(|found| found.number),
        SyntaxKind::CAST_EXPR | SyntaxKind::PAREN_EXPR | SyntaxKind::SET_EXPR | SyntaxKind::TARGET => {
            value.children().next().and_then(|inner| only_parameter(inner))
        }
        _ => None,
    }
}

fn parameter(token: Token<'_>) -> Option<Parameter> {
    if token.kind != SyntaxKind::POSITIONAL_PARAM {
        return None;
    }
    let number = token.text.strip_prefix('$')?.parse().ok()?;
    Some(Parameter { number, range: token.range() })
}

fn is_value(token: Token<'_>) -> bool {
    token.within == SyntaxKind::LITERAL && token.kind != SyntaxKind::DEFAULT_KW
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;

    fn parse(sql: &str) -> Script {
        Script::parse(Source::new("q.sql", sql)).unwrap()
    }

    fn destinations(sql: &str) -> Vec<String> {
        let script = parse(sql);
        let shown = |to: Destination| {
            let column = to.column.unwrap_or_else(|place| format!("#{place}"));
            format!("${} {}.{column}{}", to.parameter, to.table, if to.new_row { " new" } else { "" })
        };
        script.statements[0].destinations(&script).into_iter().map(shown).collect()
    }

    #[test]
    fn a_parameter_has_a_column() {
        assert_eq!(
            destinations(
                r#"INSERT INTO a.users AS u (id, "Name") VALUES ($1, $2::text), ($3, lower($4)) ON CONFLICT (id) DO UPDATE SET b = $5"#
            ),
            ["$1 users.id new", "$2 users.Name new", "$3 users.id new", "$5 users.b"]
        );
        assert_eq!(
            destinations("INSERT INTO users VALUES ($1, ($2))"),
            ["$1 users.#1 new", "$2 users.#2 new"]
        );
        assert_eq!(
            destinations("INSERT INTO users (a, b) SELECT $2, $1"),
            ["$2 users.a new", "$1 users.b new"]
        );
        assert_eq!(
            destinations("UPDATE users SET a = $1, (b, c) = ($2, 3) WHERE $3 = users.id AND d > $4"),
            ["$1 users.a", "$2 users.b", "$3 users.id"]
        );
        assert_eq!(
            destinations("WITH x AS (DELETE FROM t WHERE id = $1 RETURNING *) SELECT * FROM x WHERE y = $2"),
            ["$1 t.id"]
        );
        assert!(destinations("SELECT * FROM t WHERE id = $1").is_empty());
    }

    #[test]
    fn equal_queries_have_equal_canonical_texts() {
        let canonical_text = |sql: &str, values| {
            let script = parse(sql);
            script.statements[0].canonical_text(&script, values)
        };
        assert_eq!(
            canonical_text("SELECT  A -- b\n FROM t;", true),
            canonical_text("select a from /* x */ T", true)
        );
        assert_ne!(canonical_text("SELECT \"A\"", true), canonical_text("SELECT \"a\"", true));
        assert_ne!(canonical_text("SELECT 'A'", true), canonical_text("SELECT 'a'", true));
        assert_eq!(canonical_text("SELECT 'A', 1, NULL", false), canonical_text("SELECT $1, $2, $3", false));
    }

    #[test]
    fn only_schemas_of_tenants_become_the_placeholder() {
        let neutral = |sql: &str| {
            let script = parse(sql);
            script.statements[0].with_placeholders(&script, |schema| schema.starts_with("org_"))
        };
        assert_eq!(
            neutral("SELECT org_a.t.x, \"org_a\".f() FROM org_a.t JOIN platform.u ON true;"),
            "SELECT {org_schema}.t.x, {org_schema}.f() FROM {org_schema}.t JOIN platform.u ON true"
        );
        assert_eq!(neutral("SELECT org_x.y FROM t org_x"), "SELECT org_x.y FROM t org_x");
        assert_eq!(neutral("SELECT org_users.y FROM org_users"), "SELECT org_users.y FROM org_users");
        assert_eq!(neutral("SELECT * FROM {org_schema}.t"), "SELECT * FROM {org_schema}.t");
    }

    #[test]
    fn queries_read_or_write_rows() {
        let script = parse(
            "SELECT 1; WITH a AS (DELETE FROM t RETURNING *) SELECT 1 FROM a; SET x = 1; CREATE TABLE t ()",
        );
        let kinds: Vec<_> =
            script.statements.iter().map(|s| (s.is_query(), s.writes_rows(&script))).collect();
        assert_eq!(kinds, [(true, false), (true, true), (false, false), (false, false)]);
        let script = parse("SELECT * FROM a LEFT JOIN b ON true; SELECT $2, $10");
        assert!(
            script.statements[0].has_outer_join(&script) && !script.statements[1].has_outer_join(&script)
        );
        let numbers: Vec<_> = script.statements[1].parameters(&script).iter().map(|one| one.number).collect();
        assert_eq!(numbers, [2, 10]);
    }
}
