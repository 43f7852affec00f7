//! The names in a statement: of objects that it creates, acts on, or only refers to. They are read from the shape of the
//! tree, not per kind of statement: `PATH` names a new object, and `PATH_REF` refers to an existing one.

use std::ops::Range;

use squawk_lexer::TokenKind;
use squawk_syntax::{SourceFile, SyntaxKind};

use super::mentions::tokens;
use super::placeholder::STAND_IN;
use super::qualify::{Lookup, lookup, lookup_of_operator};
use super::text_names::content;
use super::tree::{Kinds, Node};
use super::unicode_escape::decode;
use crate::ident::Identifier;

/// A name as a statement uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The schema, if the name is qualified.
    pub schema: Option<String>,
    /// The name itself, folded as the server folds it (manual, chapter 4.1.1).
    pub name: String,
    /// How the statement uses it.
    pub role: NameRole,
    /// The kind of the node around it: `TABLE_NAME_REF`, `INDEX`, ….
    pub kind: SyntaxKind,
    /// Its bytes in the file.
    pub range: Range<usize>,
    /// How the server resolves it if it is unqualified.
    pub lookup: Lookup,
}

impl Name {
    /// Whether the statement creates a table or a view of this name.
    pub fn is_new_table(&self) -> bool {
        self.role == NameRole::Created && matches!(self.kind, SyntaxKind::TABLE_NAME | SyntaxKind::VIEW)
    }
}

/// How a statement uses a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRole {
    /// It creates the object.
    Created,
    /// It acts on the object.
    Target,
    /// It only reads or refers to the object.
    Referenced,
}

impl Name {
    /// Whether the schema is `{org_schema}`.
    pub fn in_tenant_schema(&self) -> bool {
        self.schema.as_deref() == Some(STAND_IN)
    }
}

/// The nodes that refer to a table or an index.
pub const RELATIONS: &[SyntaxKind] =
    &[SyntaxKind::INDEX_REF, SyntaxKind::RELATION_NAME_REF, SyntaxKind::TABLE_NAME_REF];

/// Names inside these nodes are read, not acted on.
const READING: &[SyntaxKind] = &[
    SyntaxKind::ARG_LIST,
    SyntaxKind::CALL_EXPR,
    SyntaxKind::COMPOUND_SELECT,
    SyntaxKind::FOREIGN_KEY_CONSTRAINT,
    SyntaxKind::FROM_CLAUSE,
    SyntaxKind::FUNC_OPTION_LIST,
    SyntaxKind::INHERITS,
    SyntaxKind::LIKE_CLAUSE,
    SyntaxKind::PARAM_LIST,
    SyntaxKind::PARTITION_OF,
    SyntaxKind::PATH_TYPE,
    SyntaxKind::REFERENCES_CONSTRAINT,
    SyntaxKind::RELATION_FROM_ITEM,
    SyntaxKind::RET_TYPE,
    SyntaxKind::SELECT,
    SyntaxKind::TABLE,
    SyntaxKind::USING_CLAUSE,
    SyntaxKind::USING_ON_CLAUSE,
    SyntaxKind::VALUES,
    SyntaxKind::WHERE_CLAUSE,
    SyntaxKind::WITH_CLAUSE,
];

/// These write rows wherever they appear in a statement.
const WRITING: &[SyntaxKind] =
    &[SyntaxKind::DELETE, SyntaxKind::INSERT, SyntaxKind::MERGE, SyntaxKind::UPDATE];

/// Paths in these nodes do not name an object of a schema that the statement acts on.
const NOT_OBJECTS: &[SyntaxKind] = &[
    SyntaxKind::COLLATION_REF,
    SyntaxKind::CONFIG_PARAMETER_REF,
    SyntaxKind::LANGUAGE_REF,
    SyntaxKind::OP_CLASS_REF,
];

/// Returns the names in a statement in text order; `all` contains the node kinds of its file.
pub(super) fn names(statement: Node<'_>, all: &Kinds) -> Vec<Name> {
    let ctes: Vec<String> = all
        .contains(&[SyntaxKind::CTE_NAME])
        .then(|| statement.descendants())
        .into_iter()
        .flatten()
        .filter(|node| node.kind() == SyntaxKind::CTE_NAME)
        .map(|node| normalized(node.text()))
        .collect();
    let mut found = Vec::new();
    collect(statement, Position::Acting, &mut found);
    // A CTE cannot be written to: a written name is always a table, even if a CTE has the same name.
    let is_cte = |name: &Name| {
        name.schema.is_none()
            && (name.role, name.lookup) == (NameRole::Referenced, Lookup::Path)
            && ctes.contains(&name.name)
    };
    found.retain(|name| !is_cte(name));
    if statement.kind() == SyntaxKind::CREATE_SCHEMA {
        // Its elements are created in that schema and refer to each other there.
        for name in &mut found {
            name.lookup = Lookup::Path;
        }
    }
    found
}

/// How the names below a node are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Acting,
    Reading,
    RuleAction,
    RoutineBody,
}

impl Position {
    /// The position of the names below `node`, which itself is at `self`.
    fn below(self, node: Node<'_>) -> Self {
        match node.kind() {
            _ if self == Self::RoutineBody => Self::RoutineBody,
            SyntaxKind::ATOMIC_BODY => Self::RoutineBody,
            _ if self == Self::RuleAction => Self::RuleAction,
            SyntaxKind::RULE_DO => Self::RuleAction,
            kind if WRITING.contains(&kind) => Self::Acting,
            kind if READING.contains(&kind) => Self::Reading,
            _ => self,
        }
    }
}

fn collect(node: Node<'_>, position: Position, found: &mut Vec<Name>) {
    if NOT_OBJECTS.contains(&node.kind()) && lookup(node) == Lookup::Path {
        return;
    }
    if let Some(name) = operator(node) {
        found.push(name);
        return;
    }
    match node.kind() {
        SyntaxKind::SCHEMA | SyntaxKind::SCHEMA_REF => {
            let role = if node.kind() == SyntaxKind::SCHEMA { NameRole::Created } else { NameRole::Target };
            let name = normalized(node.text());
            found.push(Name {
                schema: Some(name.clone()),
                name,
                role,
                kind: node.kind(),
                range: node.span(),
                lookup: Lookup::Path,
            });
            return;
        }
        SyntaxKind::CALL_EXPR => found.extend(called(node)),
        SyntaxKind::LITERAL => found.extend(named_by_text(node)),
        _ => {}
    }
    for child in node.children() {
        match child.kind() {
            SyntaxKind::PATH | SyntaxKind::PATH_REF => {
                let role = match position {
                    _ if child.kind() == SyntaxKind::PATH => NameRole::Created,
                    Position::Acting => NameRole::Target,
                    _ => NameRole::Referenced,
                };
                // The body of a routine is not qualified.
                let lookup = if position == Position::RoutineBody { Lookup::Path } else { lookup(node) };
                found.extend(read(child, node, role, lookup));
            }
            _ => collect(child, position.below(child), found),
        }
    }
}

/// An operator that the statement creates or acts on.
fn operator(node: Node<'_>) -> Option<Name> {
    let lookup = lookup_of_operator(node).filter(|lookup| *lookup != Lookup::Path)?;
    let mut parts = Vec::new();
    let path = node.child(SyntaxKind::PATH_REF);
    if let Some(path) = path {
        segments(path, &mut parts);
    }
    let range = node.span();
    let sign = &node.text()[path.map_or(range.start, |path| path.range().end) - node.range().start..];
    let role = match node.parent().map(Node::kind) {
        Some(SyntaxKind::CREATE_OPERATOR) => NameRole::Created,
        _ if lookup == Lookup::Own => NameRole::Target,
        _ => NameRole::Referenced,
    };
    let schema = parts.into_iter().find(|part| !part.is_empty());
    Some(Name { schema, name: sign.trim().to_owned(), role, kind: SyntaxKind::OP, range, lookup })
}

fn read(path: Node<'_>, holder: Node<'_>, role: NameRole, lookup: Lookup) -> Option<Name> {
    let mut parts = Vec::new();
    segments(path, &mut parts);
    if holder.kind() == SyntaxKind::QUALIFIED_COLUMN_NAME_REF {
        parts.pop();
    }
    let name = parts.pop()?;
    Some(Name { schema: parts.pop(), name, role, kind: holder.kind(), range: path.span(), lookup })
}

fn segments(path: Node<'_>, parts: &mut Vec<String>) {
    for child in path.children() {
        match child.kind() {
            SyntaxKind::PATH | SyntaxKind::PATH_REF => segments(child, parts),
            SyntaxKind::PATH_SEGMENT | SyntaxKind::PATH_SEGMENT_REF => {
                parts.push(normalized(child.text()));
            }
            _ => {}
        }
    }
}

/// The function that a call names: `f(…)` or `schema.f(…)`.
fn called(call: Node<'_>) -> Option<Name> {
    let callee = call.children().next()?;
    let mut parts: Vec<String> = match callee.kind() {
        SyntaxKind::NAME_REF => vec![normalized(callee.text())],
        SyntaxKind::FIELD_EXPR => callee.children().map(|part| normalized(part.text())).collect(),
        _ => return None,
    };
    let name = parts.pop()?;
    let (schema, range) = (parts.pop(), callee.span());
    Some(Name { schema, name, role: NameRole::Referenced, kind: call.kind(), range, lookup: Lookup::Path })
}

/// The object that a string literal names: a sequence in `nextval` and the like, or the text of an object identifier
/// type (manual, chapters 9.17 and 8.19).
fn named_by_text(literal: Node<'_>) -> Option<Name> {
    let parent = literal.parent()?;
    let kind = match parent.kind() {
        SyntaxKind::CAST_EXPR => {
            let class = normalized(parent.child(SyntaxKind::PATH_TYPE)?.text());
            match class.strip_prefix("pg_catalog.").unwrap_or(&class) {
                "regclass" => SyntaxKind::RELATION_NAME_REF,
                "regtype" => SyntaxKind::PATH_TYPE,
                "regproc" => SyntaxKind::CALL_EXPR,
                _ => return None,
            }
        }
        SyntaxKind::ARG => {
            let arguments = parent.parent()?;
            let call = called(arguments.parent().filter(|call| call.kind() == SyntaxKind::CALL_EXPR)?)?;
            let is_first = arguments.children().next()?.range() == parent.range();
            if !is_first || !["currval", "nextval", "setval"].contains(&call.name.as_str()) {
                return None;
            }
            SyntaxKind::RELATION_NAME_REF
        }
        _ => return None,
    };
    let (_, text) = content(literal.text())?;
    let mut parts: Vec<String> = Vec::new();
    for (at, token) in tokens(text).into_iter().enumerate() {
        match token.kind {
            TokenKind::Ident | TokenKind::QuotedIdent { .. } if at % 2 == 0 => {
                parts.push(normalized(token.text));
            }
            TokenKind::Dot if at % 2 == 1 => {}
            _ => return None,
        }
    }
    let name = parts.pop()?;
    let (schema, range) = (parts.pop(), literal.span());
    Some(Name { schema, name, role: NameRole::Referenced, kind, range, lookup: Lookup::Path })
}

/// The number of bytes after which the server cuts a name (`NAMEDATALEN - 1`).
pub const MAX_NAME_BYTES: usize = 63;

/// An identifier as the server stores it: folded to lower case unless it is quoted, with Unicode escapes decoded, and cut.
pub fn normalized(identifier: &str) -> String {
    let identifier = identifier.trim();
    let mut name = match identifier.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => decode(identifier)
            // In a UTF-8 database the server folds only ASCII letters.
            .unwrap_or_else(|| identifier.to_ascii_lowercase()),
    };
    name.truncate(name.floor_char_boundary(MAX_NAME_BYTES));
    name
}

/// The name as SQL, in quotes only if it needs them: a keyword, an upper-case letter, or another character.
pub fn shortest_form(name: &Identifier) -> String {
    let text = name.as_str();
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    // The parser knows the keywords.
    let is_parsed = || SourceFile::parse(&format!("CREATE TABLE {text}.t ();")).errors().is_empty();
    if is_plain && !text.starts_with(|first: char| first.is_ascii_digit()) && is_parsed() {
        text.to_owned()
    } else {
        name.quoted()
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Source;
    use crate::sql::Script;

    fn names_in(sql: &str) -> Vec<String> {
        let script = Script::parse(Source::new("t.sql", sql)).unwrap();
        script.statements[0]
            .names
            .iter()
            .map(|n| {
                format!(
                    "{:?} {}{}",
                    n.role,
                    n.schema.as_ref().map(|s| format!("{s}.")).unwrap_or_default(),
                    n.name
                )
            })
            .collect()
    }

    #[test]
    fn the_position_decides_the_role() {
        assert_eq!(names_in("ALTER TABLE Workspaces ADD c int"), ["Target workspaces", "Referenced int"]);
        assert_eq!(names_in("CREATE INDEX ON a USING gin (b public.gin_trgm_ops)"), ["Target a"]);
        assert_eq!(names_in("DROP OPERATOR CLASS p.c USING gin"), ["Target p.c"]);
        assert_eq!(
            names_in("CREATE TABLE a (b int REFERENCES p.users(id))"),
            ["Created a", "Referenced int", "Referenced p.users"]
        );
        assert_eq!(names_in("CREATE INDEX i ON \"T\" (c)"), ["Created i", "Target T"]);
        assert_eq!(
            names_in("INSERT INTO a SELECT p.f() FROM b"),
            ["Target a", "Referenced p.f", "Referenced b"]
        );
        assert_eq!(names_in("WITH c AS (SELECT 1) SELECT * FROM c, d"), ["Referenced d"]);
        assert_eq!(names_in("WITH a AS (DELETE FROM a RETURNING b) SELECT b FROM a"), ["Target a"]);
        assert_eq!(names_in("COMMENT ON COLUMN s.t.c IS 'x'"), ["Target s.t"]);
        assert_eq!(
            names_in("SELECT setval('S.\"Q\"', 1), 'R'::regclass, f('x'), 'not a name'::regclass"),
            [
                "Referenced setval",
                "Referenced s.Q",
                "Referenced r",
                "Referenced regclass",
                "Referenced f",
                "Referenced regclass"
            ]
        );
        assert_eq!(names_in("CREATE SCHEMA s"), ["Created s.s"]);
        assert_eq!(names_in(r#"DROP TABLE U&"\0061\+000062".u&"c""d\\""#), [r#"Target ab.c"d\"#]);
        assert_eq!(names_in(r#"DROP TABLE U&"!0061" UESCAPE '!'.b, c"#), ["Target a.b", "Target c"]);
        assert_eq!(names_in("GRANT USAGE ON SCHEMA s TO r"), ["Target s.s"]);
        assert_eq!(
            names_in("DELETE FROM a USING b WHERE a.id IN (SELECT id FROM c)"),
            ["Target a", "Referenced b", "Referenced c"]
        );
    }

    #[test]
    fn a_name_is_quoted_only_if_it_needs_quotes() {
        let form = |name| super::shortest_form(&crate::ident::Identifier::new(name).unwrap());
        for plain in ["shop", "datalinx_platform", "public", "a1_b"] {
            assert_eq!(form(plain), plain);
        }
        for quoted in ["user", "order", "Shop", "1a", "my shop", "a-b", "é", "table"] {
            assert_eq!(form(quoted), format!("\"{quoted}\""));
        }
    }
}
