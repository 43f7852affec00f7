//! A file's text, parsed: statements and comments with their spans. The tree stays with the script, so
//! that rules read what was parsed once.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use squawk_syntax::ast::{AstNode, Stmt};
use squawk_syntax::{Parse, SourceFile, SyntaxKind};

use super::names::{Name, NameRole, names};
use super::parameter::{ParameterUse, TemplateParameter, masked};
use super::scope::ObjectLocation;
use super::tree::{Kinds, Node, Tree};
use super::{SqlError, placeholder};
use crate::error::{Place, Source};

/// A parsed file.
#[derive(Debug, Clone)]
pub struct Script {
    /// The file as the user wrote it.
    pub source: Arc<Source>,
    /// Its statements in order, empty ones left out.
    pub statements: Vec<Statement>,
    /// Its comments in order.
    pub comments: Vec<Comment>,
    /// Where parameters stand in it, in order.
    pub uses: Vec<ParameterUse>,
    tree: Tree,
    parse: Parse<SourceFile>,
    kinds: Box<Kinds>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one answer that the tree gives once")]
pub struct Statement {
    /// Its bytes in the file, without the semicolon and without comments around it.
    pub range: Range<usize>,
    /// What it is, in the parser's words.
    pub kind: SyntaxKind,
    /// The names in it.
    pub names: Vec<Name>,
    /// Whether the server takes it inside a transaction block.
    pub transactional: bool,
    /// Whether it certainly leaves nothing behind in the session.
    pub session_neutral: bool,
    /// Whether it does the same in one transaction with others like it as in a transaction of its own, in a schema
    /// without rows.
    pub same_in_one_transaction: bool,
    /// Where its word `CONCURRENTLY` stands.
    pub concurrently: Option<Range<usize>>,
    /// Whether bare names mean something else from here on, as far as the text shows.
    pub changes_search_path: bool,
    /// Whether `{org_schema}` stands in it, in a string or a body too; comments do not count.
    pub has_placeholder: bool,
    /// What is temporary and made by its code.
    pub(super) temporary_by_code: Vec<String>,
    /// Where the things are that it is about.
    pub(super) location: ObjectLocation,
    /// Whether it gives a schema another name.
    pub(super) renames_schema: bool,
    /// Where its node stands in the tree.
    at: u32,
}

/// What a statement does with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexAction {
    /// It makes it.
    Create,
    /// It drops it.
    Drop,
}

/// One comment, without its marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its bytes in the file, marks included.
    pub range: Range<usize>,
    /// What stands behind `--`, trimmed; a block comment is not a header line and has `None`.
    pub line: Option<String>,
}

impl Script {
    /// Parses `source`. The first thing that is wrong is the error.
    pub fn parse(source: Arc<Source>) -> Result<Self, SqlError> {
        Self::parse_with(source, &[])
    }

    /// The same, of a template's file that may use these parameters.
    pub fn parse_with(source: Arc<Source>, parameters: &[TemplateParameter]) -> Result<Self, SqlError> {
        let (masked, uses) = masked(&source, placeholder::masked(&source.text), parameters)?;
        super::validate::check_text(&source, &masked)?;
        let whole = Place::File(source.file.clone());
        // A parser that panics on some input must not take the program with it: fail closed.
        let parsed = catch_unwind(AssertUnwindSafe(|| {
            let parse = SourceFile::parse(&masked);
            let errors = parse.errors();
            (parse, errors)
        }));
        let Ok((parse, errors)) = parsed else { return Err(SqlError::Unreadable { place: whole }) };
        let tree = Tree::of(&parse.syntax_node(), masked);
        let kinds = Box::new(tree.root().kinds());
        super::validate::check_tree(&source, tree.root(), &kinds, &errors)?;
        let statements = tree
            .root()
            .children()
            .filter(|node| Stmt::can_cast(node.kind()) && node.kind() != SyntaxKind::EMPTY_STMT)
            .map(|node| Statement::read(node, &source, &kinds))
            .collect();
        let comments = comments(&tree);
        Ok(Self { source, statements, comments, uses, tree, parse, kinds })
    }

    /// The text of a statement, as the user wrote it.
    pub fn text(&self, statement: &Statement) -> &str {
        &self.source.text[statement.range.clone()]
    }

    /// The place of a statement.
    pub fn place(&self, statement: &Statement) -> Place {
        Place::at(&self.source, statement.range.clone())
    }

    /// The parameters that stand in a statement.
    pub fn uses_in(&self, statement: &Statement) -> impl Iterator<Item = &ParameterUse> {
        let range = statement.range.clone();
        self.uses.iter().filter(move |one| range.start <= one.range.start && one.range.end <= range.end)
    }

    /// As the parser left it, for squawk's linter; its offsets are those of the user's text.
    pub fn parse_of_squawk(&self) -> &Parse<SourceFile> {
        &self.parse
    }

    /// Whether a node or token of one of `kinds` is anywhere in the file.
    pub fn contains(&self, kinds: &[SyntaxKind]) -> bool {
        self.kinds.contains(kinds)
    }

    /// The text that the tree was made from: the user's, with `{org_schema}` replaced by an identifier.
    pub fn masked(&self) -> &str {
        self.tree.text()
    }

    /// Where the first code of the file begins; header lines stand before it.
    pub fn code_start(&self) -> usize {
        self.statements.first().map_or(self.source.text.len(), |statement| statement.range.start)
    }
}

impl Statement {
    fn read(node: Node<'_>, source: &Source, all: &Kinds) -> Self {
        let (names, session_neutral) = (names(node, all), super::session::is_session_neutral(node));
        Self {
            range: node.span(),
            kind: node.kind(),
            same_in_one_transaction: super::one_transaction::is_same(node, &names, session_neutral, all),
            names,
            transactional: !super::transaction::refused_in_transaction(node, all),
            session_neutral,
            changes_search_path: super::session::changes_search_path(node),
            concurrently: super::transaction::word(node, SyntaxKind::CONCURRENTLY_KW, all),
            has_placeholder: says_org_schema(node, source),
            temporary_by_code: super::text_names::temporary_by_code(node),
            location: ObjectLocation::of(node, all),
            renames_schema: node.children().any(|child| child.kind() == SyntaxKind::SCHEMA_RENAME_TO),
            at: node.index(),
        }
    }

    /// The node of this statement in the tree of `script`, which it was read from.
    pub fn node<'t>(&self, script: &'t Script) -> Node<'t> {
        script.tree.node(self.at)
    }

    /// Whether it only begins or ends a transaction.
    pub fn is_begin_or_commit(&self) -> bool {
        matches!(self.kind, SyntaxKind::BEGIN | SyntaxKind::COMMIT_TRANSACTION)
    }

    /// The index that it makes or drops by name, if it does.
    pub fn index(&self) -> Option<(IndexAction, &Name)> {
        let (work, kind) = match self.kind {
            SyntaxKind::CREATE_INDEX => (IndexAction::Create, SyntaxKind::INDEX),
            SyntaxKind::DROP_INDEX => (IndexAction::Drop, SyntaxKind::INDEX_REF),
            _ => return None,
        };
        self.names.iter().find(|name| name.kind == kind).map(|name| (work, name))
    }

    /// Whether it makes an index and leaves its name to the server.
    pub fn creates_unnamed_index(&self) -> bool {
        self.kind == SyntaxKind::CREATE_INDEX && self.index().is_none()
    }

    /// Whether it says `IF EXISTS`.
    pub fn only_if_exists(&self, script: &Script) -> bool {
        self.node(script).has_child(&[SyntaxKind::IF_EXISTS])
    }

    /// Whether it may change a setting, named in lower case, as far as the text shows.
    pub fn may_change_setting(&self, script: &Script, name: &str) -> bool {
        let all = [SyntaxKind::RESET, SyntaxKind::DISCARD];
        !self.session_neutral && (all.contains(&self.kind) || mentions(script.text(self), name))
    }

    /// The tables that it makes and that only the session has.
    pub fn temporary_tables(&self) -> impl Iterator<Item = &Name> {
        let is_table = !matches!(self.kind, SyntaxKind::CREATE_VIEW | SyntaxKind::CREATE_SEQUENCE);
        let made = self.names.iter().filter(|name| name.role == NameRole::Created);
        made.filter(move |_| is_table && self.location == ObjectLocation::Session)
    }

    /// Whether it may run code of the project: a `DO` block, or what it calls.
    pub fn runs_code(&self) -> bool {
        matches!(self.kind, SyntaxKind::DO | SyntaxKind::CALL | SyntaxKind::SELECT)
    }

    /// Whether it does nothing but write rows of one table.
    pub fn only_writes_rows(&self) -> bool {
        use SyntaxKind::{DELETE, INSERT, MERGE, UPDATE};
        matches!(self.kind, INSERT | UPDATE | DELETE | MERGE)
    }

    /// Whether it writes, reads or tells something and leaves what there is as it is, unless code of others does not.
    pub fn leaves_schema_unchanged(&self) -> bool {
        use SyntaxKind::{CALL, DO, NOTIFY, SELECT, SET, TABLE, VALUES};
        self.only_writes_rows() || matches!(self.kind, SELECT | VALUES | TABLE | CALL | DO | NOTIFY | SET)
    }

    /// Whether rows of others may be read when it is run, rather than later.
    pub fn reads_rows(&self) -> bool {
        use SyntaxKind::{CREATE_MATERIALIZED_VIEW, CREATE_TABLE_AS, SELECT_INTO};
        self.leaves_schema_unchanged()
            || matches!(self.kind, CREATE_TABLE_AS | SELECT_INTO | CREATE_MATERIALIZED_VIEW)
    }

    /// Whether the statement has a point in a schema that is being made: housekeeping such as `VACUUM`
    /// has none.
    pub fn applies_to_new_schema(&self) -> bool {
        self.transactional || self.concurrently.is_some()
    }

    /// Whether the objects that it names as its targets are gone after it. `DROP TRIGGER … ON t` leaves the table.
    pub fn drops_targets(&self) -> bool {
        use SyntaxKind::{DROP_POLICY, DROP_RULE, DROP_TRIGGER};
        self.verb().starts_with("DROP ") && !matches!(self.kind, DROP_POLICY | DROP_RULE | DROP_TRIGGER)
    }

    /// Whether it would leave something else if it ran in a transaction, without the word `CONCURRENTLY`: a partition
    /// that is detached so keeps a CHECK constraint (manual, page of ALTER TABLE).
    pub fn differs_without_concurrently(&self) -> bool {
        self.kind == SyntaxKind::ALTER_TABLE && self.concurrently.is_some()
    }

    /// Whether it acts on the whole server, at once and for good.
    pub fn is_server_wide(&self) -> bool {
        super::transaction::SERVER_WIDE.contains(&self.kind)
    }

    /// The extension that it makes.
    pub fn created_extension(&self, script: &Script) -> Option<String> {
        let node = self.node(script);
        let name =
            (self.kind == SyntaxKind::CREATE_EXTENSION).then(|| node.child(SyntaxKind::EXTENSION))??;
        Some(super::normalized(name.text()))
    }

    /// Whether it makes an extension and names no schema for it.
    pub fn omits_extension_schema(&self) -> bool {
        self.kind == SyntaxKind::CREATE_EXTENSION
            && !self.names.iter().any(|name| name.kind == SyntaxKind::SCHEMA_REF)
    }

    /// Whether it leaves something elsewhere than in its own database, as far as it says itself.
    pub fn acts_outside_database(&self, script: &Script) -> bool {
        super::transaction::acts_outside_database(self.node(script))
    }

    /// Whether it acts on the machine of the server, as far as it says itself.
    pub fn acts_on_server_host(&self, script: &Script) -> bool {
        super::transaction::acts_on_server_host(self.node(script))
    }

    /// The statement's first words, for messages: `ALTER TABLE`.
    pub fn verb(&self) -> String {
        format!("{:?}", self.kind).replace('_', " ")
    }
}

/// Whether `word`, in lower case, stands in `text` in whatever case: asked before a tree is searched for it.
pub(super) fn mentions(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

fn says_org_schema(node: Node<'_>, source: &Source) -> bool {
    let says = |range: Range<usize>| source.text[range].contains(placeholder::ORG_SCHEMA);
    // Most statements do not, and then nobody looks at each word.
    says(node.range()) && node.tokens().any(|token| says(token.range()))
}

fn comments(tree: &Tree) -> Vec<Comment> {
    let line = |text: &str| text.strip_prefix("--").map(|line| line.trim().to_owned());
    tree.comments().map(|token| Comment { range: token.range(), line: line(token.text) }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Script, SqlError> {
        Script::parse(Source::new("t.sql", text))
    }

    fn place_of(text: &str) -> String {
        crate::error::Failure::from(parse(text).unwrap_err()).place.unwrap().to_string()
    }

    #[test]
    fn statements_have_exact_spans() {
        let script = parse("-- a\nSELECT 1 ;\n;/* b */ ALTER TABLE {org_schema}.t ADD c int -- c\n").unwrap();
        let texts: Vec<_> = script.statements.iter().map(|s| script.text(s)).collect();
        assert_eq!(texts, ["SELECT 1", "ALTER TABLE {org_schema}.t ADD c int"]);
        let lines: Vec<_> = script.comments.iter().map(|c| c.line.as_deref()).collect();
        assert_eq!(lines, [Some("a"), None, Some("c")]);
    }

    #[test]
    fn what_is_not_sql_is_named() {
        assert!(matches!(parse("SELECT 1;\n  \\i x.sql\n"), Err(SqlError::PsqlMetaCommand { .. })));
        assert!(matches!(parse("SELECT f() \\gexec\n"), Err(SqlError::PsqlMetaCommand { .. })));
        assert!(matches!(parse("COPY t FROM stdin;\n1\n\\.\n"), Err(SqlError::CopyFromStdin { .. })));
        assert!(parse("SELECT '\n\\d';").is_ok());
        assert_eq!(place_of("SELECT 1;\nALTER TABEL x ADD y int;"), "t.sql:2:7");
        assert!(matches!(parse("ALTER TABLE a DROP b ALTER TABLE c DROP d"), Err(SqlError::Syntax { .. })));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _outcome = parse(&text);
        }

        #[test]
        fn statements_survive_any_spacing(gap in "[ \t\r\n]{1,5}") {
            let text = format!("SELECT{gap}1;{gap}SELECT{gap}2");
            let script = parse(&text).unwrap();
            prop_assert_eq!(script.statements.len(), 2);
        }
    }
}
