//! Helpers for the tests of verification: SQL in, rule ids out, for the platform schema `datalinx_platform`. A statement belongs
//! to the platform if it acts on another schema than the tenant's, or on an extension.

mod blocks;
mod cases;
mod lines;
mod new_objects;
mod project;
mod properties;
mod routines;
mod seeds;

use super::*;
use crate::error::Source;
use crate::sql::{FileKind, MetadataFilter, NameRole, Scope, Statement, expect_in_order};

pub(super) const PLATFORM: &str = "datalinx_platform";

const SCHEMAS: ProjectSchemas<'static> = ProjectSchemas {
    platform: PLATFORM,
    prefix: "org_",
    shared: &[],
    registry: ("organizations", &["id", "name", "slug", "schema_name"]),
};

pub(super) fn parse(sql: &str) -> Script {
    Script::parse(Source::new("t.sql", sql)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

pub(super) fn findings_in(sql: &str, kind: Kind<'_>, policy: &Policy) -> Vec<Finding> {
    findings_before(&Schema::unknown(PLATFORM), sql, kind, policy)
}

pub(super) fn findings_before(before: &Schema, sql: &str, kind: Kind<'_>, policy: &Policy) -> Vec<Finding> {
    let script = parse(sql);
    let body = MetadataFilter { platform: PLATFORM, file: FileKind::Migration { version: "1.0.3" } }
        .body(&script, |_| Some(Scope::Platform));
    let mut statements = body.map_or_else(|_| script.statements.clone(), |body| body.statements);
    if matches!(kind, Kind::Template(_)) {
        let in_order = statements.iter_mut().map(|statement| {
            let text = script.text(statement);
            (statement, text)
        });
        expect_in_order(&mut in_order.collect::<Vec<_>>());
    }
    let of_tenant = sql.starts_with("-- Scope: tenant");
    let scope = |statement| if of_tenant { Scope::Tenant } else { scope(statement) };
    let scoped: Vec<_> = statements.iter().map(|statement| (statement, Some(scope(statement)))).collect();
    let file = File {
        script: &script,
        replay: &before.replay(&script, scoped.iter().copied()),
        kind,
        observed_effects: None,
        schemas: SCHEMAS,
    };
    verify(&file, policy)
}

fn scope(statement: &Statement) -> Scope {
    let elsewhere = |name: &crate::sql::Name| {
        let schema = name.schema.as_deref().filter(|schema| *schema != "pg_temp");
        name.role != NameRole::Referenced && schema.is_some() && !name.in_tenant_schema()
    };
    let of_platform =
        format!("{:?}", statement.kind).ends_with("_EXTENSION") || statement.names.iter().any(elsewhere);
    if of_platform { Scope::Platform } else { Scope::Tenant }
}

pub(super) fn findings(sql: &str) -> Vec<Finding> {
    findings_in(sql, Kind::Migration, &Policy::default())
}

/// The completely known schema that `sql` creates.
pub(super) fn base(sql: &str) -> Schema {
    let script = parse(sql);
    let mut schema = Schema::empty(PLATFORM);
    for statement in &script.statements {
        schema.apply(&script, statement, Some(scope(statement)));
    }
    schema
}

/// The rules that report a migration on the schema that `before` creates, without conventions.
pub(super) fn ids_on(before: &str, sql: &str) -> Vec<&'static str> {
    without_conventions(findings_before(&base(before), sql, Kind::Migration, &Policy::default()))
}

/// The same, with conventions.
pub(super) fn all_ids_on(before: &str, sql: &str) -> Vec<&'static str> {
    let found = findings_before(&base(before), sql, Kind::Migration, &Policy::default());
    found.iter().map(|finding| finding.rule.as_str()).collect()
}

pub(super) fn all_ids_in_template(sql: &str) -> Vec<&'static str> {
    let found = findings_before(&base(""), sql, Kind::Template(&[]), &Policy::default());
    found.iter().map(|finding| finding.rule.as_str()).collect()
}

/// The rules that report a tenant migration.
pub(super) fn tenant_ids(sql: &str) -> Vec<&'static str> {
    let script = parse(sql);
    let statements: Vec<_> =
        script.statements.iter().map(|statement| (statement, Some(Scope::Tenant))).collect();
    let before = base("CREATE TABLE a (id uuid)");
    let kind = Kind::Migration;
    let file = File {
        script: &script,
        replay: &before.replay(&script, statements.iter().copied()),
        kind,
        observed_effects: None,
        schemas: SCHEMAS,
    };
    without_conventions(verify(&file, &Policy::default()))
}

/// Removes findings about conventions.
pub(super) fn without_conventions(found: Vec<Finding>) -> Vec<&'static str> {
    let impact = |finding: &&Finding| rule(finding.rule.as_str()).impact != [Impact::Conventions];
    found.iter().filter(impact).map(|finding| finding.rule.as_str()).collect()
}

/// The rules that deny a migration on the schema that `before` creates.
pub(super) fn denied_on(before: &str, sql: &str) -> Vec<&'static str> {
    let found = findings_before(&base(before), sql, Kind::Migration, &Policy::default());
    found.iter().filter(|finding| finding.denies()).map(|finding| finding.rule.as_str()).collect()
}

/// The rules that report a migration, in the order of the text, without conventions.
pub(super) fn ids(sql: &str) -> Vec<&'static str> {
    without_conventions(findings(sql))
}

pub(super) fn ids_under(sql: &str, policy: &Policy) -> Vec<&'static str> {
    without_conventions(findings_in(sql, Kind::Migration, policy))
}

/// The rules that deny a migration.
pub(super) fn denied(sql: &str) -> Vec<&'static str> {
    findings(sql).iter().filter(|finding| finding.denies()).map(|finding| finding.rule.as_str()).collect()
}

pub(super) fn rule(id: &str) -> &'static Rule {
    find(id).unwrap_or_else(|| panic!("no rule {id}"))
}

/// The default policy, with `rule` turned on.
fn as_said(rule: &Rule) -> Policy {
    let on = (rule.level == Level::Off).then(|| (rule.id.to_string(), "warn".to_owned()));
    Policy::new(Tool::Verify, &on.into_iter().collect()).unwrap()
}

#[test]
fn every_bad_example_is_found_and_every_good_one_passes() {
    let seen_only = |rule: &Rule| rules::shadow::ROWS.iter().any(|row| row.id == rule.id);
    for rule in Tool::Verify.rules().filter(|rule| rule.id.as_str() != "unverifiable" && !seen_only(rule)) {
        let kind = || match rule.id.as_str() {
            "template-beyond-tenant" | "read-before-made" => Kind::Template(&[]),
            _ => Kind::Migration,
        };
        let (before, policy) = (base(EXAMPLES_ACT_ON), as_said(rule));
        let bad = findings_before(&before, rule.bad, kind(), &policy);
        let own = bad.iter().find(|finding| finding.rule == rule.id);
        let level = if rule.level == Level::Off { Level::Warn } else { rule.level };
        assert_eq!(own.map(|finding| finding.level), Some(level), "{}: {bad:?}", rule.id);
        let good = findings_before(&before, rule.good, kind(), &policy);
        let refused: Vec<_> = good.iter().filter(|finding| finding.denies()).collect();
        assert!(refused.is_empty(), "{}: {refused:?}", rule.id);
        assert!(
            !good.iter().any(|finding| finding.rule == rule.id && finding.allowed.is_none()),
            "{}",
            rule.id
        );
    }
}
