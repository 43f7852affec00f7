//! Prepares a request without writing: reads the state, checks for edited files, selects the tenants and makes the
//! plan.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use super::{RetryPolicy, StatementObserver};
use crate::chain::{Divergence, FleetState, Migration, Plan, Reach, Stage, Version};
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, Slug};
use crate::postgres::Connection;
use crate::postgres::metadata::state::{self, State};
use crate::project::Project;
use crate::settings::Migrate;

/// The request of a run.
#[derive(Debug, Clone)]
pub struct Request {
    /// The target version; `None` is the latest.
    pub to: Option<Version>,
    /// Only these tenants; empty means all.
    pub tenants: Vec<Slug>,
    /// The schemas to migrate.
    pub reach: Reach,
    /// The limits of a unit.
    pub limits: Migrate,
    /// Number of parallel tenant connections; `None` is the default of [`super::jobs`].
    pub jobs: Option<usize>,
    /// Number of tenants to migrate first; 0 disables the canary.
    pub canary: usize,
    /// How to proceed after a tenant fails.
    pub on_failure: OnFailure,
    /// The retries of a unit.
    pub retry_policy: RetryPolicy,
}

impl Request {
    /// A request to migrate all schemas in `reach` to a version over one connection.
    pub fn plain(to: &Version, reach: Reach, limits: Migrate, retry_policy: RetryPolicy) -> Self {
        Self {
            to: Some(to.clone()),
            tenants: Vec::new(),
            reach,
            limits,
            jobs: Some(1),
            canary: 0,
            on_failure: OnFailure::Stop,
            retry_policy,
        }
    }
}

/// How to proceed after a tenant fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Start no further tenants.
    Stop,
    /// Continue with the other tenants; the platform's next step still waits.
    Continue,
}

/// A request that can be run.
#[derive(Debug)]
pub struct Prepared {
    /// The request.
    pub request: Request,
    /// The state of the database.
    pub state: State,
    /// The plan.
    pub plan: Plan,
    /// The schemas of the requested tenants; empty means all.
    pub only: Vec<SchemaName>,
    /// The observer of the statements, if any.
    pub observer: Option<Rc<dyn StatementObserver>>,
}

impl Prepared {
    /// Checks that the connection suits all steps. A non-transactional step needs a dedicated session: behind a pooler it
    /// would be unknown whether it still runs.
    pub(super) fn check_connection(&self, connection: &Connection) -> Result<(), Failure> {
        match self.plan.steps.iter().find(|step| !step.transactional) {
            None => Ok(()),
            Some(step) => {
                connection.needs_a_session(&format!("{}, which cannot run in a transaction,", step.migration))
            }
        }
    }

    /// Reads the state of the database and makes the plan. Writes nothing.
    pub async fn look(
        connection: &mut Connection,
        project: &Project,
        mut request: Request,
    ) -> Result<Self, Failure> {
        // Ignore repeated slugs.
        let mut named = HashSet::new();
        request.tenants.retain(|slug| named.insert(slug.clone()));
        let state = state::read(connection, &project.settings).await?;
        let mut fleet = state.fleet();
        Divergence::refuse(&project.chain, &state.applied, &fleet)?;
        let mut only = Vec::new();
        if !request.tenants.is_empty() {
            let rows =
                state::tenants(connection, &project.settings, state.presence, &request.tenants).await?;
            let (mut tenants, mut examples) = (BTreeMap::new(), BTreeMap::new());
            for slug in &request.tenants {
                let row =
                    rows.iter().find(|row| row.slug == slug.as_str()).ok_or_else(|| unknown_tenant(slug))?;
                let version = row.version.clone().ok_or_else(|| unknown_tenant(slug))?;
                examples.insert(version.clone(), row.schema.to_string());
                *tenants.entry(version).or_insert(0) += 1;
                only.push(row.schema.clone());
            }
            fleet = FleetState { tenants, examples, ..fleet };
        }
        let mut plan = Plan::make(&project.chain, &fleet, request.to.as_ref(), request.reach)?;
        if only.is_empty() && !state.pool.is_empty() {
            plan.add_pool(&project.chain, fleet, &state.pool, (request.to.as_ref(), request.reach))?;
        }
        Ok(Self { request, state, plan, only, observer: None })
    }

    /// Number of registry rows without a version, which no plan includes; 0 if specific tenants are requested.
    pub fn unknown(&self) -> usize {
        if self.request.tenants.is_empty() { self.state.unknown } else { 0 }
    }

    /// The migrations of the plan, in order.
    pub fn pending<'a>(&self, project: &'a Project) -> Vec<&'a Migration> {
        let mut steps: Vec<usize> = self
            .plan
            .stages
            .iter()
            .flat_map(|stage| match stage {
                Stage::Platform { step, .. } => *step..*step + 1,
                Stage::Tenants(steps) | Stage::Settle(steps) => steps.clone(),
            })
            .collect();
        steps.sort_unstable();
        steps.dedup();
        steps.into_iter().filter_map(|step| project.chain.migrations().get(step)).collect()
    }
}

/// The failure for a tenant that does not exist or has no version.
pub fn unknown_tenant(slug: &Slug) -> Failure {
    Failure::new(Code::TenantUnknown, format!("no tenant {:?} with a version exists", slug.as_str()))
        .hint("`tenure tenant list` shows the tenants")
}
