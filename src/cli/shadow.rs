//! Verification by effect: the migrations are run on a throwaway database, and watched.

use std::path::PathBuf;

use super::args::ShadowArgs;
use super::{Context, database};
use crate::chain::Migration;
use crate::error::{Code, Failure};
use crate::outcome::StatementEffect;
use crate::postgres::DatabaseUrl;
use crate::project::{self, Project, Witnesses};
use crate::queries::{Release, Tenants, Unchecked};
use crate::settings::Contract;
use crate::shadow::{self, Shadow};

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) witnesses: Witnesses,
    pub(super) effects: Vec<StatementEffect>,
    pub(super) unchecked: Vec<Unchecked>,
}

impl ShadowArgs {
    /// Whether somebody wants it.
    pub(super) fn wanted(&self) -> bool {
        self.shadow || self.shadow_url.is_some() || !self.queries.is_empty()
    }
}

/// Runs the chain of `project` up to the first of `migrations`, then these and what is between them.
pub(super) async fn watch(
    context: &Context,
    project: &Project,
    migrations: &[&Migration],
    args: &ShadowArgs,
) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    let chain = project.chain.migrations();
    let asked = |step: &&(usize, &Migration)| migrations.iter().any(|asked| asked.file == step.1.file);
    let steps: Vec<(usize, &Migration)> = chain.iter().enumerate().collect();
    let (Some((first, _)), Some((last, _))) = (steps.iter().find(asked), steps.iter().rfind(asked)) else {
        return Ok(seen);
    };
    let release = release(context, project, &args.queries)?;
    let url = match &args.shadow_url {
        Some(url) => DatabaseUrl::parse(url)?,
        None => database::private(context, &project.root).await?,
    };
    let shadow = async || match &args.shadow_url {
        Some(_) => Shadow::given(&url).await,
        None => Shadow::made(&url).await,
    };
    let steps = shadow::watch(project, *first..last + 1, release.as_ref(), shadow).await?;
    let by_contract = project.settings.verify.contract == Contract::Queries && release.is_some();
    for step in &steps {
        let migration = &chain[step.index];
        seen.witnesses.insert(migration.file.clone(), step.witness(migration, by_contract));
        seen.effects.extend(step.effects(migration));
        seen.witnesses.extend(step.reversed.iter().map(|down| (down.file.clone(), down.witness())));
    }
    // Of the last step: an earlier one may begin before there is what a query asks for.
    seen.unchecked = steps.into_iter().next_back().map(|step| step.unchecked).unwrap_or_default();
    Ok(seen)
}

fn release(context: &Context, project: &Project, paths: &[PathBuf]) -> Result<Option<Release>, Failure> {
    if paths.is_empty() {
        return Ok(None);
    }
    let platform = project.settings.platform_schema();
    let tenants =
        Tenants { prefix: project.settings.tenants.schema_prefix.as_str(), platform: platform.as_str() };
    project::release(&context.here, paths, tenants).map(Some)
}

/// Only what belongs to a chain can be run: any other file asks for a shadow in vain.
pub(super) fn no_file_but_migrations() -> Failure {
    Failure::new(Code::Usage, "only migrations of the project can be run on a shadow")
        .hint("leave the file out, or verify it without --shadow")
}
