//! The routines that a file makes or replaces. A statement that uses one is judged by the statements of its body, as a DO block is.

use std::ops::Range;

use squawk_syntax::SyntaxKind;

use super::File;
use super::new_objects::is_drop;
use super::rules::opaque_code::shows_its_effects;
use super::schema::{CodeReplay, Found, Routine, Schema, StatementContext};
use crate::sql::{Code, Name, NameRole, RELATIONS, Scope, Script, Statement};

/// The routines of a file.
pub(super) struct Routines<'a> {
    script: &'a Script,
    defined: Vec<Defined<'a>>,
    statements: &'a [StatementContext<'a>],
}

struct Defined<'a> {
    name: &'a str,
    statement: &'a Statement,
    /// Whether no other routine of its name existed before the file, so that a call certainly means this one.
    is_only_one: bool,
    /// Whether its findings were reported.
    is_judged: bool,
}

/// A routine of the file that a statement uses.
pub(super) struct UsedRoutine {
    pub(super) name: String,
    /// The first use.
    pub(super) use_at: Range<usize>,
    /// Its body; `None` if it cannot be read, or its findings are already reported, or the server prevents it from changing data.
    pub(super) code: Option<Code>,
    /// Whether a run may skip some of it.
    pub(super) may_skip: bool,
    /// Whether its statements show all that it does.
    pub(super) is_shown: bool,
    /// Whether a call certainly means this one.
    pub(super) is_only_one: bool,
}

impl<'a> Routines<'a> {
    pub(super) fn of(file: &File<'a>) -> Self {
        let all = &file.replay.statements;
        let defined = all.iter().filter_map(|context| {
            let statement = context.statement;
            let is_routine =
                matches!(statement.kind, SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE);
            let name = statement.names.iter().find(|name| name.role == NameRole::Created)?;
            let is_only_one = || match all[0].schema.own_routines(name, context.scope) {
                Found::Present(old) => {
                    let inputs = Routine::of(statement.node(file.script)).inputs;
                    old.iter().all(|old| old.pure || old.inputs == inputs)
                }
                Found::Absent => true,
                Found::Unknown => false,
            };
            is_routine.then(|| Defined {
                name: &name.name,
                statement,
                is_only_one: is_only_one(),
                is_judged: false,
            })
        });
        Self { script: file.script, defined: defined.collect(), statements: all }
    }

    /// Whether a later statement of the file may fire the trigger that `trigger` creates.
    fn fires(&self, trigger: &Statement) -> bool {
        let script = self.script;
        let inherits = [
            SyntaxKind::ATTACH_PARTITION,
            SyntaxKind::INHERITS,
            SyntaxKind::INHERIT_TABLE,
            SyntaxKind::PARTITION_OF,
        ];
        let table = |statement: &Statement| {
            let target = statement.names.iter().find(|name| name.role == NameRole::Target);
            target.map(|name| name.name.clone())
        };
        let later = self.statements.iter().map(|context| context.statement);
        let mut later = later.filter(|later| later.range.start > trigger.range.end);
        later.any(|later| match later.kind {
            SyntaxKind::CALL | SyntaxKind::DO => true,
            // A routine may write to the table.
            SyntaxKind::SELECT => self.defined.len() > 1,
            _ if later.only_writes_rows() || later.kind == SyntaxKind::COPY => {
                table(later) == table(trigger) || script.contains(&inherits)
            }
            _ => false,
        })
    }

    /// The routines that `statement` uses, also through the bodies of others.
    pub(super) fn used_by(
        &mut self,
        statement: &Statement,
        code: Option<&CodeReplay>,
        scope: Option<Scope>,
        schema: &Schema,
    ) -> Vec<UsedRoutine> {
        if self.defined.is_empty() || !is_use(statement) {
            return Vec::new();
        }
        let mut names: Vec<Name> =
            statement.names.iter().filter(|name| may_be_routine(name)).cloned().collect();
        names.extend(
            code.into_iter().flat_map(|replay| names_in(&replay.code)).map(|name| at(name, statement)),
        );
        let is_defined = |name: &Name| self.defined.iter().any(|own| own.name == name.name);
        names.retain(is_defined);
        if names.is_empty() || (statement.kind == SyntaxKind::CREATE_TRIGGER && !self.fires(statement)) {
            return Vec::new();
        }
        let mut used: Vec<UsedRoutine> = Vec::new();
        while let Some(name) = names.pop() {
            let before = statement.range.start;
            for defined in &mut self.defined {
                let is_it = defined.name == name.name && defined.statement.range.end <= before;
                if !is_it || used.iter().any(|own| own.name == name.name && own.use_at == name.range) {
                    continue;
                }
                let is_pure = Routine::is_pure(defined.statement.node(self.script));
                let code = Code::of(self.script, defined.statement);
                let known = code.is_some();
                let may_skip = code.as_ref().is_none_or(Code::may_skip);
                let followed = [name.name.clone()];
                let is_shown = is_pure
                    || code.as_ref().is_some_and(|code| shows_its_effects(code, schema, scope, &followed));
                if !defined.is_judged {
                    names.extend(code.iter().flat_map(names_in).map(|inner| at(inner, statement)));
                }
                let code = code.filter(|_| !defined.is_judged && !is_pure);
                defined.is_judged |= known;
                used.push(UsedRoutine {
                    name: name.name.clone(),
                    use_at: name.range.clone(),
                    may_skip,
                    code,
                    is_shown,
                    is_only_one: defined.is_only_one,
                });
            }
        }
        used
    }

    /// The names of the routines whose bodies show all that they do.
    pub(super) fn followed(used: &[UsedRoutine]) -> Vec<String> {
        let hides =
            |name: &str| used.iter().any(|own| own.name == name && !(own.is_shown && own.is_only_one));
        used.iter().map(|own| own.name.clone()).filter(|name| !hides(name)).collect()
    }
}

/// The name, at the place of the statement that uses it.
fn at(name: Name, statement: &Statement) -> Name {
    Name { range: statement.range.clone(), ..name }
}

/// The names of routines in a body.
fn names_in(code: &Code) -> Vec<Name> {
    let scripts = std::iter::once(&code.script).chain(&code.expressions);
    let names = scripts.flat_map(|script| &script.statements).flat_map(|statement| &statement.names);
    names.filter(|name| may_be_routine(name)).cloned().collect()
}

fn may_be_routine(name: &Name) -> bool {
    // `CREATE OPERATOR` names its function like a type.
    name.role != NameRole::Created && !RELATIONS.contains(&name.kind)
}

/// Whether the server may run a routine that the statement names, now or later.
fn is_use(statement: &Statement) -> bool {
    let others = [
        SyntaxKind::ALTER_FUNCTION,
        SyntaxKind::ALTER_PROCEDURE,
        SyntaxKind::ALTER_ROUTINE,
        SyntaxKind::COMMENT_ON,
        SyntaxKind::CREATE_FUNCTION,
        SyntaxKind::CREATE_PROCEDURE,
        SyntaxKind::GRANT,
        SyntaxKind::REVOKE,
        SyntaxKind::SECURITY_LABEL,
    ];
    !is_drop(statement.kind) && !others.contains(&statement.kind)
}
