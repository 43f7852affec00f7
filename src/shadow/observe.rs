//! Runs migrations on a shadow and returns their effects for verification.

use std::collections::HashMap;

use super::database::Shadow;
use super::of_shadow;
use super::shadow_run::watch;
use crate::chain::Migration;
use crate::error::Failure;
use crate::project::{EffectsByFile, Project};
use crate::queries::{Release, Unchecked};
use crate::settings::Contract;
use crate::verify::StatementEffect;

/// Maximum number of unchecked queries in notes; JSON contains all.
const SHOWN: usize = 5;

/// The observations of migrations on a shadow.
#[derive(Debug, Default)]
pub struct ShadowResult {
    /// The effects by file, for verification.
    pub effects_by_file: EffectsByFile,
    /// The effects of each statement on tables.
    pub effects: Vec<StatementEffect>,
    /// The queries that could not be checked.
    pub unchecked: Vec<Unchecked>,
    /// Notes for the user, one line each.
    pub notes: Vec<String>,
}

/// Runs the chain of `project` up to the last of `migrations`, and observes it from the first of them on.
pub async fn observe(
    project: &Project,
    migrations: &[&Migration],
    release: Option<&Release>,
    shadow: impl AsyncFn() -> Result<Shadow, Failure>,
) -> Result<ShadowResult, Failure> {
    let chain = project.chain.migrations();
    let asked = |step: &Migration| migrations.iter().any(|asked| asked.file == step.file);
    let (Some(first), Some(last)) = (chain.iter().position(asked), chain.iter().rposition(asked)) else {
        return Ok(ShadowResult::default());
    };
    let steps = Box::pin(watch(project, first..last + 1, release, shadow)).await.map_err(of_shadow)?;
    let by_contract = project.settings.verify.contract == Contract::Queries && release.is_some();
    let (mut effects_by_file, mut effects, mut notes) = (HashMap::new(), Vec::new(), Vec::new());
    for step in &steps {
        let migration = &chain[step.index];
        effects_by_file.insert(migration.file.clone(), step.observed_effects(migration, by_contract));
        effects.extend(step.effects(migration));
        if step.no_tenants {
            notes.push(format!(
                "the tenants' part of {} was not run on the shadow: no template reaches back to {}",
                migration.file,
                migration.from()
            ));
        }
        if let Some(failure) = &step.cleanup_failure {
            notes.push(format!(
                "the shadow could not be emptied; the next run that uses it empties it first: {failure}"
            ));
        }
        effects_by_file.extend(step.reversed.iter().map(|down| (down.file.clone(), down.observed_effects())));
    }
    // From the last step: before an earlier step, the objects of a query may not exist yet.
    let unchecked = steps.into_iter().next_back().map(|step| step.unchecked).unwrap_or_default();
    let told = unchecked.iter().take(SHOWN);
    notes.extend(told.map(|it| format!("unchecked query: {}: {}", it.place, it.why)));
    if unchecked.len() > SHOWN {
        notes.push(format!("and {} more", unchecked.len() - SHOWN));
    }
    Ok(ShadowResult { effects_by_file, effects, unchecked, notes })
}
