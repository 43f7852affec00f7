//! `tenure diagram`

use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, database};
use crate::diagram::{self, Diagram, Output};
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, Slug};
use crate::output::Text;
use crate::postgres::Connection;
use crate::postgres::metadata::{self, state};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct DiagramArgs {
    /// Format of the diagram
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "svg")]
    output: OutputArg,
    /// Source of the tables [default: files, or database with --tenant]
    #[arg(long, value_enum, value_name = "SOURCE")]
    from: Option<FromArg>,
    /// Draw the schema of this tenant in the database [default: a tenant at the highest version]
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputArg {
    /// SVG, for light and dark backgrounds
    Svg,
    /// Mermaid, for Markdown files
    Mermaid,
    /// Graphviz
    Dot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FromArg {
    /// Migrations and the default template
    Files,
    /// The platform and one tenant of the database
    Database,
}

/// The result of `diagram`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Drawn<'a> {
    /// `svg`, `mermaid` or `dot`.
    output: &'static str,
    #[serde(flatten)]
    diagram: &'a Diagram,
    /// The diagram in this format.
    text: &'a str,
}

pub(super) async fn run(context: &Context, args: &DiagramArgs) -> Result<u8, Failure> {
    let from = match (args.from, &args.tenant) {
        (Some(FromArg::Files), Some(_)) => {
            return Err(Failure::new(
                Code::Usage,
                "--tenant draws a tenant of the database, but --from is files",
            )
            .hint("pass --from database, or omit --tenant"));
        }
        (Some(from), _) => from,
        (None, Some(_)) => FromArg::Database,
        (None, None) => FromArg::Files,
    };
    let output = match args.output {
        OutputArg::Svg => Output::Svg,
        OutputArg::Mermaid => Output::Mermaid,
        OutputArg::Dot => Output::Dot,
    };
    let diagram = match from {
        FromArg::Files => diagram::of_files(&context.project()?)?,
        FromArg::Database => of_database(context, args.tenant.as_deref()).await?,
    };
    let text = diagram.text(output);
    let document = Drawn { output: output.as_str(), diagram: &diagram, text: &text };
    context.ui.result(&document, |_paint| Text::of_lines(&text))?;
    Ok(0)
}

async fn of_database(context: &Context, slug: Option<&str>) -> Result<Diagram, Failure> {
    let slug = slug.map(Slug::new).transpose()?;
    let root = context.root()?;
    let mut connection = database::connect_root(context, &root).await?;
    let tenant = tenant(&mut connection, &root.settings, slug.as_ref()).await?;
    if let (None, Some(schema)) = (&slug, &tenant) {
        context.ui.note(&format!("the tenant's schema is {schema}; --tenant draws another one"));
    }
    let platform = root.settings.platform_schema();
    let diagram = diagram::of_database(&mut connection, &platform, tenant.as_ref()).await;
    connection.close().await;
    diagram
}

/// The schema of the requested tenant, else of the first one at the highest version.
pub(super) async fn tenant(
    connection: &mut Connection,
    settings: &Settings,
    slug: Option<&Slug>,
) -> Result<Option<SchemaName>, Failure> {
    let presence = state::presence(connection, settings).await?;
    let only: Vec<Slug> = slug.into_iter().cloned().collect();
    let tenants = state::tenants(connection, settings, presence, &only).await?;
    let with_schema = tenants.into_iter().filter(|tenant| tenant.version.is_some() && !tenant.schema_missing);
    let found = with_schema.reduce(|best, other| if other.version > best.version { other } else { best });
    match (slug, found) {
        (Some(slug), None) => Err(metadata::unknown_tenant(connection, settings, slug).await),
        (_, found) => Ok(found.map(|tenant| tenant.schema)),
    }
}
