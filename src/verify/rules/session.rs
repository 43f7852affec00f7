//! Settings that a migration leaves in the session or changes for later statements. A pooler gives the session to other clients.

use squawk_syntax::SyntaxKind;

use crate::sql::{Node, Scope, empties_search_path};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::{last_word, words};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::SessionSetting,
        level: Level::Warn,
        impact: &[Impact::Others],
        why: "stays in effect after the transaction if the file is run by hand; a unit resets it at its end",
        remediation: "use SET LOCAL",
        bad: "SET statement_timeout = 0;",
        good: "SET LOCAL statement_timeout = 0;",
        ignores_new_objects: false,
        judge: Judge::Code(outlives),
    },
    Rule {
        id: RuleId::SearchPath,
        level: Level::Deny,
        impact: &[Impact::Verification],
        why: "changes which objects unqualified names refer to",
        remediation: "qualify the name with its schema: a unit's search path is its own schema, then the shared ones and public",
        bad: "SET LOCAL search_path = archive;",
        good: "SET LOCAL search_path = {org_schema}, public;",
        ignores_new_objects: false,
        judge: Judge::Code(search_path),
    },
    Rule {
        id: RuleId::SetRole,
        level: Level::Deny,
        impact: &[Impact::Others],
        why: "makes another role run the statements after it and own their objects",
        remediation: "connect as that role",
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
        id: RuleId::DisablesSafeguards,
        level: Level::Deny,
        impact: &[Impact::Data],
        why: "turns off triggers, foreign keys or row security, or changes how string literals are read",
        remediation: "leave the setting as it is",
        bad: "SET LOCAL session_replication_role = replica;",
        good: "SET LOCAL lock_timeout = '1s';",
        ignores_new_objects: false,
        judge: Judge::Code(safeguards),
    },
];

/// Settings that decide whether triggers and foreign keys are enforced, and how string literals are read, each with its safe values.
/// With `row_security` off, a query that a policy would filter fails; it returns no hidden rows (manual, chapter 20.11).
const SAFEGUARDS: &[(&str, &[&str])] = &[
    ("session_replication_role", &["origin"]),
    ("standard_conforming_strings", &["on", "true", "yes", "1"]),
    ("backslash_quote", &["safe_encoding", "off", "false", "no", "0"]),
    ("row_security", &["on", "off", "true", "false", "yes", "no", "1", "0"]),
];

/// A setting that a statement changes: its name, whether it ends with the transaction, its values, its span.
struct Setting {
    name: String,
    local: bool,
    values: Vec<String>,
    span: Span,
}

fn settings(context: &RuleContext<'_>) -> Vec<Setting> {
    let whole = context.statement.range.clone();
    match context.statement.kind {
        SyntaxKind::SET | SyntaxKind::RESET | SyntaxKind::DISCARD => {
            let local = context.node.has_child(&[SyntaxKind::LOCAL_SCOPE]);
            let parameter = context.node.first(SyntaxKind::CONFIG_PARAMETER_REF);
            let schema = context.node.child(SyntaxKind::SET_SCHEMA_VALUE);
            let name = match (parameter, &schema) {
                (Some(parameter), _) => words(parameter).concat(),
                (None, Some(_)) => "search_path".to_owned(),
                (None, None) => String::new(),
            };
            let values = context
                .node
                .descendants()
                .filter(|node| matches!(node.kind(), SyntaxKind::CONFIG_VALUE_NAME | SyntaxKind::LITERAL))
                .map(|node| words(node).concat());
            vec![Setting { name, local, values: values.collect(), span: whole }]
        }
        _ => context.nodes(&[SyntaxKind::CALL_EXPR]).filter_map(|call| set_config_call(call)).collect(),
    }
}

/// A call of `set_config(name, value, is_local)`.
fn set_config_call(call: Node<'_>) -> Option<Setting> {
    let callee = call.children().next()?;
    if last_word(callee).as_deref() != Some("set_config") {
        return None;
    }
    let given: Vec<String> =
        call.child(SyntaxKind::ARG_LIST)?.children().map(|argument| words(argument).concat()).collect();
    let text = |index: usize| {
        given.get(index).map(|value| value.trim_matches('\'').to_lowercase()).unwrap_or_default()
    };
    let known = given.first().is_some_and(|name| name.starts_with('\''));
    Some(Setting {
        // A computed name may be any.
        name: if known { text(0) } else { "search_path".to_owned() },
        local: text(2) == "true",
        values: vec![text(1)],
        span: call.span(),
    })
}

fn outlives(context: &RuleContext<'_>) -> Vec<Span> {
    let found =
        settings(context).into_iter().filter(|setting| !setting.local && setting.name != "search_path");
    found.map(|setting| setting.span).collect()
}

/// A transaction-local search path that equals the unit's own changes nothing.
fn search_path(context: &RuleContext<'_>) -> Vec<Span> {
    let own = |setting: &Setting| {
        let first = setting.values.first().is_some_and(|first| match context.scope {
            Some(Scope::Platform) => *first == context.schemas.platform,
            _ => context.statement.has_placeholder && !first.contains('\''),
        });
        let rest = setting.values.iter().skip(1).all(|value| {
            ["public", "pg_catalog"].contains(&value.as_str()) || context.schemas.shared.contains(value)
        });
        setting.local && first && rest
    };
    if empties_search_path(context.node) {
        return Vec::new();
    }
    let found =
        settings(context).into_iter().filter(|setting| setting.name == "search_path" && !own(setting));
    found.map(|setting| setting.span).collect()
}

fn safeguards(context: &RuleContext<'_>) -> Vec<Span> {
    let is_safe = |setting: &Setting, safe: &[&str]| {
        let [value] = setting.values.as_slice() else { return false };
        safe.contains(&value.trim_matches('\'').to_ascii_lowercase().as_str())
    };
    let is_unsafe = |setting: &Setting| {
        SAFEGUARDS.iter().any(|(name, safe)| setting.name == *name && !is_safe(setting, safe))
    };
    let found = settings(context).into_iter().filter(is_unsafe);
    found.map(|setting| setting.span).collect()
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::ids;

    #[test]
    fn only_transaction_local_settings_pass() {
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
            ("SET LOCAL session_replication_role = 'origin'", &[]),
            ("SET LOCAL standard_conforming_strings = on", &[]),
            ("SET LOCAL standard_conforming_strings TO 'ON'", &[]),
            ("SELECT set_config('standard_conforming_strings', 'on', true)", &[]),
            ("SET LOCAL standard_conforming_strings = off", &["disables-safeguards"]),
            ("SET LOCAL standard_conforming_strings TO DEFAULT", &["disables-safeguards"]),
            ("SET LOCAL backslash_quote = safe_encoding", &[]),
            ("SET LOCAL backslash_quote = on", &["disables-safeguards"]),
            ("SET LOCAL row_security = off", &[]),
            ("SELECT pg_catalog.set_config('search_path', '', false)", &[]),
            ("SET search_path = ''", &[]),
            ("SET LOCAL search_path TO ''", &[]),
            ("SELECT set_config('search_path', ' ', false)", &["search-path"]),
            (
                "SELECT set_config('search_path', '', false), set_config('search_path', 'a', false)",
                &["search-path"; 2],
            ),
        ] {
            assert_eq!(ids(sql), expected, "{sql}");
        }
    }
}
