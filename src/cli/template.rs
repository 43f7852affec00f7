//! `tenure template check|squash`

use clap::{Args, Subcommand};

use super::{Context, database, shadow as shadows, squash, unless_interrupted};
use crate::error::{Class, Failure};
use crate::project::check_templates;
use crate::shadow;
use crate::template::{self, Squashed};

#[derive(Debug, Subcommand)]
pub(super) enum Template {
    /// Verify the templates, and show which shared tables are locked while a tenant is made
    Check(CheckArgs),
    /// Write a new version of a template at the chain's end, and prove that it makes the same tenant
    Squash(SquashArgs),
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Make a tenant of every template on a private server, which is made for it; done anyway where a
    /// template has several versions, which must make the same tenant
    #[arg(long, conflicts_with = "shadow_url")]
    shadow: bool,
    /// The same on this database, which must be empty; all that it holds is thrown away
    #[arg(long, value_name = "URL")]
    shadow_url: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct SquashArgs {
    /// The template [default: the settings']
    name: Option<String>,
    /// Put the new files in the place of the old ones, not into a folder of their own
    #[arg(long)]
    replace: bool,
    /// Try it on this database, which must be empty, instead of a private server's; all that
    /// it holds is thrown away
    #[arg(long, value_name = "URL")]
    shadow_url: Option<String>,
}

pub(super) async fn run(context: &Context, verb: Template) -> Result<u8, Failure> {
    match verb {
        Template::Check(args) => check(context, &args).await,
        Template::Squash(args) => squash(context, &args).await,
    }
}

async fn check(context: &Context, args: &CheckArgs) -> Result<u8, Failure> {
    let project = context.project()?;
    let mut checked = check_templates(&project)?;
    let versions = project.templates.values().map(|template| project.versions_of(template).len());
    // A template that has one version is like no other.
    if args.shadow || args.shadow_url.is_some() || versions.max() > Some(1) {
        let proved = async {
            shadow::prove(&project, shadows::open(&project, args.shadow_url.as_deref()).await?).await
        };
        checked.proofs = unless_interrupted(Box::pin(proved)).await?;
    }
    context.ui.result(&checked, |paint| template::text::checked(&checked, paint))?;
    Ok(if checked.is_refused() { Class::Refused.exit_code() } else { 0 })
}

async fn squash(context: &Context, args: &SquashArgs) -> Result<u8, Failure> {
    let project = context.project()?;
    let template = project.template(args.name.as_deref())?;
    let latest = project.chain.latest();
    let mut squashed = Squashed {
        template: template.name.clone(),
        from: template.version.clone(),
        to: latest.clone(),
        made: None,
        files: Vec::new(),
        removed: Vec::new(),
    };
    if template.version != latest {
        template.can_be_squashed()?;
        let place = squash::Place::of(&project, template, &latest, args.replace)?;
        let shadow = unless_interrupted(shadows::open(&project, args.shadow_url.as_deref())).await?;
        let (url, environment) = (shadow.url().clone(), database::environment());
        let dump = |name: &str, schema: &_, major| {
            crate::postgres::dump(&url.with_database(name), schema, major, &environment)
        };
        let files = unless_interrupted(Box::pin(shadow::squash(&project, template, shadow, &dump))).await?;
        (squashed.files, squashed.removed) = place.write(&files, || context.project().map(drop))?;
        squashed.made = Some(place.name);
    }
    context.ui.result(&squashed, |paint| template::text::squashed(&squashed, paint))?;
    Ok(0)
}
