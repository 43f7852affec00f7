//! What a migration leaves in the session, or changes for the statements behind it. A pool gives the session
//! to somebody else.

use squawk_syntax::SyntaxKind;

use crate::sql::{Node, Scope};
use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::words;

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId("session-setting"),
        level: Level::Warn,
        impact: &[Impact::Others],
        why: "outlives the transaction where the file is run by hand; a unit takes it back at its end",
        remediation: "write SET LOCAL",
        bad: "SET statement_timeout = 0;",
        good: "SET LOCAL statement_timeout = 0;",
        ignores_new_objects: false,
        judge: Judge::Code(outlives),
    },
    Rule {
        id: RuleId("search-path"),
        level: Level::Deny,
        impact: &[Impact::Verification],
        why: "makes names mean something else than everybody who reads the file thinks",
        remediation: "write the schema before the name: a unit's search path is its own schema, then the shared ones and public",
        bad: "SET LOCAL search_path = archive;",
        good: "SET LOCAL search_path = {org_schema}, public;",
        ignores_new_objects: false,
        judge: Judge::Code(path),
    },
    Rule {
        id: RuleId("set-role"),
        level: Level::Deny,
        impact: &[Impact::Others],
        why: "makes another role do and own what follows",
        remediation: "connect as the role that is meant",
        bad: "SET ROLE admin;",
        good: "GRANT SELECT ON users TO app;",
        ignores_new_objects: false,
        judge: Judge::Known(
            &[],
            &[
                SyntaxKind::RESET_ROLE,
                SyntaxKind::RESET_SESSION_AUTH,
                SyntaxKind::SET_ROLE,
                SyntaxKind::SET_SESSION_AUTH,
            ],
        ),
    },
    Rule {
        id: RuleId("disables-safeguards"),
        level: Level::Deny,
        impact: &[Impact::Data],
        why: "switches off what guards the rows, or how their text is read",
        remediation: "leave the setting as it is",
        bad: "SET LOCAL session_replication_role = replica;",
        good: "SET LOCAL lock_timeout = '1s';",
        ignores_new_objects: false,
        judge: Judge::Code(guards),
    },
];

/// Settings that decide whether triggers and keys work, and where a string ends.
const GUARDS: &[&str] =
    &["session_replication_role", "standard_conforming_strings", "backslash_quote", "row_security"];

/// A setting that a statement makes: its name, its words, whether it ends with the transaction, and where.
struct Setting {
    name: String,
    local: bool,
    values: Vec<String>,
    hit: Span,
}

fn settings(subject: &RuleContext<'_>) -> Vec<Setting> {
    let whole = subject.statement.range.clone();
    match subject.statement.kind {
        SyntaxKind::SET | SyntaxKind::RESET | SyntaxKind::DISCARD => {
            let local = subject.node.has_child(&[SyntaxKind::LOCAL_SCOPE]);
            let parameter = subject.node.first(SyntaxKind::CONFIG_PARAMETER_REF);
            let schema = subject.node.child(SyntaxKind::SET_SCHEMA_VALUE);
            let name = match (parameter, &schema) {
                (Some(parameter), _) => words(parameter).concat(),
                (None, Some(_)) => "search_path".to_owned(),
                (None, None) => String::new(),
            };
            let values = subject
                .node
                .descendants()
                .filter(|node| matches!(node.kind(), SyntaxKind::CONFIG_VALUE_NAME | SyntaxKind::LITERAL))
                .map(|node| words(node).concat());
            vec![Setting { name, local, values: values.collect(), hit: whole }]
        }
        _ => subject.nodes(&[SyntaxKind::CALL_EXPR]).filter_map(|call| by_call(call)).collect(),
    }
}

/// `set_config(name, value, is_local)`.
fn by_call(call: Node<'_>) -> Option<Setting> {
    let callee = call.children().next()?;
    if words(callee).last().map(String::as_str) != Some("set_config") {
        return None;
    }
    let given: Vec<String> =
        call.child(SyntaxKind::ARG_LIST)?.children().map(|argument| words(argument).concat()).collect();
    let text = |index: usize| {
        given.get(index).map(|value| value.trim_matches('\'').to_lowercase()).unwrap_or_default()
    };
    let known = given.first().is_some_and(|name| name.starts_with('\''));
    Some(Setting {
        // A name that is computed may be any.
        name: if known { text(0) } else { "search_path".to_owned() },
        local: text(2) == "true",
        values: vec![text(1)],
        hit: call.span(),
    })
}

fn outlives(subject: &RuleContext<'_>) -> Vec<Span> {
    let found =
        settings(subject).into_iter().filter(|setting| !setting.local && setting.name != "search_path");
    found.map(|setting| setting.hit).collect()
}

/// Where it is set for the transaction, and to what it is in a unit anyway, nothing changes.
fn path(subject: &RuleContext<'_>) -> Vec<Span> {
    let own = |setting: &Setting| {
        let first = setting.values.first().is_some_and(|first| match subject.scope {
            Some(Scope::Platform) => *first == subject.schemas.platform,
            _ => subject.statement.has_placeholder && !first.contains('\''),
        });
        let rest = setting.values.iter().skip(1).all(|value| {
            ["public", "pg_catalog"].contains(&value.as_str()) || subject.schemas.shared.contains(value)
        });
        setting.local && first && rest
    };
    let found =
        settings(subject).into_iter().filter(|setting| setting.name == "search_path" && !own(setting));
    found.map(|setting| setting.hit).collect()
}

fn guards(subject: &RuleContext<'_>) -> Vec<Span> {
    let found = settings(subject).into_iter().filter(|setting| GUARDS.contains(&setting.name.as_str()));
    found.map(|setting| setting.hit).collect()
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::ids;

    #[test]
    fn only_what_ends_with_the_transaction_is_let_be() {
        for (sql, expected) in [
            ("SET LOCAL lock_timeout = '5s'", &[][..]),
            ("SELECT set_config('app.x', 'y', true)", &[]),
            ("SET CONSTRAINTS ALL DEFERRED", &[]),
            ("SET lock_timeout = '5s'", &["session-setting"]),
            ("SET SESSION work_mem = '1GB'", &["session-setting"]),
            ("RESET ALL", &["session-setting"]),
            ("RESET work_mem", &["session-setting"]),
            ("DISCARD PLANS", &["session-setting"]),
            ("SET TIME ZONE 'UTC'", &["session-setting"]),
            ("SELECT set_config('a.b', 'c', false)", &["session-setting"]),
            ("UPDATE t SET a = set_config('a.b', a, false) WHERE a IS NULL", &["session-setting"]),
            ("SET search_path TO a, b", &["search-path"]),
            ("SET LOCAL search_path TO a", &["search-path"]),
            ("SET LOCAL search_path = {org_schema}", &[]),
            ("SET LOCAL search_path = {org_schema}, a", &["search-path"]),
            ("SET SCHEMA 'a'", &["search-path"]),
            ("SELECT set_config('search_path', 'a', true)", &["search-path"]),
            ("SELECT set_config('search' || '_path', 'a', true)", &[]),
            ("SELECT set_config(lower('A'), 'a', true)", &["search-path"]),
            ("SET LOCAL ROLE x", &["set-role"]),
            ("SET SESSION AUTHORIZATION x", &["set-role"]),
            ("RESET ROLE", &["set-role"]),
            ("RESET SESSION AUTHORIZATION", &["set-role"]),
            ("SET LOCAL session_replication_role = replica", &["disables-safeguards"]),
        ] {
            assert_eq!(ids(sql), expected, "{sql}");
        }
    }
}
