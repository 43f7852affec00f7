//! `tenure tenant rename`

use clap::Args;

use super::operation;
use crate::cli::args::Limits;
use crate::cli::{Context, database};
use crate::error::Failure;
use crate::ident::Slug;
use crate::tenant::{self, NewName};

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
    let operation = operation(&root.settings, args.limits, "tenant rename");
    let new = NewName { slug: new, name: args.name.clone() };
    let changed = tenant::rename(&mut connection, &operation, &slug, &new).await?;
    connection.close().await;
    context.ui.result(&changed, |paint| tenant::lifecycle::text::changed(&changed, paint))?;
    Ok(0)
}
