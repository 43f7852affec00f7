//! `tenure tenant list`, `tenure tenant show`

use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;

use crate::chain::Version;
use crate::cli::{Context, database};
use crate::drift::Drifted;
use crate::error::Failure;
use crate::ident::Slug;
use crate::postgres::metadata::TenantState;
use crate::postgres::metadata::tenant_registry::Wanted;
use crate::postgres::metadata::tenant_stats::{self, Rows};
use crate::postgres::metadata::{HistoryEntry, Tenant, tenant_stats::TenantStats};
use crate::tenant::text::Asked;
use crate::{drift, tenant};

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// List only tenants in this state; repeatable. Dropped and pooled ones are hidden by default
    #[arg(long, value_enum, value_name = "STATE")]
    status: Vec<StateArg>,
    /// List only tenants at this version
    #[arg(long, value_name = "VERSION")]
    at: Option<Version>,
    /// Maximum number of tenants; pass `next` of the JSON result to --after for the next page
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// List only tenants whose slug sorts after this one
    #[arg(long, value_name = "SLUG")]
    after: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum StateArg {
    Active,
    Suspended,
    Creating,
    Pooled,
    Dropped,
    Unknown,
}

impl From<StateArg> for TenantState {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::Active => Self::Active,
            StateArg::Suspended => Self::Suspended,
            StateArg::Creating => Self::Creating,
            StateArg::Pooled => Self::Pooled,
            StateArg::Dropped => Self::Dropped,
            StateArg::Unknown => Self::Unknown,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// Slug of the tenant
    slug: String,
    /// Count the rows instead of showing the server's estimates
    #[arg(long)]
    count: bool,
    /// Also compare the schema with the one that its version defines
    #[arg(long)]
    drift: bool,
}

/// The result of `tenant show`.
#[derive(Debug, JsonSchema, Serialize)]
pub(in crate::cli) struct Shown<'a> {
    #[serde(flatten)]
    tenant: &'a Tenant,
    #[serde(flatten)]
    stats: &'a TenantStats,
    history: &'a [HistoryEntry],
    /// The difference to the schema that its version defines, with `--drift`.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<&'a Drifted>,
}

pub(super) async fn list(context: &Context, args: &ListArgs) -> Result<u8, Failure> {
    let root = context.root()?;
    let wanted = Wanted {
        states: args.status.iter().map(|state| (*state).into()).collect(),
        at: args.at.clone(),
        after: args.after.as_deref().map(Slug::new).transpose()?,
        limit: args.limit.and_then(|limit| usize::try_from(limit).ok()),
        ..Wanted::default()
    };
    let is_all = wanted.states.is_empty() && wanted.at.is_none() && wanted.after.is_none();
    let asked = if is_all { Asked::All } else { Asked::Some };
    let mut connection = database::connect_root(context, &root).await?;
    let list = tenant::list(&mut connection, &root.settings, &wanted).await?;
    connection.close().await;
    context.ui.result(&list, |paint| tenant::text::tenant_list(&list, asked, paint))?;
    Ok(0)
}

pub(super) async fn show(context: &Context, args: &ShowArgs) -> Result<u8, Failure> {
    let root = context.root()?;
    let slug = Slug::new(&args.slug)?;
    let rows = if args.count { Rows::Counted } else { Rows::Estimated };
    let mut connection = database::connect_root(context, &root).await?;
    let (tenant, history) = tenant::show(&mut connection, &root.settings, &slug).await?;
    let role = tenant::called(&mut connection, &root.settings, &tenant).await?;
    let held = tenant_stats::read(&mut connection, (&tenant.schema, &role), rows).await?;
    let drifted = if args.drift {
        let project = database::project(context).await?;
        let only = std::slice::from_ref(&slug);
        Some(Box::pin(drift::drift(&mut connection, &project, only, &database::environment())).await?)
    } else {
        None
    };
    connection.close().await;
    let document = Shown { tenant: &tenant, stats: &held, history: &history, drift: drifted.as_ref() };
    context.ui.result(&document, |paint| {
        let mut text = tenant::text::tenant(&tenant, &held, &history, paint);
        if let Some(drifted) = &drifted {
            text.blank();
            text.append(&drift::text::drifted(drifted, paint));
        }
        text
    })?;
    Ok(0)
}
