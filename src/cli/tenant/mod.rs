//! `tenure tenant …`: a tenant's whole life. The verbs have a file each or share one with their like; this file is the list of
//! them.

mod copy;
mod create;
mod drop;
mod pool;
mod rename;
mod roles;
mod show;

use clap::{Args, Subcommand};

use self::copy::{AdoptArgs, CloneArgs, ExportArgs, ImportArgs};
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
use crate::tenant::TenantOperation;

#[derive(Debug, Subcommand)]
pub(super) enum Tenant {
    /// Make a tenant, or many from a CSV
    Create(CreateArgs),
    /// Schemas that are made in advance, so that a new tenant takes milliseconds
    #[command(subcommand)]
    Pool(Pool),
    /// List the tenants
    List(ListArgs),
    /// Show one tenant: its version, what it holds, its history
    Show(ShowArgs),
    /// Close a tenant until it is resumed; its schema is migrated all the same
    Suspend(OneTenant),
    /// Open a suspended tenant again
    Resume(OneTenant),
    /// Make a tenant of a schema that is there, once it is known to be what the files make
    Adopt(AdoptArgs),
    /// Make a new tenant that is like another one, with or without its rows
    Clone(CloneArgs),
    /// Write a tenant with its rows into one file
    Export(ExportArgs),
    /// Make a tenant of such a file, and bring it up to date
    Import(ImportArgs),
    /// Give a tenant another slug, and with it another schema name
    Rename(RenameArgs),
    /// Put a tenant aside under another name; it can be brought back until it is deleted for good
    Drop(DropArgs),
    /// Bring back a tenant that was dropped
    Undrop(UndropArgs),
    /// Let a tenant's role log in with a new password, which is shown this once
    Login(LoginArgs),
    /// Give the tenants roles, or what their roles lack: those made before [tenants] roles = true, or by other roles
    Grant(GrantArgs),
    /// Prove that no tenant's role, and nothing in a tenant's schema, reaches into another's
    Audit(AuditArgs),
}

/// A verb on one tenant.
#[derive(Debug, Args)]
pub(super) struct OneTenant {
    /// Its slug
    slug: String,
    #[command(flatten)]
    limits: Limits,
}

pub(super) async fn run(context: &Context, verb: Tenant) -> Result<u8, Failure> {
    match verb {
        Tenant::Create(args) => create::create(context, &args).await,
        Tenant::Pool(verb) => pool::run(context, &verb).await,
        Tenant::List(args) => show::list(context, &args).await,
        Tenant::Show(args) => Box::pin(show::show(context, &args)).await,
        Tenant::Suspend(args) => roles::suspend(context, &args).await,
        Tenant::Resume(args) => roles::resume(context, &args).await,
        Tenant::Adopt(args) => copy::adopt(context, &args).await,
        Tenant::Clone(args) => copy::clone(context, &args).await,
        Tenant::Export(args) => copy::export(context, &args).await,
        Tenant::Import(args) => copy::import(context, &args).await,
        Tenant::Rename(args) => rename::rename(context, &args).await,
        Tenant::Drop(args) => drop::drop(context, &args).await,
        Tenant::Undrop(args) => drop::undrop(context, &args).await,
        Tenant::Login(args) => roles::login(context, &args).await,
        Tenant::Grant(args) => roles::grant(context, &args).await,
        Tenant::Audit(args) => roles::audit(context, &args).await,
    }
}

/// Does `verb` on the tenant of the slug.
async fn on_one<T>(
    context: &Context,
    args: &OneTenant,
    verb: &str,
    operation: impl AsyncFnOnce(&mut Connection, &TenantOperation<'_>, &Slug) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let root = context.root()?;
    let slug = Slug::new(&args.slug)?;
    let mut connection = database::connect_root(context, &root).await?;
    let limits = args.limits.or(root.settings.migrate);
    let how = TenantOperation { settings: &root.settings, limits, command: command_line(verb) };
    let done = operation(&mut connection, &how, &slug).await?;
    connection.close().await;
    Ok(done)
}
