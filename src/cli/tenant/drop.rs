//! `tenure tenant drop`, `undrop`

use super::super::args::{DropArgs, UndropArgs};
use super::super::{Context, command_line, database, up};
use crate::error::Failure;
use crate::ident::Slug;
use crate::tenant::Act;
use crate::{report, tenant};

pub(in crate::cli) async fn drop(context: &Context, args: &DropArgs) -> Result<u8, Failure> {
    let root = context.root()?;
    let slug = Slug::new(&args.slug)?;
    context.ui.confirm_name(&format!("drop tenant {slug}"), slug.as_str(), args.confirm.as_deref())?;
    let mut connection = database::connect_root(context, &root).await?;
    let limits = up::limits(args.limits, root.settings.migrate);
    let act = Act { settings: &root.settings, limits, command: command_line("tenant drop") };
    let dropped = tenant::drop(&mut connection, &act, &slug).await?;
    connection.close().await;
    context.ui.result(&dropped, |paint| report::dropped(&dropped, paint))?;
    Ok(0)
}

pub(in crate::cli) async fn undrop(context: &Context, args: &UndropArgs) -> Result<u8, Failure> {
    let root = context.root()?;
    let slug = Slug::new(&args.slug)?;
    let new = args.new.as_deref().map(Slug::new).transpose()?;
    let mut connection = database::connect_root(context, &root).await?;
    let limits = up::limits(args.limits, root.settings.migrate);
    let act = Act { settings: &root.settings, limits, command: command_line("tenant undrop") };
    let changed = tenant::undrop(&mut connection, &act, &slug, new.as_ref()).await?;
    connection.close().await;
    context.ui.result(&changed, |paint| report::changed(&changed, paint))?;
    Ok(0)
}
