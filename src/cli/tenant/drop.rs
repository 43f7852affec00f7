//! `tenure tenant drop`, `undrop`

use clap::Args;

use crate::cli::args::Limits;
use crate::cli::ui::{Outcome, Ui};
use crate::cli::{Context, command_line, database, stop_on_signals};
use crate::error::Failure;
use crate::executor::RetryPolicy;
use crate::ident::Slug;
use crate::output;
use crate::project::Root;
use crate::settings::Retention;
use crate::tenant::{self, Purge, Registered, TenantOperation};

#[derive(Debug, Args)]
pub(in crate::cli) struct DropArgs {
    /// Its slug; with --purge the one that it had [default with --purge: all that were dropped long enough ago]
    #[arg(required_unless_present = "purge")]
    slug: Option<String>,
    /// Its slug once more, so that nobody has to be asked
    #[arg(long, value_name = "SLUG", requires = "slug")]
    confirm: Option<String>,
    /// Delete for good what was dropped longer ago than `[tenants] retention` says
    #[arg(long)]
    purge: bool,
    /// However short ago it was dropped
    #[arg(long, requires = "purge")]
    now: bool,
    /// Leave the row in the registry, which rows of other tables may refer to
    #[arg(long, requires = "purge")]
    keep_registry: bool,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct UndropArgs {
    /// The slug that it had; of several the one that was dropped last
    slug: String,
    /// Another slug than the one that it had
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
    let limits = args.limits.or(root.settings.migrate);
    let operation =
        TenantOperation { settings: &root.settings, limits, command: command_line("tenant drop") };
    let dropped = tenant::drop(&mut connection, &operation, &slug).await?;
    connection.close().await;
    context.ui.result(&dropped, |paint| tenant::lifecycle::text::dropped(&dropped, paint))?;
    Ok(0)
}

/// `tenure tenant drop --purge`
async fn purge(context: &Context, args: &DropArgs, root: &Root, slug: Option<&Slug>) -> Result<u8, Failure> {
    let retention = if args.now { Retention::NONE } else { root.settings.tenants.retention };
    if let Some(slug) = slug {
        let question = format!("delete the dropped tenant {slug} for good");
        Ui::confirm_name(&question, slug.as_str(), args.confirm.as_deref())?;
    }
    let mut connection = database::connect_root(context, root).await?;
    let found = tenant::candidates(&mut connection, &root.settings, slug, retention).await?;
    if slug.is_none() && !found.due.is_empty() {
        let slugs: Vec<_> = found.due.iter().map(|aside| aside.former_slug.as_str()).collect();
        context.ui.confirm(&format!("delete for good what was dropped: {}", slugs.join(", ")))?;
    }
    let operation = TenantOperation {
        settings: &root.settings,
        limits: args.limits.or(root.settings.migrate),
        command: command_line("tenant drop --purge"),
    };
    let registered = if args.keep_registry { Registered::Stays } else { Registered::Goes };
    let stop = stop_on_signals(context.ui);
    let how = Purge { operation: &operation, registered, retry_policy: RetryPolicy::USUAL, stop: &stop };
    let purged = tenant::purge(&mut connection, &how, found).await?;
    connection.close().await;
    let mut document = serde_json::to_value(&purged).unwrap_or_default();
    // One tenant that failed is the command's own failure too, in the form that every failure has.
    if let (Some(_), [failed], Some(object)) = (slug, purged.failures.as_slice(), document.as_object_mut()) {
        object.insert("error".to_owned(), output::failure_json(&failed.failure));
    }
    let went = if purged.failures.is_empty() { Outcome::Done } else { Outcome::Failed };
    context.ui.outcome(went, &document, |paint| tenant::lifecycle::text::purged(&purged, paint))?;
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
    let limits = args.limits.or(root.settings.migrate);
    let operation =
        TenantOperation { settings: &root.settings, limits, command: command_line("tenant undrop") };
    let changed = tenant::undrop(&mut connection, &operation, &slug, new.as_ref()).await?;
    connection.close().await;
    context.ui.result(&changed, |paint| tenant::lifecycle::text::changed(&changed, paint))?;
    Ok(0)
}
