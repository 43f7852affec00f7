//! What every test of verification uses: SQL in, rule ids out, as the platform `datalinx_platform` and
//! its tenants would have it. A statement belongs to the platform where it names that schema.

mod cases;
mod lines;
mod new_objects;
mod project;
mod properties;
mod seeds;

use super::*;
use crate::error::Source;
use crate::sql::{Bookkeeping, FileKind};

pub(super) const PLATFORM: &str = "datalinx_platform";

pub(super) fn parse(sql: &str) -> Script {
    Script::parse(Source::new("t.sql", sql)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

pub(super) fn findings_in(sql: &str, kind: Kind<'_>, policy: &Policy) -> Vec<Finding> {
    findings_before(&Schema::unknown(PLATFORM), sql, kind, policy)
}

pub(super) fn findings_before(before: &Schema, sql: &str, kind: Kind<'_>, policy: &Policy) -> Vec<Finding> {
    let script = parse(sql);
    let body = Bookkeeping { platform: PLATFORM, file: FileKind::Migration { version: "1.0.3" } }
        .body(&script, |_| Some(Scope::Platform));
    let statements = body.map_or_else(|_| script.statements.clone(), |body| body.statements);
    let scoped: Vec<_> = statements.iter().map(|statement| (statement, Some(scope(statement)))).collect();
    let file = File { script: &script, statements: &scoped, kind, before, platform: PLATFORM };
    verify(&file, policy)
}

fn scope(statement: &Statement) -> Scope {
    let of_platform = statement.names.iter().any(|name| name.schema.as_deref() == Some(PLATFORM));
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
    let found = findings_before(&base(before), sql, Kind::Migration, &Policy::default());
    found.iter().map(|finding| finding.rule.as_str()).collect()
}

/// The rules that refuse a migration on the schema that `before` makes.
pub(super) fn denied_on(before: &str, sql: &str) -> Vec<&'static str> {
    let found = findings_before(&base(before), sql, Kind::Migration, &Policy::default());
    found.iter().filter(|finding| finding.denies()).map(|finding| finding.rule.as_str()).collect()
}

/// The rules that find something in a migration, in order of the text.
pub(super) fn ids(sql: &str) -> Vec<&'static str> {
    findings(sql).iter().map(|finding| finding.rule.as_str()).collect()
}

pub(super) fn ids_under(sql: &str, policy: &Policy) -> Vec<&'static str> {
    findings_in(sql, Kind::Migration, policy).iter().map(|finding| finding.rule.as_str()).collect()
}

/// The rules that refuse a migration.
pub(super) fn denied(sql: &str) -> Vec<&'static str> {
    findings(sql).iter().filter(|finding| finding.denies()).map(|finding| finding.rule.as_str()).collect()
}

pub(super) fn rule(id: &str) -> &'static Rule {
    find(id).unwrap_or_else(|| panic!("no rule {id}"))
}

#[test]
fn every_bad_example_is_found_and_every_good_one_passes() {
    for rule in RULES.iter().filter(|rule| rule.id.as_str() != "unverifiable") {
        let kind = || match rule.id.as_str() {
            "template-beyond-tenant" => Kind::Template(&[]),
            _ => Kind::Migration,
        };
        let bad = findings_in(rule.bad, kind(), &Policy::default());
        let own = bad.iter().find(|finding| finding.rule == rule.id);
        assert_eq!(own.map(|finding| finding.level), Some(rule.level), "{}: {:?}", rule.id, ids(rule.bad));
        let good = findings_in(rule.good, kind(), &Policy::default());
        let refused: Vec<_> = good.iter().filter(|finding| finding.denies()).collect();
        assert!(refused.is_empty(), "{}: {refused:?}", rule.id);
        assert!(
            !good.iter().any(|finding| finding.rule == rule.id && finding.allowed.is_none()),
            "{}",
            rule.id
        );
    }
}
