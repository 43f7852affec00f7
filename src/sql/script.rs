//! A parsed file: its statements and comments with their spans. The script keeps the tree, so that each file is parsed
//! once.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use squawk_syntax::ast::{AstNode, Stmt};
use squawk_syntax::{Parse, SourceFile, SyntaxKind};

use super::names::{Name, NameRole, names};
use super::parameter::{ParameterUse, TemplateParameter, mask};
use super::scope::ObjectLocation;
use super::tree::{Kinds, Node, Tree};
use super::{SqlError, placeholder};
use crate::error::{Place, Source};

/// A parsed file.
#[derive(Debug, Clone)]
pub struct Script {
    /// The file as the user wrote it.
    pub source: Arc<Source>,
    /// Its non-empty statements in order.
    pub statements: Vec<Statement>,
    /// Its comments in order.
    pub comments: Vec<Comment>,
    /// The uses of parameters in it, in order.
    pub uses: Vec<ParameterUse>,
    /// What precedes the schema's name in `{org_role}`.
    pub role_prefix: Arc<str>,
    tree: Tree,
    parse: Parse<SourceFile>,
    kinds: Box<Kinds>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent property of the statement")]
pub struct Statement {
    /// Its bytes in the file, without the semicolon and without comments around it.
    pub range: Range<usize>,
    /// Its kind in the parser's tree.
    pub kind: SyntaxKind,
    /// The names in it.
    pub names: Vec<Name>,
    /// Whether the server accepts it inside a transaction block.
    pub transactional: bool,
    /// Whether it certainly leaves the session state unchanged.
    pub session_neutral: bool,
    /// Whether it has the same effect in a transaction shared with similar statements as in its own, in a schema without
    /// rows.
    pub same_in_one_transaction: bool,
    /// The bytes of its key word `CONCURRENTLY`.
    pub concurrently: Option<Range<usize>>,
    /// Whether it changes the search path, as far as the text shows.
    pub changes_search_path: bool,
    /// Whether it contains `{org_schema}` or `{org_role}`, also in a string or body; comments do not count.
    pub has_placeholder: bool,
    /// The names of temporary objects that its code creates.
    pub(super) temporary_by_code: Vec<String>,
    /// Where its objects are.
    pub(super) location: ObjectLocation,
    /// Whether it renames a schema.
    pub(super) renames_schema: bool,
    /// The index of its node in the tree.
    at: u32,
}

/// The action of a statement on an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexAction {
    /// It creates the index.
    Create,
    /// It drops the index.
    Drop,
}

/// One comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its bytes in the file, including the comment marks.
    pub range: Range<usize>,
    /// The trimmed text after `--`; `None` for a block comment.
    pub line: Option<String>,
}

impl Script {
    /// Parses `source`. Returns the first error.
    pub fn parse(source: Arc<Source>) -> Result<Self, SqlError> {
        Self::parse_with(source, &[])
    }

    /// Parses a template's file that may use these parameters.
    pub fn parse_with(source: Arc<Source>, parameters: &[TemplateParameter]) -> Result<Self, SqlError> {
        let text = super::validate::without_dump_guards(placeholder::mask(&source.text));
        let (masked, uses) = mask(&source, text, parameters)?;
        Ok(Self { uses, ..Self::parse_masked(source, masked)? })
    }

    /// The errors of a file that cannot be parsed, all at once: psql's commands and COPY with the client, as in a dump, are left out
    /// one after the other. Also returns the script of the rest, if it can be parsed.
    pub fn refusals(source: &Arc<Source>, first: SqlError) -> (Vec<SqlError>, Option<Self>) {
        const MAX_ERRORS: usize = 50;
        let mut masked = super::validate::without_dump_guards(placeholder::mask(&source.text));
        let mut errors = vec![first];
        while errors.len() < MAX_ERRORS
            && let Some(refused) = errors.last().and_then(|error| error.left_out(&masked))
        {
            masked.replace_range(refused.clone(), &super::validate::blank(&masked[refused]));
            match Self::parse_masked(Arc::clone(source), masked.clone()) {
                Ok(script) => return (errors, Some(script)),
                Err(error) => errors.push(error),
            }
        }
        (errors, None)
    }

    /// Parses `masked`, the text of `source` or a part of it, at the same offsets.
    pub(super) fn parse_masked(source: Arc<Source>, masked: String) -> Result<Self, SqlError> {
        super::validate::check_text(&source, &masked)?;
        let whole = Place::File(source.file.clone());
        // If the parser panics, the file is rejected and the program continues.
        let parsed = catch_unwind(AssertUnwindSafe(|| {
            let parse = SourceFile::parse(&masked);
            let errors = parse.errors();
            (parse, errors)
        }));
        let Ok((parse, errors)) = parsed else { return Err(SqlError::Unreadable { place: whole }) };
        let tree = Tree::of(&parse.syntax_node(), masked);
        super::validate::check_comments(&source, tree.comments())?;
        let kinds = Box::new(tree.root().kinds());
        super::validate::check_tree(&source, tree.root(), &kinds, &errors)?;
        let statements = tree
            .root()
            .children()
            .filter(|node| Stmt::can_cast(node.kind()) && node.kind() != SyntaxKind::EMPTY_STMT)
            .map(|node| Statement::read(node, &source, &kinds))
            .collect();
        let comments = comments(&tree);
        Ok(Self {
            source,
            statements,
            comments,
            uses: Vec::new(),
            role_prefix: Arc::default(),
            tree,
            parse,
            kinds,
        })
    }

    /// The text of a statement as written in the file.
    pub fn text(&self, statement: &Statement) -> &str {
        &self.source.text[statement.range.clone()]
    }

    /// The position of a statement in the file.
    pub fn place(&self, statement: &Statement) -> Place {
        Place::at(&self.source, statement.range.clone())
    }

    /// The first statement with `{org_role}`.
    pub fn first_with_role(&self) -> Option<&Statement> {
        self.statements.iter().find(|it| it.has_placeholder && self.text(it).contains(placeholder::ORG_ROLE))
    }

    /// The uses of parameters in a statement.
    pub fn uses_in(&self, statement: &Statement) -> impl Iterator<Item = &ParameterUse> {
        let range = statement.range.clone();
        self.uses.iter().filter(move |one| range.start <= one.range.start && one.range.end <= range.end)
    }

    /// The result of squawk's parser, for squawk's linter. Its offsets are those of the user's text.
    pub fn parse_of_squawk(&self) -> &Parse<SourceFile> {
        &self.parse
    }

    /// Whether an identifier is longer than `bytes`, as it is written.
    pub fn has_longer_identifier(&self, bytes: usize) -> bool {
        let mut tokens = self.tree.root().tokens();
        tokens.any(|token| token.kind == SyntaxKind::IDENT && token.text.len() > bytes)
    }

    /// Whether the file contains a node or token of one of `kinds`.
    pub fn contains(&self, kinds: &[SyntaxKind]) -> bool {
        self.kinds.contains(kinds)
    }

    /// The text that the tree was built from: the user's, with `{org_schema}` and parameters masked.
    pub fn masked(&self) -> &str {
        self.tree.text()
    }

    /// The byte offset of the first statement. Header lines are before it.
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
            has_placeholder: contains_placeholder(node, source),
            temporary_by_code: super::text_names::temporary_by_code(node),
            location: ObjectLocation::of(node, all),
            renames_schema: node.children().any(|child| child.kind() == SyntaxKind::SCHEMA_RENAME_TO),
            at: node.index(),
        }
    }

    /// The node of this statement in the tree of `script`, its own script.
    pub fn node<'t>(&self, script: &'t Script) -> Node<'t> {
        script.tree.node(self.at)
    }

    /// Whether it is `BEGIN` or `COMMIT`.
    pub fn is_begin_or_commit(&self) -> bool {
        matches!(self.kind, SyntaxKind::BEGIN | SyntaxKind::COMMIT_TRANSACTION)
    }

    /// The index that it creates or drops by name.
    pub fn index(&self) -> Option<(IndexAction, &Name)> {
        let (action, kind) = match self.kind {
            SyntaxKind::CREATE_INDEX => (IndexAction::Create, SyntaxKind::INDEX),
            SyntaxKind::DROP_INDEX => (IndexAction::Drop, SyntaxKind::INDEX_REF),
            _ => return None,
        };
        self.names.iter().find(|name| name.kind == kind).map(|name| (action, name))
    }

    /// Whether it creates an index without a name.
    pub fn creates_unnamed_index(&self) -> bool {
        self.kind == SyntaxKind::CREATE_INDEX && self.index().is_none()
    }

    /// Whether it has `IF EXISTS`.
    pub fn only_if_exists(&self, script: &Script) -> bool {
        self.node(script).has_child(&[SyntaxKind::IF_EXISTS])
    }

    /// Whether it has `IF NOT EXISTS`.
    pub fn only_if_missing(&self, script: &Script) -> bool {
        self.node(script).has_child(&[SyntaxKind::IF_NOT_EXISTS])
    }

    /// Whether it may change the setting `name`, given in lower case, as far as the text shows.
    pub fn may_change_setting(&self, script: &Script, name: &str) -> bool {
        let all = [SyntaxKind::RESET, SyntaxKind::DISCARD];
        !self.session_neutral && (all.contains(&self.kind) || mentions(script.text(self), name))
    }

    /// The temporary tables that it creates.
    pub fn temporary_tables(&self) -> impl Iterator<Item = &Name> {
        let is_table = !matches!(self.kind, SyntaxKind::CREATE_VIEW | SyntaxKind::CREATE_SEQUENCE);
        let made = self.names.iter().filter(|name| name.role == NameRole::Created);
        made.filter(move |_| is_table && self.location == ObjectLocation::Session)
    }

    /// Whether it may run user code: a `DO` block, or a routine that it calls.
    pub fn runs_code(&self) -> bool {
        matches!(self.kind, SyntaxKind::DO | SyntaxKind::CALL | SyntaxKind::SELECT)
    }

    /// Whether its only effect is to write rows of one table.
    pub fn only_writes_rows(&self) -> bool {
        use SyntaxKind::{DELETE, INSERT, MERGE, UPDATE};
        matches!(self.kind, INSERT | UPDATE | DELETE | MERGE)
    }

    /// Whether it changes no definitions, apart from user code that it runs: it reads or writes rows, notifies, or sets.
    pub fn leaves_schema_unchanged(&self) -> bool {
        use SyntaxKind::{CALL, DO, NOTIFY, SELECT, SET, TABLE, VALUES};
        self.only_writes_rows() || matches!(self.kind, SELECT | VALUES | TABLE | CALL | DO | NOTIFY | SET)
    }

    /// Whether it may read rows of other tables when it is executed.
    pub fn reads_rows(&self) -> bool {
        use SyntaxKind::{CREATE_MATERIALIZED_VIEW, CREATE_TABLE_AS, SELECT_INTO};
        self.leaves_schema_unchanged()
            || matches!(self.kind, CREATE_TABLE_AS | SELECT_INTO | CREATE_MATERIALIZED_VIEW)
    }

    /// Whether it is needed in a schema that is being created. Maintenance such as `VACUUM` is not.
    pub fn applies_to_new_schema(&self) -> bool {
        self.transactional || self.concurrently.is_some()
    }

    /// Whether it drops the objects that are its targets. `DROP TRIGGER … ON t` does not drop the table.
    pub fn drops_targets(&self) -> bool {
        use SyntaxKind::{DROP_POLICY, DROP_RULE, DROP_TRIGGER};
        self.verb().starts_with("DROP ") && !matches!(self.kind, DROP_POLICY | DROP_RULE | DROP_TRIGGER)
    }

    /// Whether it has another effect without `CONCURRENTLY`: a partition that is detached concurrently keeps a CHECK
    /// constraint (manual, ALTER TABLE).
    pub fn differs_without_concurrently(&self) -> bool {
        self.kind == SyntaxKind::ALTER_TABLE && self.concurrently.is_some()
    }

    /// Whether it acts on the whole server and cannot be rolled back.
    pub fn is_server_wide(&self) -> bool {
        super::transaction::SERVER_WIDE.contains(&self.kind)
    }

    /// The extension that it creates.
    pub fn created_extension(&self, script: &Script) -> Option<String> {
        let node = self.node(script);
        let name =
            (self.kind == SyntaxKind::CREATE_EXTENSION).then(|| node.child(SyntaxKind::EXTENSION))??;
        Some(super::normalized(name.text()))
    }

    /// Whether it creates an extension without a SCHEMA clause.
    pub fn omits_extension_schema(&self) -> bool {
        self.kind == SyntaxKind::CREATE_EXTENSION && self.schema_clause().is_none()
    }

    /// The schema of its SCHEMA clause.
    pub fn schema_clause(&self) -> Option<&str> {
        self.names.iter().find(|name| name.kind == SyntaxKind::SCHEMA_REF).map(|name| name.name.as_str())
    }

    /// The schema that it creates.
    pub fn created_schema(&self) -> Option<&str> {
        let schema = self.names.iter().find(|name| name.kind == SyntaxKind::SCHEMA);
        schema.filter(|_| self.kind == SyntaxKind::CREATE_SCHEMA).map(|name| name.name.as_str())
    }

    /// Whether it creates a schema with an owner, or objects in it.
    pub fn creates_more_than_schema(&self, script: &Script) -> bool {
        let has_owner = self.node(script).tokens().any(|token| token.kind == SyntaxKind::AUTHORIZATION_KW);
        has_owner || self.names.len() > 1
    }

    /// Its extension or its first name, by which an Allow line may refer to it; or an empty text.
    pub fn main_name(&self, script: &Script) -> String {
        let first = || self.names.first().map(|name| name.name.clone());
        self.created_extension(script).or_else(first).unwrap_or_default()
    }

    /// Whether it has effects outside its own database, as far as its own text shows.
    pub fn acts_outside_database(&self, script: &Script) -> bool {
        super::transaction::acts_outside_database(self.node(script))
    }

    /// Whether its effects may reach programs, files or other servers, as far as its own text shows.
    pub fn acts_on_server_host(&self, script: &Script) -> bool {
        super::transaction::acts_on_server_host(self.node(script))
    }

    /// The kind of statement for messages: `ALTER TABLE`.
    pub fn verb(&self) -> String {
        format!("{:?}", self.kind).replace('_', " ")
    }
}

/// Whether `text` contains `word`, given in lower case, in any case. A cheap check before a tree is searched.
pub fn mentions(text: &str, word: &str) -> bool {
    text.to_ascii_lowercase().contains(word)
}

fn contains_placeholder(node: Node<'_>, source: &Source) -> bool {
    let contains = |range: Range<usize>| placeholder::contains(&source.text[range]);
    // The first check is cheap and false for most statements.
    contains(node.range()) && node.tokens().any(|token| contains(token.range()))
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
    fn text_that_is_not_sql_is_an_error() {
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
