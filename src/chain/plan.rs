//! Computes the plan from the chain, the state of a fleet and a target version. A plan is a value: `--plan` prints it and
//! the executor runs it.
//!
//! Steps keep the order of the chain. A platform part runs once every tenant has reached the step. The tenant parts of
//! consecutive steps run in one pass, tenant by tenant. If a step has no platform part, the platform's version row moves
//! after all tenants, so that `schema_version` is never ahead of a tenant.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Chain, Migration, Version};
use crate::error::{Code, Failure};
use crate::sql::Scope;

/// The versions of the schemas of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetState {
    /// The platform.
    pub platform: Version,
    /// The number of tenants to migrate per version.
    pub tenants: BTreeMap<Version, usize>,
    /// For each of these versions, the schema of one tenant at it.
    pub examples: BTreeMap<Version, String>,
}

impl FleetState {
    /// The failure if a schema is at a version beyond the end of the chain: this checkout is older than the database.
    pub fn beyond(&self, chain: &Chain) -> Option<Failure> {
        let example = |version: &Version| self.examples.get(version).map(String::as_str).unwrap_or_default();
        let tenants = self.tenants.keys().rev().map(|version| chain.find_tenant(version, example(version)));
        let all = std::iter::once(chain.find_platform(&self.platform)).chain(tenants);
        all.filter_map(Result::err).find(|error| matches!(error, PlanError::Beyond { .. })).map(Failure::from)
    }
}

/// The owner of a version in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionOf {
    /// The platform's.
    Platform,
    /// The version of the tenant with this schema.
    Tenant(String),
}

impl fmt::Display for VersionOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("the platform"),
            Self::Tenant(schema) => write!(f, "the tenant of schema {schema}"),
        }
    }
}

/// The schemas that a run may migrate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All of them.
    Fleet,
    /// Only the platform; tenants are migrated later.
    Platform,
    /// Only tenants, up to the step at which the platform must move first.
    Tenants,
}

/// One migration in a plan.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Step {
    /// The file's name.
    pub migration: String,
    /// The version that it starts from.
    pub from: Version,
    /// The version that it leads to.
    pub to: Version,
    /// Whether its platform part runs.
    pub platform: bool,
    /// The number of tenants on which its tenant part runs.
    pub tenants: usize,
    /// Whether it runs inside a transaction.
    pub transactional: bool,
}

/// A stage of a run. Steps are indexes into [`Chain::migrations`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The platform part of a step, with the platform's version row.
    Platform {
        /// The step.
        step: usize,
        /// Whether the tenants' version rows move in the same transaction, since the step has no tenant part.
        moves_tenants: bool,
    },
    /// These steps on every tenant that is behind, tenant by tenant.
    Tenants(Range<usize>),
    /// Moves the platform's version row over steps without a platform part, after all tenants.
    Settle(Range<usize>),
}

/// The work of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps, for display.
    pub steps: Vec<Step>,
    /// The work, in order.
    pub stages: Vec<Stage>,
    /// The steps that tenants do not take because the platform would have to move first, which this run may not do.
    pub waiting: Range<usize>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages explain the fields")]
pub enum PlanError {
    /// The requested version is not in the chain.
    #[error("version {asked} is not in the chain, which leads from {first} to {latest}")]
    Target { asked: Version, first: Version, latest: Version },
    /// The version of a schema is not in the chain.
    #[error("{owner} is at version {version}, which is not in the chain; it leads from {first} to {latest}")]
    Unknown { owner: VersionOf, version: Version, first: Version, latest: Version },
    /// The version of a schema is higher than the last one of the chain.
    #[error("{owner} is at version {version}, beyond the end of the chain at {latest}")]
    Beyond { owner: VersionOf, version: Version, latest: Version },
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let (code, hint) = match &error {
            PlanError::Target { .. } => (
                Code::VersionNotInChain,
                "`tenure migrate history` and the names in migrations/ show the versions",
            ),
            PlanError::Unknown { owner: VersionOf::Tenant(_), .. } => (
                Code::DatabaseVersionUnknown,
                "this checkout may lack migrations; otherwise set the version of its schema in its row of tenant_version",
            ),
            PlanError::Unknown { .. } => (
                Code::DatabaseVersionUnknown,
                "this checkout may lack migrations; for a schema created by other means use `tenure migrate baseline`",
            ),
            PlanError::Beyond { .. } => (
                Code::VersionBeyond,
                "this checkout is older than the database: use the newer release, or restore a deleted last file; --allow-newer leaves the database as it is",
            ),
        };
        Self::new(code, error.to_string()).hint(hint)
    }
}

impl Chain {
    /// The number of migrations up to the requested `version`.
    pub fn find(&self, version: &Version) -> Result<usize, PlanError> {
        self.position(version).ok_or_else(|| PlanError::Target {
            asked: version.clone(),
            first: self.first(),
            latest: self.latest(),
        })
    }

    /// The number of migrations up to the platform's version.
    pub fn find_platform(&self, version: &Version) -> Result<usize, PlanError> {
        locate(self, version, || VersionOf::Platform)
    }

    /// The number of migrations up to the version of the tenant with `schema`.
    pub fn find_tenant(&self, version: &Version, schema: &str) -> Result<usize, PlanError> {
        locate(self, version, || VersionOf::Tenant(schema.to_owned()))
    }
}

impl Plan {
    /// The last step with a platform part.
    pub fn last_platform_step(&self) -> Option<usize> {
        self.stages.iter().rev().find_map(|stage| match stage {
            Stage::Platform { step, .. } => Some(*step),
            Stage::Tenants(_) | Stage::Settle(_) => None,
        })
    }

    /// Computes the plan that migrates `state` to the version `to`, or to the end of the chain.
    pub fn make(
        chain: &Chain,
        state: &FleetState,
        to: Option<&Version>,
        reach: Reach,
    ) -> Result<Self, PlanError> {
        let target = match to {
            None => chain.migrations().len(),
            Some(to) => chain.find(to)?,
        };
        let platform = chain.find_platform(&state.platform)?;
        let tenants = state
            .tenants
            .iter()
            .map(|(version, count)| {
                let example = state.examples.get(version).map(String::as_str).unwrap_or_default();
                Ok((chain.find_tenant(version, example)?, *count))
            })
            .collect::<Result<BTreeMap<usize, usize>, PlanError>>()?;
        let mut planner = Planner { chain, platform, tenants, pass: None, plan: Self::default() };
        match reach {
            Reach::Fleet => planner.fleet(target),
            Reach::Platform => planner.platform_only(target),
            Reach::Tenants => planner.tenants_only(target),
        }
        Ok(planner.plan)
    }

    /// Adds pool schemas whose version is in the chain to the plan. The counts of the steps include tenants only.
    pub fn add_pool(
        &mut self,
        chain: &Chain,
        mut state: FleetState,
        pool: &BTreeMap<(Version, String), usize>,
        (to, reach): (Option<&Version>, Reach),
    ) -> Result<(), PlanError> {
        let known = |version: &&Version| chain.position(version).is_some();
        for ((version, _), count) in pool.iter().filter(|((version, _), _)| known(&version)) {
            *state.tenants.entry(version.clone()).or_default() += count;
        }
        let mut plan = Self::make(chain, &state, to, reach)?;
        for step in &mut plan.steps {
            let own = self.steps.iter().find(|own| own.migration == step.migration);
            step.tenants = own.map_or(0, |own| own.tenants);
        }
        *self = plan;
        Ok(())
    }

    /// Whether the plan contains no work.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }
}

fn locate(chain: &Chain, version: &Version, owner: impl Fn() -> VersionOf) -> Result<usize, PlanError> {
    chain.position(version).ok_or_else(|| {
        let owner = owner();
        let (version, latest) = (version.clone(), chain.latest());
        if version > latest {
            PlanError::Beyond { owner, version, latest }
        } else {
            PlanError::Unknown { owner, version, first: chain.first(), latest }
        }
    })
}

/// Simulates the fleet along the chain. A position is the number of migrations already applied.
struct Planner<'a> {
    chain: &'a Chain,
    platform: usize,
    tenants: BTreeMap<usize, usize>,
    /// The steps of the current tenant pass.
    pass: Option<Range<usize>>,
    plan: Plan,
}

impl Planner<'_> {
    fn fleet(&mut self, target: usize) {
        let start = self.tenants.keys().copied().chain([self.platform]).min().unwrap_or(target);
        for step in start..target {
            let migration = &self.chain.migrations()[step];
            if self.platform <= step && !is_tenant_only(migration) {
                self.end_pass();
                self.platform_stage(step);
                if !migration.has(Scope::Tenant) {
                    continue;
                }
            }
            self.tenant_step(step);
        }
        self.end_pass();
    }

    fn platform_only(&mut self, target: usize) {
        for step in self.platform..target {
            self.platform_stage(step);
        }
    }

    fn tenants_only(&mut self, target: usize) {
        let start = self.tenants.keys().copied().min().unwrap_or(target);
        for step in start..target {
            if self.platform <= step && !is_tenant_only(&self.chain.migrations()[step]) {
                self.plan.waiting = step..target;
                break;
            }
            self.tenant_step(step);
        }
        self.end_pass();
    }

    fn platform_stage(&mut self, step: usize) {
        let migration = &self.chain.migrations()[step];
        let moves_tenants = !migration.has(Scope::Tenant);
        self.plan.stages.push(Stage::Platform { step, moves_tenants });
        self.note(migration, migration.has(Scope::Platform), 0);
        self.platform = step + 1;
        if moves_tenants && let Some(count) = self.tenants.remove(&step) {
            *self.tenants.entry(step + 1).or_default() += count;
        }
    }

    fn tenant_step(&mut self, step: usize) {
        let migration = &self.chain.migrations()[step];
        let behind = self.tenants.range(..=step).map(|(_, count)| count).sum();
        if migration.has(Scope::Tenant) {
            self.note(migration, false, behind);
        }
        if behind > 0 || self.platform <= step {
            let start = self.pass.take().map_or(step, |pass| pass.start);
            self.pass = Some(start..step + 1);
        }
    }

    fn end_pass(&mut self) {
        let Some(pass) = self.pass.take() else { return };
        let behind: usize = self.tenants.range(..pass.end).map(|(_, count)| count).sum();
        if behind > 0 {
            self.plan.stages.push(Stage::Tenants(pass.clone()));
            self.tenants = self.tenants.split_off(&pass.end);
            *self.tenants.entry(pass.end).or_default() += behind;
        }
        if self.platform < pass.end {
            self.plan.stages.push(Stage::Settle(self.platform..pass.end));
            self.platform = pass.end;
        }
    }

    fn note(&mut self, migration: &Migration, platform: bool, tenants: usize) {
        if let Some(last) = self.plan.steps.last_mut()
            && last.migration == migration.file
        {
            last.tenants = tenants;
            return;
        }
        self.plan.steps.push(Step {
            migration: migration.file.clone(),
            from: migration.from().clone(),
            to: migration.to().clone(),
            platform,
            tenants,
            transactional: migration.transactional,
        });
    }
}

/// Whether a step has only a tenant part.
fn is_tenant_only(migration: &Migration) -> bool {
    migration.has(Scope::Tenant) && !migration.has(Scope::Platform)
}

#[cfg(test)]
mod tests;
