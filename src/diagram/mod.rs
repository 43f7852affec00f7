//! `diagram`: the tables of the platform and of a tenant as an entity-relationship diagram, from the files or from a database. The
//! output depends on the model only, not on installed programs.

mod dot;
mod layout;
mod mermaid;
mod model;
mod svg;

pub use model::{Cluster, Column, Diagram, Key, Reference, Table};

use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::catalog;
use crate::project::Project;

/// The format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// SVG, for light and dark backgrounds.
    Svg,
    /// A Mermaid `erDiagram`.
    Mermaid,
    /// Graphviz.
    Dot,
}

impl Output {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Mermaid => "mermaid",
            Self::Dot => "dot",
        }
    }
}

/// The diagram of the files: the platform after the whole chain, and a tenant of the default template.
pub fn of_files(project: &Project) -> Result<Diagram, Failure> {
    let diagram = Diagram::of(&project.latest_schema(), project.settings.platform_schema().as_str());
    found(diagram, "the migrations and the template create no table", "`tenure migrate new` adds a migration")
}

/// The diagram of a database: its platform's schema, and that of one tenant.
pub async fn of_database(
    connection: &mut Connection,
    platform: &SchemaName,
    tenant: Option<&SchemaName>,
) -> Result<Diagram, Failure> {
    let schema = catalog::model_of(connection, platform, tenant).await?;
    let diagram = Diagram::of(&schema, platform.as_str());
    let message = format!("the database has no table in schema {platform}, and no tenant");
    found(diagram, &message, "`tenure migrate up` creates them; --from files draws the files")
}

fn found(diagram: Diagram, message: &str, hint: &str) -> Result<Diagram, Failure> {
    if diagram.clusters.is_empty() {
        return Err(Failure::new(Code::DiagramEmpty, message).hint(hint));
    }
    Ok(diagram)
}

impl Diagram {
    /// The diagram as text.
    pub fn text(&self, output: Output) -> String {
        match output {
            Output::Svg => svg::svg(self),
            Output::Mermaid => mermaid::mermaid(self),
            Output::Dot => dot::dot(self),
        }
    }
}
