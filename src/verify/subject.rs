//! One statement as a rule sees it: its tree, its names, and which of them the same file made.

use std::cell::OnceCell;
use std::ops::Range;

use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::made::Made;
pub(super) use crate::sql::span;
use crate::sql::{Name, Role, Scope, Statement};

/// Bytes of the file that a rule points at.
pub(super) type Hit = Range<usize>;

/// A statement to judge. Each rule asks the same of it, so what takes a walk through the tree is done once.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) statement: &'a Statement,
    pub(super) node: &'a SyntaxNode,
    pub(super) scope: Option<Scope>,
    pub(super) made: &'a Made<'a>,
    pub(super) in_template: bool,
    /// The kinds of the nodes that [`Self::nodes`] looks at, in order.
    kinds: Vec<u16>,
    only_new: OnceCell<bool>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        statement: &'a Statement,
        node: &'a SyntaxNode,
        scope: Option<Scope>,
        made: &'a Made<'a>,
        in_template: bool,
    ) -> Self {
        let green = node.green();
        let (mut kinds, mut open) = (Vec::new(), vec![&*green]);
        while let Some(node) = open.pop() {
            kinds.push(node.kind().0);
            if !is_routine(statement) {
                for child in node.children() {
                    open.extend(child.into_node());
                }
            }
        }
        kinds.sort_unstable();
        kinds.dedup();
        Self { statement, node, scope, made, in_template, kinds, only_new: OnceCell::new() }
    }

    /// The objects that the statement acts on. A constraint, trigger or policy is part of its table,
    /// and the schema that a table is moved to is not acted on.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Name> {
        let of_schema = matches!(
            self.statement.kind,
            SyntaxKind::DROP_SCHEMA | SyntaxKind::ALTER_SCHEMA | SyntaxKind::GRANT | SyntaxKind::REVOKE
        );
        self.statement.names.iter().filter(move |name| {
            name.role == Role::Target
                && !PARTS.contains(&name.kind)
                && (of_schema || name.kind != SyntaxKind::SCHEMA_REF)
        })
    }

    /// Whether the file made `name`, so that nobody can be using it.
    pub(super) fn is_new(&self, name: &Name) -> bool {
        self.made.holds(name, self.node, self.scope)
    }

    /// Whether the file made the table `name`.
    pub(super) fn is_new_table(&self, name: &Name) -> bool {
        self.made.holds_table(name, self.scope)
    }

    /// Whether the file made all that the statement acts on.
    pub(super) fn only_new(&self) -> bool {
        *self
            .only_new
            .get_or_init(|| self.targets().next().is_some() && self.targets().all(|name| self.is_new(name)))
    }

    /// The nodes of `kinds` in the statement, itself included. The body of a routine is not run when it is
    /// made, so it is not looked at.
    pub(super) fn nodes(&self, kinds: &[SyntaxKind]) -> impl Iterator<Item = SyntaxNode> {
        let any = kinds.iter().any(|kind| self.kinds.binary_search(&(*kind as u16)).is_ok());
        let how_many = match any {
            false => 0,
            true if is_routine(self.statement) => 1,
            true => usize::MAX,
        };
        self.node.descendants().take(how_many).filter(|node| kinds.contains(&node.kind()))
    }

    /// The name of a relation that `node` acts on: the target of a DELETE that stands inside another
    /// statement is not the statement's own.
    pub(super) fn relation_of(&self, node: &SyntaxNode) -> Option<&Name> {
        let holder = node.children().find(|child| child.kind() == SyntaxKind::RELATION_NAME)?;
        let range = span(&holder);
        self.statement
            .names
            .iter()
            .find(|name| range.start <= name.range.start && name.range.end <= range.end)
    }
}

/// Whether the statement makes a routine, whose body is not run now.
fn is_routine(statement: &Statement) -> bool {
    matches!(statement.kind, SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE)
}

const PARTS: &[SyntaxKind] =
    &[SyntaxKind::CONSTRAINT_NAME_REF, SyntaxKind::POLICY_REF, SyntaxKind::RULE_REF, SyntaxKind::TRIGGER_REF];

/// Whether `node` has a child of one of `kinds`.
pub(super) fn has(node: &SyntaxNode, kinds: &[SyntaxKind]) -> bool {
    node.children().any(|child| kinds.contains(&child.kind()))
}

/// Whether `node` itself holds the word `kind`.
pub(super) fn says(node: &SyntaxNode, kind: SyntaxKind) -> bool {
    node.children_with_tokens().any(|element| element.kind() == kind)
}
