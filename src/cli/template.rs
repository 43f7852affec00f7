//! `tenure template check|squash`

use clap::{Args, Subcommand};

use super::report::{self, ReportArgs};
use super::shadow::ShadowExtensions;
use super::{Context, database, shadow as shadows, squash, unless_interrupted};
use crate::chain::Version;
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::init;
use crate::project::check_templates;
use crate::shadow;
use crate::template::{self, Checked, Squashed};

#[derive(Debug, Subcommand)]
pub(super) enum Template {
    /// Verify the templates and list the shared tables that creating a tenant locks
    Check(CheckArgs),
    /// Write a new template version for the latest version and prove that it creates the same tenant
    Squash(SquashArgs),
    /// Write a template that creates a schema of the database, and prove it
    FromSchema(FromSchemaArgs),
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Create a tenant from each template on a temporary private server; always done if a template has
    /// several versions, which must create the same tenant
    #[arg(long, conflicts_with = "shadow_url")]
    shadow: bool,
    /// Like --shadow, on this database; it must be empty and all its contents are deleted
    #[arg(long, value_name = "URL")]
    shadow_url: Option<String>,
    #[command(flatten)]
    extensions: ShadowExtensions,
    #[command(flatten)]
    report: ReportArgs,
}

#[derive(Debug, Args)]
pub(super) struct SquashArgs {
    /// Template [default: from the settings]
    name: Option<String>,
    /// Replace the old files instead of writing a new folder
    #[arg(long)]
    replace: bool,
    /// Use this database instead of a temporary private server; it must be empty and all its contents are
    /// deleted
    #[arg(long, value_name = "URL")]
    shadow_url: Option<String>,
    #[command(flatten)]
    extensions: ShadowExtensions,
}

#[derive(Debug, Args)]
pub(super) struct FromSchemaArgs {
    /// Name of the tenant's schema
    schema: String,
    /// Name of the new template
    #[arg(long, default_value = "default")]
    name: String,
    /// Version of the schema: the last one whose tenant part it has [default: that of its tenant, or the only possible one]
    #[arg(long, value_name = "VERSION")]
    version: Option<Version>,
}

pub(super) async fn run(context: &Context, verb: Template) -> Result<u8, Failure> {
    match verb {
        Template::Check(args) => check(context, &args).await,
        Template::Squash(args) => squash(context, &args).await,
        Template::FromSchema(args) => Box::pin(from_schema(context, &args)).await,
    }
}

async fn check(context: &Context, args: &CheckArgs) -> Result<u8, Failure> {
    report::show(context, args.report.output, checked(context, args).await)
}

async fn checked(context: &Context, args: &CheckArgs) -> Result<Checked, Failure> {
    let project = context.project()?;
    let mut checked = check_templates(&project)?;
    let versions = project.templates.values().map(|template| project.versions_of(template).len());
    // A template with one version needs no comparison.
    if args.shadow || args.shadow_url.is_some() || versions.max() > Some(1) {
        let proved = async {
            Box::pin(shadow::prove(
                &project,
                shadows::open(&project, args.shadow_url.as_deref(), &args.extensions).await?,
            ))
            .await
        };
        checked.proofs = unless_interrupted(Box::pin(proved)).await?;
    }
    Ok(checked)
}

async fn from_schema(context: &Context, args: &FromSchemaArgs) -> Result<u8, Failure> {
    let project = context.project()?;
    let place = squash::Place::new_template(&project.root, &args.name)?;
    let mut connection = database::connect(context, &project.root).await?;
    let environment = database::environment();
    let what = (args.schema.as_str(), args.name.as_str(), args.version.as_ref());
    let work = Box::pin(init::template_from_schema(&mut connection, &project, what, &environment));
    let mut done = unless_interrupted(work).await?;
    connection.close().await;
    (done.files, _) = place.write(&done.new_files, || context.project().map(drop))?;
    context.ui.result(&done, |paint| init::text::from_schema(&done, paint))?;
    Ok(done.outcome.exit_code())
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
        let shadow =
            unless_interrupted(shadows::open(&project, args.shadow_url.as_deref(), &args.extensions)).await?;
        let (url, environment) = (shadow.url().clone(), database::environment());
        let dump = |name: &str, schema: &SchemaName, major| {
            crate::postgres::dump(&url.with_database(name), std::slice::from_ref(schema), major, &environment)
        };
        let files = unless_interrupted(Box::pin(shadow::squash(&project, template, shadow, &dump))).await?;
        (squashed.files, squashed.removed) = place.write(&files, || context.project().map(drop))?;
        squashed.made = Some(place.name);
    }
    context.ui.result(&squashed, |paint| template::text::squashed(&squashed, paint))?;
    Ok(0)
}
