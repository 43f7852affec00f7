//! Statements that raise one of Tenure's errors unless a condition holds. If it holds, none of them loads PL/pgSQL.

use super::registry::{self, ID_COLUMN};
use crate::chain::Version;
use crate::ident::{SchemaName, Slug, literal};
use crate::postgres::error;
use crate::settings::Settings;

/// The call that raises an error; `message` and `detail` are expressions.
pub(super) fn refuse(platform: &SchemaName, sqlstate: &str, message: &str, detail: Option<&str>) -> String {
    let detail = detail.map(|detail| format!(", {detail}")).unwrap_or_default();
    format!("{}.tenure_refuse('{sqlstate}', {message}{detail})", platform.quoted())
}

/// Fails unless the registry has exactly one row with the schema, an expression, and selects its id. A trigger, a view, a policy or
/// the condition of the settings may discard a write.
pub fn expect_registered(settings: &Settings, schema: &str) -> String {
    let message = "format('%s rows of the registry instead of one', found)";
    let columns = &settings.tenants.columns;
    format!(
        "SELECT id AS {ID_COLUMN}, CASE WHEN found <> 1 THEN {} END AS refused \
         FROM (SELECT count(*) AS found, min({}::text) AS id FROM {} WHERE {} = {schema}) counted",
        refuse(&settings.platform_schema(), error::NOT_ONE_ROW, message, None),
        columns.id.quoted(),
        registry::rows(settings),
        columns.schema.quoted(),
    )
}

/// Fails if the registry has a row with the schema. A trigger or a rule may prevent its deletion.
pub fn expect_unregistered(settings: &Settings, schema: &SchemaName) -> String {
    let message = format!("the registry keeps the row of schema {schema}, by a trigger or a rule");
    format!(
        "SELECT {} WHERE EXISTS (SELECT FROM {} WHERE {} = {})",
        refuse(&settings.platform_schema(), error::ROW_NOT_DELETED, &literal(&message), None),
        registry::table(settings),
        settings.tenants.columns.schema.quoted(),
        literal(schema.as_str()),
    )
}

/// Fails if the schema's name or the slug is in use, except by the tenant with the schema `own`.
pub fn expect_free(
    settings: &Settings,
    schema: &SchemaName,
    slug: &Slug,
    own: Option<&SchemaName>,
) -> String {
    let (platform, columns) = (settings.platform_schema(), &settings.tenants.columns);
    let (named, of) = (literal(schema.as_str()), columns.schema.quoted());
    let but = own.map(|own| format!(" AND {of} IS DISTINCT FROM {}", literal(own.as_str())));
    let registered = format!(
        "EXISTS (SELECT FROM {} WHERE ({of} = {named} OR {} = {}){})",
        registry::table(settings),
        registry::slug(settings),
        literal(slug.as_str()),
        but.unwrap_or_default(),
    );
    let there = if own == Some(schema) {
        String::new()
    } else {
        format!(
            " OR EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {named}) \
             OR EXISTS (SELECT FROM {}.tenant_version WHERE schema_name = {named})",
            platform.quoted()
        )
    };
    let message = if own == Some(schema) {
        "a schema, or a tenant of that name, is there already".to_owned()
    } else {
        format!("schema {schema}, or a tenant of that name, is there already")
    };
    let refuse = refuse(&platform, error::NAME_TAKEN, &literal(&message), None);
    format!("SELECT {refuse} WHERE {registered}{there}")
}

/// Fails unless each tenant is at one of the versions. A version that is not in the chain counts as behind; pool schemas do not
/// count.
pub fn expect_tenants_at(platform: &SchemaName, versions: &[Version]) -> String {
    let versions: Vec<String> = versions.iter().map(|version| format!("'{version}'")).collect();
    let message = "format('the platform waits for tenants that are behind: %s', behind)";
    format!(
        "SELECT {} FROM (SELECT count(*) AS behind, min(schema_name) AS one FROM {}.tenant_version \
         WHERE version NOT IN ({}) AND status NOT IN ('dropped', 'pooled')) counted WHERE behind > 0",
        refuse(platform, error::TENANTS_BEHIND, message, Some("'one of them is ' || one")),
        platform.quoted(),
        versions.join(", "),
    )
}

/// Fails if an object outside of the schema depends on its objects.
pub fn expect_no_dependents(platform: &SchemaName, schema: &SchemaName) -> String {
    format!("SELECT {}.tenure_expect_no_dependents({})", platform.quoted(), literal(schema.as_str()))
}

/// Selects the objects outside of the schema, an expression, that depend on its objects, in the column `dependent`.
pub fn dependents(platform: &SchemaName, schema: &str) -> String {
    format!("SELECT dependent FROM {}.tenure_dependents({schema}) AS dependent", platform.quoted())
}

/// Fails unless the current role may drop all objects in the schema. A schema's owner may drop them, except foreign keys of
/// tables that other roles own.
pub fn expect_ownership(platform: &SchemaName, schema: &SchemaName) -> String {
    let message = "format('%s does not belong to %s', thing, current_user)";
    format!(
        "SELECT {} FROM (SELECT 'schema ' || quote_ident(nspname) AS thing FROM pg_catalog.pg_namespace \
             WHERE nspname = {named} AND NOT pg_has_role(nspowner, 'USAGE') \
         UNION ALL SELECT format('table %I.%I', nspname, relname) FROM pg_catalog.pg_namespace n \
             JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid \
             WHERE nspname = {named} AND contype = 'f' AND NOT pg_has_role(relowner, 'USAGE') \
         ORDER BY thing LIMIT 1) others",
        refuse(platform, "42501", message, None),
        named = literal(schema.as_str()),
    )
}
