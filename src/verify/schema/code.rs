//! The code that a statement runs, and whether its effects are known.

use std::collections::HashSet;
use std::sync::LazyLock;

use squawk_syntax::SyntaxKind;

use super::parts::words;
use super::run::MAX_DEPTH;
use super::table::Found;
use super::{Routine, Schema};
use crate::sql::{Name, Node, Scope, Statement};

/// Functions of the server and of its contrib extensions that change nothing: immutable and stable ones (`pg_proc.provolatile`,
/// PostgreSQL 15), and volatile ones that only return a value, wait, or take a lock.
const HARMLESS: &str = include_str!("harmless_functions.txt");

/// Functions that have a rule of their own.
const COVERED_ELSEWHERE: &[&str] = &["set_config", "setval"];

/// The effect of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum Call {
    /// Only computes a value.
    Harmless,
    /// May do anything.
    Opaque,
    /// Unknown: neither the text nor the server defines the function.
    Unknown,
}

/// Statements that execute their expressions.
const RUNNING: &[SyntaxKind] = &[
    SyntaxKind::COMPOUND_SELECT,
    SyntaxKind::COPY,
    SyntaxKind::CREATE_MATERIALIZED_VIEW,
    SyntaxKind::CREATE_TABLE_AS,
    SyntaxKind::DECLARE,
    SyntaxKind::DELETE,
    SyntaxKind::INSERT,
    SyntaxKind::MERGE,
    SyntaxKind::PAREN_SELECT,
    SyntaxKind::SELECT,
    SyntaxKind::SELECT_INTO,
    SyntaxKind::UPDATE,
    SyntaxKind::VALUES,
];

/// The calls in `statement` that it executes and whose effects the text does not show.
pub(in crate::verify) fn calls<'a>(
    statement: &'a Statement,
    node: Node<'_>,
    schema: &Schema,
    scope: Option<Scope>,
) -> Vec<&'a Name> {
    let executed = executed(statement.kind, node);
    let filled = matches!(statement.kind, SyntaxKind::ALTER_TABLE | SyntaxKind::ALTER_FOREIGN_TABLE);
    statement
        .names
        .iter()
        .filter(|name| name.kind == SyntaxKind::CALL_EXPR)
        .filter(|name| match schema.call(name, scope) {
            Call::Harmless => false,
            Call::Opaque => executed || (filled && fills_rows(node, name)),
            Call::Unknown => executed,
        })
        .collect()
}

/// Whether the statement executes its expressions.
pub(in crate::verify) fn executed(kind: SyntaxKind, node: Node<'_>) -> bool {
    match kind {
        SyntaxKind::EXPLAIN => {
            let tokens = words(node);
            let analyzes = |word: &String| word == "analyze" || word == "analyse";
            if tokens.get(1).is_none_or(|word| word != "(") {
                return tokens.iter().take(3).any(analyzes);
            }
            tokens[2..].split(|word| word == "," || word == ")").any(|option| {
                let off = option.last().is_some_and(|value| ["false", "off", "0"].contains(&value.as_str()));
                option.first().is_some_and(analyzes) && !off
            })
        }
        _ => RUNNING.contains(&kind),
    }
}

/// Whether the expression that calls `name` is computed for existing rows, unlike a default for later rows or a condition.
fn fills_rows(node: Node<'_>, name: &Name) -> bool {
    let holds = |part: Node<'_>| {
        let range = part.range();
        range.start <= name.range.start && name.range.end <= range.end
    };
    node.descendants()
        .filter(|part| matches!(part.kind(), SyntaxKind::ADD_COLUMN | SyntaxKind::USING_EXPR))
        .any(holds)
}

impl Schema {
    /// The effect of calling the function `name`.
    pub(in crate::verify) fn call(&self, name: &Name, scope: Option<Scope>) -> Call {
        self.call_at(name, scope, 0)
    }

    /// Whether the body of a routine that may not change data calls one that may (manual, chapter 38.7).
    fn calls_writer(&self, routine: &Routine, scope: Option<Scope>, depth: usize) -> bool {
        let Some(code) = routine.code().filter(|_| depth < MAX_DEPTH) else { return false };
        let scripts = std::iter::once(&code.script).chain(&code.expressions);
        let mut names = scripts.flat_map(|script| &script.statements).flat_map(|statement| &statement.names);
        names.any(|name| {
            name.kind == SyntaxKind::CALL_EXPR && self.call_at(name, scope, depth + 1) == Call::Opaque
        })
    }

    fn call_at(&self, name: &Name, scope: Option<Scope>, depth: usize) -> Call {
        let may_be_builtin = matches!(name.schema.as_deref(), None | Some("pg_catalog"));
        let own = match name.schema.as_deref() {
            None => self.has_routine(&name.name).map_or(Found::Absent, Found::Present),
            Some("pg_catalog") => Found::Absent,
            Some(_) => self.routines(name, scope),
        };
        if let Found::Present(routines) = own {
            let pure =
                routines.iter().all(|routine| routine.pure && !self.calls_writer(routine, scope, depth));
            return if pure { Call::Harmless } else { Call::Opaque };
        }
        // Extensions may be in any schema.
        let known =
            harmless(&name.name) || (may_be_builtin && COVERED_ELSEWHERE.contains(&name.name.as_str()));
        match (known, may_be_builtin) {
            (true, true) => Call::Harmless,
            (true, false) if matches!(name.schema.as_deref(), Some("public" | "extensions")) => {
                Call::Harmless
            }
            (_, true) if name.name.starts_with("dblink") => Call::Opaque,
            (_, true) => Call::Unknown,
            (_, false) => Call::Opaque,
        }
    }
}

/// Whether the list contains a function of the server or of a contrib extension with that name.
pub fn is_builtin_function(name: &str) -> bool {
    harmless(name)
}

/// Whether the statement is a DELETE or UPDATE that calls no function of users, which the planner might execute.
pub fn is_plain_row_write(statement: &Statement) -> bool {
    let mut calls = statement.names.iter().filter(|name| name.kind == SyntaxKind::CALL_EXPR);
    matches!(statement.kind, SyntaxKind::DELETE | SyntaxKind::UPDATE)
        && calls.all(|name| name.schema.is_none() && KNOWN.contains(name.name.as_str()))
}

static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| HARMLESS.split_ascii_whitespace().collect());

fn harmless(name: &str) -> bool {
    KNOWN.contains(name) || name.starts_with("st_")
}
