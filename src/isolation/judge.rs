//! Converts facts to findings: the message and the statement that corrects the problem.

use std::collections::HashSet;

use super::mention::{self, Certainty};
use super::{Fact, Kind};
use crate::verify::{Evidence, Finding, FindingTarget, Level, Object, Policy, Rule};

/// The findings for `facts` under `policy`, without duplicates, in order of schemas and objects.
pub fn judge(facts: &[Fact], policy: &Policy) -> Vec<Finding> {
    // The text of a dependent object also names the other schema: report only the dependency.
    let reaching: HashSet<_> =
        facts.iter().filter(|fact| fact.kind == Kind::ReachesAcross).map(about).collect();
    let is_told =
        |fact: &&Fact| matches!(fact.kind, Kind::Names | Kind::Expression) && reaching.contains(&about(fact));
    let mut findings: Vec<Finding> =
        facts.iter().filter(|fact| !is_told(fact)).filter_map(|fact| judge_fact(fact, policy)).collect();
    let key = |finding: &Finding| {
        let Object { schema, object, .. } = finding.object().cloned().unwrap_or_default();
        (schema, object, finding.rule.as_str(), finding.message.clone())
    };
    findings.sort_by_cached_key(key);
    findings.dedup();
    findings
}

/// Schema, object, and other tenant.
fn about(fact: &Fact) -> (Option<&str>, &str, Option<&str>) {
    (fact.schema.as_deref(), fact.object.as_str(), fact.other.as_deref())
}

fn judge_fact(fact: &Fact, policy: &Policy) -> Option<Finding> {
    let rule = fact.kind.rule();
    let own = match mention::of(fact)? {
        Certainty::Certain => rule.level,
        Certainty::Possible => Level::Warn,
    };
    let level = policy.level_or(rule, own)?;
    let FindingText { message, help } = describe(fact, rule);
    Some(Finding {
        rule: rule.id,
        level,
        subject: FindingTarget::Object(Object {
            schema: fact.schema.clone(),
            object: fact.object.clone(),
            other: fact.other.clone().filter(|_| names_a_schema(fact.kind)),
        }),
        evidence: Evidence::Catalog,
        message,
        help,
        observed: Vec::new(),
        allow_line: None,
        allowed: None,
    })
}

/// Whether [`Fact::other`] is a tenant's schema.
fn names_a_schema(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::RightAcross
            | Kind::RightThrough
            | Kind::MemberAcross
            | Kind::PlatformRight
            | Kind::ReachesAcross
            | Kind::Names
            | Kind::Expression
            | Kind::Setting
            | Kind::SharedReach
            | Kind::DefinerOpen
            | Kind::OutsideRight
            | Kind::ServerRight
            | Kind::EventTrigger
            | Kind::LeakyView
            | Kind::SettingDecides
            | Kind::RowSecurity
            | Kind::SecretCatalog
            | Kind::UntrustedCode
            | Kind::Leakproof
            | Kind::PublicSchema
    )
}

struct FindingText {
    message: String,
    help: String,
}

fn describe(fact: &Fact, rule: &Rule) -> FindingText {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let (who, other, what, target) =
        (text(&fact.who), text(&fact.other), text(&fact.what), text(&fact.target));
    let object = &fact.object;
    // Of these kinds, only global default privileges have no schema.
    let nowhere = match fact.kind {
        Kind::PublicRight | Kind::RightThrough => "all schemas",
        Kind::SettingOpens | Kind::Setting | Kind::ServerRight | Kind::EventTrigger => "the server",
        _ => "the platform",
    };
    let schema = fact.schema.as_deref().unwrap_or(nowhere);
    let holder = if fact.who.is_some() { format!("the role {who}") } else { "PUBLIC".to_owned() };
    let grantee = fact.who.as_deref().map_or_else(|| "PUBLIC".to_owned(), quoted);
    let rights = what.as_str();
    let advice = || rule.remediation.to_owned();
    let (message, help) = match fact.kind {
        Kind::RightAcross => (
            format!("the role {who} of the tenant of {other} has {rights} on the {object} of {schema}"),
            revoke(rights, &target, &grantee),
        ),
        Kind::RightThrough => (
            format!(
                "the role {who}, which acts for other tenants, such as that of {other}, has {rights} on the {object} of {schema}"
            ),
            revoke(rights, &target, &grantee),
        ),
        Kind::StrangerRight => (
            match &fact.other {
                Some(database) => format!(
                    "the role {who}, of a tenant of the database {database}, has {rights} on the {object} of {schema}"
                ),
                None => format!(
                    "the role {who}, created by Tenure but of no tenant, has {rights} on the {object} of {schema}"
                ),
            },
            revoke(rights, &target, &grantee),
        ),
        Kind::PublicRight => {
            (format!("PUBLIC has {rights} on the {object} of {schema}"), revoke(rights, &target, "PUBLIC"))
        }
        Kind::OutsideRight => {
            (format!("{holder} has {rights} on the {object} of {schema}"), revoke(rights, &target, &grantee))
        }
        Kind::ServerRight => {
            (format!("{holder} has {rights} on the {object}"), revoke(rights, &target, &grantee))
        }
        Kind::SettingOpens => (
            format!("{what} is set for the {object} of {schema}"),
            fact.target.as_ref().map_or_else(advice, |target| format!("ALTER {target}")),
        ),
        Kind::EventTrigger => {
            (format!("the {object} calls the function {what} of {other} for commands of all roles"), advice())
        }
        Kind::LeakyView => (
            format!("the rows of the {object} of {schema} depend on who asks, without security_barrier"),
            format!("ALTER {target} SET (security_barrier)"),
        ),
        Kind::SettingDecides => (
            format!("a setting that every role may set decides which rows the {object} of {schema} shows"),
            advice(),
        ),
        Kind::RowSecurity if what == "off" => (
            format!(
                "the policies of the {object} of {schema} have no effect, since row-level security is off"
            ),
            format!("ALTER {target}"),
        ),
        Kind::RowSecurity if what == "true" => (
            format!("the {object} of {schema} shows all rows, beside another policy that chooses them"),
            format!("DROP POLICY {target}"),
        ),
        Kind::RowSecurity => (
            format!(
                "the {object} of {schema} shows all rows of the {what}, since policies do not apply to its owner"
            ),
            advice(),
        ),
        Kind::SecretCatalog => (
            format!("the {object} of {schema} shows {what}, which not every role may read"),
            format!("DROP {target}"),
        ),
        Kind::ForeignTable => (
            format!(
                "the {object} of {schema} is accessible to a tenant, with the rights of a user mapping of {what}"
            ),
            advice(),
        ),
        Kind::RoleRight => {
            (format!("the role {who} has {rights} on its own {object}"), revoke(rights, &target, &grantee))
        }
        Kind::PlatformRight => (
            format!(
                "{holder} has {rights} on the platform's {object}, which the template of {other} does not name"
            ),
            format!(
                "{}; or, if its tenants need it, add a `-- Uses:` line to the template",
                revoke(rights, &target, &grantee)
            ),
        ),
        Kind::MemberAcross => (
            format!("the role {who}, which acts for {schema}, is a member of {what}, the role of {other}"),
            format!("REVOKE {target}"),
        ),
        Kind::ReachesAcross => (format!("in {schema}, {object} depends on {what} of {other}"), advice()),
        Kind::Names | Kind::Expression => {
            (format!("in {schema}, the text of {object} names {other}"), advice())
        }
        Kind::Setting => (format!("in {schema}, {object} sets {what}, which names {other}"), advice()),
        Kind::ViewOpensPlatform => (
            format!("the {object} of {schema} shows {what} with its owner's rights"),
            format!("{}: ALTER VIEW {target} SET (security_invoker)", rule.remediation),
        ),
        Kind::SharedReach => (
            format!("the {object} of {schema} shows rows of {other}, and {holder} has {rights} on it"),
            format!("{}; or create it WITH (security_invoker)", revoke(rights, &target, &grantee)),
        ),
        Kind::WrongOwner => (
            format!("the {object} of {schema} is owned by {who}, the schema by {other}"),
            format!("ALTER {target}; then `tenure tenant grant` grants the tenant's role its privileges"),
        ),
        Kind::RoleOwns => {
            (format!("the role {who} owns the {object}"), format!("REASSIGN OWNED BY {target}"))
        }
        Kind::Extension => {
            (format!("the {object} is in {schema}"), fact.target.clone().unwrap_or_else(advice))
        }
        Kind::DefinerPath => (
            format!("the {object} of {schema} runs as {who} with its caller's search path"),
            format!("ALTER ROUTINE {target}"),
        ),
        Kind::DefinerUserPath => (
            format!("the {object} of {schema} runs as {who} with {what}, which contains the caller's schema"),
            format!("ALTER ROUTINE {target}"),
        ),
        Kind::DefinerDynamic => (
            format!("the {object} of {schema} runs as {who} a statement that its text does not contain"),
            advice(),
        ),
        Kind::DefinerReach => {
            (format!("the {object} of {schema}, which runs as {who}, uses {what}"), advice())
        }
        Kind::DefinerCalls => (
            format!("the {object} of {schema}, which runs as {who}, calls {what} with the same privileges"),
            advice(),
        ),
        Kind::UntrustedCode => (
            format!(
                "the {object} of {schema} is written in the untrusted language {what}, and tenants such as that of {other} may call it"
            ),
            format!("REVOKE EXECUTE ON {target} FROM PUBLIC"),
        ),
        Kind::Leakproof => (
            format!(
                "the {object} of {schema} is LEAKPROOF, so conditions of views and policies do not come before it"
            ),
            format!("ALTER {target} NOT LEAKPROOF"),
        ),
        Kind::DefinerOpen => (
            format!(
                "the {object} of {schema} runs as {who}, and tenants such as that of {other} may call it"
            ),
            format!("if that is not intended: REVOKE EXECUTE ON {target} FROM PUBLIC"),
        ),
        Kind::PublicSchema if fact.who.is_none() => (
            format!("PUBLIC, and so every tenant's role, may create objects in the schema {schema}"),
            format!("REVOKE CREATE ON {target} FROM PUBLIC"),
        ),
        Kind::PublicSchema => (
            format!("the role {who} may create objects in the schema {schema}"),
            format!("REVOKE CREATE ON {target} FROM {grantee}"),
        ),
        Kind::RoleMissing => (format!("the tenant of {schema} has no role"), advice()),
        Kind::RolePower => (format!("the role {who} has {what}"), format!("ALTER ROLE {target}")),
        Kind::RoleMember => (format!("the role {who} is a member of {what}"), format!("REVOKE {target}")),
        Kind::RoleAdmin => (
            format!("the role {who}, which acts for {schema}, may grant {what} to others"),
            format!("REVOKE ADMIN OPTION FOR {target}"),
        ),
        Kind::StrangerMember => (
            format!(
                "the role {who}, of a tenant of the database {other}, is a member of {what}, the role of {schema}"
            ),
            format!("REVOKE {target}"),
        ),
        Kind::RoleElsewhere => match fact.other.as_deref() {
            Some(mark) => (
                format!("the role {who} of {schema} has the comment {mark:?}, which is not of this database"),
                advice(),
            ),
            None => (format!("the role {who} of {schema} has no comment that names its database"), advice()),
        },
        Kind::RoleOpen => (
            format!("the tenant of {schema} is {other}, and its role may log in"),
            format!("ALTER ROLE {target} NOLOGIN"),
        ),
        Kind::RoleLacks => (format!("the role {who} of {schema} lacks {what} on the {object}"), advice()),
        Kind::TemplateUnknown => (
            format!("the tenant of {schema} was created from the template {what:?}, which does not exist"),
            advice(),
        ),
    };
    FindingText { message, help }
}

/// The REVOKE statement. A target that starts with a parenthesis lists columns, which follow each privilege; a target of
/// default privileges has two parts.
fn revoke(rights: &str, target: &str, grantee: &str) -> String {
    if let Some((whose, sort)) = target.split_once('|') {
        return format!("ALTER DEFAULT PRIVILEGES {whose} REVOKE {rights} ON {sort} FROM {grantee}");
    }
    let rights = rights.replace(" with grant option", "");
    match target.split_once(" ON ") {
        Some((columns, table)) if columns.starts_with('(') => {
            let each: Vec<_> = rights.split(", ").map(|right| format!("{right} {columns}")).collect();
            format!("REVOKE {} ON {table} FROM {grantee}", each.join(", "))
        }
        _ => format!("REVOKE {rights} ON {target} FROM {grantee}"),
    }
}

/// A role's name, quoted if necessary.
fn quoted(role: &str) -> String {
    let is_plain = role.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !role.starts_with(|c: char| c.is_ascii_digit());
    if is_plain { role.to_owned() } else { format!("\"{}\"", role.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Tool;

    fn fact(kind: Kind) -> Fact {
        let some = |text: &str| Some(text.to_owned());
        Fact {
            kind,
            schema: some("org_a"),
            object: "table t".to_owned(),
            who: some("org_b"),
            other: some("org_b"),
            what: some("SELECT"),
            target: some("TABLE org_a.t"),
        }
    }

    #[test]
    fn a_privilege_is_reported_with_its_revoke_statement() {
        let found = judge(&[fact(Kind::RightAcross), fact(Kind::RightAcross)], &Policy::default());
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].message,
            "the role org_b of the tenant of org_b has SELECT on the table t of org_a"
        );
        assert_eq!(found[0].help, "REVOKE SELECT ON TABLE org_a.t FROM org_b");
        insta::assert_snapshot!(serde_json::to_string(&found[0]).unwrap(), @r#"{"rule":"cross-tenant-privilege","level":"deny","schema":"org_a","object":"table t","other":"org_b","evidence":"catalog","message":"the role org_b of the tenant of org_b has SELECT on the table t of org_a","help":"REVOKE SELECT ON TABLE org_a.t FROM org_b","allowed":false}"#);
    }

    #[test]
    fn a_dependency_is_reported_once() {
        let mut names = fact(Kind::Names);
        names.what = Some("SELECT org_b.f()".to_owned());
        let both = judge(&[names.clone(), fact(Kind::ReachesAcross)], &Policy::default());
        assert_eq!(
            both.iter().map(|finding| finding.rule.as_str()).collect::<Vec<_>>(),
            ["cross-tenant-dependency"]
        );
        names.object = "function f()".to_owned();
        assert_eq!(judge(&[names, fact(Kind::ReachesAcross)], &Policy::default()).len(), 2);
    }

    #[test]
    fn revoke_statements_are_complete() {
        assert_eq!(
            revoke("SELECT, UPDATE", "(a) ON TABLE org_a.t", "\"Odd\""),
            "REVOKE SELECT (a), UPDATE (a) ON TABLE org_a.t FROM \"Odd\""
        );
        assert_eq!(
            revoke("SELECT", "FOR ROLE o IN SCHEMA org_a|TABLES", "PUBLIC"),
            "ALTER DEFAULT PRIVILEGES FOR ROLE o IN SCHEMA org_a REVOKE SELECT ON TABLES FROM PUBLIC"
        );
        assert_eq!(
            revoke("USAGE with grant option", "SCHEMA org_a", "b"),
            "REVOKE USAGE ON SCHEMA org_a FROM b"
        );
        assert_eq!(quoted("a-b"), "\"a-b\"");
    }

    #[test]
    fn every_kind_has_a_message() {
        for kind in Kind::ALL {
            assert_eq!((Kind::named(kind.as_str()), kind.rule().tool()), (Some(*kind), Tool::Audit));
            let mut fact = fact(*kind);
            match kind {
                Kind::Names | Kind::Setting => fact.what = Some("search_path=org_b".to_owned()),
                Kind::Expression => fact.what = Some("'org_b.t'".to_owned()),
                Kind::LeakyView => fact.what = Some("({QUERY :quals {OP @ASKS@}})".to_owned()),
                Kind::DefinerOpen | Kind::DefinerDynamic => fact.what = None,
                _ => {}
            }
            let found = judge(&[fact], &Policy::default());
            assert_eq!(found.len(), 1, "{}", kind.as_str());
            assert!(found[0].message.contains("org_") || *kind == Kind::PublicSchema, "{}", found[0].message);
            assert!(!found[0].help.is_empty());
        }
    }
}
