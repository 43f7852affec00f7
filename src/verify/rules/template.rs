//! A template makes one tenant's schema, and runs again for each tenant: what it does elsewhere it does
//! to everybody.

use crate::sql::{Lookup, NameRole};
use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::is_of_server;

pub(in crate::verify) const ROWS: &[Rule] = &[BEYOND, ORDER];

const ORDER: Rule = Rule {
    id: RuleId("read-before-made"),
    level: Level::Deny,
    impact: &[Impact::Conventions, Impact::Others],
    why: "reads what the template makes only later: until then the name means an object of a shared schema, or nothing",
    remediation: "put the statement behind the one that makes the object, or write the schema before the name",
    bad: "CREATE VIEW recent AS SELECT id FROM notes; CREATE TABLE notes (id int);",
    good: "CREATE TABLE notes (id int); CREATE VIEW recent AS SELECT id FROM notes;",
    ignores_new_objects: false,
    judge: Judge::Code(order),
};

fn order(subject: &RuleContext<'_>) -> Vec<Span> {
    let names = subject.statement.names.iter().filter(|_| subject.in_template);
    let expected = names.filter(|name| name.lookup == Lookup::Expected);
    // The server's own are found before all others.
    expected.filter(|name| !is_of_server(&name.name)).map(|name| name.range.clone()).collect()
}

const BEYOND: Rule = Rule {
    id: RuleId("template-beyond-tenant"),
    level: Level::Deny,
    impact: &[Impact::Conventions, Impact::Others],
    why: "acts outside of the tenant's schema, once for each tenant that is created",
    remediation: "put it into a platform migration",
    bad: "ALTER TABLE datalinx_platform.users ADD COLUMN phone text;",
    good: "CREATE TABLE {org_schema}.notes (author uuid REFERENCES datalinx_platform.users (id));",
    ignores_new_objects: false,
    judge: Judge::Code(judge),
};

fn judge(subject: &RuleContext<'_>) -> Vec<Span> {
    if !subject.in_template {
        return Vec::new();
    }
    let made = subject.statement.names.iter().filter(|name| name.role == NameRole::Created);
    made.chain(subject.targets())
        .filter(|name| name.schema.as_deref().is_some_and(|schema| schema != "pg_temp"))
        .filter(|name| !name.in_tenant_schema() && !subject.names_one_tenant(name))
        .map(|name| name.range.clone())
        .collect()
}
