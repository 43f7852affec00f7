//! `tenure tenant suspend`, `resume`, `login`, `grant`, `audit`: what is about tenants' roles and walls.

use super::super::args::{AuditArgs, GrantArgs, LoginArgs, OneTenant};
use super::super::ui::Outcome;
use super::super::{Context, command_line, database, up};
use crate::error::Failure;
use crate::ident::Slug;
use crate::outcome::Turned;
use crate::postgres::Connection;
use crate::tenant::{Act, Login};
use crate::{report, tenant};

pub(in crate::cli) async fn suspend(context: &Context, args: &OneTenant) -> Result<u8, Failure> {
    turn(context, args, "tenant suspend", tenant::suspend).await
}

pub(in crate::cli) async fn resume(context: &Context, args: &OneTenant) -> Result<u8, Failure> {
    turn(context, args, "tenant resume", tenant::resume).await
}

async fn turn(
    context: &Context,
    args: &OneTenant,
    verb: &str,
    act: impl AsyncFnOnce(&mut Connection, &Act<'_>, &Slug) -> Result<Turned, Failure>,
) -> Result<u8, Failure> {
    let turned = with_act(context, args, verb, act).await?;
    context.ui.result(&turned, |paint| report::turned(&turned, paint))?;
    Ok(0)
}

pub(in crate::cli) async fn login(context: &Context, args: &LoginArgs) -> Result<u8, Failure> {
    let login = if args.revoke { Login::Revoked } else { Login::Given };
    let done = with_act(context, &args.tenant, "tenant login", async |connection, act, slug| {
        tenant::login(connection, act, slug, login).await
    });
    let done = done.await?;
    context.ui.result(&done, |paint| report::logged_in(&done, paint))?;
    Ok(0)
}

pub(in crate::cli) async fn grant(context: &Context, args: &GrantArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let slugs = args.slug.iter().map(|slug| Slug::new(slug)).collect::<Result<Vec<_>, _>>()?;
    let limits = up::limits(args.limits, project.settings.migrate);
    let how = Act { settings: &project.settings, limits, command: command_line("tenant grant") };
    let mut connection = database::connect(context, &project.root).await?;
    let granted = tenant::grant(&mut connection, &how, &project, &slugs).await?;
    connection.close().await;
    let went = if granted.failed.is_empty() { Outcome::Done } else { Outcome::Failed };
    context.ui.outcome(went, &granted, |paint| report::granted(&granted, paint))?;
    Ok(granted.ending().exit_code())
}

pub(in crate::cli) async fn audit(context: &Context, args: &AuditArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let slugs = args.tenant.iter().map(|slug| Slug::new(slug)).collect::<Result<Vec<_>, _>>()?;
    let mut connection = database::connect(context, &project.root).await?;
    let audited = tenant::audit(&mut connection, &project, &slugs).await?;
    connection.close().await;
    context.ui.result(&audited, |paint| report::audited(&audited, paint))?;
    Ok(audited.exit_code())
}

/// Does `verb` on the tenant of the slug.
async fn with_act<T>(
    context: &Context,
    args: &OneTenant,
    verb: &str,
    act: impl AsyncFnOnce(&mut Connection, &Act<'_>, &Slug) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let root = context.root()?;
    let slug = Slug::new(&args.slug)?;
    let mut connection = database::connect_root(context, &root).await?;
    let limits = up::limits(args.limits, root.settings.migrate);
    let how = Act { settings: &root.settings, limits, command: command_line(verb) };
    let done = act(&mut connection, &how, &slug).await?;
    connection.close().await;
    Ok(done)
}
