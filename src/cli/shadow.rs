//! The flags for verification on a shadow, the throwaway database on which migrations are run and observed.

use std::path::PathBuf;

use clap::Args;

use super::{Context, database, unless_interrupted};
use crate::chain::Migration;
use crate::error::{Code, Failure};
use crate::project::Project;
use crate::shadow::{self, MissingExtension, Shadow, ShadowRequest, ShadowResult};

/// The extensions that a shadow may create with a superuser's rights.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ShadowExtensions {
    /// An extension that is not trusted and may be created on the shadow, besides those of [shadow] extensions
    /// in the settings of --policy-from; repeatable
    #[arg(long, value_name = "NAME")]
    pub(super) shadow_extension: Vec<String>,
}

impl ShadowExtensions {
    /// Those of the command line and of the base's settings. The project's own settings do not count: a pull request may have
    /// changed them.
    pub(super) fn of(&self, project: &Project) -> Vec<String> {
        let base = project.policy.iter().flat_map(|base| &base.settings.shadow.extensions);
        self.shadow_extension.iter().cloned().chain(base.map(|name| name.as_str().to_owned())).collect()
    }
}

/// The shadow database and the release's queries.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ShadowArgs {
    /// Run the migrations on a temporary private server and check their effects
    #[arg(long, conflicts_with_all = ["shadow_url", "rules"])]
    pub(super) shadow: bool,
    /// Like --shadow, on this database; it must be empty and all its contents are deleted
    #[arg(long, value_name = "URL", conflicts_with = "rules")]
    pub(super) shadow_url: Option<String>,
    /// Queries of the running release that must still work: .sql, .sqlx/query-*.json, an export of
    /// pg_stat_statements, or a folder with such files; repeatable
    #[arg(long, value_name = "PATH", conflicts_with = "rules")]
    pub(super) queries: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) extensions: ShadowExtensions,
}

impl ShadowArgs {
    /// Whether a shadow run was requested.
    pub(super) fn wanted(&self) -> bool {
        self.shadow || self.shadow_url.is_some() || !self.queries.is_empty()
    }
}

/// Runs `migrations` on a shadow and returns their effects.
pub(super) async fn observe(
    context: &Context,
    project: &Project,
    migrations: &[&Migration],
    args: &ShadowArgs,
) -> Result<ShadowResult, Failure> {
    let release = project.release(&context.here, &args.queries)?;
    let shadow = async || open(project, args.shadow_url.as_deref(), &args.extensions).await;
    let observed =
        unless_interrupted(Box::pin(shadow::observe(project, migrations, release.as_ref(), shadow))).await?;
    context.ui.notes(&observed.notes);
    Ok(observed)
}

/// Opens the given database, or one on a private server.
pub(super) async fn open(
    project: &Project,
    url: Option<&str>,
    extensions: &ShadowExtensions,
) -> Result<Shadow, Failure> {
    let environment = &database::environment();
    let extensions = &extensions.of(project);
    Box::pin(Shadow::for_chain(
        project,
        ShadowRequest { url, extensions, missing: MissingExtension::Refused, environment },
    ))
    .await
}

/// The failure for a file that is not part of the chain, which cannot run on a shadow.
pub(super) fn no_file_but_migrations() -> Failure {
    Failure::new(Code::Usage, "only the project's migrations can run on a shadow")
        .hint("omit the file, or verify it without --shadow")
}
