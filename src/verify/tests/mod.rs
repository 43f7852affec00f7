//! What every test of verification uses: SQL in, rule ids out, as the platform `datalinx_platform` and
//! its tenants would have it. A statement belongs to the platform where it acts on a
//! schema that is not the tenant's, or on an extension.

mod cases;
mod lines;
mod new_objects;
mod project;
mod properties;
mod seeds;

use super::*;
use crate::error::Source;
use crate::sql::{FileKind, MetadataFilter, NameRole, Scope, Statement, expect_in_order};

pub(super) const PLATFORM: &str = "datalinx_platform";

const SCHEMAS: ProjectSchemas<'static> = ProjectSchemas { platform: PLATFORM, prefix: "org_", shared: &[] };

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
        walk: &before.walk(&script, scoped.iter().copied()),
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

/// What `base` makes, of which everything is known.
pub(super) fn base(sql: &str) -> Schema {
    let script = parse(sql);
    let mut schema = Schema::empty(PLATFORM);
    for statement in &script.statements {
        schema.learn(&script, statement, Some(scope(statement)));
    }
    schema
}

/// The rules that find something in a migration on the schema that `before` makes.
pub(super) fn ids_on(before: &str, sql: &str) -> Vec<&'static str> {
    without_conventions(findings_before(&base(before), sql, Kind::Migration, &Policy::default()))
}

/// The same, and the project's conventions.
pub(super) fn all_ids_on(before: &str, sql: &str) -> Vec<&'static str> {
    let found = findings_before(&base(before), sql, Kind::Migration, &Policy::default());
    found.iter().map(|finding| finding.rule.as_str()).collect()
}

pub(super) fn all_ids_in_template(sql: &str) -> Vec<&'static str> {
    let found = findings_before(&base(""), sql, Kind::Template(&[]), &Policy::default());
    found.iter().map(|finding| finding.rule.as_str()).collect()
}

/// The rules that find something in a migration of which a line says that it is the tenants'.
pub(super) fn tenant_ids(sql: &str) -> Vec<&'static str> {
    let script = parse(sql);
    let statements: Vec<_> =
        script.statements.iter().map(|statement| (statement, Some(Scope::Tenant))).collect();
    let before = base("CREATE TABLE a (id uuid)");
    let kind = Kind::Migration;
    let file = File {
        script: &script,
        walk: &before.walk(&script, statements.iter().copied()),
        kind,
        observed_effects: None,
        schemas: SCHEMAS,
    };
    without_conventions(verify(&file, &Policy::default()))
}

/// Most tests are about what breaks.
pub(super) fn without_conventions(found: Vec<Finding>) -> Vec<&'static str> {
    let impact = |finding: &&Finding| rule(finding.rule.as_str()).impact != [Impact::Conventions];
    found.iter().filter(impact).map(|finding| finding.rule.as_str()).collect()
}

/// The rules that refuse a migration on the schema that `before` makes.
pub(super) fn denied_on(before: &str, sql: &str) -> Vec<&'static str> {
    let found = findings_before(&base(before), sql, Kind::Migration, &Policy::default());
    found.iter().filter(|finding| finding.denies()).map(|finding| finding.rule.as_str()).collect()
}

/// The rules that find something in a migration, in order of the text.
pub(super) fn ids(sql: &str) -> Vec<&'static str> {
    without_conventions(findings(sql))
}

pub(super) fn ids_under(sql: &str, policy: &Policy) -> Vec<&'static str> {
    without_conventions(findings_in(sql, Kind::Migration, policy))
}

/// The rules that refuse a migration.
pub(super) fn denied(sql: &str) -> Vec<&'static str> {
    findings(sql).iter().filter(|finding| finding.denies()).map(|finding| finding.rule.as_str()).collect()
}

pub(super) fn rule(id: &str) -> &'static Rule {
    find(id).unwrap_or_else(|| panic!("no rule {id}"))
}

/// The default, but with `rule` on.
fn as_said(rule: &Rule) -> Policy {
    let on = (rule.level == Level::Off).then(|| (rule.id.to_string(), "warn".to_owned()));
    Policy::new(&on.into_iter().collect()).unwrap()
}

#[test]
fn every_bad_example_is_found_and_every_good_one_passes() {
    let seen_only = |rule: &Rule| rules::shadow::ROWS.iter().any(|row| row.id == rule.id);
    for rule in RULES.iter().filter(|rule| rule.id.as_str() != "unverifiable" && !seen_only(rule)) {
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
