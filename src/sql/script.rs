//! A file's text, parsed: statements and comments with their spans. The tree stays with the script, so
//! that rules read what was parsed once.

use std::iter::successors;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use squawk_syntax::ast::AstNode;
use squawk_syntax::{Parse, SourceFile, SyntaxKind, SyntaxNode, SyntaxNodePtr, SyntaxToken};

use super::names::{Name, names};
use super::scope::Home;
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
    masked: String,
    tree: Parse<SourceFile>,
    kinds: Kinds,
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
    pub quiet: bool,
    /// Where its word `CONCURRENTLY` stands.
    pub concurrently: Option<Range<usize>>,
    /// Whether `{org_schema}` stands in it, in a string or a body too; comments do not count.
    pub for_tenant: bool,
    /// Where the things are that it is about.
    pub(super) home: Home,
    /// Whether it gives a schema another name.
    pub(super) renames_schema: bool,
    /// Where its node stands in the tree.
    at: SyntaxNodePtr,
}

/// What a statement does with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexWork {
    /// It makes it.
    Makes,
    /// It drops it.
    Drops,
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
        let masked = placeholder::masked(&source.text);
        super::refused::by_text(&source, &masked)?;
        let whole = Place::File(source.file.clone());
        // A parser that panics on some input must not take the program with it: fail closed.
        let parsed = catch_unwind(AssertUnwindSafe(|| {
            let tree = SourceFile::parse(&masked);
            let errors = tree.errors();
            (tree, errors)
        }));
        let Ok((tree, errors)) = parsed else { return Err(SqlError::Unreadable { place: whole }) };
        let root = tree.syntax_node();
        let kinds = Kinds::of(&root);
        super::refused::by_tree(&source, &root, &kinds, &errors)?;
        let statements = tree
            .tree()
            .stmts()
            .filter(|statement| statement.syntax().kind() != SyntaxKind::EMPTY_STMT)
            .map(|statement| Statement::read(statement.syntax(), &source, &kinds))
            .collect();
        let comments = comments(&root);
        Ok(Self { source, statements, comments, masked, tree, kinds })
    }

    /// The text of a statement, as the user wrote it.
    pub fn text(&self, statement: &Statement) -> &str {
        &self.source.text[statement.range.clone()]
    }

    /// The place of a statement.
    pub fn place(&self, statement: &Statement) -> Place {
        Place::at(&self.source, statement.range.clone())
    }

    /// The parsed tree, for rules; its offsets are those of the user's text.
    pub fn tree(&self) -> &Parse<SourceFile> {
        &self.tree
    }

    /// Whether a node or token of one of `kinds` is anywhere in the file.
    pub fn holds(&self, kinds: &[SyntaxKind]) -> bool {
        self.kinds.hold(kinds)
    }

    /// The text that the tree was made from: the user's, with `{org_schema}` replaced by an identifier.
    pub fn masked(&self) -> &str {
        &self.masked
    }

    /// Where the first code of the file begins; header lines stand before it.
    pub fn code_start(&self) -> usize {
        self.statements.first().map_or(self.source.text.len(), |statement| statement.range.start)
    }
}

impl Statement {
    fn read(node: &SyntaxNode, source: &Source, all: &Kinds) -> Self {
        Self {
            range: span(node),
            kind: node.kind(),
            names: names(node, all),
            transactional: !super::transaction::refused_in_transaction(node, all),
            quiet: super::session::is_quiet(node),
            concurrently: super::transaction::word(node, SyntaxKind::CONCURRENTLY_KW, all),
            for_tenant: says_org_schema(node, source),
            home: Home::of(node, all),
            renames_schema: node.children().any(|child| child.kind() == SyntaxKind::SCHEMA_RENAME_TO),
            at: SyntaxNodePtr::new(node),
        }
    }

    /// The node of this statement in its script's tree.
    pub fn node(&self, script: &Script) -> Option<SyntaxNode> {
        // A search by halves: to ask each statement of the file would take the square of their number.
        self.at.try_to_node(&script.tree.syntax_node())
    }

    /// Whether it only begins or ends a transaction.
    pub fn only_wraps(&self) -> bool {
        matches!(self.kind, SyntaxKind::BEGIN | SyntaxKind::COMMIT_TRANSACTION)
    }

    /// The index that it makes or drops by name, if it does.
    pub fn index(&self) -> Option<(IndexWork, &Name)> {
        let (work, kind) = match self.kind {
            SyntaxKind::CREATE_INDEX => (IndexWork::Makes, SyntaxKind::INDEX),
            SyntaxKind::DROP_INDEX => (IndexWork::Drops, SyntaxKind::INDEX_REF),
            _ => return None,
        };
        self.names.iter().find(|name| name.kind == kind).map(|name| (work, name))
    }

    /// Whether it makes an index and leaves its name to the server.
    pub fn makes_unnamed_index(&self) -> bool {
        self.kind == SyntaxKind::CREATE_INDEX && self.index().is_none()
    }

    /// Whether it says `IF EXISTS`.
    pub fn only_if_exists(&self, script: &Script) -> bool {
        self.node(script)
            .is_some_and(|node| node.children().any(|child| child.kind() == SyntaxKind::IF_EXISTS))
    }

    /// Whether the statement has a point in a schema that is being made: housekeeping such as `VACUUM`
    /// has none.
    pub fn fits_new_schema(&self) -> bool {
        self.transactional || self.concurrently.is_some()
    }

    /// The statement's first words, for messages: `ALTER TABLE`.
    pub fn verb(&self) -> String {
        format!("{:?}", self.kind).replace('_', " ")
    }
}

/// A node's bytes from its first to its last token that is neither space, comment nor semicolon.
pub fn span(node: &SyntaxNode) -> Range<usize> {
    let whole = node.text_range();
    let counts = |token: &SyntaxToken| !token.kind().is_trivia() && token.kind() != SyntaxKind::SEMICOLON;
    // From both ends: what is between need not be looked at.
    let mut forwards = successors(node.first_token(), SyntaxToken::next_token)
        .take_while(|token| whole.contains_range(token.text_range()));
    let mut backwards = successors(node.last_token(), SyntaxToken::prev_token)
        .take_while(|token| whole.contains_range(token.text_range()));
    match (forwards.find(counts), backwards.find(counts)) {
        (Some(first), Some(last)) => first.text_range().start().into()..last.text_range().end().into(),
        _ => whole.into(),
    }
}

/// Whether a node or token of one of `kinds` is in `node`, itself included.
pub fn holds(node: &SyntaxNode, kinds: &[SyntaxKind]) -> bool {
    Kinds::of(node).hold(kinds)
}

/// The kinds of all nodes and tokens of a tree. Quick to find, since nothing is made of what is only passed
/// by; most questions to a tree need not be asked when it holds nothing of the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kinds(Vec<u64>);

impl Kinds {
    pub(super) fn of(node: &SyntaxNode) -> Self {
        let mut kinds = Self(vec![0; SyntaxKind::__LAST as usize / 64 + 1]);
        let green = node.green();
        let mut open = vec![&*green];
        while let Some(node) = open.pop() {
            kinds.add(node.kind().0);
            for child in node.children() {
                match child.as_node() {
                    Some(inner) => open.push(inner),
                    None => kinds.add(child.kind().0),
                }
            }
        }
        kinds
    }

    fn add(&mut self, kind: u16) {
        if let Some(word) = self.0.get_mut(usize::from(kind) / 64) {
            *word |= 1 << (kind % 64);
        }
    }

    /// Whether there is one of `kinds`.
    pub(super) fn hold(&self, kinds: &[SyntaxKind]) -> bool {
        let one =
            |kind: u16| self.0.get(usize::from(kind) / 64).is_some_and(|word| word >> (kind % 64) & 1 == 1);
        kinds.iter().any(|kind| one(*kind as u16))
    }
}

/// Whether `word`, in lower case, stands in `text` in whatever case: asked before a tree is searched for it.
pub(super) fn mentions(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

fn says_org_schema(node: &SyntaxNode, source: &Source) -> bool {
    let whole: Range<usize> = node.text_range().into();
    // Most statements do not, and then nobody looks at each word.
    let text = |range: Range<usize>| &source.text[range];
    text(whole).contains(placeholder::ORG_SCHEMA)
        && node
            .descendants_with_tokens()
            .filter_map(squawk_syntax::SyntaxElement::into_token)
            .filter(|token| !token.kind().is_trivia())
            .any(|token| text(token.text_range().into()).contains(placeholder::ORG_SCHEMA))
}

fn comments(root: &SyntaxNode) -> Vec<Comment> {
    let (mut found, mut at) = (Vec::new(), 0);
    let green = root.green();
    let mut open = vec![green.children()];
    while let Some(children) = open.last_mut() {
        let Some(child) = children.next() else {
            open.pop();
            continue;
        };
        if let Some(node) = child.as_node() {
            open.push(node.children());
            continue;
        }
        let text = child.as_token().map(|token| token.text()).unwrap_or_default();
        let range = at..at + text.len();
        at = range.end;
        if child.kind().0 == SyntaxKind::COMMENT as u16 {
            found.push(Comment { range, line: text.strip_prefix("--").map(|line| line.trim().to_owned()) });
        }
    }
    found
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
        fn no_comment_is_overlooked(text in "(-|/|\\*|'|\"|\\$|\n|a| |;|SELECT 1;){0,40}") {
            let tree = SourceFile::parse(&text);
            let all: Vec<Range<usize>> = tree
                .syntax_node()
                .descendants_with_tokens()
                .filter(|element| element.kind() == SyntaxKind::COMMENT)
                .map(|element| element.text_range().into())
                .collect();
            let found: Vec<_> = comments(&tree.syntax_node()).into_iter().map(|c| c.range).collect();
            prop_assert_eq!(found, all);
        }

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
