//! What is asked for, looked at against the database without writing: the state, what was edited, who
//! is meant, and the plan.

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

/// What `migrate up` was asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The version to reach; the chain's end if none is named.
    pub to: Option<Version>,
    /// Only these tenants, if any are named.
    pub tenants: Vec<Slug>,
    /// Which schemas may be touched.
    pub reach: Reach,
    /// The limits of a unit.
    pub limits: Migrate,
    /// How many connections work on tenants; chosen by what the server has free if not said.
    pub jobs: Option<usize>,
    /// So many tenants go first, alone; 0 is none.
    pub canary: usize,
    /// What a tenant that fails means for the others.
    pub on_failure: OnFailure,
    /// How often a unit is tried again.
    pub retry_policy: RetryPolicy,
}

impl Request {
    /// To bring all that `reach` says to a version, over one connection.
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

/// What a tenant that fails means for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// No further tenant is begun.
    Stop,
    /// The others go on; the platform waits all the same.
    Continue,
}

/// A request that can be run.
#[derive(Debug)]
pub struct Prepared {
    /// The request.
    pub request: Request,
    /// The database as it was found.
    pub state: State,
    /// What is to be done.
    pub plan: Plan,
    /// The schemas of the tenants that were named.
    pub only: Vec<SchemaName>,
    /// Who wants to know what each statement does, where somebody does.
    pub observer: Option<Rc<dyn StatementObserver>>,
}

impl Prepared {
    /// Makes sure that the connection is one for all steps. One that cannot run in a transaction needs a session for itself: a
    /// pooler may give it up behind its back, and nobody could say whether it still runs.
    pub(super) fn can_go_through(&self, connection: &Connection) -> Result<(), Failure> {
        match self.plan.steps.iter().find(|step| !step.transactional) {
            None => Ok(()),
            Some(step) => {
                connection.require_session(&format!("{}, which cannot run in a transaction,", step.migration))
            }
        }
    }

    /// Looks at the database and makes the plan. Writes nothing.
    pub async fn look(
        connection: &mut Connection,
        project: &Project,
        mut request: Request,
    ) -> Result<Self, Failure> {
        // Who is named twice is one tenant.
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

    /// How many rows of the registry have no version, so that no plan moves them. Who names tenants asks for no other.
    pub fn unknown(&self) -> usize {
        if self.request.tenants.is_empty() { self.state.unknown } else { 0 }
    }

    /// The migrations that the plan runs, in order.
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

/// No such tenant, or none with a version.
pub fn unknown_tenant(slug: &Slug) -> Failure {
    Failure::new(Code::TenantUnknown, format!("there is no tenant {:?} with a version", slug.as_str()))
        .hint("`tenure tenant list` shows the tenants")
}
