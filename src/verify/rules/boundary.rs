//! A tenant step runs once per tenant. Its effects outside of the tenant's schema are repeated for each tenant, and its locks
//! there block all tenants.

use squawk_syntax::SyntaxKind;

use crate::sql::{Name, NameRole, Node, Scope};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::BeyondTenant,
        level: Level::Deny,
        impact: &[Impact::Others],
        why: "acts on a schema that is not the tenant's, once per tenant",
        remediation: "put it into a platform migration, or write {org_schema} or no schema before the name",
        bad: "-- Scope: tenant\nALTER TABLE public.plans ADD COLUMN price int;",
        good: "-- Scope: tenant\nALTER TABLE {org_schema}.users ADD COLUMN price int;",
        ignores_new_objects: false,
        judge: Judge::Code(outside_tenant),
    },
    Rule {
        id: RuleId::TenantExtension,
        level: Level::Deny,
        impact: &[Impact::Others],
        why: "acts on an extension, and a database has an extension once, not once per tenant",
        remediation: "move it into a platform step, under a line `-- Scope: platform`: every unit's search path includes the schema of [extensions] schema",
        bad: "-- Scope: tenant\nCREATE EXTENSION pg_trgm;",
        good: "-- Scope: tenant\nCREATE INDEX CONCURRENTLY idx_users_trgm ON users USING gin (name gin_trgm_ops);",
        ignores_new_objects: false,
        judge: Judge::Code(extensions),
    },
    Rule {
        id: RuleId::PlatformLock,
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "locks a platform table, once per tenant, while all tenants write to it",
        remediation: "reference the platform from a template, or keep the id without a foreign key",
        bad: "ALTER TABLE {org_schema}.users ADD COLUMN owner uuid REFERENCES datalinx_platform.accounts (id);",
        good: "ALTER TABLE {org_schema}.users ADD COLUMN owner uuid;",
        ignores_new_objects: false,
        judge: Judge::Code(locks),
    },
];

/// Whether the statement belongs to a tenant migration.
fn is_tenant_migration(context: &RuleContext<'_>) -> bool {
    context.scope == Some(Scope::Tenant) && !context.in_template
}

fn outside_tenant(context: &RuleContext<'_>) -> Vec<Span> {
    if !is_tenant_migration(context) {
        return Vec::new();
    }
    let statement = context.statement;
    let is_schema = |name: &Name| name.kind == SyntaxKind::SCHEMA;
    if statement.kind == SyntaxKind::CREATE_SCHEMA && !statement.names.iter().any(is_schema) {
        // The schema gets the name of its owner.
        return vec![statement.range.clone()];
    }
    let made = statement.names.iter().filter(|name| name.role == NameRole::Created);
    made.chain(context.targets())
        .filter(|name| {
            name.schema.as_deref().is_some_and(|schema| !["pg_temp", "pg_catalog"].contains(&schema))
        })
        .filter(|name| !name.in_tenant_schema() && !context.names_one_tenant(name))
        .map(|name| name.range.clone())
        .collect()
}

fn extensions(context: &RuleContext<'_>) -> Vec<Span> {
    use SyntaxKind::{ALTER_EXTENSION, CREATE_EXTENSION, DROP_EXTENSION};
    let is_extension = matches!(context.statement.kind, ALTER_EXTENSION | CREATE_EXTENSION | DROP_EXTENSION);
    if is_extension && context.scope == Some(Scope::Tenant) {
        vec![context.statement.range.clone()]
    } else {
        Vec::new()
    }
}

/// A foreign key locks the referenced table (manual, ALTER TABLE: SHARE ROW EXCLUSIVE), `FOR UPDATE` locks rows.
fn locks(context: &RuleContext<'_>) -> Vec<Span> {
    if !is_tenant_migration(context) || !context.in_service {
        return Vec::new();
    }
    let of_platform = |name: &&Name| {
        name.schema.as_deref() == Some(context.schemas.platform) && name.role == NameRole::Referenced
    };
    let keys = [SyntaxKind::FOREIGN_KEY_CONSTRAINT, SyntaxKind::REFERENCES_CONSTRAINT];
    let holders: Vec<Span> = if context.nodes(&[SyntaxKind::LOCKING_CLAUSE]).next().is_some() {
        vec![context.statement.range.clone()]
    } else {
        context.nodes(&keys).map(Node::range).collect()
    };
    let relations = [SyntaxKind::RELATION_NAME_REF, SyntaxKind::TABLE_NAME_REF];
    let within = |name: &&Name| {
        holders.iter().any(|holder| holder.start <= name.range.start && name.range.end <= holder.end)
    };
    let names = context.statement.names.iter().filter(|name| relations.contains(&name.kind));
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
            ("DROP EXTENSION citext", &["drop-extension", "tenant-extension"]),
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
