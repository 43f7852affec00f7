//! `tenure tenant suspend|resume|login|grant|audit`.

use clap::Args;

use super::{OneTenant, on_tenant, operation};
use crate::cli::args::Limits;
use crate::cli::report::{self, ReportArgs};
use crate::cli::ui::Outcome;
use crate::cli::{Context, database};
use crate::error::Failure;
use crate::ident::{SchemaName, Slug};
use crate::isolation::{self, Audited};
use crate::postgres::Connection;
use crate::tenant::{self, Login, LoginChange, TenantOperation};

#[derive(Debug, Args)]
pub(in crate::cli) struct LoginArgs {
    #[command(flatten)]
    tenant: OneTenant,
    /// Disable login and terminate the role's sessions
    #[arg(long)]
    revoke: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GrantArgs {
    /// Slugs of the tenants [default: all]
    slug: Vec<String>,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AuditArgs {
    /// Report only findings about this tenant; repeatable [default: all tenants]
    #[arg(long, value_name = "SLUG")]
    tenant: Vec<String>,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn suspend(context: &Context, args: &OneTenant) -> Result<u8, Failure> {
    change_login(context, args, "tenant suspend", tenant::suspend).await
}

pub(super) async fn resume(context: &Context, args: &OneTenant) -> Result<u8, Failure> {
    change_login(context, args, "tenant resume", tenant::resume).await
}

async fn change_login(
    context: &Context,
    args: &OneTenant,
    verb: &str,
    operation: impl AsyncFnOnce(&mut Connection, &TenantOperation<'_>, &Slug) -> Result<LoginChange, Failure>,
) -> Result<u8, Failure> {
    let login_change = on_tenant(context, args, verb, operation).await?;
    context.ui.result(&login_change, |paint| tenant::lifecycle::text::login_change(&login_change, paint))?;
    Ok(0)
}

pub(super) async fn login(context: &Context, args: &LoginArgs) -> Result<u8, Failure> {
    let login = if args.revoke { Login::Revoked } else { Login::Given };
    on_tenant(context, &args.tenant, "tenant login", async |connection, operation, slug| {
        let done = tenant::login(connection, operation, slug, login).await?;
        let text = |paint| tenant::roles::text::logged_in(&done, paint);
        if done.password.is_none() {
            context.ui.result(&done, text)?;
        } else if let Err(failure) = context.ui.secret(Outcome::Done, &done, text) {
            return Err(revoke_unprinted(connection, operation, &[done.tenant.schema], failure).await);
        }
        Ok(0)
    })
    .await
}

/// Revokes new passwords that could not be printed, and adds that to the failure.
pub(super) async fn revoke_unprinted(
    connection: &mut Connection,
    operation: &TenantOperation<'_>,
    schemas: &[SchemaName],
    mut failure: Failure,
) -> Failure {
    let (passwords, were, them) =
        if schemas.len() == 1 { ("password", "was", "it") } else { ("passwords", "were", "them") };
    match tenant::withdraw(connection, operation, schemas).await {
        Ok(()) => {
            failure.message =
                format!("{}: the new {passwords} could not be printed and {were} revoked", failure.message);
            failure.hint("`tenure tenant login SLUG` sets a new password")
        }
        Err(other) => {
            failure.message = format!(
                "{}: the new {passwords} could not be printed, and revoking {them} failed: {}",
                failure.message, other.message
            );
            failure.hint("`tenure tenant login SLUG --revoke` disables the login")
        }
    }
}

pub(super) async fn grant(context: &Context, args: &GrantArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let slugs = args.slug.iter().map(|slug| Slug::new(slug)).collect::<Result<Vec<_>, _>>()?;
    let how = operation(&project.settings, args.limits, "tenant grant");
    let mut connection = database::connect(context, &project.root).await?;
    let granted = tenant::grant(&mut connection, &how, &project, &slugs).await?;
    connection.close().await;
    let ui_outcome = if granted.failures.is_empty() { Outcome::Done } else { Outcome::Failed };
    context.ui.outcome(ui_outcome, &granted, |paint| tenant::roles::text::granted(&granted, paint))?;
    Ok(granted.ending().exit_code())
}

pub(super) async fn audit(context: &Context, args: &AuditArgs) -> Result<u8, Failure> {
    report::show(context, args.report.output, audited(context, args).await)
}

async fn audited(context: &Context, args: &AuditArgs) -> Result<Audited, Failure> {
    let project = database::project(context).await?;
    let slugs = args.tenant.iter().map(|slug| Slug::new(slug)).collect::<Result<Vec<_>, _>>()?;
    let mut connection = database::connect(context, &project.root).await?;
    let audited = isolation::audit(&mut connection, &project, &slugs).await?;
    connection.close().await;
    Ok(audited)
}
