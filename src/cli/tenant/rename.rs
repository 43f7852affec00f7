//! `tenure tenant rename`

use clap::Args;

use crate::cli::args::Limits;
use crate::cli::{Context, command_line, database};
use crate::error::Failure;
use crate::ident::Slug;
use crate::tenant::{self, NewName, TenantOperation};

#[derive(Debug, Args)]
pub(in crate::cli) struct RenameArgs {
    /// Current slug
    #[arg(value_name = "OLD")]
    slug: String,
    /// New slug
    #[arg(value_name = "NEW")]
    new: String,
    /// New display name [default: unchanged]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    limits: Limits,
}

pub(super) async fn rename(context: &Context, args: &RenameArgs) -> Result<u8, Failure> {
    let root = context.root()?;
    let (slug, new) = (Slug::new(&args.slug)?, Slug::new(&args.new)?);
    let mut connection = database::connect_root(context, &root).await?;
    let limits = args.limits.or(root.settings.migrate);
    let operation =
        TenantOperation { settings: &root.settings, limits, command: command_line("tenant rename") };
    let new = NewName { slug: new, name: args.name.clone() };
    let changed = tenant::rename(&mut connection, &operation, &slug, &new).await?;
    connection.close().await;
    context.ui.result(&changed, |paint| tenant::lifecycle::text::changed(&changed, paint))?;
    Ok(0)
}
