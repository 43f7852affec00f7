//! Checks the queries of the running release on the shadow before and after each step. The state just before the step is the
//! reference, so a query that an earlier step broke is reported there.

use super::attributed::{Attributed, SchemaOwner};
use super::shadow_run::ShadowRun;
use super::step::{ObservedStatement, Step};
use crate::error::Failure;
use crate::postgres::queries::{observe, run_and_explain};
use crate::queries::{Break, Observation, Release, Schemas, compare};

/// The queries, and their last observation.
#[derive(Debug)]
pub(super) struct Queries<'a> {
    release: &'a Release,
    last: Option<Observation>,
    /// The number of tenants at that time.
    tenants: usize,
}

impl<'a> Queries<'a> {
    pub(super) fn of(release: &'a Release) -> Self {
        Self { release, last: None, tenants: 0 }
    }
}

impl ShadowRun<'_> {
    /// Observes the queries before a step, unless nothing changed since the last observation.
    pub(super) async fn observe_before(&mut self, queries: &mut Queries<'_>) -> Result<(), Failure> {
        if queries.last.is_none() || queries.tenants != self.tenants.len() {
            queries.last = Some(self.observe(queries.release, None).await?);
            queries.tenants = self.tenants.len();
        }
        Ok(())
    }

    /// Observes the queries after `step` and adds the broken ones to it.
    pub(super) async fn observe_after(
        &mut self,
        queries: &mut Queries<'_>,
        step: &mut Step,
    ) -> Result<(), Failure> {
        let Some(before) = queries.last.take() else { return Ok(()) };
        let after = self.observe(queries.release, Some(&before)).await?;
        step.unchecked = before.unchecked(queries.release);
        for broken in compare(queries.release, &before, &after) {
            let statement = causing_statement(&step.statements, &broken).map(|seen| seen.range.clone());
            step.broken.push(Attributed {
                what: broken,
                schema: SchemaOwner::Tenant,
                schema_name: String::new(),
                statement,
            });
        }
        queries.last = Some(after);
        Ok(())
    }

    async fn observe(
        &mut self,
        release: &Release,
        before: Option<&Observation>,
    ) -> Result<Observation, Failure> {
        let platform = self.project.settings.platform_schema();
        let tenant = self.tenants.first().unwrap_or(&platform).clone();
        let schemas =
            Schemas { tenant: &tenant, platform: &platform, shared: &self.project.settings.shared_path() };
        let mut now = observe(self.connection, release, schemas, before).await?;
        run_and_explain(self.connection, release, schemas, &mut now, before).await?;
        Ok(now)
    }
}

/// The statement that broke the query: the last one that changed an object which the query names, or else the last one that
/// changed anything.
fn causing_statement<'s>(
    statements: &'s [ObservedStatement],
    broken: &Break,
) -> Option<&'s ObservedStatement> {
    let (_, statement) = broken.query.parsed();
    let named = |seen: &&ObservedStatement| {
        let mut changes = seen.changes.iter().flat_map(|(_, changes)| changes);
        changes.any(|change| statement.names.iter().any(|name| name.name == change.object.bare_name()))
    };
    let changed = statements.iter().rev();
    changed.clone().find(named).or_else(|| changed.clone().find(|seen| !seen.changes.is_empty()))
}
