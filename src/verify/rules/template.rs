//! A template creates a tenant's schema and runs once per tenant, so its effects elsewhere are repeated for each tenant.

use crate::sql::{Lookup, NameRole};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::is_server_function;
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[BEYOND, ORDER];

const ORDER: Rule = Rule {
    id: RuleId::ReadBeforeMade,
    level: Level::Deny,
    impact: &[Impact::Conventions, Impact::Others],
    why: "reads an object before the template creates it: the name then refers to an object of a shared schema, or to none",
    remediation: "move the statement after the one that creates the object, or qualify the name with its schema",
    bad: "CREATE VIEW recent AS SELECT id FROM notes; CREATE TABLE notes (id int);",
    good: "CREATE TABLE notes (id int); CREATE VIEW recent AS SELECT id FROM notes;",
    ignores_new_objects: false,
    judge: Judge::Code(order),
};

fn order(context: &RuleContext<'_>) -> Vec<Span> {
    let names = context.statement.names.iter().filter(|_| context.in_template);
    let expected = names.filter(|name| name.lookup == Lookup::Expected);
    // Functions of the server are found first.
    expected.filter(|name| !is_server_function(&name.name)).map(|name| name.range.clone()).collect()
}

const BEYOND: Rule = Rule {
    id: RuleId::TemplateBeyondTenant,
    level: Level::Deny,
    impact: &[Impact::Conventions, Impact::Others],
    why: "acts outside of the tenant's schema, once per created tenant",
    remediation: "put it into a platform migration",
    bad: "ALTER TABLE datalinx_platform.users ADD COLUMN phone text;",
    good: "CREATE TABLE {org_schema}.notes (author uuid REFERENCES datalinx_platform.users (id));",
    ignores_new_objects: false,
    judge: Judge::Code(judge),
};

fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    if !context.in_template {
        return Vec::new();
    }
    let made = context.statement.names.iter().filter(|name| name.role == NameRole::Created);
    made.chain(context.targets())
        .filter(|name| name.schema.as_deref().is_some_and(|schema| schema != "pg_temp"))
        .filter(|name| !name.in_tenant_schema() && !context.names_one_tenant(name))
        .map(|name| name.range.clone())
        .collect()
}
