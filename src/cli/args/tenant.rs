//! `tenure tenant …`: a tenant's whole life.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::lifecycle::{DropArgs, ListArgs, RenameArgs, ShowArgs, UndropArgs};
use super::{AdoptArgs, CloneArgs, ExportArgs, ImportArgs, Limits, Pool, ReportArgs};
use crate::executor::RetryPolicy;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Tenant {
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
pub(in crate::cli) struct OneTenant {
    /// Its slug
    pub(in crate::cli) slug: String,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LoginArgs {
    #[command(flatten)]
    pub(in crate::cli) tenant: OneTenant,
    /// The role may no longer log in; its open sessions are ended
    #[arg(long)]
    pub(in crate::cli) revoke: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GrantArgs {
    /// Their slugs [default: all tenants]
    pub(in crate::cli) slug: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AuditArgs {
    /// Tell only what is about this tenant, which may be said again [default: all tenants]
    #[arg(long, value_name = "SLUG")]
    pub(in crate::cli) tenant: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CreateArgs {
    /// The slug: a lower-case letter, then lower-case letters, digits and _
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    pub(in crate::cli) slug: Option<String>,
    /// The display name [default: the slug]
    #[arg(long, conflicts_with = "from")]
    pub(in crate::cli) name: Option<String>,
    /// The template [default: the settings']
    #[arg(long)]
    pub(in crate::cli) template: Option<String>,
    /// The value of a parameter of the template; may be repeated. With --from, for lines that give none
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub(in crate::cli) set: Vec<(String, String)>,
    /// A CSV with the columns slug and, if wanted, name, template and set.KEY; - for stdin
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) from: Option<PathBuf>,
    /// How many connections make the tenants of a file [default: by cores and free connections, at most 16]
    #[arg(long, value_name = "N", conflicts_with = "slug", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(in crate::cli) jobs: Option<u16>,
    /// How often a tenant is tried again that met a lock, a deadlock or a lost connection
    #[arg(long, value_name = "N", default_value_t = RetryPolicy::USUAL.retries)]
    pub(in crate::cli) retries: u32,
    /// A tenant that is there already is no failure
    #[arg(long)]
    pub(in crate::cli) if_not_exists: bool,
    /// Its role may log in, with a password that is shown this once; needs [tenants] roles = true
    #[arg(long)]
    pub(in crate::cli) login: bool,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

pub(super) fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it is not KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
