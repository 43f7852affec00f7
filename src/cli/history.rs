//! `tenure migrate history`

use clap::Args;

use super::{Context, database};
use crate::error::Failure;
use crate::ident::Slug;
use crate::postgres::metadata::{history, run_details, state};
use crate::{migrate, tenant};

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Show this tenant's history instead of the platform's
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
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
    let mut document = serde_json::json!({ "history": entries });
    if args.tenant.is_none() {
        document["migrations"] = serde_json::json!(times);
    }
    context.ui.result(&document, |paint| migrate::text::history(&entries, &times, paint))?;
    Ok(0)
}
