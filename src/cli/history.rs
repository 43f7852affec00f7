//! `tenure migrate history`

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, database};
use crate::error::Failure;
use crate::ident::Slug;
use crate::postgres::metadata::{HistoryEntry, run_details::MigrationTimes};
use crate::postgres::metadata::{history, run_details, state};
use crate::{migrate, tenant};

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Show this tenant's history instead of the platform's
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
}

/// The result of `migrate history`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct History<'a> {
    history: &'a [HistoryEntry],
    /// The durations of each migration; not for one tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    migrations: Option<&'a [MigrationTimes]>,
}

pub(super) async fn run(context: &Context, args: &HistoryArgs) -> Result<u8, Failure> {
    let root = context.root()?;
    let mut connection = database::connect_root(context, &root).await?;
    let mut times = Vec::new();
    let entries = if let Some(slug) = &args.tenant {
        tenant::show(&mut connection, &root.settings, &Slug::new(slug)?).await?.1
    } else {
        let platform = root.settings.platform_schema();
        let presence = state::presence(&mut connection, &root.settings).await?;
        if presence.own_tables {
            times = run_details::migration_times(&mut connection, &platform).await?;
            history::read(&mut connection, &platform, &platform).await?
        } else {
            Vec::new()
        }
    };
    connection.close().await;
    let migrations = args.tenant.is_none().then_some(times.as_slice());
    let document = History { history: &entries, migrations };
    context.ui.result(&document, |paint| migrate::text::history(&entries, &times, paint))?;
    Ok(0)
}
