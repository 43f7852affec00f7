//! `tenant audit`: queries the catalog and returns the findings. Reads only catalogs and Tenure's own
//! tables, and writes nothing.

mod who;

use serde_json::{Value, json};

use self::who::AuditedTenant;
use super::{Audited, Fact, Kind, judge};
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, Slug, literal};
use crate::postgres::catalog::{self, Transaction};
use crate::postgres::metadata::{state, unknown_tenant};
use crate::postgres::{Connection, Row};
use crate::project::Project;
use crate::settings::Settings;
use crate::verify::{Finding, Policy, Tool};

/// The common table expressions of every query.
const TENANTS: &str = include_str!("tenants.sql");

/// The queries.
const QUERIES: &[&str] = &[
    include_str!("access.sql"),
    include_str!("reach.sql"),
    include_str!("text.sql"),
    include_str!("things.sql"),
    include_str!("outside.sql"),
    include_str!("routines.sql"),
    ROLE_QUERIES,
];

/// The query for privileges on settings, which servers before 15 do not have.
const PARAMETER_QUERY: &str = include_str!("parameters.sql");

/// The query for missing roles and privileges.
const ROLE_QUERIES: &str = include_str!("roles.sql");

/// Begins a transaction in which all queries see one snapshot. With an empty search path, the server prints qualified names. JIT
/// compilation is off, since it takes longer than it saves in these queries.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL search_path = ''; \
    SET LOCAL quote_all_identifiers = off; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'; SET LOCAL lock_timeout = '5s'";

/// Audits all tenants and returns all findings, or only those about the tenants in `only`.
pub async fn audit(
    connection: &mut Connection,
    project: &Project,
    only: &[Slug],
) -> Result<Audited, Failure> {
    let policy = Policy::new(Tool::Audit, &project.settings.audit.levels)?;
    let audited_tenants = audited_tenants(connection, &project.settings).await?;
    let requested = match requested(&audited_tenants, only) {
        Ok(requested) => requested,
        Err(unknown) => return Err(unknown_tenant(connection, &project.settings, unknown).await),
    };
    let mut queries = QUERIES.to_vec();
    if catalog::server_major(connection).await? >= 15 {
        queries.push(PARAMETER_QUERY);
    }
    let facts = facts(connection, project, &audited_tenants, &queries).await?;
    let mut findings = judge(&facts, &policy);
    if !only.is_empty() {
        let is_requested =
            |name: &Option<String>| name.as_ref().is_some_and(|name| requested.contains(&name.as_str()));
        let about = |finding: &Finding| {
            finding.object().is_some_and(|object| is_requested(&object.schema) || is_requested(&object.other))
        };
        findings.retain(about);
    }
    Ok(Audited::of(findings, policy.lowered(), requested.len()))
}

/// Facts about missing roles and privileges, such as `role-missing`, `role-lacks` and `role-elsewhere`.
pub(crate) async fn missing_privileges(
    connection: &mut Connection,
    project: &Project,
    audited_tenants: &[AuditedTenant],
) -> Result<Vec<Fact>, Failure> {
    facts(connection, project, audited_tenants, &[ROLE_QUERIES]).await
}

/// All tenants with a version row, with their roles.
pub(crate) async fn audited_tenants(
    connection: &mut Connection,
    settings: &Settings,
) -> Result<Vec<AuditedTenant>, Failure> {
    let presence = state::presence(connection, settings).await?;
    if presence.own_tables { who::all(connection, settings, presence).await } else { Ok(Vec::new()) }
}

/// The schemas of the tenants in `only`, or of all tenants if `only` is empty.
/// The error is a slug that no tenant has.
fn requested<'a, 's>(
    audited_tenants: &'a [AuditedTenant],
    only: &'s [Slug],
) -> Result<Vec<&'a str>, &'s Slug> {
    if only.is_empty() {
        return Ok(audited_tenants.iter().map(|who| who.schema.as_str()).collect());
    }
    let schema_of = |slug: &'s Slug| {
        let found = audited_tenants.iter().find(|who| who.slug.as_deref() == Some(slug.as_str()));
        found.map(|who| who.schema.as_str()).ok_or(slug)
    };
    only.iter().map(schema_of).collect()
}

/// Runs `queries`. Returns their facts, and those about tenants whose template is missing.
async fn facts(
    connection: &mut Connection,
    project: &Project,
    audited_tenants: &[AuditedTenant],
    queries: &[&str],
) -> Result<Vec<Fact>, Failure> {
    let mut facts: Vec<Fact> =
        audited_tenants.iter().filter_map(|who| who.unknown_template(project)).collect();
    if audited_tenants.is_empty() {
        return Ok(facts);
    }
    let parameters = literal(&parameters(project, audited_tenants).to_string());
    let requested: Vec<_> = queries.iter().map(|query| format!("WITH RECURSIVE {TENANTS}{query}")).collect();
    let sql = format!(
        "{BEGIN}; SELECT set_config('tenure.audit', {parameters}, true); {}; COMMIT",
        requested.join(";\n")
    );
    let sets =
        catalog::query_with_retry(connection, &sql, Transaction::Own, "auditing the tenants' isolation")
            .await?;
    // The last results are those of the queries and of COMMIT.
    let answers = sets.iter().skip(sets.len().saturating_sub(queries.len() + 1)).flatten();
    for row in answers {
        facts.push(fact(row)?);
    }
    Ok(facts)
}

/// The project's data for the queries, as JSON: the tenants, the `-- Uses:` lines, and the settings.
fn parameters(project: &Project, audited_tenants: &[AuditedTenant]) -> Value {
    let tenants: Vec<_> = audited_tenants.iter().map(|who| who.parameters(project)).collect();
    let uses: Vec<Value> = project
        .templates
        .values()
        .flat_map(|template| template.uses.iter().map(move |a_use| (template, a_use)))
        .flat_map(|(template, a_use)| a_use.privileges.iter().map(move |right| (template, a_use, right)))
        .map(|(template, a_use, right)| {
            json!({ "template": template.name, "table_name": a_use.table, "a_right": right.as_str() })
        })
        .collect();
    json!({
        "tenants": tenants,
        "uses": uses,
        "platform": project.settings.platform_schema(),
        "roles": project.settings.tenants.roles,
    })
}

/// Parses a row of a query's result.
fn fact(row: &Row) -> Result<Fact, Failure> {
    let word = row.text("fact")?;
    let kind = Kind::named(&word).ok_or_else(|| {
        Failure::new(Code::StatementFailed, format!("auditing: unknown fact {word:?} in the query result"))
    })?;
    Ok(Fact {
        kind,
        schema: row.optional_text("schema")?,
        object: row.text("object")?,
        who: row.optional_text("who")?,
        other: row.optional_text("other")?,
        what: row.optional_text("what")?,
        target: row.optional_text("target")?,
    })
}

/// The schemas of the facts of these kinds.
pub(crate) fn schemas_of(facts: &[Fact], kinds: &[Kind]) -> Vec<SchemaName> {
    let named = facts.iter().filter(|fact| kinds.contains(&fact.kind)).filter_map(|fact| fact.schema.clone());
    let mut schemas: Vec<_> = named.filter_map(|name| SchemaName::existing(name).ok()).collect();
    schemas.sort();
    schemas.dedup();
    schemas
}
