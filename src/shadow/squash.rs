//! A new version of a template, from what a tenant at the chain's end really has; and the proof that it makes
//! the same tenant. Nothing is written here.

use super::database::Shadow;
use super::templates::{Pair, raise};
use crate::error::{Code, Failure, Source};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::catalog::server_major;
use crate::project::{Project, TEMPLATES};
use crate::sql::ScopedNames;
use crate::template::{Layout, NewFile, SchemaDump, Template};
use crate::tenant::After;

/// What writes down a schema: the database's name, the schema, the server's major version.
pub type Dump<'a> = &'a dyn Fn(&str, &SchemaName, u32) -> Result<String, Failure>;

/// The name under which the new version is tried; no folder is called so.
const TRIAL: &str = ".new";

/// The files of `template` at the chain's end, proved on `shadow`.
pub async fn squash(
    project: &Project,
    template: &Template,
    mut shadow: Shadow,
    dump: Dump<'_>,
) -> Result<Vec<NewFile>, Failure> {
    let files = squash_on(&mut shadow.connection, project, template, dump).await;
    let closed = shadow.close().await;
    let files = files?;
    closed?;
    Ok(files)
}

async fn squash_on(
    connection: &mut Connection,
    project: &Project,
    template: &Template,
    dump: Dump<'_>,
) -> Result<Vec<NewFile>, Failure> {
    raise(connection, project).await?;
    let old = Pair::make(connection, project, (&template.name, After::Nothing), 0).await?;
    let (database, major) = (database(connection).await?, server_major(connection).await?);
    let dumped = SchemaDump::read(&dump(&database, &old.schema, major)?, &old.schema.in_text())?;
    let latest = project.chain.latest();
    let rows =
        if old.has_rows() { template.row_statements_to(&project.chain, &latest) } else { vec![Vec::new()] };
    let mut why = None;
    let mut number = 0;
    for layout in Layout::ALL {
        for rows in &rows {
            number += 1;
            let mut files = dumped.files(&latest, (rows, &template.uses_lines()), layout);
            template.add_undumped(&mut files);
            match differences(connection, project, (&files, number), &old).await {
                Ok(lines) if lines.is_empty() => return Ok(files),
                Ok(lines) => {
                    // What was made and differs says more than what could not be made.
                    why = Some(lines.join("; "));
                }
                // A lost connection is no verdict.
                Err(failure) if failure.code.class() == crate::error::Class::Unreachable => {
                    return Err(failure);
                }
                Err(failure) => {
                    why.get_or_insert_with(|| failure.to_string());
                }
            }
        }
    }
    let why = why.unwrap_or_default();
    Err(Failure::new(
        Code::TemplateDiffers,
        format!("a new version of {:?} would not make the same tenant, so none is written: {why}", template.name),
    )
    .hint("rows that code writes cannot be taken over, only statements that are INSERT, UPDATE, DELETE or MERGE, and the temporary tables that these use; \
         what PostgreSQL prints otherwise than it was written can be written anew by a step of the chain"))
}

/// How a tenant of `files` differs from one of the old template.
async fn differences(
    connection: &mut Connection,
    project: &Project,
    (files, number): (&[NewFile], usize),
    old: &Pair,
) -> Result<Vec<String>, Failure> {
    let folder = format!("{TEMPLATES}/{TRIAL}");
    let sources =
        files.iter().map(|(name, text)| Source::new(format!("{folder}/{name}"), text.as_str())).collect();
    let platform = project.settings.platform_schema();
    let trial = Template::read(TRIAL, &folder, sources, &platform, &mut ScopedNames::default());
    let trial = trial.map_err(|errors| {
        let first = errors.into_iter().next().map(Failure::from);
        first.unwrap_or_else(|| Failure::new(Code::TemplateInvalid, "the new version cannot be read"))
    })?;
    let mut with = project.clone();
    with.templates.insert(TRIAL.to_owned(), trial);
    let new = Pair::make(connection, &with, (TRIAL, After::Nothing), number).await?;
    Ok(old.differences(&new))
}

async fn database(connection: &mut Connection) -> Result<String, Failure> {
    let doing =
        |server_error: crate::postgres::ServerError| server_error.failure("asking for the shadow's name");
    let sets = connection.query_batch("SELECT current_database()::text AS name").await.map_err(doing)?;
    match sets.iter().flatten().next() {
        Some(row) => row.text("name"),
        None => Err(Failure::new(Code::StatementFailed, "the shadow has no name")),
    }
}
