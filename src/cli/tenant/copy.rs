//! `tenure tenant adopt`, `clone`, `export`, `import`

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use super::create::key_and_value;
use crate::chain::Version;
use crate::cli::args::{Format, Limits};
use crate::cli::{Context, command_line, database, io, stop_on_signals, ui};
use crate::error::{Code, Failure};
use crate::ident::Slug;
use crate::tenant::{self, Adoption, Cloning, Differs, Extent, IfDifferent, Target, TenantOperation};

#[derive(Debug, Args)]
pub(in crate::cli) struct AdoptArgs {
    /// The schema as it is called
    schema: String,
    /// The slug that the tenant gets
    #[arg(long)]
    slug: String,
    /// The version of the chain that the schema is at
    #[arg(long)]
    version: Version,
    /// The display name, where the registry has no row yet [default: the slug]
    #[arg(long)]
    name: Option<String>,
    /// The template that it is compared with [default: the settings']
    #[arg(long)]
    template: Option<String>,
    /// The value of a parameter of the template that the schema was made with; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// Adopt it also where it is different
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CloneArgs {
    /// The slug of the tenant that there is
    source: String,
    /// The slug of the new one
    target: String,
    /// The display name of the new one [default: its slug]
    #[arg(long)]
    name: Option<String>,
    /// Copy the rows too, as they are at one moment
    #[arg(long)]
    data: bool,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    /// Its slug
    slug: String,
    /// The file, which is replaced if it is there; - for stdout
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// The file; - for stdin
    file: PathBuf,
    /// Another slug than the one that it was exported under; it is another tenant then, with an id of its own
    #[arg(long = "as", value_name = "SLUG")]
    slug: Option<String>,
    /// Import it also where PostgreSQL prints a definition in other words than before
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    limits: Limits,
}

pub(super) async fn adopt(context: &Context, args: &AdoptArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let adoption = Adoption {
        schema: args.schema.clone(),
        slug: Slug::new(&args.slug)?,
        version: args.version.clone(),
        name: args.name.clone(),
        template: args.template.clone(),
        set: crate::cli::tenant::create::values(&args.set)?,
        if_different: if args.force { IfDifferent::Accept } else { IfDifferent::Refuse },
    };
    let limits = args.limits.or(project.settings.migrate);
    let operation =
        TenantOperation { settings: &project.settings, limits, command: command_line("tenant adopt") };
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
    let limits = args.limits.or(project.settings.migrate);
    let operation =
        TenantOperation { settings: &project.settings, limits, command: command_line("tenant clone") };
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
        return Err(Failure::new(Code::Usage, "--to - writes the file to stdout, where no JSON has room")
            .hint("name a file"));
    }
    let mut connection = database::connect_root(context, &root).await?;
    let stop = stop_on_signals(context.ui);
    let environment = database::environment();
    let exported =
        tenant::export(&mut connection, &root.settings, &slug, &target, (&environment, &stop)).await;
    connection.close().await;
    let exported = exported?;
    if target == Target::Stdout {
        context.ui.note(tenant::copy::text::exported(&exported, context.ui.stderr_paint()).trim_end());
    } else {
        context.ui.result(&exported, |paint| tenant::copy::text::exported(&exported, paint))?;
    }
    Ok(0)
}

pub(super) async fn import(context: &Context, args: &ImportArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let slug = args.slug.as_deref().map(Slug::new).transpose()?;
    let input: Box<dyn Read> = if args.file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(&args.file).map_err(|error| io(&args.file, &error))?)
    };
    let limits = args.limits.or(project.settings.migrate);
    let operation =
        TenantOperation { settings: &project.settings, limits, command: command_line("tenant import") };
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

/// Tells a failure, and the differences that it is about.
fn refuse(context: &Context, differs: &Differs) -> u8 {
    let more = if differs.differences.is_empty() {
        None
    } else {
        if context.ui.format == Format::Human {
            let paint = context.ui.stderr_paint();
            ui::complain(tenant::copy::text::differences(&differs.differences, paint).trim_end());
        }
        Some(("differences", serde_json::to_value(&differs.differences).unwrap_or_default()))
    };
    context.ui.failure(&differs.failure, more);
    differs.failure.class().exit_code()
}
