//! `tenure tenant adopt`, `clone`, `export`, `import`

use super::super::args::{AdoptArgs, CloneArgs, Format};
use super::super::{Context, command_line, database, ui, up};
use crate::error::Failure;
use crate::ident::Slug;
use crate::report;
use crate::tenant::{self, Act, Adoption, Cloning, Differs, Extent, IfDifferent};

pub(in crate::cli) async fn adopt(context: &Context, args: &AdoptArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let adoption = Adoption {
        schema: args.schema.clone(),
        slug: Slug::new(&args.slug)?,
        version: args.version.clone(),
        name: args.name.clone(),
        template: args.template.clone(),
        if_different: if args.force { IfDifferent::Accept } else { IfDifferent::Refuse },
    };
    let limits = up::limits(args.limits, project.settings.migrate);
    let act = Act { settings: &project.settings, limits, command: command_line("tenant adopt") };
    let mut connection = database::connect(context, &project.root).await?;
    let adopted = tenant::adopt(&mut connection, &project, &adoption, &act).await;
    connection.close().await;
    match adopted {
        Ok(adopted) => context.ui.result(&adopted, |paint| report::adopted(&adopted, paint)).map(|()| 0),
        Err(differs) => Ok(refuse(context, &differs)),
    }
}

pub(in crate::cli) async fn clone(context: &Context, args: &CloneArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let cloning = Cloning {
        source: Slug::new(&args.source)?,
        target: Slug::new(&args.target)?,
        name: args.name.clone(),
        extent: if args.data { Extent::Data } else { Extent::Structure },
    };
    let limits = up::limits(args.limits, project.settings.migrate);
    let act = Act { settings: &project.settings, limits, command: command_line("tenant clone") };
    let mut connection = database::connect(context, &project.root).await?;
    let cloned = tenant::clone(&mut connection, &project, &cloning, &act).await;
    connection.close().await;
    match cloned {
        Ok(cloned) => context.ui.result(&cloned, |paint| report::cloned(&cloned, paint)).map(|()| 0),
        Err(differs) => Ok(refuse(context, &differs)),
    }
}

/// Tells a failure, and the differences that it is about.
fn refuse(context: &Context, differs: &Differs) -> u8 {
    let more = if differs.differences.is_empty() {
        None
    } else {
        if context.ui.format == Format::Human {
            let paint = context.ui.stderr_paint();
            ui::complain(report::differences(&differs.differences, paint).trim_end());
        }
        Some(("differences", serde_json::to_value(&differs.differences).unwrap_or_default()))
    };
    context.ui.failure(&differs.failure, more);
    differs.failure.class().exit_code()
}
