//! `tenure tenant rename`

use super::super::args::RenameArgs;
use super::super::{Context, command_line, database, up};
use crate::error::Failure;
use crate::ident::Slug;
use crate::tenant::{self, NewName, TenantOperation};

pub(in crate::cli) async fn rename(context: &Context, args: &RenameArgs) -> Result<u8, Failure> {
    let root = context.root()?;
    let (slug, new) = (Slug::new(&args.slug)?, Slug::new(&args.new)?);
    let mut connection = database::connect_root(context, &root).await?;
    let limits = up::limits(args.limits, root.settings.migrate);
    let operation =
        TenantOperation { settings: &root.settings, limits, command: command_line("tenant rename") };
    let new = NewName { slug: new, name: args.name.clone() };
    let changed = tenant::rename(&mut connection, &operation, &slug, &new).await?;
    connection.close().await;
    context.ui.result(&changed, |paint| tenant::lifecycle::text::changed(&changed, paint))?;
    Ok(0)
}
