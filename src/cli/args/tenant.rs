//! `tenure tenant …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::lifecycle::{DropArgs, ListArgs, RenameArgs, ShowArgs, UndropArgs};
use super::{AdoptArgs, CloneArgs, ExportArgs, ImportArgs, Limits, Pool, ReportArgs};
use crate::executor::RetryPolicy;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Tenant {
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
pub(in crate::cli) struct OneTenant {
    /// Slug of the tenant
    pub(in crate::cli) slug: String,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LoginArgs {
    #[command(flatten)]
    pub(in crate::cli) tenant: OneTenant,
    /// Disable login and terminate the role's sessions
    #[arg(long)]
    pub(in crate::cli) revoke: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GrantArgs {
    /// Slugs of the tenants [default: all]
    pub(in crate::cli) slug: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AuditArgs {
    /// Report only findings about this tenant; repeatable [default: all tenants]
    #[arg(long, value_name = "SLUG")]
    pub(in crate::cli) tenant: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CreateArgs {
    /// Slug: a lower-case letter, then lower-case letters, digits and _
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    pub(in crate::cli) slug: Option<String>,
    /// Display name [default: the slug]
    #[arg(long, conflicts_with = "from")]
    pub(in crate::cli) name: Option<String>,
    /// Template [default: from the settings]
    #[arg(long)]
    pub(in crate::cli) template: Option<String>,
    /// Template parameter; repeatable. With --from, the default for lines without a value
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_value)]
    pub(in crate::cli) set: Vec<(String, String)>,
    /// CSV file with the columns slug and, optionally, name, template and set.KEY; - for stdin
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) from: Option<PathBuf>,
    /// Number of parallel connections with --from [default: based on cores and free connections, at most 16]
    #[arg(long, value_name = "N", conflicts_with = "slug", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(in crate::cli) jobs: Option<u16>,
    /// Retries per tenant after a lock timeout, a deadlock or a lost connection
    #[arg(long, value_name = "N", default_value_t = RetryPolicy::USUAL.retries)]
    pub(in crate::cli) retries: u32,
    /// Succeed if the tenant already exists
    #[arg(long)]
    pub(in crate::cli) if_not_exists: bool,
    /// Enable login for the tenant's role and print its password once; needs [tenants] roles = true
    #[arg(long)]
    pub(in crate::cli) login: bool,
    #[command(flatten)]
    pub(in crate::cli) limits: Limits,
}

pub(super) fn parse_key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
