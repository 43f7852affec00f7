//! One statement as a rule sees it: its tree, its names, and which of them the same file made.

use std::cell::OnceCell;
use std::ops::Range;

use squawk_syntax::SyntaxKind;

use super::ProjectSchemas;
use super::new_objects::NewObjects;
use super::schema::{Found, Schema, StatementContext, Table};
use crate::sql::{Kinds, Name, NameRole, Node, Scope, Script, Statement};

/// Bytes of the file that a rule points at.
pub(super) type Span = Range<usize>;

/// What a statement meets.
#[derive(Debug, Clone, Copy)]
pub(super) struct SchemaContext<'a> {
    /// What its file has made before it.
    pub(super) made: &'a NewObjects<'a>,
    /// The schemas as they are then.
    pub(super) schema: &'a Schema,
    /// All statements of the file.
    pub(super) file: &'a [StatementContext<'a>],
    pub(super) script: &'a Script,
    /// What all statements of the file together make of the schemas.
    pub(super) after: &'a Schema,
    pub(super) schemas: ProjectSchemas<'a>,
    pub(super) in_template: bool,
    /// Whether the file changes a schema that people use, as far as anybody knows.
    pub(super) in_service: bool,
}

/// A statement to judge. Each rule asks the same of it, so what takes a walk through the tree is done once.
#[derive(Debug)]
pub(super) struct RuleContext<'a> {
    pub(super) statement: &'a Statement,
    pub(super) node: Node<'a>,
    pub(super) scope: Option<Scope>,
    meets: SchemaContext<'a>,
    /// The kinds of what [`Self::nodes`] looks at.
    kinds: Kinds,
    only_new: OnceCell<bool>,
}

impl<'a> std::ops::Deref for RuleContext<'a> {
    type Target = SchemaContext<'a>;

    fn deref(&self) -> &SchemaContext<'a> {
        &self.meets
    }
}

impl<'a> RuleContext<'a> {
    pub(super) fn new(
        statement: &'a Statement,
        node: Node<'a>,
        scope: Option<Scope>,
        meets: SchemaContext<'a>,
    ) -> Self {
        let kinds = if is_routine(statement) { Kinds::from_iter([node.kind()]) } else { node.kinds() };
        Self { statement, node, scope, meets, kinds, only_new: OnceCell::new() }
    }

    /// The objects that the statement acts on. A constraint, trigger or policy is part of its table,
    /// and the schema that a table is moved to is not acted on.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Name> {
        let of_schema = matches!(
            self.statement.kind,
            SyntaxKind::DROP_SCHEMA | SyntaxKind::ALTER_SCHEMA | SyntaxKind::GRANT | SyntaxKind::REVOKE
        );
        self.statement.names.iter().filter(move |name| {
            name.role == NameRole::Target
                && !PARTS.contains(&name.kind)
                && (of_schema || name.kind != SyntaxKind::SCHEMA_REF)
        })
    }

    /// Whether nobody can be using `name`: the file made it, or it never was, and the statement does not
    /// mind.
    pub(super) fn is_new(&self, name: &Name) -> bool {
        self.made.holds(name, self.node, self.scope)
            || (self.node.has_child(&[SyntaxKind::IF_EXISTS]) && self.is_absent(name))
    }

    fn is_absent(&self, name: &Name) -> bool {
        let (schema, scope) = (self.schema, self.scope);
        match name.kind {
            SyntaxKind::TABLE_NAME_REF
            | SyntaxKind::VIEW_REF
            | SyntaxKind::SEQUENCE_REF
            | SyntaxKind::RELATION_NAME_REF => schema.relation(name, scope).is_absent(),
            SyntaxKind::TYPE_NAME_REF | SyntaxKind::DOMAIN_REF => schema.type_def(name, scope).is_absent(),
            SyntaxKind::INDEX_REF => schema.index(name, scope).is_absent(),
            SyntaxKind::FUNCTION_NAME_REF | SyntaxKind::PROCEDURE_NAME_REF | SyntaxKind::ROUTINE_NAME_REF => {
                schema.routines(name, scope).is_absent()
            }
            _ => false,
        }
    }

    /// Whether `name` is in the schema of one tenant.
    pub(super) fn names_one_tenant(&self, name: &Name) -> bool {
        name.schema.as_deref().is_some_and(|schema| self.schemas.is_of_tenant(schema))
    }

    /// The table that the statement acts on.
    pub(super) fn table(&self) -> Found<&Table> {
        self.targets().next().map_or(Found::Unknown, |name| self.schema.table(name, self.scope))
    }

    /// Whether the file made the table `name`.
    pub(super) fn is_new_table(&self, name: &Name) -> bool {
        self.made.holds_table(name, self.scope)
    }

    /// Whether the statement makes a part of a table that others write to.
    pub(super) fn is_part_of_old(&self) -> bool {
        let parent = self.statement.names.iter().find(|name| name.kind == SyntaxKind::TABLE_NAME_REF);
        self.node.has_child(&[SyntaxKind::PARTITION_OF])
            && !parent.is_some_and(|name| self.is_new_table(name))
    }

    /// Whether the file made all that the statement acts on.
    pub(super) fn only_new(&self) -> bool {
        *self
            .only_new
            .get_or_init(|| self.targets().next().is_some() && self.targets().all(|name| self.is_new(name)))
    }

    /// The action of an `ALTER` that `hit` lies in.
    pub(super) fn action_at(&self, hit: &Span) -> Option<Node<'_>> {
        self.node.children().find(|action| {
            let range = action.span();
            range.start <= hit.start && hit.end <= range.end
        })
    }

    /// The nodes of `kinds` in the statement, itself included. The body of a routine is not run when it is
    /// made, so it is not looked at.
    pub(super) fn nodes(&self, kinds: &[SyntaxKind]) -> impl Iterator<Item = Node<'_>> {
        let any = self.kinds.contains(kinds);
        let how_many = match any {
            false => 0,
            true if is_routine(self.statement) => 1,
            true => usize::MAX,
        };
        self.node.descendants().take(how_many).filter(|node| kinds.contains(&node.kind()))
    }

    /// The name of a relation that `node` acts on: the target of a DELETE that stands inside another
    /// statement is not the statement's own.
    pub(super) fn relation_of(&self, node: Node<'_>) -> Option<&Name> {
        let holders =
            [SyntaxKind::RELATION_NAME, SyntaxKind::RELATION_NAME_REF, SyntaxKind::TABLE_RELATION_NAME];
        let holder = node.children().find(|child| holders.contains(&child.kind()))?;
        let range = holder.span();
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
