//! The commands of `tenure tenant`.

pub(super) mod copy;
pub(super) mod create;
mod drop;
mod pool;
mod rename;
mod roles;
pub(super) mod show;

use clap::{Args, Subcommand};

use self::copy::{AdoptArgs, CloneArgs, ExportArgs, ImportArgs, RestoreArgs};
use self::create::CreateArgs;
use self::drop::{DropArgs, UndropArgs};
use self::pool::Pool;
use self::rename::RenameArgs;
use self::roles::{AuditArgs, GrantArgs, LoginArgs};
use self::show::{ListArgs, ShowArgs};
use super::args::Limits;
use super::{Context, command_line, database};
use crate::error::Failure;
use crate::ident::Slug;
use crate::postgres::Connection;
use crate::settings::Settings;
use crate::tenant::TenantOperation;

#[derive(Debug, Subcommand)]
pub(super) enum Tenant {
    /// Create a tenant, or many from a CSV file
    Create(CreateArgs),
    /// Manage schemas created in advance, for faster tenant creation
    #[command(subcommand)]
    Pool(Pool),
    /// List the tenants
    List(ListArgs),
    /// Show a tenant's version, contents and history
    Show(ShowArgs),
    /// Suspend a tenant; its schema is still migrated
    Suspend(OneTenant),
    /// Resume a suspended tenant
    Resume(OneTenant),
    /// Register an existing schema as a tenant if it matches the files
    Adopt(AdoptArgs),
    /// Copy a tenant, with or without its rows
    Clone(CloneArgs),
    /// Export a tenant with its rows to one file
    Export(ExportArgs),
    /// Import a tenant from an export file and migrate it
    Import(ImportArgs),
    /// Restore a tenant in place from its export; its schema is kept as that of a dropped tenant
    Restore(RestoreArgs),
    /// Change a tenant's slug and schema name
    Rename(RenameArgs),
    /// Drop a tenant: rename its schema, so that it can be restored until it is purged
    Drop(DropArgs),
    /// Restore a dropped tenant
    Undrop(UndropArgs),
    /// Enable login for a tenant's role and print a new password once
    Login(LoginArgs),
    /// Create missing tenant roles and grant missing privileges
    Grant(GrantArgs),
    /// Audit the isolation between tenants: roles, privileges and dependencies
    Audit(AuditArgs),
}

/// Arguments of a command on one tenant.
#[derive(Debug, Args)]
pub(super) struct OneTenant {
    /// Slug of the tenant
    slug: String,
    #[command(flatten)]
    limits: Limits,
}

pub(super) async fn run(context: &Context, verb: Tenant) -> Result<u8, Failure> {
    match verb {
        Tenant::Create(args) => Box::pin(create::create(context, &args)).await,
        Tenant::Pool(verb) => pool::run(context, &verb).await,
        Tenant::List(args) => show::list(context, &args).await,
        Tenant::Show(args) => Box::pin(show::show(context, &args)).await,
        Tenant::Suspend(args) => roles::suspend(context, &args).await,
        Tenant::Resume(args) => roles::resume(context, &args).await,
        Tenant::Adopt(args) => Box::pin(copy::adopt(context, &args)).await,
        Tenant::Clone(args) => copy::clone(context, &args).await,
        Tenant::Export(args) => copy::export(context, &args).await,
        Tenant::Import(args) => copy::import(context, &args).await,
        Tenant::Restore(args) => copy::restore(context, &args).await,
        Tenant::Rename(args) => rename::rename(context, &args).await,
        Tenant::Drop(args) => drop::drop(context, &args).await,
        Tenant::Undrop(args) => drop::undrop(context, &args).await,
        Tenant::Login(args) => roles::login(context, &args).await,
        Tenant::Grant(args) => roles::grant(context, &args).await,
        Tenant::Audit(args) => roles::audit(context, &args).await,
    }
}

/// The operation of a command that changes tenants.
fn operation<'s>(settings: &'s Settings, limits: Limits, verb: &str) -> TenantOperation<'s> {
    TenantOperation { settings, limits: limits.or(settings.migrate), command: command_line(verb) }
}

/// Runs `operation` on one tenant.
async fn on_tenant<T>(
    context: &Context,
    args: &OneTenant,
    verb: &str,
    work: impl AsyncFnOnce(&mut Connection, &TenantOperation<'_>, &Slug) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let root = context.root()?;
    let slug = Slug::new(&args.slug)?;
    let mut connection = database::connect_root(context, &root).await?;
    let how = operation(&root.settings, args.limits, verb);
    let done = work(&mut connection, &how, &slug).await?;
    connection.close().await;
    Ok(done)
}
