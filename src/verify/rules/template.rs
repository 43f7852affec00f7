//! A template makes one tenant's schema, and runs again for each tenant: what it does elsewhere it does
//! to everybody.

use crate::sql::Role;
use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};
use crate::verify::subject::{Hit, Subject};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("template-beyond-tenant"),
    level: Level::Deny,
    breaks: &[Breaks::Conventions, Breaks::Others],
    why: "acts outside of the tenant's schema, once for each tenant that is created",
    instead: "put it into a platform migration",
    bad: "ALTER TABLE datalinx_platform.users ADD COLUMN phone text;",
    good: "CREATE TABLE {org_schema}.notes (author uuid REFERENCES datalinx_platform.users (id));",
    spares: Spares::Nothing,
    judge: Judge::Code(judge),
};

fn judge(subject: &Subject<'_>) -> Vec<Hit> {
    if !subject.in_template {
        return Vec::new();
    }
    let made = subject.statement.names.iter().filter(|name| name.role == Role::Made);
    made.chain(subject.targets())
        .filter(|name| name.schema.as_deref().is_some_and(|schema| schema != "pg_temp"))
        .filter(|name| !name.in_tenant_schema() && !subject.names_one_tenant(name))
        .map(|name| name.range.clone())
        .collect()
}
