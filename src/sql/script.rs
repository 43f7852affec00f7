//! A file's text, parsed: statements and comments with their spans. The tree stays with the script, so
//! that rules read what was parsed once.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use squawk_syntax::ast::AstNode;
use squawk_syntax::{Parse, SourceFile, SyntaxKind, SyntaxNode};

use super::names::{Name, names};
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
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its bytes in the file, without the semicolon and without comments around it.
    pub range: Range<usize>,
    /// What it is, in the parser's words.
    pub kind: SyntaxKind,
    /// The names in it.
    pub names: Vec<Name>,
    /// Whether the server takes it inside a transaction block.
    pub transactional: bool,
    /// Where its word `CONCURRENTLY` stands.
    pub concurrently: Option<Range<usize>>,
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
        let whole = Place::File(source.file.clone());
        // A parser that panics on some input must not take the program with it: fail closed.
        let parsed = catch_unwind(AssertUnwindSafe(|| {
            let tree = SourceFile::parse(&masked);
            let errors = tree.errors();
            (tree, errors)
        }));
        let Ok((tree, errors)) = parsed else { return Err(SqlError::Unreadable { place: whole }) };
        let root = tree.syntax_node();
        if let Some(copy) = root.descendants().find(|node| node.kind() == SyntaxKind::COPY_STDIN) {
            return Err(SqlError::CopyFromStdin { place: Place::at(&source, span(&copy)) });
        }
        if let Some(range) = meta_command(&source.text, &root) {
            return Err(SqlError::PsqlMetaCommand { place: Place::at(&source, range) });
        }
        if let Some((message, range)) = super::syntax::complaint(&root, &errors) {
            return Err(SqlError::Syntax { message, place: Place::at(&source, range) });
        }
        let statements = tree
            .tree()
            .stmts()
            .filter(|statement| statement.syntax().kind() != SyntaxKind::EMPTY_STMT)
            .map(|statement| Statement::read(statement.syntax()))
            .collect();
        let comments = comments(&root);
        Ok(Self { source, statements, comments, masked, tree })
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
    fn read(node: &SyntaxNode) -> Self {
        Self {
            range: span(node),
            kind: node.kind(),
            names: names(node),
            transactional: !super::transaction::refused_in_transaction(node),
            concurrently: super::transaction::word(node, SyntaxKind::CONCURRENTLY_KW),
        }
    }

    /// The node of this statement in its script's tree.
    pub fn node(&self, script: &Script) -> Option<SyntaxNode> {
        let root = script.tree.syntax_node();
        let start = u32::try_from(self.range.start).ok()?;
        // Down to the first token and up again: the tree finds an offset without a walk over all of it.
        let token = root.token_at_offset(start.into()).right_biased()?;
        token.parent_ancestors().find(|node| node.parent().is_some_and(|parent| parent == root))
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
pub(super) fn span(node: &SyntaxNode) -> Range<usize> {
    let mut tokens = node
        .descendants_with_tokens()
        .filter_map(squawk_syntax::SyntaxElement::into_token)
        .filter(|token| !token.kind().is_trivia() && token.kind() != SyntaxKind::SEMICOLON);
    let Some(first) = tokens.next() else { return node.text_range().into() };
    let last = tokens.last().unwrap_or_else(|| first.clone());
    usize::from(first.text_range().start())..usize::from(last.text_range().end())
}

fn comments(root: &SyntaxNode) -> Vec<Comment> {
    root.descendants_with_tokens()
        .filter_map(squawk_syntax::SyntaxElement::into_token)
        .filter(|token| token.kind() == SyntaxKind::COMMENT)
        .map(|token| Comment {
            range: token.text_range().into(),
            line: token.text().strip_prefix("--").map(|line| line.trim().to_owned()),
        })
        .collect()
}

/// A backslash outside strings and comments: SQL has none, so it begins a command of psql (its manual
/// page), whether on a line of its own (`\i`) or behind a statement (`\gexec`).
fn meta_command(text: &str, root: &SyntaxNode) -> Option<Range<usize>> {
    let tokens = root.descendants_with_tokens().filter_map(squawk_syntax::SyntaxElement::into_token);
    let backslash = tokens.into_iter().find(|token| token.text() == "\\")?;
    let start = usize::from(backslash.text_range().start());
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    Some(start..start + text[start..line_end].trim_end().len())
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
