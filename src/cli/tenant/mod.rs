//! `tenure tenant list`, `show`, `suspend`, `resume`; the other verbs on tenants have a file each.

mod copies;
mod create;
mod drop;
mod look;
mod pool;
mod rename;

pub(super) use self::copies::{adopt, clone, export, import};
pub(super) use self::create::create;
pub(super) use self::drop::{drop, undrop};
pub(super) use self::look::{list, show};
pub(super) use self::pool::pool;
pub(super) use self::rename::rename;
use super::args::OneTenant;
use super::{Context, command_line, database, up};
use crate::error::Failure;
use crate::ident::Slug;
use crate::outcome::Changed;
use crate::postgres::Connection;
use crate::tenant::Act;
use crate::{report, tenant};

pub(super) async fn suspend(context: &Context, args: &OneTenant) -> Result<u8, Failure> {
    one(context, args, "tenant suspend", tenant::suspend).await
}

pub(super) async fn resume(context: &Context, args: &OneTenant) -> Result<u8, Failure> {
    one(context, args, "tenant resume", tenant::resume).await
}

/// A verb that needs a tenant's slug and nothing else.
async fn one(
    context: &Context,
    args: &OneTenant,
    verb: &str,
    act: impl AsyncFnOnce(&mut Connection, &Act<'_>, &Slug) -> Result<Changed, Failure>,
) -> Result<u8, Failure> {
    let root = context.root()?;
    let slug = Slug::new(&args.slug)?;
    let mut connection = database::connect_root(context, &root).await?;
    let limits = up::limits(args.limits, root.settings.migrate);
    let how = Act { settings: &root.settings, limits, command: command_line(verb) };
    let changed = act(&mut connection, &how, &slug).await?;
    connection.close().await;
    context.ui.result(&changed, |paint| report::changed(&changed, paint))?;
    Ok(0)
}
