//! A file that undoes a step: run right behind it, it must bring back what was there before.

use std::ops::Range;

use super::database_snapshot::DatabaseSnapshot;
use super::shadow_run::ShadowRun;
use crate::chain::Migration;
use crate::error::Failure;
use crate::postgres::batch::SqlBatch;
use crate::postgres::catalog::Transaction;
use crate::project;
use crate::sql::{Scope, Statement};
use crate::verify::{Evidence, Level, ObservedEffect, ObservedEffects};

/// What is not as it was before, after a step was undone.
#[derive(Debug, Clone)]
pub struct Reversed {
    /// The file that undoes it.
    pub file: String,
    /// What is different, each with the statement that failed, if one did.
    differences: Vec<(Range<usize>, String)>,
}

impl Reversed {
    /// What verification should know of the file.
    pub fn observed_effects(&self) -> ObservedEffects {
        let observed = self.differences.iter().map(|(range, what)| ObservedEffect {
            rule: "reverse-differs",
            level: Level::Deny,
            range: range.clone(),
            message: what.clone(),
            words: Vec::new(),
            scope: None,
            elsewhere: false,
            evidence: Evidence::Effect,
        });
        ObservedEffects { observed: observed.collect(), ..ObservedEffects::default() }
    }
}

impl ShadowRun<'_> {
    /// Undoes `migration`, which has run in the transaction that is open and looked like `before` at its beginning, if
    /// the chain has a file for that which can run there. The transaction is of no more use.
    pub(super) async fn reverse(
        &mut self,
        migration: &Migration,
        before: &DatabaseSnapshot,
        after: &DatabaseSnapshot,
    ) -> Result<Option<Reversed>, Failure> {
        let undoes = |down: &&Migration| down.from() == migration.to() && down.to() == migration.from();
        let Some(down) = self.project.chain.downs().iter().find(undoes).filter(|down| down.transactional)
        else {
            return Ok(None);
        };
        if let Some(failure) = project::acting_on_the_machine(down) {
            let differences = vec![(down_range(down), format!("it was not tried: {}", failure.message))];
            return Ok(Some(Reversed { file: down.file.clone(), differences }));
        }
        let mut reversed = Reversed { file: down.file.clone(), differences: Vec::new() };
        let platform = self.project.settings.platform_schema();
        let mut statements: Vec<&(Statement, Scope)> = down.statements.iter().collect();
        // The order of a run, backwards.
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
                reversed
                    .differences
                    .push((statement.range.clone(), format!("it cannot undo the step: {}", failure.message)));
                return Ok(Some(reversed));
            }
        }
        let undone = after.again(self.connection, Transaction::Current).await?;
        for (_, changes) in before.changes(&undone) {
            let told = changes.iter().map(|change| {
                let what = format!("after the step and its undoing, `{}: {}`", change.object, change.line());
                (down_range(down), what)
            });
            reversed.differences.extend(told);
        }
        Ok(Some(reversed))
    }
}

/// The first statement: what is left undone stands nowhere.
fn down_range(down: &Migration) -> Range<usize> {
    down.statements.first().map(|(statement, _)| statement.range.clone()).unwrap_or_default()
}
