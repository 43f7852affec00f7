//! A template makes one tenant's schema, and runs again for each tenant: what it does elsewhere it does
//! to everybody.

use crate::sql::{Lookup, Role};
use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};
use crate::verify::schema::is_of_server;
use crate::verify::subject::{Hit, Subject};

pub(in crate::verify) const ROWS: &[Rule] = &[BEYOND, ORDER];

const ORDER: Rule = Rule {
    id: RuleId("read-before-made"),
    level: Level::Deny,
    breaks: &[Breaks::Conventions, Breaks::Others],
    why: "reads what the template makes only later: until then the name means an object of a shared schema, or nothing",
    instead: "put the statement behind the one that makes the object, or write the schema before the name",
    bad: "CREATE VIEW recent AS SELECT id FROM notes; CREATE TABLE notes (id int);",
    good: "CREATE TABLE notes (id int); CREATE VIEW recent AS SELECT id FROM notes;",
    spares: Spares::Nothing,
    judge: Judge::Code(order),
};

fn order(subject: &Subject<'_>) -> Vec<Hit> {
    let names = subject.statement.names.iter().filter(|_| subject.in_template);
    let expected = names.filter(|name| name.lookup == Lookup::Expected);
    // The server's own are found before all others.
    expected.filter(|name| !is_of_server(&name.name)).map(|name| name.range.clone()).collect()
}

const BEYOND: Rule = Rule {
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
