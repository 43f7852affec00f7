//! The syntax tree of a file as a flat list in text order. Rules traverse it many times: a step is an index here, while
//! the parser's own tree allocates an object for each visited node.

use std::fmt;
use std::ops::Range;

use squawk_syntax::{SyntaxKind, SyntaxNode};

/// The tree of one file.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    text: String,
    /// In preorder.
    parts: Box<[Part]>,
}

/// A node, or a token other than white space. Offsets fit in `u32`: a file has at most 16 MiB.
#[derive(Debug, Clone, Copy)]
struct Part {
    kind: SyntaxKind,
    is_node: bool,
    start: u32,
    end: u32,
    parent: u32,
    /// The index of the part after all descendants of this one.
    next: u32,
}

/// A node of a file's tree.
#[derive(Clone, Copy)]
pub struct Node<'t> {
    tree: &'t Tree,
    at: u32,
}

/// A token of a file's tree.
#[derive(Debug, Clone, Copy)]
pub struct Token<'t> {
    /// What it is.
    pub kind: SyntaxKind,
    /// Its text.
    pub text: &'t str,
    /// The kind of its parent node.
    pub within: SyntaxKind,
    start: u32,
}

impl Tree {
    /// The tree of `root`, which was parsed from `text`.
    pub(super) fn of(root: &SyntaxNode, text: String) -> Self {
        let green = root.green();
        let (mut parts, mut offset) = (Vec::with_capacity(text.len() / 2), 0);
        parts.push(Part::node(green.kind().0, 0, 0));
        let mut open = vec![(0, green.children())];
        while let Some((parent, children)) = open.last_mut() {
            let (parent, at) = (*parent, index(parts.len()));
            let child = children.next();
            if let Some(node) = child.as_ref().and_then(|child| child.as_node()) {
                parts.push(Part::node(node.kind().0, offset, parent));
                open.push((at, node.children()));
            } else if let Some(token) = child.as_ref().and_then(|child| child.as_token()) {
                let (start, end) = (offset, offset + index(token.text().len()));
                let kind = SyntaxKind::from(token.kind().0);
                if kind != SyntaxKind::WHITESPACE {
                    parts.push(Part { kind, is_node: false, start, end, parent, next: at + 1 });
                }
                offset = end;
            } else {
                let done = &mut parts[parent as usize];
                (done.end, done.next) = (offset, at);
                open.pop();
            }
        }
        // A copy, since shrinking a vector may keep its memory.
        Self { text, parts: parts.as_slice().into() }
    }

    /// The root node.
    pub(super) fn root(&self) -> Node<'_> {
        self.node(0)
    }

    /// The node at an index from [`Node::index`].
    pub(super) fn node(&self, at: u32) -> Node<'_> {
        Node { tree: self, at }
    }

    /// The comments in it.
    pub(super) fn comments(&self) -> impl Iterator<Item = Token<'_>> {
        self.parts.iter().filter(|part| part.kind == SyntaxKind::COMMENT).map(|part| self.token(part))
    }

    fn token(&self, part: &Part) -> Token<'_> {
        let text = &self.text[part.start as usize..part.end as usize];
        let within = self.parts[part.parent as usize].kind;
        Token { kind: part.kind, text, within, start: part.start }
    }

    /// The text that it was parsed from.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl Part {
    fn node(kind: u16, start: u32, parent: u32) -> Self {
        Self { kind: SyntaxKind::from(kind), is_node: true, start, end: start, parent, next: 0 }
    }

    fn counts(&self) -> bool {
        !self.is_node && !self.kind.is_trivia() && self.kind != SyntaxKind::SEMICOLON
    }
}

fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl<'t> Node<'t> {
    fn part(self) -> &'t Part {
        &self.tree.parts[self.at as usize]
    }

    /// Itself and all parts below it, in text order.
    fn parts(self) -> &'t [Part] {
        &self.tree.parts[self.at as usize..self.part().next as usize]
    }

    /// Its index among the parts of its tree.
    pub(super) fn index(self) -> u32 {
        self.at
    }

    /// What it is.
    pub fn kind(self) -> SyntaxKind {
        self.part().kind
    }

    /// Its bytes in the file, including the white space and comments that belong to it.
    pub fn range(self) -> Range<usize> {
        self.part().start as usize..self.part().end as usize
    }

    /// Its bytes from its first to its last token, without white space, comments and semicolons.
    pub fn span(self) -> Range<usize> {
        let first = self.parts().iter().find(|part| part.counts());
        let last = self.parts().iter().rev().find(|part| part.counts());
        match (first, last) {
            (Some(first), Some(last)) => first.start as usize..last.end as usize,
            _ => self.range(),
        }
    }

    /// Its text, including the white space and comments that belong to it.
    pub fn text(self) -> &'t str {
        &self.tree.text[self.range()]
    }

    /// Its parent node.
    pub fn parent(self) -> Option<Self> {
        (self.at > 0).then(|| self.tree.node(self.part().parent))
    }

    /// Itself, its parent, and so on up to the root.
    pub fn ancestors(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |node| node.parent())
    }

    /// The nodes directly below it.
    pub fn children(self) -> impl Iterator<Item = Self> + Clone {
        self.below().filter(|child| child.part().is_node)
    }

    /// The nodes and tokens directly below it.
    fn below(self) -> impl Iterator<Item = Self> + Clone {
        let (tree, end) = (self.tree, self.part().next);
        let within = move |at: u32| (at < end).then_some(Node { tree, at });
        std::iter::successors(within(self.at + 1), move |part| within(part.part().next))
    }

    /// Itself and all nodes below it, in text order.
    pub fn descendants(self) -> impl Iterator<Item = Self> + Clone {
        let (tree, first) = (self.tree, self.at);
        let nodes = self.parts().iter().zip(first..).filter(|(part, _)| part.is_node);
        nodes.map(move |(_, at)| Node { tree, at })
    }

    /// All tokens in it except white space and comments.
    pub fn tokens(self) -> impl Iterator<Item = Token<'t>> + Clone {
        let tree = self.tree;
        let counts = |part: &&Part| !part.is_node && !part.kind.is_trivia();
        self.parts().iter().filter(counts).map(|part| tree.token(part))
    }

    /// The first node of `kind` directly below it.
    pub fn child(self, kind: SyntaxKind) -> Option<Self> {
        self.children().find(|child| child.kind() == kind)
    }

    /// The first node of `kind` in it, itself included.
    pub fn first(self, kind: SyntaxKind) -> Option<Self> {
        self.descendants().find(|node| node.kind() == kind)
    }

    /// Whether a node of one of `kinds` is directly below it.
    pub fn has_child(self, kinds: &[SyntaxKind]) -> bool {
        self.children().any(|child| kinds.contains(&child.kind()))
    }

    /// Whether a token or node of `kind` is directly below it.
    pub fn has_token(self, kind: SyntaxKind) -> bool {
        self.below().any(|part| part.kind() == kind)
    }

    /// The kinds of all nodes and tokens in it, itself included.
    pub fn kinds(self) -> Kinds {
        self.parts().iter().map(|part| part.kind).collect()
    }

    /// Whether a node or token of one of `kinds` is in it, itself included.
    pub fn contains(self, kinds: &[SyntaxKind]) -> bool {
        self.parts().iter().any(|part| kinds.contains(&part.kind))
    }
}

/// Nodes are compared by tree and index.
impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.tree, other.tree) && self.at == other.at
    }
}

impl Eq for Node<'_> {}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{:?}", self.kind(), self.range())
    }
}

impl Token<'_> {
    /// Its bytes in the file.
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.start as usize + self.text.len()
    }
}

/// A set of kinds of nodes and tokens. Most searches of a tree can be skipped if it contains no such kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kinds([u64; SyntaxKind::__LAST as usize / 64 + 1]);

impl Kinds {
    /// Whether there is one of `kinds`.
    pub fn contains(&self, kinds: &[SyntaxKind]) -> bool {
        let one = |kind: usize| self.0.get(kind / 64).is_some_and(|word| word >> (kind % 64) & 1 == 1);
        kinds.iter().any(|kind| one(*kind as usize))
    }
}

impl FromIterator<SyntaxKind> for Kinds {
    fn from_iter<I: IntoIterator<Item = SyntaxKind>>(kinds: I) -> Self {
        let mut found = Self([0; SyntaxKind::__LAST as usize / 64 + 1]);
        for kind in kinds {
            if let Some(word) = found.0.get_mut(kind as usize / 64) {
                *word |= 1 << (kind as usize % 64);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use squawk_syntax::SourceFile;

    use super::*;

    proptest! {
        #[test]
        fn it_equals_the_tree_of_the_parser(
            text in "(-|/|\\*|'|\"|\\$|\n|a|é| |;|,|\\(|\\)|SELECT 1;|CREATE TABLE t \\(|ALTER TABLE a ){0,40}"
        ) {
            let root = SourceFile::parse(&text).syntax_node();
            let tree = Tree::of(&root, text.clone());
            let range = Range::<usize>::from;
            let theirs: Vec<_> = root.descendants().collect();
            let ours: Vec<_> = tree.root().descendants().collect();
            prop_assert_eq!(theirs.len(), ours.len());
            for (theirs, ours) in theirs.iter().zip(ours) {
                prop_assert_eq!(theirs.kind(), ours.kind());
                prop_assert_eq!(range(theirs.text_range()), ours.range());
                prop_assert_eq!(theirs.text().to_string(), ours.text());
                prop_assert_eq!(theirs.parent().map(|it| it.kind()), ours.parent().map(Node::kind));
                let below: Vec<_> = theirs.children().map(|it| range(it.text_range())).collect();
                prop_assert_eq!(below, ours.children().map(Node::range).collect::<Vec<_>>());
                let says = theirs.children_with_tokens().any(|it| it.kind() == SyntaxKind::COMMA);
                prop_assert_eq!(says, ours.has_token(SyntaxKind::COMMA));
                let holds = theirs.descendants_with_tokens().any(|it| it.kind() == SyntaxKind::COMMENT);
                prop_assert_eq!(holds, ours.contains(&[SyntaxKind::COMMENT]));
            }
            let comments = root.descendants_with_tokens().filter(|it| it.kind() == SyntaxKind::COMMENT);
            let comments: Vec<_> = comments.map(|it| range(it.text_range())).collect();
            prop_assert_eq!(comments, tree.comments().map(|it| it.range()).collect::<Vec<_>>());
        }
    }
}
