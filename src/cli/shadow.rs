//! Verification by effect: the migrations are run on a throwaway database, and watched.

use std::cell::Cell;
use std::path::PathBuf;

use super::args::ShadowArgs;
use super::{Context, database, unless_interrupted};
use crate::chain::Migration;
use crate::error::{Code, Failure};
use crate::postgres::DatabaseUrl;
use crate::project::{self, EffectsByFile, Project};
use crate::queries::{Release, Tenants, Unchecked};
use crate::settings::Contract;
use crate::shadow::{self, Shadow};
use crate::verify::StatementEffect;

/// So many queries that say nothing are told to people; programs get all.
const SHOWN: usize = 5;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) observed: EffectsByFile,
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
    watch_on(context, project, migrations, args, None).await
}

/// The same, on a shadow that is there already if one is.
pub(super) async fn watch_on(
    context: &Context,
    project: &Project,
    migrations: &[&Migration],
    args: &ShadowArgs,
    ready: Option<Shadow>,
) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    let chain = project.chain.migrations();
    let asked = |step: &&(usize, &Migration)| migrations.iter().any(|asked| asked.file == step.1.file);
    let steps: Vec<(usize, &Migration)> = chain.iter().enumerate().collect();
    let (Some((first, _)), Some((last, _))) = (steps.iter().find(asked), steps.iter().rfind(asked)) else {
        return Ok(seen);
    };
    let release = release(context, project, &args.queries)?;
    let ready = Cell::new(ready);
    let shadow = async || match ready.take() {
        Some(ready) => Ok(ready),
        None => a_shadow(project, args.shadow_url.as_deref()).await,
    };
    let watched = Box::pin(shadow::watch(project, *first..last + 1, release.as_ref(), shadow));
    let steps = unless_interrupted(watched).await?;
    let by_contract = project.settings.verify.contract == Contract::Queries && release.is_some();
    for step in &steps {
        let migration = &chain[step.index];
        seen.observed.insert(migration.file.clone(), step.observed_effects(migration, by_contract));
        seen.effects.extend(step.effects(migration));
        if step.no_tenants {
            context.ui.note(&format!(
                "the tenants' part of {} was not run on the shadow: no template reaches back to {}",
                migration.file,
                migration.from()
            ));
        }
        if let Some(failure) = &step.left {
            context
                .ui
                .note(&format!("the shadow is not empty, the next run with it has to empty it: {failure}"));
        }
        seen.observed.extend(step.reversed.iter().map(|down| (down.file.clone(), down.observed_effects())));
    }
    // Of the last step: an earlier one may begin before there is what a query asks for.
    seen.unchecked = steps.into_iter().next_back().map(|step| step.unchecked).unwrap_or_default();
    for (number, unchecked) in seen.unchecked.iter().enumerate() {
        if number == SHOWN {
            context.ui.note(&format!("and {} more", seen.unchecked.len() - SHOWN));
            break;
        }
        context.ui.note(&format!("a query that says nothing: {}: {}", unchecked.place, unchecked.why));
    }
    Ok(seen)
}

/// The database that was given, or one of a server of its own, for a chain that can be run on it.
pub(super) async fn a_shadow(project: &Project, given: Option<&str>) -> Result<Shadow, Failure> {
    project.chain.check_starts_at_zero()?;
    match given {
        Some(url) => Shadow::given(&DatabaseUrl::parse(url)?).await,
        None => Shadow::made(&database::environment()).await,
    }
}

/// The queries of the running release, where some were given.
pub(super) fn release(
    context: &Context,
    project: &Project,
    paths: &[PathBuf],
) -> Result<Option<Release>, Failure> {
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
