//! The effects of code that a statement runs: a DO block, or a routine that it calls. A readable body is applied statement by
//! statement; what other code names becomes unknown.

use std::sync::Arc;

use squawk_syntax::SyntaxKind;

use super::code::calls;
use super::parts::{name_of, names_of};
use super::schema_ref::Path;
use super::script_replay::{CodeStep, Effect};
use super::table::Found;
use super::{Relation, Routine, Schema};
use crate::sql::{Code, Guard, Name, NameRole, Node, Runs, Scope, Script, Statement, TextNames, normalized};

/// How deep calls in bodies are followed.
pub(super) const MAX_DEPTH: usize = 4;

impl Schema {
    /// Applies the effects of the code that `statement` runs.
    pub(super) fn run_code(&mut self, script: &Script, statement: &Statement, scope: Option<Scope>) {
        match statement.kind {
            SyntaxKind::DO => match Code::of(script, statement) {
                Some(code) => {
                    self.run_block(&code, scope);
                }
                None => self.forget_names_in(statement.node(script).text()),
            },
            _ => self.run_calls(statement, statement.node(script), scope, 0),
        }
    }

    /// Applies a DO block. Returns the model before each of its statements.
    pub(super) fn run_block(&mut self, code: &Code, scope: Option<Scope>) -> Vec<CodeStep> {
        self.run_body(code, scope, 0)
    }

    fn run_body(&mut self, code: &Code, scope: Option<Scope>, depth: usize) -> Vec<CodeStep> {
        let mut steps: Vec<CodeStep> = Vec::new();
        let mut runs_before = None;
        for (at, (statement, runs)) in code.script.statements.iter().zip(&code.runs).enumerate() {
            let node = statement.node(&code.script);
            let effect = match steps.last() {
                _ if depth > 0 => Effect::Uncertain,
                // All statements of a branch run, or none.
                Some(step) if runs_before == Some(runs) && is_branch(runs) => step.effect,
                _ if is_branch(runs) => self.effect_of_branch(code, at, scope),
                _ => self.effect(statement, node, scope, runs),
            };
            runs_before = Some(runs);
            steps.push(CodeStep { schema: self.clone(), effect });
            self.run_calls(statement, node, scope, depth);
            self.apply_with(statement, node, scope, effect);
        }
        for expression in &code.expressions {
            for statement in &expression.statements {
                self.run_calls(statement, statement.node(expression), scope, depth);
            }
        }
        if code.is_dynamic {
            code.strings.iter().for_each(|text| self.forget_names_in(text));
        }
        steps
    }

    /// Applies the effects of the calls in `statement`.
    fn run_calls(&mut self, statement: &Statement, node: Node<'_>, scope: Option<Scope>, depth: usize) {
        let code = [SyntaxKind::CALL, SyntaxKind::EXECUTE, SyntaxKind::LOAD, SyntaxKind::DO];
        let mut called: Vec<Name> = calls(statement, node, self, scope).into_iter().cloned().collect();
        if code.contains(&statement.kind) {
            called.extend(statement.names.iter().filter(|name| name.role != NameRole::Created).cloned());
        } else if called.is_empty() {
            return;
        }
        for name in called {
            let routines: Vec<Routine> = self.has_routine(&name.name).cloned().unwrap_or_default();
            for routine in routines.iter().filter(|routine| !routine.pure) {
                match routine.code().filter(|_| depth < MAX_DEPTH) {
                    Some(code) => {
                        self.run_body(&code, scope, depth + 1);
                    }
                    None => self.forget_names_in(&routine.text),
                }
            }
        }
        let strings = node.tokens().filter(|token| token.text.contains(['\'', '$']));
        strings.for_each(|token| self.forget_names_in(token.text));
    }

    /// Makes the objects unknown that `text` names.
    fn forget_names_in(&mut self, text: &str) {
        let named = TextNames::of(text);
        for name in named.names() {
            self.forget(name);
        }
        let names_part = |relation: &Relation| {
            let Relation::Table(table) = relation else { return false };
            let constraints = table.constraints.iter().map(|own| &own.name);
            let indexes = table.indexes.iter().map(|own| &own.name);
            let attached = table.attached.iter().map(|own| &own.name);
            constraints.chain(indexes).chain(attached).any(|name| named.contains(name))
        };
        let all = self.relations.all().iter();
        let keys: Vec<_> = all.filter(|(_, relation)| names_part(relation)).map(|(key, _)| key).collect();
        for key in keys {
            self.relations.change_table(&key, |table| {
                table.constraints.retain(|own| !named.contains(&own.name));
                table.indexes.retain(|own| !named.contains(&own.name));
                table.attached.retain(|own| !named.contains(&own.name));
                table.is_complete = false;
            });
        }
    }

    /// Makes the objects with this name unknown, in all schemas.
    pub(super) fn forget(&mut self, name: &str) {
        let homes = |homes: Vec<super::SchemaRef>| homes.into_iter().map(|home| (home, name.to_owned()));
        for key in homes(self.relations.all().homes_of(name)) {
            self.relations.remove(&key);
        }
        for key in homes(self.types.homes_of(name)) {
            self.types.remove(&key);
        }
        for key in homes(self.routines.homes_of(name)) {
            self.routines.remove(&key);
        }
        self.knowledge.forget(name);
    }

    /// The effect of the branch that begins with the statement at `first`. One of its statements creates or drops the object for
    /// which its condition looks.
    fn effect_of_branch(&self, code: &Code, first: usize, scope: Option<Scope>) -> Effect {
        let branch = code.script.statements.iter().zip(&code.runs).skip(first);
        let branch = branch.take_while(|(_, runs)| **runs == code.runs[first]);
        let mut effects =
            branch.map(|(statement, runs)| self.effect(statement, statement.node(&code.script), scope, runs));
        effects.find(|effect| *effect != Effect::Uncertain).unwrap_or(Effect::Uncertain)
    }

    /// The effect of a statement of a body that runs under the condition `runs`.
    fn effect(&self, statement: &Statement, node: Node<'_>, scope: Option<Scope>, runs: &Runs) -> Effect {
        match runs {
            Runs::Always => Effect::Certain,
            Runs::IfMissing(guard) if concerns(guard, &created(statement, node)) => {
                match self.created_object(statement, node, scope) {
                    Found::Present(()) => Effect::None,
                    Found::Absent => Effect::Certain,
                    Found::Unknown => Effect::Uncertain,
                }
            }
            Runs::IfPresent(guard) if concerns(guard, &targets(statement, node)) => Effect::Certain,
            Runs::Both(outer, inner) => {
                match (self.effect(statement, node, scope, outer), self.effect(statement, node, scope, inner))
                {
                    (Effect::None, _) | (_, Effect::None) => Effect::None,
                    (Effect::Certain, Effect::Certain) => Effect::Certain,
                    _ => Effect::Uncertain,
                }
            }
            Runs::IfMissing(_) | Runs::IfPresent(_) | Runs::Perhaps => Effect::Uncertain,
        }
    }

    fn apply_with(&mut self, statement: &Statement, node: Node<'_>, scope: Option<Scope>, effect: Effect) {
        let before = match effect {
            Effect::None => return,
            Effect::Certain => None,
            Effect::Uncertain => Some(self.clone()),
        };
        self.apply_node(statement, node, scope);
        if let Some(before) = before {
            self.retain_common(&before);
        }
    }

    /// Keeps what is true both of `self` and of `other`, the model before one statement.
    fn retain_common(&mut self, other: &Self) {
        for key in self.relations.all().changed(other.relations.all()) {
            let theirs = other.relations.all().get(&key.0, &key.1).map(Arc::as_ref);
            let own = self.relations.all().get(&key.0, &key.1).map(Arc::as_ref);
            if let (Some(Relation::Table(_)), Some(Relation::Table(theirs))) = (own, theirs) {
                self.relations.change_table(&key, |table| table.retain_common(theirs));
            } else {
                self.relations.remove(&key);
                self.knowledge.forget(&key.1);
            }
        }
        for key in self.types.changed(&other.types) {
            self.types.remove(&key);
            self.knowledge.forget(&key.1);
        }
        for key in self.routines.changed(&other.routines) {
            self.routines.remove(&key);
            self.knowledge.forget(&key.1);
        }
        self.knowledge.retain_common(&other.knowledge);
        if self.path != other.path {
            self.path = Path::Anywhere;
        }
    }

    /// The object that the statement creates, before it.
    fn created_object(&self, statement: &Statement, node: Node<'_>, scope: Option<Scope>) -> Found<()> {
        let target = || statement.names.iter().find(|name| name.role == NameRole::Target);
        let table = || target().map_or(Found::Unknown, |name| self.table(name, scope));
        match statement.kind {
            // Parts that exist are not added again.
            SyntaxKind::ALTER_TABLE => match table() {
                Found::Present(table) if table.is_complete => Found::Absent,
                _ => Found::Unknown,
            },
            SyntaxKind::CREATE_TRIGGER | SyntaxKind::CREATE_POLICY | SyntaxKind::CREATE_RULE => {
                let name = created(statement, node).into_iter().next().unwrap_or_default();
                match table() {
                    Found::Present(table) => table.attached_object(&name).map(|_| ()),
                    _ => Found::Unknown,
                }
            }
            SyntaxKind::CREATE_EXTENSION => {
                created(statement, node).first().map_or(Found::Unknown, |name| self.extension(name))
            }
            _ => self.made_object(statement, node, scope),
        }
    }
}

/// Whether `runs` is the condition of a branch.
fn is_branch(runs: &Runs) -> bool {
    matches!(runs, Runs::IfMissing(Guard::Named(_)) | Runs::IfPresent(Guard::Named(_)) | Runs::Both(..))
}

/// Whether the object that decides whether a statement runs is one of `names`.
fn concerns(guard: &Guard, names: &[String]) -> bool {
    match guard {
        Guard::Own => true,
        Guard::Named(strings) => strings.iter().any(|text| {
            text.split('.').map(normalized).any(|part| names.contains(&part)) || names.contains(text)
        }),
    }
}

/// The names of the objects and parts that the statement creates.
fn created(statement: &Statement, node: Node<'_>) -> Vec<String> {
    let made = statement.names.iter().filter(|name| name.role == NameRole::Created);
    let kinds = [
        SyntaxKind::CONSTRAINT_NAME,
        SyntaxKind::EXTENSION,
        SyntaxKind::POLICY,
        SyntaxKind::RULE,
        SyntaxKind::TRIGGER,
    ];
    let parts = node.descendants().filter(|part| kinds.contains(&part.kind())).map(|part| name_of(part));
    let added = node.children().filter(|action| action.kind() == SyntaxKind::ADD_COLUMN);
    let columns = added.flat_map(|action| names_of(action, SyntaxKind::COLUMN_NAME));
    made.map(|name| name.name.clone()).chain(parts).chain(columns).collect()
}

/// The names of the objects and parts that the statement drops or changes.
fn targets(statement: &Statement, node: Node<'_>) -> Vec<String> {
    let acted_on = statement.names.iter().filter(|name| name.role == NameRole::Target);
    let kinds = [
        SyntaxKind::COLUMN_NAME_REF,
        SyntaxKind::CONSTRAINT_NAME_REF,
        SyntaxKind::EXTENSION_REF,
        SyntaxKind::POLICY_REF,
        SyntaxKind::RULE_REF,
        SyntaxKind::TRIGGER_REF,
    ];
    let parts = node.descendants().filter(|part| kinds.contains(&part.kind())).map(|part| name_of(part));
    acted_on.map(|name| name.name.clone()).chain(parts).collect()
}
