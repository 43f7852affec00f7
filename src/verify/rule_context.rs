//! The input of a rule: a statement, its tree, its names, and the schema before it.

use std::cell::OnceCell;
use std::ops::Range;

use squawk_syntax::SyntaxKind;

use super::ProjectSchemas;
use super::new_objects::NewObjects;
use super::rules::net_effect::is_created_again;
use super::schema::{CodeReplay, Found, Schema, StatementContext, Table, may_match, signature};
use crate::sql::{Kinds, Name, NameRole, Node, Scope, Script, Statement};

/// A byte range of the file.
pub(super) type Span = Range<usize>;

/// The surroundings of a statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct SchemaContext<'a> {
    /// The objects that the file created before the statement.
    pub(super) made: &'a NewObjects<'a>,
    /// The schema before the statement.
    pub(super) schema: &'a Schema,
    /// All statements of the file.
    pub(super) file: &'a [StatementContext<'a>],
    /// The script of the statement: the file, or a body in it.
    pub(super) script: &'a Script,
    /// The script of the file.
    pub(super) file_script: &'a Script,
    /// The body of the statement, a DO block, if it can be read.
    pub(super) code: Option<&'a CodeReplay>,
    /// The routines of the file whose bodies are judged where they are used.
    pub(super) followed: &'a [String],
    /// The schema after the whole file.
    pub(super) after: &'a Schema,
    pub(super) schemas: ProjectSchemas<'a>,
    pub(super) in_template: bool,
    /// Whether the file changes a schema in service, as far as is known.
    pub(super) in_service: bool,
}

/// A statement to judge. Rules share the results of walks through the tree.
#[derive(Debug)]
pub(super) struct RuleContext<'a> {
    pub(super) statement: &'a Statement,
    pub(super) node: Node<'a>,
    pub(super) scope: Option<Scope>,
    schema_context: SchemaContext<'a>,
    /// The kinds of the nodes that [`Self::nodes`] visits.
    kinds: Kinds,
    only_new: OnceCell<bool>,
    only_exempt: OnceCell<bool>,
}

impl<'a> std::ops::Deref for RuleContext<'a> {
    type Target = SchemaContext<'a>;

    fn deref(&self) -> &SchemaContext<'a> {
        &self.schema_context
    }
}

impl<'a> RuleContext<'a> {
    pub(super) fn new(
        statement: &'a Statement,
        node: Node<'a>,
        scope: Option<Scope>,
        schema_context: SchemaContext<'a>,
    ) -> Self {
        let kinds = if is_routine(statement) { Kinds::from_iter([node.kind()]) } else { node.kinds() };
        Self {
            statement,
            node,
            scope,
            schema_context,
            kinds,
            only_new: OnceCell::new(),
            only_exempt: OnceCell::new(),
        }
    }

    /// The objects that the statement acts on. A constraint, trigger or policy is part of its table. The schema to which a table
    /// is moved is not a target.
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

    /// Whether the running release cannot be using `name`: the file created it, or it does not exist and the statement has `IF
    /// EXISTS`.
    pub(super) fn is_new(&self, name: &Name) -> bool {
        (self.made.holds(name, self.node, self.scope) && !self.is_domain_in_use(name))
            || (self.node.has_child(&[SyntaxKind::IF_EXISTS]) && self.is_absent(name))
    }

    /// Whether the statement changes a domain that a table in use has got before.
    fn is_domain_in_use(&self, name: &Name) -> bool {
        let uses = |other: &StatementContext<'_>| {
            let names = &other.statement.names;
            let table = names.iter().find(|own| own.role == NameRole::Target);
            other.statement.kind == SyntaxKind::ALTER_TABLE
                && other.statement.range.end <= self.statement.range.start
                && names.iter().any(|own| own.kind == SyntaxKind::PATH_TYPE && own.name == name.name)
                && !table.is_some_and(|table| self.made.holds_table(table, other.scope))
        };
        self.statement.kind == SyntaxKind::ALTER_DOMAIN && self.file.iter().any(uses)
    }

    /// Whether no object has the name before the statement.
    pub(super) fn is_absent(&self, name: &Name) -> bool {
        let (schema, scope) = (self.schema, self.scope);
        match name.kind {
            SyntaxKind::TABLE_NAME_REF
            | SyntaxKind::VIEW_REF
            | SyntaxKind::SEQUENCE_REF
            | SyntaxKind::RELATION_NAME_REF => schema.relation(name, scope).is_absent(),
            SyntaxKind::TYPE_NAME_REF | SyntaxKind::DOMAIN_REF => schema.type_def(name, scope).is_absent(),
            SyntaxKind::INDEX_REF => schema.index(name, scope).is_absent(),
            SyntaxKind::FUNCTION_NAME_REF | SyntaxKind::PROCEDURE_NAME_REF | SyntaxKind::ROUTINE_NAME_REF => {
                match (schema.routines(name, scope), signature(name, self.node)) {
                    (Found::Present(routines), Some(inputs)) => {
                        !routines.iter().any(|routine| may_match(&routine.inputs, &inputs))
                    }
                    (found, _) => found.is_absent(),
                }
            }
            // Without a common prefix, any schema may belong to a tenant.
            SyntaxKind::SCHEMA_REF => {
                let may_be_tenant = self.schemas.prefix.is_empty() || self.names_one_tenant(name);
                !may_be_tenant && !name.in_tenant_schema() && schema.schema(&name.name).is_absent()
            }
            _ => false,
        }
    }

    /// Whether `name` is qualified with the schema of one tenant.
    pub(super) fn names_one_tenant(&self, name: &Name) -> bool {
        name.schema.as_deref().is_some_and(|schema| self.schemas.is_tenant_schema(schema))
    }

    /// The table that the statement acts on.
    pub(super) fn table(&self) -> Found<&Table> {
        self.targets().next().map_or(Found::Unknown, |name| self.schema.table(name, self.scope))
    }

    /// Whether the file created the table `name`.
    pub(super) fn is_new_table(&self, name: &Name) -> bool {
        self.made.holds_table(name, self.scope)
    }

    /// Whether the statement creates a partition of a table that is in use.
    pub(super) fn is_part_of_old(&self) -> bool {
        let parent = self.statement.names.iter().find(|name| name.kind == SyntaxKind::TABLE_NAME_REF);
        self.node.has_child(&[SyntaxKind::PARTITION_OF])
            && !parent.is_some_and(|name| self.is_new_table(name))
    }

    /// Whether the file created all targets of the statement.
    pub(super) fn only_new(&self) -> bool {
        *self
            .only_new
            .get_or_init(|| self.targets().next().is_some() && self.targets().all(|name| self.is_new(name)))
    }

    /// Whether the running release does not notice what happens to `name`: it is new, or created again as it was.
    pub(super) fn is_exempt(&self, name: &Name) -> bool {
        self.is_new(name) || is_created_again(self, name)
    }

    /// Whether all targets of the statement are exempt.
    pub(super) fn only_exempt(&self) -> bool {
        *self.only_exempt.get_or_init(|| {
            self.targets().next().is_some() && self.targets().all(|name| self.is_exempt(name))
        })
    }

    /// The action of an `ALTER` that contains `hit`.
    pub(super) fn action_at(&self, span: &Span) -> Option<Node<'_>> {
        self.node.children().find(|action| {
            let range = action.span();
            range.start <= span.start && span.end <= range.end
        })
    }

    /// The nodes of `kinds` in the statement, including its root. The body of a routine is not run by its creation, so it is
    /// excluded.
    pub(super) fn nodes(&self, kinds: &[SyntaxKind]) -> impl Iterator<Item = Node<'_>> {
        let any = self.kinds.contains(kinds);
        let how_many = match any {
            false => 0,
            true if is_routine(self.statement) => 1,
            true => usize::MAX,
        };
        self.node.descendants().take(how_many).filter(|node| kinds.contains(&node.kind()))
    }

    /// The name of the relation that `node` acts on; a nested DELETE has another target than the statement.
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

/// Whether the statement creates a routine, whose body does not run now.
fn is_routine(statement: &Statement) -> bool {
    matches!(statement.kind, SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE)
}

const PARTS: &[SyntaxKind] =
    &[SyntaxKind::CONSTRAINT_NAME_REF, SyntaxKind::POLICY_REF, SyntaxKind::RULE_REF, SyntaxKind::TRIGGER_REF];
