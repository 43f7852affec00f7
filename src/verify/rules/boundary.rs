//! A tenant's step runs once for each tenant: what it does outside of the tenant's schema it does a
//! thousand times, and what it locks there everybody waits for.

use squawk_syntax::SyntaxKind;

use crate::sql::{Name, NameRole, Node, Scope};
use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId("beyond-tenant"),
        level: Level::Deny,
        impact: &[Impact::Others],
        why: "acts on another schema than the tenant's, once for each tenant",
        remediation: "put it into a platform migration, or write {org_schema} or no schema before the name",
        bad: "-- Scope: tenant\nALTER TABLE public.plans ADD COLUMN price int;",
        good: "-- Scope: tenant\nALTER TABLE {org_schema}.users ADD COLUMN price int;",
        ignores_new_objects: false,
        judge: Judge::Code(beyond),
    },
    Rule {
        id: RuleId("tenant-extension"),
        level: Level::Deny,
        impact: &[Impact::Others],
        why: "is about an extension, which a database has once and not once for each tenant",
        remediation: "move it into a platform step, under a line `-- Scope: platform`: what it makes in [extensions] schema is in every unit's search path",
        bad: "-- Scope: tenant\nCREATE EXTENSION pg_trgm;",
        good: "-- Scope: tenant\nCREATE INDEX CONCURRENTLY idx_users_trgm ON users USING gin (name gin_trgm_ops);",
        ignores_new_objects: false,
        judge: Judge::Code(extensions),
    },
    Rule {
        id: RuleId("platform-lock"),
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "locks a table of the platform, once for each tenant, while all tenants write to it",
        remediation: "reference the platform from a template, or keep the id without a foreign key",
        bad: "ALTER TABLE {org_schema}.users ADD COLUMN owner uuid REFERENCES datalinx_platform.accounts (id);",
        good: "ALTER TABLE {org_schema}.users ADD COLUMN owner uuid;",
        ignores_new_objects: false,
        judge: Judge::Code(locks),
    },
];

/// Whether a statement is a tenant's migration's.
fn of_tenant(subject: &RuleContext<'_>) -> bool {
    subject.scope == Some(Scope::Tenant) && !subject.in_template
}

fn beyond(subject: &RuleContext<'_>) -> Vec<Span> {
    if !of_tenant(subject) {
        return Vec::new();
    }
    let statement = subject.statement;
    let is_schema = |name: &Name| name.kind == SyntaxKind::SCHEMA;
    if statement.kind == SyntaxKind::CREATE_SCHEMA && !statement.names.iter().any(is_schema) {
        // It is called as its owner.
        return vec![statement.range.clone()];
    }
    let made = statement.names.iter().filter(|name| name.role == NameRole::Created);
    made.chain(subject.targets())
        .filter(|name| {
            name.schema.as_deref().is_some_and(|schema| !["pg_temp", "pg_catalog"].contains(&schema))
        })
        .filter(|name| !name.in_tenant_schema() && !subject.names_one_tenant(name))
        .map(|name| name.range.clone())
        .collect()
}

fn extensions(subject: &RuleContext<'_>) -> Vec<Span> {
    use SyntaxKind::{ALTER_EXTENSION, CREATE_EXTENSION, DROP_EXTENSION};
    let is_extension = matches!(subject.statement.kind, ALTER_EXTENSION | CREATE_EXTENSION | DROP_EXTENSION);
    if is_extension && subject.scope == Some(Scope::Tenant) {
        vec![subject.statement.range.clone()]
    } else {
        Vec::new()
    }
}

/// A foreign key locks the table that it refers to (manual, ALTER TABLE: SHARE ROW EXCLUSIVE), and `FOR
/// UPDATE` the rows.
fn locks(subject: &RuleContext<'_>) -> Vec<Span> {
    if !of_tenant(subject) || !subject.in_service {
        return Vec::new();
    }
    let of_platform = |name: &&Name| {
        name.schema.as_deref() == Some(subject.schemas.platform) && name.role == NameRole::Referenced
    };
    let keys = [SyntaxKind::FOREIGN_KEY_CONSTRAINT, SyntaxKind::REFERENCES_CONSTRAINT];
    let holders: Vec<Span> = if subject.nodes(&[SyntaxKind::LOCKING_CLAUSE]).next().is_some() {
        vec![subject.statement.range.clone()]
    } else {
        subject.nodes(&keys).map(Node::range).collect()
    };
    let relations = [SyntaxKind::RELATION_NAME_REF, SyntaxKind::TABLE_NAME_REF];
    let within = |name: &&Name| {
        holders.iter().any(|holder| holder.start <= name.range.start && name.range.end <= holder.end)
    };
    let names = subject.statement.names.iter().filter(|name| relations.contains(&name.kind));
    names.filter(of_platform).filter(within).map(|name| name.range.clone()).collect()
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::tenant_ids;

    #[test]
    fn a_tenants_step_stays_in_its_schema() {
        for (sql, expected) in [
            ("CREATE TABLE public.a (id uuid, created_at date, updated_at date)", &["beyond-tenant"][..]),
            ("INSERT INTO datalinx_platform.log (id) VALUES (1)", &["beyond-tenant"]),
            ("CREATE SCHEMA AUTHORIZATION CURRENT_USER", &["beyond-tenant"]),
            ("INSERT INTO org_other.log (id) SELECT id FROM a", &["names-one-tenant"]),
            ("CREATE EXTENSION citext", &["tenant-extension"]),
            ("DROP EXTENSION IF EXISTS citext", &["drop-extension", "tenant-extension"]),
            ("ALTER EXTENSION citext SET SCHEMA {org_schema}", &["tenant-extension", "set-schema"]),
            ("INSERT INTO {org_schema}.log (id) SELECT id FROM datalinx_platform.users", &[]),
            ("CREATE TEMP TABLE x AS SELECT 1 AS a", &[]),
            ("ALTER TABLE a ADD b uuid REFERENCES datalinx_platform.users (id)", &["platform-lock"]),
            ("SELECT id FROM datalinx_platform.users FOR UPDATE", &["platform-lock"]),
            ("SELECT id FROM datalinx_platform.users", &[]),
        ] {
            assert_eq!(tenant_ids(sql), expected, "{sql}");
        }
    }
}
