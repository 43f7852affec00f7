//! Runs the queries of the running release on the branch before and after the migration, with its real rows.

use super::{QueriesAsked, QueryBreak};
use crate::error::Failure;
use crate::ident::{SchemaName, SharedPath};
use crate::postgres::Connection;
use crate::postgres::queries::{observe, run_and_explain};
use crate::queries::{Kind, Observation, Release, Schemas, compare};

/// The queries and their results before the migration.
#[derive(Debug)]
pub(super) struct ReleaseQueries<'a> {
    release: &'a Release,
    tenant: SchemaName,
    platform: SchemaName,
    shared: SharedPath,
    before: Observation,
}

impl<'a> ReleaseQueries<'a> {
    /// Runs the queries before the migration, on one tenant.
    pub(super) async fn observe_before(
        connection: &mut Connection,
        release: &'a Release,
        (tenant, platform, shared): (&SchemaName, &SchemaName, &SharedPath),
    ) -> Result<Self, Failure> {
        let schemas = Schemas { tenant, platform, shared };
        let mut before = observe(connection, release, schemas, None).await?;
        run_and_explain(connection, release, schemas, &mut before, None).await?;
        before.withhold_text_of_code();
        let (tenant, platform, shared) = (tenant.clone(), platform.clone(), shared.clone());
        Ok(Self { release, tenant, platform, shared, before })
    }

    /// Runs the queries after the migration and compares the results.
    pub(super) async fn observe_after(
        &mut self,
        connection: &mut Connection,
    ) -> Result<QueriesAsked, Failure> {
        let schemas = Schemas { tenant: &self.tenant, platform: &self.platform, shared: &self.shared };
        let mut after = observe(connection, self.release, schemas, Some(&self.before)).await?;
        run_and_explain(connection, self.release, schemas, &mut after, Some(&self.before)).await?;
        after.withhold_text_of_code();
        let broken = compare(self.release, &self.before, &after).into_iter().map(|broken| QueryBreak {
            query: broken.query.title(),
            kind: match broken.kind {
                Kind::Fails => "fails",
                Kind::Changed => "changed",
                Kind::Warn => "warn",
            },
            what: broken.what,
            allowed: false,
        });
        Ok(QueriesAsked {
            asked: self.release.queries.len(),
            unchecked: self.before.unchecked(self.release).len(),
            broken: broken.collect(),
        })
    }
}
