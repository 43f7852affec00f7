//! Squashes a template: generates new files for it from a tenant at the end of the chain, and checks that they create the same
//! tenant. Writes no files.

use super::database::Shadow;
use super::prepared;
use super::templates::{TenantPair, migrate_to_latest};
use crate::error::{Code, Failure, Source};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::catalog::server_major;
use crate::project::{Project, TEMPLATES};
use crate::sql::{ORG_SCHEMA, ScopedNames};
use crate::template::{Layout, NewFile, SchemaDump, Template};
use crate::tenant::After;

/// A function that dumps a schema as SQL. Arguments: the database's name, the schema, the server's major version.
pub type Dump<'a> = &'a dyn Fn(&str, &SchemaName, u32) -> Result<String, Failure>;

/// The name of a temporary template with the new files. No template folder has this name.
const TRIAL: &str = ".new";

/// Returns new files for `template` at the end of the chain, after a check on `shadow`. Closes the shadow.
pub async fn squash(
    project: &Project,
    template: &Template,
    mut shadow: Shadow,
    dump: Dump<'_>,
) -> Result<Vec<NewFile>, Failure> {
    prepared::create_named_roles(project, &shadow).await?;
    let files = Box::pin(squash_on(&mut shadow.connection, project, template, dump)).await;
    let closed = shadow.close().await;
    let files = files.map_err(super::of_shadow)?;
    closed?;
    Ok(files)
}

/// Tries each layout with each variant of the row statements, and returns the first files that create the same tenant.
async fn squash_on(
    connection: &mut Connection,
    project: &Project,
    template: &Template,
    dump: Dump<'_>,
) -> Result<Vec<NewFile>, Failure> {
    migrate_to_latest(connection, project).await?;
    let old = TenantPair::make(connection, project, (&template.name, After::Nothing), 0).await?;
    let (database, major) = (database(connection).await?, server_major(connection).await?);
    let dumped = dump(&database, &old.schema, major)?.replace(&old.schema.in_text(), ORG_SCHEMA);
    let dumped = SchemaDump::read(&dumped, &old.filled_views(), |_, _| true)?;
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
            match Box::pin(differences(connection, project, (&files, number), &old)).await {
                Ok(lines) if lines.is_empty() => return Ok(files),
                Ok(lines) => {
                    // A difference replaces an earlier failure in the message, since it is more specific.
                    why = Some(lines.join("; "));
                }
                // A lost connection is not a result.
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
        format!("no file is written, since the new version of {:?} would not create the same tenant: {why}", template.name),
    )
    .hint("INSERT, UPDATE, DELETE and MERGE statements and the temporary tables that they use can be squashed, rows that code writes cannot; \
         if PostgreSQL fingerprints an object differently from its source, recreate the object in a step of the chain"))
}

/// The differences between a tenant of `files` and one of the old template.
async fn differences(
    connection: &mut Connection,
    project: &Project,
    (files, number): (&[NewFile], usize),
    old: &TenantPair,
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
    let new = TenantPair::make(connection, &with, (TRIAL, After::Nothing), number).await?;
    Ok(old.differences(&new))
}

/// The name of the shadow's database.
async fn database(connection: &mut Connection) -> Result<String, Failure> {
    let doing =
        |server_error: crate::postgres::ServerError| server_error.failure("reading the shadow's name");
    let sets = connection.query_batch("SELECT current_database()::text AS name").await.map_err(doing)?;
    match sets.iter().flatten().next() {
        Some(row) => row.text("name"),
        None => Err(Failure::new(Code::StatementFailed, "the shadow has no name")),
    }
}
