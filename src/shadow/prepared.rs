//! What happens on a shadow before the first statement of the project: the extensions of the chain are created while the database
//! is empty, since the script of an extension runs with a superuser's rights and could use what a project has created. The
//! project's own CREATE EXTENSION is omitted then.

use std::collections::BTreeSet;

use super::database::Shadow;
use super::setup;
use crate::error::{Code, Failure, did_you_mean};
use crate::ident::{Identifier, SchemaName, Slug};
use crate::postgres::batch::{BEGIN, SessionState, SqlBatch};
use crate::postgres::server::ROLE;
use crate::postgres::{Connection, Prepared, RestrictedRole};
use crate::project::Project;
use crate::sql::{
    self, Runs, Script, Statement, SuperuserAction, SuperuserStatement, is_org_schema, roles_created_by_code,
};

/// Fails unless the server has the extensions.
pub(super) async fn expect_available(
    connection: &mut Connection,
    extensions: &[String],
) -> Result<(), Failure> {
    if extensions.is_empty() {
        return Ok(());
    }
    let sets =
        connection.query_batch("SELECT name::text AS name FROM pg_catalog.pg_available_extensions").await;
    let sets =
        sets.map_err(|server_error| server_error.failure("reading the extensions of the shadow's server"))?;
    let available = sets.iter().flatten().map(|row| row.text("name")).collect::<Result<Vec<_>, _>>()?;
    let Some(missing) = extensions.iter().find(|name| !available.contains(name)) else { return Ok(()) };
    let message = format!("the shadow's server does not have the extension {missing:?}");
    let near = did_you_mean(missing, available.iter().map(String::as_str));
    Err(Failure::new(Code::ShadowExtension, message).hint(near.unwrap_or_else(|| {
        "install it there, or omit it: `SELECT name FROM pg_available_extensions` lists those of a server"
            .to_owned()
    })))
}

/// Creates the extensions: trusted ones as the restricted role, which owns the database (manual, CREATE EXTENSION), and those of
/// `allowed` as the superuser. An extension that cannot be created is left to the project's statement, whose error is reported.
pub(super) async fn create_extensions(
    project: &Project,
    (session, mut superuser): (&mut Connection, Option<&mut Connection>),
    allowed: &[String],
) -> Result<(), Failure> {
    let mut created: Vec<String> = Vec::new();
    for (script, statement) in statements(project) {
        let Some(extension) = statement.created_extension(script) else { continue };
        if created.contains(&extension) || statement.acts_on_server_host(script) {
            continue;
        }
        let schema = statement.schema_clause();
        if schema.is_some_and(is_org_schema) {
            continue;
        }
        // The project's CREATE SCHEMA is omitted, too.
        let schema_statement = match schema.filter(|schema| *schema != "public") {
            None => None,
            Some(schema) => match creating(project, schema) {
                Some((script, statement)) if statement.creates_more_than_schema(script) => continue,
                found => Some((schema, found)),
            },
        };
        let mut message = SqlBatch::default();
        message.push(BEGIN);
        if let Some((schema, _)) = schema_statement {
            message.push(&format!("CREATE SCHEMA IF NOT EXISTS {}", Identifier::new(schema)?.quoted()));
        }
        let platform: SchemaName = project.settings.platform_schema();
        message.search_path(&platform, &project.settings.shared_path());
        message.push_file(script, std::iter::once(statement), &platform);
        message.commit(SessionState::None);
        let mut made = session.send(&message).await;
        if let (Err(server_error), Some(superuser)) = (&made, superuser.as_deref_mut())
            && server_error.sqlstate() == Some("42501")
            && allowed.contains(&extension)
        {
            made = superuser.send(&message).await;
        }
        match made {
            Ok(_) => {}
            Err(server_error) if server_error.sqlstate().is_none() => {
                return Err(server_error.failure("creating the extensions of the chain on the shadow"));
            }
            Err(_) => continue,
        }
        let Some(role) = session.restricted_role() else { continue };
        let file = |script: &Script| script.source.file.clone();
        role.omit_prepared(&file(script), statement.range.start, Prepared::Extension(extension.clone()));
        if let Some((schema, Some((script, statement)))) = schema_statement {
            role.omit_prepared(&file(script), statement.range.start, Prepared::Schema(schema.to_owned()));
        }
        created.push(extension);
    }
    Ok(())
}

/// The roles that statements of the project create.
fn created_by_statement(project: &Project) -> BTreeSet<String> {
    statements(project)
        .filter(|(_, statement)| statement.verb().starts_with("CREATE "))
        .filter_map(|(script, statement)| match SuperuserStatement::of(script.text(statement), &[])?.kind {
            SuperuserAction::Roles { created } => created,
            _ => None,
        })
        .collect()
}

/// Creates the roles that the project grants privileges to and does not create, on a server of its own. The shadow's role becomes a
/// member.
pub(super) async fn create_named_roles(project: &Project, shadow: &Shadow) -> Result<(), Failure> {
    let member = shadow.connection.restricted_role().map(RestrictedRole::name);
    let (Some(member), Some(mut superuser)) = (member, shadow.superuser().await?) else { return Ok(()) };
    let named = statements(project).flat_map(|(script, statement)| sql::roles_named(script.text(statement)));
    let mut roles: BTreeSet<String> = named.collect();
    let created = created_by_statement(project);
    roles.retain(|role| !created.contains(role));
    for role in &roles {
        let Ok(name) = Identifier::new(role) else { continue };
        let sql = format!("CREATE ROLE {0} NOLOGIN; GRANT {0} TO {1}", name.quoted(), member.quoted());
        // One that exists already, or that the server reserves.
        let _created = superuser.run(&sql).await;
    }
    superuser.close().await;
    Ok(())
}

/// Creates the roles of the shadow's tenants, if files name them.
pub(super) async fn create_tenant_roles(
    project: &Project,
    session: &Connection,
    superuser: &mut Connection,
) -> Result<(), Failure> {
    let Some(member) = session.restricted_role().map(RestrictedRole::name) else { return Ok(()) };
    if !project.names_tenant_roles() {
        return Ok(());
    }
    let (settings, member) = (&project.settings, member.quoted());
    let mut statements = Vec::new();
    for slug in setup::slugs(project) {
        let slug = Slug::new(&slug)?;
        let schema = SchemaName::of(&settings.tenants.schema_prefix, &slug, &settings.platform_schema())?;
        let role = settings.tenant_role(&schema)?.quoted();
        statements.push(format!("CREATE ROLE {role} NOLOGIN; GRANT {role} TO {member}"));
    }
    let made = superuser.run(&statements.join("; ")).await;
    made.map_err(|server_error| server_error.failure("creating the roles of the shadow's tenants"))
}

/// Creates the roles that only code of the project creates, usually where they do not exist. The shadow's role becomes a member.
pub(super) async fn create_roles(
    project: &Project,
    session: &Connection,
    superuser: &mut Connection,
) -> Result<(), Failure> {
    let Some(member) = session.restricted_role().map(RestrictedRole::name) else { return Ok(()) };
    let by_statement = created_by_statement(project);
    let mut roles = BTreeSet::new();
    for (script, statement) in statements(project).filter(|(_, statement)| statement.runs_code()) {
        roles.extend(roles_created_by_code(script.text(statement)));
    }
    roles.retain(|role| !by_statement.contains(role) && role != ROLE);
    for role in &roles {
        let Ok(name) = Identifier::new(role) else { continue };
        let sql = format!("CREATE ROLE {0} NOLOGIN; GRANT {0} TO {1}", name.quoted(), member.quoted());
        // A role that cannot be created is left to the project's code, whose error is reported.
        let _created = superuser.run(&sql).await;
    }
    // The server checks the right to create a role before it looks for the name, so such a block would fail.
    for (script, statement) in statements(project).filter(|(_, statement)| statement.runs_code()) {
        if let (Some(created), Some(restricted)) =
            (role_created_if_missing(script, statement), session.restricted_role())
            && roles.contains(&created)
        {
            let (file, start) = (&script.source.file, statement.range.start);
            restricted.omit_prepared(file, start, Prepared::Role(created));
        }
    }
    Ok(())
}

/// The role that a DO block creates if it does not exist, if that is all that the block does.
fn role_created_if_missing(script: &Script, statement: &Statement) -> Option<String> {
    let code = sql::Code::of(script, statement)?;
    let ([only], [Runs::IfMissing(_)]) = (code.script.statements.as_slice(), code.runs.as_slice()) else {
        return None;
    };
    if code.is_dynamic || !code.expressions.is_empty() {
        return None;
    }
    match SuperuserStatement::of(code.script.text(only), &[ROLE])?.kind {
        SuperuserAction::Roles { created } => created,
        _ => None,
    }
}

/// The statements of all migrations and templates, in order.
fn statements(project: &Project) -> impl Iterator<Item = (&Script, &Statement)> {
    let of_chain = project.chain.migrations().iter().flat_map(|migration| {
        migration.statements.iter().map(|(statement, _)| (&migration.script, statement))
    });
    let files = project.templates.values().flat_map(|template| &template.files);
    of_chain.chain(
        files.flat_map(|(script, statements)| statements.iter().map(move |statement| (script, statement))),
    )
}

/// The first statement that creates the schema.
fn creating<'p>(project: &'p Project, schema: &str) -> Option<(&'p Script, &'p Statement)> {
    statements(project).find(|(_, statement)| statement.created_schema() == Some(schema))
}
