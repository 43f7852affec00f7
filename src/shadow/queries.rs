//! The queries of the running release, asked on the shadow before each step and after it. A step is held
//! against what was right just before it: what an earlier one broke is told there.

use super::attributed::{Attributed, Whose};
use super::shadow_run::ShadowRun;
use super::step::{Seen, Step};
use crate::error::Failure;
use crate::postgres::queries::{observe, run_and_explain};
use crate::queries::{Break, Observation, Release, Schemas, compare};

/// The queries, and how they were answered last.
#[derive(Debug)]
pub(super) struct Queries<'a> {
    release: &'a Release,
    last: Option<Observation>,
    /// How many tenants there were then.
    tenants: usize,
}

impl<'a> Queries<'a> {
    pub(super) fn of(release: &'a Release) -> Self {
        Self { release, last: None, tenants: 0 }
    }
}

impl ShadowRun<'_> {
    /// Asks before a step, unless nothing happened since the last time.
    pub(super) async fn ask(&mut self, queries: &mut Queries<'_>) -> Result<(), Failure> {
        if queries.last.is_none() || queries.tenants != self.tenants.len() {
            queries.last = Some(self.observe(queries.release, None).await?);
            queries.tenants = self.tenants.len();
        }
        Ok(())
    }

    /// Asks after `step`, and adds to it what broke with it.
    pub(super) async fn ask_again(
        &mut self,
        queries: &mut Queries<'_>,
        step: &mut Step,
    ) -> Result<(), Failure> {
        let Some(before) = queries.last.take() else { return Ok(()) };
        let after = self.observe(queries.release, Some(&before)).await?;
        step.unchecked = before.unchecked(queries.release);
        for broken in compare(queries.release, &before, &after) {
            let statement = culprit(&step.statements, &broken).map(|seen| seen.range.clone());
            step.broken.push(Attributed { what: broken, schema: Whose::Tenant, statement });
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

/// The statement that broke the query: the last one that changed something which the query names, or else
/// the last one that changed anything.
fn culprit<'s>(statements: &'s [Seen], broken: &Break) -> Option<&'s Seen> {
    let (_, statement) = broken.query.parsed();
    let named = |seen: &&Seen| {
        let mut changes = seen.changes.iter().flat_map(|(_, changes)| changes);
        changes.any(|change| statement.names.iter().any(|name| name.name == change.object.bare_name()))
    };
    let changed = statements.iter().rev();
    changed.clone().find(named).or_else(|| changed.clone().find(|seen| !seen.changes.is_empty()))
}
