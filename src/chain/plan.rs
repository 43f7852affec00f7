//! The plan: from the chain, the state of a fleet and a target to what is done in which order. A plan
//! is a value; `--plan` prints it and the runner follows it.
//!
//! The order is the chain's. A platform part runs when every tenant has reached the step; the tenant
//! parts of consecutive steps run tenant by tenant in one pass. Where a step has no platform part, the
//! platform's version row moves last, so that `schema_version` never promises what a tenant lacks.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::{Chain, Migration, Version};
use crate::error::{Code, Failure};
use crate::sql::Scope;

/// Where the schemas of a fleet are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetState {
    /// The platform.
    pub platform: Version,
    /// How many of the tenants that are to be moved are at which version.
    pub tenants: BTreeMap<Version, usize>,
    /// For each of these versions the schema of one tenant that is at it.
    pub examples: BTreeMap<Version, String>,
}

/// Whose version a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionOf {
    /// The platform's.
    Platform,
    /// The version of the tenant of this schema.
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

/// Which schemas a run may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All of them.
    Fleet,
    /// Only the platform's; tenants are left for later.
    Platform,
    /// Only tenants, as far as they can go before the platform must move.
    Tenants,
}

/// One migration as the plan sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The file's name.
    pub migration: String,
    /// The version that it starts from.
    pub from: Version,
    /// The version that it leads to.
    pub to: Version,
    /// Whether its platform part is to be run.
    pub platform: bool,
    /// On how many tenants its tenant part is to be run.
    pub tenants: usize,
    /// Whether it runs inside a transaction.
    pub transactional: bool,
}

/// What the runner does at once. Steps are indices into [`Chain::migrations`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The platform part of a step, with the platform's version row.
    Platform {
        /// The step.
        step: usize,
        /// Whether the tenants' rows move in the same transaction, since the step has nothing for them.
        moves_tenants: bool,
    },
    /// These steps on every tenant that is behind, tenant by tenant.
    Tenants(Range<usize>),
    /// The platform's version row over steps without a platform part, once every tenant is there.
    Settle(Range<usize>),
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps, for people.
    pub steps: Vec<Step>,
    /// The work, in order.
    pub stages: Vec<Stage>,
    /// The steps that tenants do not take since the platform would have to move, which it may not.
    pub waiting: Range<usize>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages say")]
pub enum PlanError {
    /// `--to` names no version of the chain.
    #[error("{asked} is not a version of the chain, which leads from {first} to {latest}")]
    Target { asked: Version, first: Version, latest: Version },
    /// A schema is at a version that the chain does not know.
    #[error(
        "{whose} is at version {version}, which the chain does not know; it leads from {first} to {latest}"
    )]
    Unknown { whose: VersionOf, version: Version, first: Version, latest: Version },
    /// A schema is beyond the chain's end.
    #[error("{whose} is at version {version}, beyond the chain's end at {latest}")]
    Beyond { whose: VersionOf, version: Version, latest: Version },
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let (code, hint) = match &error {
            PlanError::Target { .. } => (
                Code::VersionNotInChain,
                "`tenure migrate history` and the names in migrations/ show the versions",
            ),
            PlanError::Unknown { whose: VersionOf::Tenant(_), .. } => (
                Code::DatabaseVersionUnknown,
                "this checkout may lack migrations; else put the version that its schema has into its row of tenant_version",
            ),
            PlanError::Unknown { .. } => (
                Code::DatabaseVersionUnknown,
                "this checkout may lack migrations; for a schema made by other means see `tenure migrate baseline`",
            ),
            PlanError::Beyond { .. } => {
                (Code::VersionBeyond, "this checkout is older than the database: use the newer release")
            }
        };
        Self::new(code, error.to_string()).hint(hint)
    }
}

impl Chain {
    /// How many migrations lie behind a schema at `version`, which somebody asked for.
    pub fn find(&self, version: &Version) -> Result<usize, PlanError> {
        self.position(version).ok_or_else(|| PlanError::Target {
            asked: version.clone(),
            first: self.first(),
            latest: self.latest(),
        })
    }

    /// The same for a version that the platform is at.
    pub fn find_platform(&self, version: &Version) -> Result<usize, PlanError> {
        locate(self, version, || VersionOf::Platform)
    }

    /// The same for a version that the tenant of `schema` is at.
    pub fn find_tenant(&self, version: &Version, schema: &str) -> Result<usize, PlanError> {
        locate(self, version, || VersionOf::Tenant(schema.to_owned()))
    }
}

impl Plan {
    /// The plan that moves `state` to the version `to`, or to the chain's end.
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

    /// Takes schemas that were made in advance along, those at a version that the chain knows. They are nobody's, so
    /// the steps count tenants only.
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
        let mut whole = Self::make(chain, &state, to, reach)?;
        for step in &mut whole.steps {
            let own = self.steps.iter().find(|own| own.migration == step.migration);
            step.tenants = own.map_or(0, |own| own.tenants);
        }
        *self = whole;
        Ok(())
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }
}

fn locate(chain: &Chain, version: &Version, whose: impl Fn() -> VersionOf) -> Result<usize, PlanError> {
    chain.position(version).ok_or_else(|| {
        let whose = whose();
        let (version, latest) = (version.clone(), chain.latest());
        if version > latest {
            PlanError::Beyond { whose, version, latest }
        } else {
            PlanError::Unknown { whose, version, first: chain.first(), latest }
        }
    })
}

/// Follows the fleet along the chain; positions count the migrations that lie behind a schema.
struct Planner<'a> {
    chain: &'a Chain,
    platform: usize,
    tenants: BTreeMap<usize, usize>,
    /// The steps of the tenant pass that is being gathered.
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

/// A step that does nothing to the platform but move its version.
fn is_tenant_only(migration: &Migration) -> bool {
    migration.has(Scope::Tenant) && !migration.has(Scope::Platform)
}

#[cfg(test)]
mod tests;
