//! `tenure tenant adopt`, `clone`, `export`, `import`, `restore`

use schemars::JsonSchema;
use serde::Serialize;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use super::create::parse_key_value;
use super::operation;
use crate::chain::Version;
use crate::cli::args::{Format, Limits};
use crate::cli::{Context, database, io, stop_on_signals, ui};
use crate::error::{Code, Failure};
use crate::ident::Slug;
use crate::postgres::catalog::SchemaDifference;
use crate::shadow;
use crate::tenant::{self, AdoptAll, Adoption, Cloning, Differs, ExportFile, Extent, IfDifferent, Target};

#[derive(Debug, Args)]
pub(in crate::cli) struct AdoptArgs {
    /// Name of the existing schema
    #[arg(required_unless_present = "all")]
    schema: Option<String>,
    /// Adopt the schemas of all registry rows without a version that match the files
    #[arg(long, conflicts_with_all = ["schema", "slug", "name", "set", "force"])]
    all: bool,
    /// With --all: find the version of each schema [default unless --version is given]
    #[arg(long, requires = "all", conflicts_with = "version")]
    detect: bool,
    /// Slug of the new tenant
    #[arg(long, required_unless_present = "all")]
    slug: Option<String>,
    /// Current version of the schema; must be in the chain
    #[arg(long, required_unless_present = "all")]
    version: Option<Version>,
    /// Display name, if the registry has no row yet [default: the slug]
    #[arg(long)]
    name: Option<String>,
    /// Template to compare with [default: from the settings]
    #[arg(long)]
    template: Option<String>,
    /// Template parameter with which the schema was created; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_value)]
    set: Vec<(String, String)>,
    /// Adopt the schema even if it differs
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CloneArgs {
    /// Slug of the existing tenant
    source: String,
    /// Slug of the new tenant
    target: String,
    /// Display name of the new tenant [default: its slug]
    #[arg(long)]
    name: Option<String>,
    /// Also copy the rows, from one snapshot
    #[arg(long)]
    data: bool,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    /// Slug of the tenant
    slug: String,
    /// Output file, replaced if it exists; - for stdout
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Import the file on a temporary private server, to prove that it can be imported
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// File to import; - for stdin
    file: PathBuf,
    /// Import under another slug, as a new tenant with its own ID
    #[arg(long = "as", value_name = "SLUG")]
    slug: Option<String>,
    /// Import even if PostgreSQL prints a definition differently than at export
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RestoreArgs {
    /// Slug of the tenant
    slug: String,
    /// Export of this tenant; - for stdin
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Restore even if PostgreSQL prints a definition differently than at export
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    limits: Limits,
}

/// Adopts all schemas of the registry that match the files.
async fn adopt_all(context: &Context, args: &AdoptArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let request = AdoptAll { version: args.version.clone(), template: args.template.clone() };
    let operation = operation(&project.settings, args.limits, "tenant adopt");
    let mut connection = database::connect(context, &project.root).await?;
    let adopted = Box::pin(tenant::adopt_all(&mut connection, &project, &request, &operation)).await;
    connection.close().await;
    let adopted = adopted?;
    context.ui.result(&adopted, |paint| tenant::copy::text::adopted_all(&adopted, paint))?;
    Ok(adopted.outcome.exit_code())
}

pub(super) async fn adopt(context: &Context, args: &AdoptArgs) -> Result<u8, Failure> {
    let (Some(schema), Some(slug), Some(version)) = (&args.schema, &args.slug, &args.version) else {
        return adopt_all(context, args).await;
    };
    let project = database::project(context).await?;
    let adoption = Adoption {
        schema: schema.clone(),
        slug: Slug::new(slug)?,
        version: version.clone(),
        name: args.name.clone(),
        template: args.template.clone(),
        set: crate::cli::tenant::create::values(&args.set)?,
        if_different: if args.force { IfDifferent::Accept } else { IfDifferent::Refuse },
    };
    let operation = operation(&project.settings, args.limits, "tenant adopt");
    let mut connection = database::connect(context, &project.root).await?;
    let adopted = tenant::adopt(&mut connection, &project, &adoption, &operation).await;
    connection.close().await;
    match adopted {
        Ok(adopted) => {
            context.ui.result(&adopted, |paint| tenant::copy::text::adopted(&adopted, paint)).map(|()| 0)
        }
        Err(differs) => Ok(refuse(context, &differs)),
    }
}

pub(super) async fn clone(context: &Context, args: &CloneArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let cloning = Cloning {
        source: Slug::new(&args.source)?,
        target: Slug::new(&args.target)?,
        name: args.name.clone(),
        extent: if args.data { Extent::Data } else { Extent::Structure },
    };
    let operation = operation(&project.settings, args.limits, "tenant clone");
    let mut connection = database::connect(context, &project.root).await?;
    let stop = stop_on_signals(context.ui);
    let cloned = Box::pin(tenant::clone(&mut connection, &project, &cloning, (&operation, &stop))).await;
    connection.close().await;
    match cloned {
        Ok(cloned) => {
            context.ui.result(&cloned, |paint| tenant::copy::text::cloned(&cloned, paint)).map(|()| 0)
        }
        Err(differs) => Ok(refuse(context, &differs)),
    }
}

pub(super) async fn export(context: &Context, args: &ExportArgs) -> Result<u8, Failure> {
    let root = context.root()?;
    let slug = Slug::new(&args.slug)?;
    let target = if args.to == Path::new("-") { Target::Stdout } else { Target::File(args.to.clone()) };
    if target == Target::Stdout && context.ui.format == Format::Json {
        return Err(Failure::new(
            Code::Usage,
            "--to - writes the export to stdout and cannot be combined with JSON output",
        )
        .hint("write to a file"));
    }
    if args.check && target == Target::Stdout {
        return Err(Failure::new(
            Code::Usage,
            "--check reads the file again and cannot be combined with --to -",
        )
        .hint("write to a file"));
    }
    // The chain is needed only for the check.
    let project = if args.check { Some(context.project()?) } else { None };
    let mut connection = database::connect_root(context, &root).await?;
    let stop = stop_on_signals(context.ui);
    let environment = database::environment();
    let exported =
        tenant::export(&mut connection, &root.settings, &slug, &target, (&environment, &stop)).await;
    connection.close().await;
    let mut exported = exported?;
    if let Some(project) = &project {
        let file = ExportFile::read(input(&args.to)?)?;
        Box::pin(shadow::check_export(project, file, (&environment, &stop))).await.map_err(|failure| {
            Failure {
                message: format!("{} was written but cannot be imported: {}", exported.file, failure.message),
                ..failure
            }
        })?;
        exported.checked = true;
    }
    if target == Target::Stdout {
        context.ui.note_text(&tenant::copy::text::exported(&exported, context.ui.stderr_paint()));
    } else {
        context.ui.result(&exported, |paint| tenant::copy::text::exported(&exported, paint))?;
    }
    Ok(0)
}

pub(super) async fn import(context: &Context, args: &ImportArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let slug = args.slug.as_deref().map(Slug::new).transpose()?;
    let input = input(&args.file)?;
    let operation = operation(&project.settings, args.limits, "tenant import");
    let mut connection = database::connect(context, &project.root).await?;
    let (environment, mut progress) = (database::environment(), context.ui.progress());
    let stop = stop_on_signals(context.ui);
    let how = (&environment, &mut progress as &mut dyn crate::event::Sink, &stop);
    let if_different = if args.force { IfDifferent::Accept } else { IfDifferent::Refuse };
    let what = (input, slug.as_ref(), if_different);
    let imported = Box::pin(tenant::import(&mut connection, &project, what, &operation, how)).await;
    connection.close().await;
    let imported = imported?;
    context.ui.result(&imported, |paint| tenant::copy::text::imported(&imported, paint))?;
    Ok(0)
}

pub(super) async fn restore(context: &Context, args: &RestoreArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let slug = Slug::new(&args.slug)?;
    let input = input(&args.from)?;
    let operation = operation(&project.settings, args.limits, "tenant restore");
    let mut connection = database::connect(context, &project.root).await?;
    let (environment, stop) = (database::environment(), stop_on_signals(context.ui));
    let if_different = if args.force { IfDifferent::Accept } else { IfDifferent::Refuse };
    let what = (&slug, input, if_different);
    let restored =
        Box::pin(tenant::restore(&mut connection, &project, what, &operation, (&environment, &stop))).await;
    connection.close().await;
    let restored = restored?;
    context.ui.result(&restored, |paint| tenant::copy::text::restored(&restored, paint))?;
    Ok(0)
}

/// The file, or stdin.
fn input(file: &Path) -> Result<Box<dyn Read>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    Ok(Box::new(File::open(file).map_err(|error| io(file, &error))?))
}

/// The keys next to the failure of `tenant adopt`.
#[derive(Debug, JsonSchema, Serialize)]
pub(in crate::cli) struct Different<'a> {
    /// The differences to the schema that the version defines.
    differences: &'a [SchemaDifference],
}

/// Prints a failure and its differences.
fn refuse(context: &Context, differs: &Differs) -> u8 {
    let Differs { failure, differences } = differs;
    if differences.is_empty() {
        context.ui.failure(failure);
    } else {
        if context.ui.format == Format::Human {
            ui::print_error(&tenant::copy::text::differences(differences, context.ui.stderr_paint()));
        }
        context.ui.failure_with(failure, &Different { differences });
    }
    differs.failure.class().exit_code()
}
