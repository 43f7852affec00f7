//! `tenure tenant suspend`, `resume`, `login`, `grant`, `audit`: what is about tenants' roles and walls.

use clap::Args;

use super::{OneTenant, on_one};
use crate::cli::args::Limits;
use crate::cli::ui::Outcome;
use crate::cli::{Context, command_line, database};
use crate::error::Failure;
use crate::ident::{SchemaName, Slug};
use crate::isolation;
use crate::postgres::Connection;
use crate::tenant::{self, Login, LoginChange, TenantOperation};

#[derive(Debug, Args)]
pub(in crate::cli) struct LoginArgs {
    #[command(flatten)]
    tenant: OneTenant,
    /// The role may no longer log in; its open sessions are ended
    #[arg(long)]
    revoke: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GrantArgs {
    /// Their slugs [default: all tenants]
    slug: Vec<String>,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AuditArgs {
    /// Tell only what is about this tenant, which may be said again [default: all tenants]
    #[arg(long, value_name = "SLUG")]
    tenant: Vec<String>,
}

pub(super) async fn suspend(context: &Context, args: &OneTenant) -> Result<u8, Failure> {
    turn(context, args, "tenant suspend", tenant::suspend).await
}

pub(super) async fn resume(context: &Context, args: &OneTenant) -> Result<u8, Failure> {
    turn(context, args, "tenant resume", tenant::resume).await
}

async fn turn(
    context: &Context,
    args: &OneTenant,
    verb: &str,
    operation: impl AsyncFnOnce(&mut Connection, &TenantOperation<'_>, &Slug) -> Result<LoginChange, Failure>,
) -> Result<u8, Failure> {
    let login_change = on_one(context, args, verb, operation).await?;
    context.ui.result(&login_change, |paint| tenant::lifecycle::text::login_change(&login_change, paint))?;
    Ok(0)
}

pub(super) async fn login(context: &Context, args: &LoginArgs) -> Result<u8, Failure> {
    let login = if args.revoke { Login::Revoked } else { Login::Given };
    on_one(context, &args.tenant, "tenant login", async |connection, operation, slug| {
        let done = tenant::login(connection, operation, slug, login).await?;
        let text = |paint| tenant::roles::text::logged_in(&done, paint);
        if done.password.is_none() {
            context.ui.result(&done, text)?;
        } else if let Err(failure) = context.ui.secret(Outcome::Done, &done, text) {
            return Err(unseen(connection, operation, &[done.tenant.schema], failure).await);
        }
        Ok(0)
    })
    .await
}

/// The new passwords of these tenants' roles could not be written: they are taken away, and the failure says so.
pub(super) async fn unseen(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    schemas: &[SchemaName],
    mut failure: Failure,
) -> Failure {
    let (passwords, them) = if schemas.len() == 1 { ("password", "it") } else { ("passwords", "them") };
    match tenant::withdraw(connection, operation, schemas).await {
        Ok(()) => {
            failure.message = format!(
                "{}: the new {passwords} could not be shown, so nobody can log in with {them}",
                failure.message
            );
            failure.hint("`tenure tenant login SLUG` gives the tenant's role a new one")
        }
        Err(other) => {
            failure.message = format!(
                "{}: the new {passwords} could not be shown, nor taken away: {}",
                failure.message, other.message
            );
            failure.hint("`tenure tenant login SLUG --revoke` takes the login away")
        }
    }
}

pub(super) async fn grant(context: &Context, args: &GrantArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let slugs = args.slug.iter().map(|slug| Slug::new(slug)).collect::<Result<Vec<_>, _>>()?;
    let limits = args.limits.or(project.settings.migrate);
    let how = TenantOperation { settings: &project.settings, limits, command: command_line("tenant grant") };
    let mut connection = database::connect(context, &project.root).await?;
    let granted = tenant::grant(&mut connection, &how, &project, &slugs).await?;
    connection.close().await;
    let went = if granted.failures.is_empty() { Outcome::Done } else { Outcome::Failed };
    context.ui.outcome(went, &granted, |paint| tenant::roles::text::granted(&granted, paint))?;
    Ok(granted.ending().exit_code())
}

pub(super) async fn audit(context: &Context, args: &AuditArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let slugs = args.tenant.iter().map(|slug| Slug::new(slug)).collect::<Result<Vec<_>, _>>()?;
    let mut connection = database::connect(context, &project.root).await?;
    let audited = isolation::audit(&mut connection, &project, &slugs).await?;
    connection.close().await;
    context.ui.result(&audited, |paint| isolation::text::audited(&audited, paint))?;
    Ok(audited.exit_code())
}
