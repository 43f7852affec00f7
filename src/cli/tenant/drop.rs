//! `tenure tenant drop`, `undrop`

use clap::Args;

use super::operation;
use crate::cli::args::Limits;
use crate::cli::document::WithError;
use crate::cli::ui::{Outcome, Ui};
use crate::cli::{Context, database, stop_on_signals};
use crate::error::Failure;
use crate::executor::RetryPolicy;
use crate::ident::Slug;
use crate::output::ErrorJson;
use crate::project::Root;
use crate::settings::Retention;
use crate::tenant::{self, Purge, RegistryRow};

#[derive(Debug, Args)]
pub(in crate::cli) struct DropArgs {
    /// Slug of the tenant; with --purge, its former slug [default with --purge: all tenants past the retention time]
    #[arg(required_unless_present = "purge")]
    slug: Option<String>,
    /// Repeat the slug to skip the confirmation prompt
    #[arg(long, value_name = "SLUG", requires = "slug")]
    confirm: Option<String>,
    /// Permanently delete dropped tenants older than `[tenants] retention`
    #[arg(long)]
    purge: bool,
    /// Ignore the retention time
    #[arg(long, requires = "purge")]
    now: bool,
    /// Keep the registry row, which other tables may reference
    #[arg(long, requires = "purge")]
    keep_registry: bool,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct UndropArgs {
    /// Former slug; if several tenants had it, the one dropped last
    slug: String,
    /// Restore under another slug
    #[arg(long = "as", value_name = "NEW")]
    new: Option<String>,
    #[command(flatten)]
    limits: Limits,
}

pub(super) async fn drop(context: &Context, args: &DropArgs) -> Result<u8, Failure> {
    let root = context.root()?;
    let slug = args.slug.as_deref().map(Slug::new).transpose()?;
    let slug = match slug {
        Some(slug) if !args.purge => slug,
        slug => return purge(context, args, &root, slug.as_ref()).await,
    };
    Ui::confirm_name(&format!("drop tenant {slug}"), slug.as_str(), args.confirm.as_deref())?;
    let mut connection = database::connect_root(context, &root).await?;
    let operation = operation(&root.settings, args.limits, "tenant drop");
    let dropped = tenant::drop(&mut connection, &operation, &slug).await?;
    connection.close().await;
    context.ui.result(&dropped, |paint| tenant::lifecycle::text::dropped(&dropped, paint))?;
    Ok(0)
}

/// `tenure tenant drop --purge`
async fn purge(context: &Context, args: &DropArgs, root: &Root, slug: Option<&Slug>) -> Result<u8, Failure> {
    let retention = if args.now { Retention::NONE } else { root.settings.tenants.retention };
    if let Some(slug) = slug {
        let question = format!("permanently delete the dropped tenant {slug}");
        Ui::confirm_name(&question, slug.as_str(), args.confirm.as_deref())?;
    }
    let mut connection = database::connect_root(context, root).await?;
    let found = tenant::candidates(&mut connection, &root.settings, slug, retention).await?;
    if slug.is_none() && !found.due.is_empty() {
        let slugs: Vec<_> = found.due.iter().map(|aside| aside.former_slug.as_str()).collect();
        context.ui.confirm(&format!("permanently delete the dropped tenants {}", slugs.join(", ")))?;
    }
    let operation = operation(&root.settings, args.limits, "tenant drop --purge");
    let registered = if args.keep_registry { RegistryRow::Keep } else { RegistryRow::Delete };
    let stop = stop_on_signals(context.ui);
    let how = Purge { operation: &operation, registered, retry_policy: RetryPolicy::USUAL, stop: &stop };
    let purged = tenant::purge(&mut connection, &how, found).await?;
    connection.close().await;
    // The failure of a single tenant is also the command's failure.
    let error = match (slug, purged.failures.as_slice()) {
        (Some(_), [failed]) => Some(ErrorJson::from(&failed.failure)),
        _ => None,
    };
    let document = WithError { document: &purged, error };
    let ui_outcome = if purged.failures.is_empty() { Outcome::Done } else { Outcome::Failed };
    context.ui.outcome(ui_outcome, &document, |paint| tenant::lifecycle::text::purged(&purged, paint))?;
    Ok(match purged.failures.as_slice() {
        [failed] if slug.is_some() => failed.failure.class().exit_code(),
        _ => purged.outcome.exit_code(),
    })
}

pub(super) async fn undrop(context: &Context, args: &UndropArgs) -> Result<u8, Failure> {
    let root = context.root()?;
    let slug = Slug::new(&args.slug)?;
    let new = args.new.as_deref().map(Slug::new).transpose()?;
    let mut connection = database::connect_root(context, &root).await?;
    let operation = operation(&root.settings, args.limits, "tenant undrop");
    let changed = tenant::undrop(&mut connection, &operation, &slug, new.as_ref()).await?;
    connection.close().await;
    context.ui.result(&changed, |paint| tenant::lifecycle::text::changed(&changed, paint))?;
    Ok(0)
}
