//! `tenant audit`: the question for the walls, asked of the catalog in pages of tenants. What the answers mean, the
//! layer `walls` says. Reads only catalogs and Tenure's own tables, and writes nothing.

mod who;

use serde_json::{Value, json};

use self::who::Who;
use super::{Audited, Fact, Kind, Policy, judge};
use crate::error::{Code, Failure};
use crate::executor::unknown_tenant;
use crate::ident::{SchemaName, Slug, literal};
use crate::postgres::catalog::{self, Asked};
use crate::postgres::metadata::state;
use crate::postgres::{Connection, Row};
use crate::project::Project;
use crate::settings::Settings;

/// What every question begins with.
const TENANTS: &str = include_str!("tenants.sql");

/// The questions, each a page of the tenants against all of them.
const QUESTIONS: &[&str] = &[
    include_str!("access.sql"),
    include_str!("reach.sql"),
    include_str!("text.sql"),
    include_str!("things.sql"),
    ROLES,
];

/// The one of them that is about what roles lack.
const ROLES: &str = include_str!("roles.sql");

/// With no search path each name is printed with its schema. Compiling a query that runs once costs more than it gains.
const OPEN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL search_path = ''; \
    SET LOCAL quote_all_identifiers = off; SET LOCAL jit = off; SET LOCAL lock_timeout = '5s'";

/// So many tenants a page: each question joins the page with the whole catalog.
const PAGE: usize = 2_500;

/// Proves the walls of all tenants, or tells only what is about those of `only`.
pub async fn audit(
    connection: &mut Connection,
    project: &Project,
    only: &[Slug],
) -> Result<Audited, Failure> {
    let policy = Policy::new(&project.settings.audit.levels)?;
    let everybody = everybody(connection, &project.settings).await?;
    let asked = asked(&everybody, only)?;
    let facts = facts(connection, project, &everybody, QUESTIONS).await?;
    let mut findings = judge(&facts, &policy);
    if !only.is_empty() {
        let is_asked =
            |name: &Option<String>| name.as_ref().is_some_and(|name| asked.contains(&name.as_str()));
        findings.retain(|finding| is_asked(&finding.schema) || is_asked(&finding.other));
    }
    Ok(Audited::of(findings, asked.len()))
}

/// What the roles of the tenants lack, or that there are none: facts of `role-missing`, `role-lacks` and
/// `role-elsewhere` among others.
pub(crate) async fn lacking(
    connection: &mut Connection,
    project: &Project,
    everybody: &[Who],
) -> Result<Vec<Fact>, Failure> {
    facts(connection, project, everybody, &[ROLES]).await
}

/// All that have a version row, with their roles.
pub(crate) async fn everybody(connection: &mut Connection, settings: &Settings) -> Result<Vec<Who>, Failure> {
    let presence = state::presence(connection, settings).await?;
    if presence.own_tables { who::all(connection, settings, presence).await } else { Ok(Vec::new()) }
}

/// The schemas of the tenants that are asked for.
fn asked<'a>(everybody: &'a [Who], only: &[Slug]) -> Result<Vec<&'a str>, Failure> {
    if only.is_empty() {
        return Ok(everybody.iter().map(|who| who.schema.as_str()).collect());
    }
    let schema_of = |slug: &Slug| {
        let found = everybody.iter().find(|who| who.slug.as_deref() == Some(slug.as_str()));
        found.map(|who| who.schema.as_str()).ok_or_else(|| unknown_tenant(slug))
    };
    only.iter().map(schema_of).collect()
}

async fn facts(
    connection: &mut Connection,
    project: &Project,
    everybody: &[Who],
    questions: &[&str],
) -> Result<Vec<Fact>, Failure> {
    let mut facts: Vec<Fact> = everybody.iter().filter_map(|who| who.unknown_template(project)).collect();
    for page in everybody.chunks(PAGE) {
        let said = literal(&said(project, everybody, page).to_string());
        let asked: Vec<_> =
            questions.iter().map(|question| format!("WITH RECURSIVE {TENANTS}{question}")).collect();
        let sql =
            format!("{OPEN}; SELECT set_config('tenure.audit', {said}, true); {}; COMMIT", asked.join(";\n"));
        let sets = catalog::ask(connection, &sql, Asked::Alone, "auditing the tenants' walls").await?;
        let answers = sets.iter().skip(sets.len().saturating_sub(questions.len() + 1)).flatten();
        for row in answers {
            facts.push(fact(row)?);
        }
    }
    Ok(facts)
}

/// What the server is to know of the project.
fn said(project: &Project, everybody: &[Who], page: &[Who]) -> Value {
    let first = page.first().map(|who| &who.schema);
    let begin = everybody.iter().position(|who| Some(&who.schema) == first).unwrap_or_default();
    let of_page = begin..begin + page.len();
    let tenants: Vec<_> =
        everybody.iter().enumerate().map(|(at, who)| who.said(project, of_page.contains(&at))).collect();
    let uses: Vec<Value> = project
        .templates
        .values()
        .flat_map(|template| template.uses.iter().map(move |a_use| (template, a_use)))
        .flat_map(|(template, a_use)| a_use.rights.iter().map(move |right| (template, a_use, right)))
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

fn fact(row: &Row) -> Result<Fact, Failure> {
    let word = row.text("fact")?;
    let kind = Kind::named(&word).ok_or_else(|| {
        Failure::new(
            Code::StatementFailed,
            format!("auditing: the server told of {word:?}, which nobody asked for"),
        )
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

/// The schemas of facts of these kinds.
pub(crate) fn schemas_of(facts: &[Fact], kinds: &[Kind]) -> Vec<SchemaName> {
    let named = facts.iter().filter(|fact| kinds.contains(&fact.kind)).filter_map(|fact| fact.schema.clone());
    let mut schemas: Vec<_> = named.filter_map(|name| SchemaName::existing(name).ok()).collect();
    schemas.sort();
    schemas.dedup();
    schemas
}
