//! Makes the plan of a request: reads the state, detects edited files and finds the requested tenants. Writes nothing.

use std::collections::{BTreeMap, HashSet};

use crate::chain::{Divergence, FleetState, Migration, Plan, Stage, Version};
use crate::error::{Code, Failure};
use crate::executor::Request;
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::extensions;
use crate::postgres::metadata::state::{self, State};
use crate::postgres::metadata::unknown_tenant;
use crate::project::Project;
use crate::sql::Scope;

/// A request and its plan on a database, not verified.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) request: Request,
    /// The state of the database before the run.
    pub(super) state: State,
    pub(super) plan: Plan,
    /// The schemas of the requested tenants; empty for all.
    pub(super) only: Vec<SchemaName>,
    /// Why the plan is empty: the database is ahead of the chain, which the request allows.
    pub(super) newer: Option<String>,
}

impl Prepared {
    /// Checks that the connection can run all steps. A step that cannot run in a transaction needs a dedicated session: if a
    /// pooler closes the session, the outcome of the statement is unknown.
    pub(super) fn check_connection(&self, connection: &Connection) -> Result<(), Failure> {
        match self.plan.steps.iter().find(|step| !step.transactional) {
            None => Ok(()),
            Some(step) => {
                connection.require_session(&format!("{}, which cannot run in a transaction,", step.migration))
            }
        }
    }

    /// Reads the state of the database and makes the plan. Writes nothing.
    pub(super) async fn look(
        connection: &mut Connection,
        project: &Project,
        mut request: Request,
    ) -> Result<Self, Failure> {
        // Remove duplicates.
        let mut named = HashSet::new();
        request.tenants.retain(|slug| named.insert(slug.clone()));
        let state = state::read(connection, &project.settings).await?;
        let mut fleet = state.fleet();
        if request.limits.allow_newer
            && let Some(beyond) = fleet.beyond(&project.chain)
        {
            let (plan, only, newer) = (Plan::default(), Vec::new(), Some(beyond.message));
            return Ok(Self { request, state, plan, only, newer });
        }
        Divergence::check(&project.chain, &state.applied, &fleet)?;
        let mut only = Vec::new();
        if !request.tenants.is_empty() {
            let rows =
                state::tenants(connection, &project.settings, state.presence, &request.tenants).await?;
            let (mut tenants, mut examples) = (BTreeMap::new(), BTreeMap::new());
            for slug in &request.tenants {
                let row = rows.iter().find(|row| row.slug == slug.as_str());
                let Some((row, version)) = row.and_then(|row| Some((row, row.version.clone()?))) else {
                    return Err(unknown_tenant(connection, &project.settings, slug).await);
                };
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
        Ok(Self { request, state, plan, only, newer: None })
    }

    /// Fails if the database has no version, but tables that the first migration creates: it was made by other means.
    pub(super) async fn expect_no_tables(
        &self,
        connection: &mut Connection,
        project: &Project,
    ) -> Result<(), Failure> {
        let pending = self.pending(project);
        let first = pending.first().filter(|first| *first.from() == Version::ZERO && first.transactional);
        let Some(first) = first.filter(|_| self.state.platform == Version::ZERO) else { return Ok(()) };
        let platform = project.settings.platform_schema();
        let creates =
            first.part(Scope::Platform).filter(|statement| !statement.only_if_missing(&first.script));
        let names = creates.filter(|statement| statement.verb() == "CREATE TABLE").filter_map(|statement| {
            let name = statement.names.first().filter(|name| name.is_new_table())?;
            Some((name.schema.as_deref().unwrap_or(platform.as_str()), name.name.as_str()))
        });
        let names: Vec<_> = names.collect();
        let Some((schema, table)) = extensions::first_existing_table(connection, &names).await? else {
            return Ok(());
        };
        // Another run may have done the first step meanwhile.
        if state::read(connection, &project.settings).await?.platform != Version::ZERO {
            return Ok(());
        }
        Err(Failure::new(
            Code::BaselineMissing,
            format!(
                "the database has the table {schema}.{table}, which {} creates, but no history of Tenure",
                first.file
            ),
        )
        .hint(
            "`tenure migrate baseline VERSION` declares the version of a database that other means have migrated; \
             `tenure init --from-database` writes the files of one, in a new folder",
        ))
    }

    /// Number of registry rows without a version, which no plan migrates; 0 if tenants were requested by name.
    pub(super) fn unknown(&self) -> usize {
        if self.request.tenants.is_empty() { self.state.unknown } else { 0 }
    }

    /// The migrations of the plan, in order.
    pub(super) fn pending<'a>(&self, project: &'a Project) -> Vec<&'a Migration> {
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
