//! Runs a down migration right after its step and compares the result with the state before the step.

use std::ops::Range;

use super::database_snapshot::DatabaseSnapshot;
use super::shadow_run::ShadowRun;
use crate::chain::Migration;
use crate::error::Failure;
use crate::postgres::batch::SqlBatch;
use crate::postgres::catalog::Transaction;
use crate::project;
use crate::sql::{Scope, Statement};
use crate::verify::{Level, ObservedEffect, ObservedEffects, RuleId};

/// The differences that remain after a step and its down migration.
#[derive(Debug, Clone)]
pub struct Reversed {
    /// The down migration.
    pub file: String,
    /// The differences, each with the statement that failed, if any.
    differences: Vec<(Range<usize>, String)>,
}

impl Reversed {
    /// The findings for the file.
    pub fn observed_effects(&self) -> ObservedEffects {
        let observed = self.differences.iter().map(|(range, what)| {
            ObservedEffect::new(RuleId::ReverseDiffers, Level::Deny, range.clone(), what.clone())
        });
        ObservedEffects { observed: observed.collect(), ..ObservedEffects::default() }
    }
}

impl ShadowRun<'_> {
    /// Runs the down migration of `migration`, if the chain has a transactional one. `migration` has run in the open transaction,
    /// which began in state `before`. The transaction must be rolled back afterwards.
    pub(super) async fn reverse(
        &mut self,
        migration: &Migration,
        before: &DatabaseSnapshot,
        after: &DatabaseSnapshot,
    ) -> Result<Option<Reversed>, Failure> {
        let reverses = |down: &&Migration| down.from() == migration.to() && down.to() == migration.from();
        let Some(down) = self.project.chain.downs().iter().find(reverses).filter(|down| down.transactional)
        else {
            return Ok(None);
        };
        if let Some(failure) = project::server_host_failure(down) {
            let differences = vec![(down_range(down), format!("it was not run: {}", failure.message))];
            return Ok(Some(Reversed { file: down.file.clone(), differences }));
        }
        let mut reversed = Reversed { file: down.file.clone(), differences: Vec::new() };
        let platform = self.project.settings.platform_schema();
        let mut statements: Vec<&(Statement, Scope)> = down.statements.iter().collect();
        // The reverse order of a run.
        statements.sort_by_key(|(_, scope)| *scope == Scope::Platform);
        for (statement, scope) in statements {
            let schema = match (scope, self.tenants.first()) {
                (Scope::Platform, _) => &platform,
                (Scope::Tenant, Some(tenant)) => tenant,
                (Scope::Tenant, None) => continue,
            };
            let mut message = SqlBatch::default();
            message.search_path(schema, &self.project.settings.shared_path());
            message.push_file(&down.script, std::iter::once(statement), schema);
            if let Err(server_error) = self.connection.send(&message).await {
                let failure = server_error.failure(&down.file);
                if failure.sqlstate.is_none() {
                    return Err(failure);
                }
                reversed.differences.push((
                    statement.range.clone(),
                    format!("it cannot reverse the step: {}", failure.message),
                ));
                return Ok(Some(reversed));
            }
        }
        let reversed_snapshot = after.refreshed(self.connection, Transaction::Current).await?;
        for (_, changes) in before.changes(&reversed_snapshot) {
            let reported = changes.iter().map(|change| {
                let what =
                    format!("after the step and its down migration, `{}: {}`", change.object, change.line());
                (down_range(down), what)
            });
            reversed.differences.extend(reported);
        }
        Ok(Some(reversed))
    }
}

/// The first statement, since a remaining difference has no statement of its own.
fn down_range(down: &Migration) -> Range<usize> {
    down.statements.first().map(|(statement, _)| statement.range.clone()).unwrap_or_default()
}
