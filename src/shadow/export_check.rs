//! Proves that an export can be imported: on a throwaway database whose platform has the tenant's version. The rows of shared tables are
//! not there, so the foreign keys to them are not checked.

use tokio_util::sync::CancellationToken;

use super::database::{MissingExtension, Shadow, ShadowRequest};
use super::setup;
use crate::error::Failure;
use crate::event::{Silent, Sink};
use crate::ident::Identifier;
use crate::postgres::server::Environment;
use crate::project::Project;
use crate::tenant::{ExportFile, TenantOperation, import_on_throwaway_database};

/// Imports the file on a new private server.
pub async fn check_export(
    project: &Project,
    file: ExportFile,
    (environment, stop): (&Environment, &CancellationToken),
) -> Result<(), Failure> {
    let extensions: Vec<String> = file.extensions().map(|(name, _)| name.to_owned()).collect();
    let missing = MissingExtension::Refused;
    let request = ShadowRequest { url: None, extensions: &extensions, missing, environment };
    let mut shadow = Box::pin(Shadow::for_chain(project, request)).await?;
    create_requirements(&shadow, &file).await?;
    let checked = Box::pin(import_on(&mut shadow, project, file, (environment, stop))).await;
    let closed = shadow.close().await;
    checked.map_err(super::of_shadow)?;
    closed
}

/// Creates the tenant's roles, and the extensions in `public` that the chain does not create.
async fn create_requirements(shadow: &Shadow, file: &ExportFile) -> Result<(), Failure> {
    let role = shadow.connection.restricted_role();
    let (Some(member), Some(mut superuser)) = (role, shadow.superuser().await?) else { return Ok(()) };
    let member = member.name().quoted();
    for role in file.roles() {
        let role = Identifier::new(role)?.quoted();
        // One that exists already.
        let _created = superuser.run(&format!("CREATE ROLE {role} NOLOGIN; GRANT {role} TO {member}")).await;
    }
    for (extension, schema) in file.extensions().filter(|(_, schema)| *schema == "public") {
        let extension = Identifier::new(extension)?.quoted();
        // A failure is reported by the import, which requires the extension.
        let _created = superuser
            .run(&format!("CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA {schema} CASCADE"))
            .await;
    }
    superuser.close().await;
    Ok(())
}

async fn import_on(
    shadow: &mut Shadow,
    project: &Project,
    file: ExportFile,
    (environment, stop): (&Environment, &CancellationToken),
) -> Result<(), Failure> {
    // Roles of tenants belong to a server.
    let mut project = project.clone();
    project.settings.tenants.roles = false;
    if let Some(failure) = setup::migrate(&mut shadow.connection, &project, &file.version()?).await? {
        return Err(failure);
    }
    let operation = TenantOperation {
        settings: &project.settings,
        limits: project.settings.migrate,
        command: "tenure tenant export --check".to_owned(),
    };
    let how = (environment, &mut Silent as &mut dyn Sink, stop);
    import_on_throwaway_database(&mut shadow.connection, &project, file, &operation, how).await.map(drop)
}
