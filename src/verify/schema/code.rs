//! The code that a statement runs, and whether its effects are known.

use std::collections::HashMap;
use std::sync::LazyLock;

use squawk_syntax::SyntaxKind;

use super::parts::words;
use super::run::MAX_DEPTH;
use super::table::Found;
use super::{Routine, Schema};
use crate::sql::{Name, Node, Scope, Script, Statement};

/// The functions of the server and of its contrib extensions that may not change data: those that are immutable or stable in the
/// catalogs of the supported versions. `+` marks those of extensions, `*` those that return NULL if an argument is NULL.
/// `tests/it/function_list.rs` generates the list.
const STABLE: &str = include_str!("harmless_functions.txt");

/// Volatile functions that only return a value, wait, notify or take a lock, and syntax that looks like a call.
const VOLATILE: &[&str] = &[
    "all",
    "any",
    "array_sample",
    "array_shuffle",
    "clock_timestamp",
    "coalesce",
    "collation",
    "current_query",
    "currval",
    "exists",
    "for",
    "gen_random_bytes",
    "gen_random_uuid",
    "gen_salt",
    "greatest",
    "grouping",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_table",
    "json_value",
    "lastval",
    "least",
    "nextval",
    "nullif",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_blocking_pids",
    "pg_current_wal_insert_lsn",
    "pg_current_wal_lsn",
    "pg_database_size",
    "pg_indexes_size",
    "pg_is_in_recovery",
    "pg_notify",
    "pg_partition_ancestors",
    "pg_partition_tree",
    "pg_relation_size",
    "pg_sequence_last_value",
    "pg_sleep",
    "pg_sleep_for",
    "pg_sleep_until",
    "pg_stat_clear_snapshot",
    "pg_table_size",
    "pg_total_relation_size",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
    "pg_xact_status",
    "pgp_pub_encrypt",
    "pgp_sym_encrypt",
    "random",
    "random_normal",
    "row",
    "setseed",
    "some",
    "timeofday",
    "trim",
    "txid_status",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
    "xmlelement",
];

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
            name.kind == SyntaxKind::CALL_EXPR
                && (is_covered_elsewhere(name) || self.call_at(name, scope, depth + 1) == Call::Opaque)
        })
    }

    /// Whether the body of a routine only reads and computes.
    fn only_computes(&self, routine: &Routine, scope: Option<Scope>, depth: usize) -> bool {
        let Some(code) = routine.code().filter(|code| depth < MAX_DEPTH && !code.is_dynamic) else {
            return false;
        };
        let reads = |script: &Script| {
            let writes = [
                SyntaxKind::DELETE,
                SyntaxKind::INSERT,
                SyntaxKind::INTO_CLAUSE,
                SyntaxKind::MERGE,
                SyntaxKind::UPDATE,
            ];
            let is_query = |statement: &Statement| statement.kind == SyntaxKind::SELECT;
            !script.contains(&writes) && script.statements.iter().all(is_query)
        };
        let mut scripts = std::iter::once(&code.script).chain(&code.expressions);
        scripts.all(|script| {
            let names = || script.statements.iter().flat_map(|statement| &statement.names);
            let mut calls = names().filter(|name| name.kind == SyntaxKind::CALL_EXPR);
            reads(script)
                && calls.all(|name| {
                    !is_covered_elsewhere(name) && self.call_at(name, scope, depth + 1) == Call::Harmless
                })
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
            let home = self.creation_schema(name, scope);
            let are_all = home.is_some_and(|home| self.knowledge.proves_absence(&home, &name.name));
            let pure = routines.iter().all(|routine| {
                if routine.pure {
                    !self.calls_writer(routine, scope, depth)
                } else {
                    are_all && self.only_computes(routine, scope, depth)
                }
            });
            return if pure { Call::Harmless } else { Call::Opaque };
        }
        // Extensions may be in any schema. The server finds a function of the project before one of an extension.
        let home = || self.creation_schema(name, scope);
        let is_extension = || home().is_some_and(|home| self.knowledge.proves_absence(&home, &name.name));
        let is_listed = harmless(&name.name) && (!is_of_extension(&name.name) || is_extension());
        let known = is_listed || (may_be_builtin && is_covered_elsewhere(name));
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

/// Whether a call in a statement of the file has a rule of its own. The rule does not see a call in the body of a routine.
fn is_covered_elsewhere(name: &Name) -> bool {
    COVERED_ELSEWHERE.contains(&name.name.as_str())
}

/// Whether the list contains a function of the server or of a contrib extension with that name.
pub fn is_builtin_function(name: &str) -> bool {
    harmless(name)
}

/// Whether the server finds a function of its own with that name before those of users.
pub(in crate::verify) fn is_server_function(name: &str) -> bool {
    harmless(name) && !is_of_extension(name)
}

/// Whether the statement is a DELETE or UPDATE that calls no function of users, which the planner might execute.
pub fn is_plain_row_write(statement: &Statement) -> bool {
    let mut calls = statement.names.iter().filter(|name| name.kind == SyntaxKind::CALL_EXPR);
    let is_server_function = |name: &str| is_listed(name) && !is_of_extension(name);
    matches!(statement.kind, SyntaxKind::DELETE | SyntaxKind::UPDATE)
        && calls.all(|name| name.schema.is_none() && is_server_function(&name.name))
}

fn harmless(name: &str) -> bool {
    is_listed(name) || name.starts_with("st_")
}

fn is_listed(name: &str) -> bool {
    STABLE_NAMES.contains_key(name) || VOLATILE.contains(&name)
}

/// Whether the list says that a contrib extension, and not the server, has the function `name`.
fn is_of_extension(name: &str) -> bool {
    STABLE_NAMES.get(name).is_some_and(|listed| listed.is_of_extension)
}

/// Whether the function `name` of the server or of a contrib extension returns NULL if an argument is NULL.
pub(in crate::verify) fn is_strict(name: &str) -> bool {
    STABLE_NAMES.get(name).is_some_and(|listed| listed.is_strict)
}

/// A function in the generated list.
struct Listed {
    is_of_extension: bool,
    is_strict: bool,
}

static STABLE_NAMES: LazyLock<HashMap<&str, Listed>> = LazyLock::new(|| {
    let listed = |word: &'static str| {
        let listed = Listed { is_of_extension: word.starts_with('+'), is_strict: word.ends_with('*') };
        (word.trim_matches(['+', '*']), listed)
    };
    STABLE.split_ascii_whitespace().map(listed).collect()
});
