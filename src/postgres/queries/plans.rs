//! Explains each query with a generic plan, as for a prepared statement. Sequential scans are disabled, since
//! the tables are too small for an index to be cheaper.

use super::{Observer, QUERY_SAVEPOINT, failure};
use crate::error::Failure;
use crate::postgres::Row;
use crate::queries::{Observation, Plan, PrepareResult, Prepared, SearchPath};

const SETTINGS: &str = "SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan; \
    SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '10s'; ";

/// The number of queries in one message.
const BATCH_SIZE: usize = 50;

/// The SQLSTATE of a syntax error: the server rejects the whole message.
const SYNTAX: &str = "42601";

/// Statements for each query: PREPARE, EXPLAIN, DEALLOCATE.
const STATEMENTS: usize = 3;

impl Observer<'_> {
    /// Explains every query.
    pub(super) async fn plan_all(&mut self, now: &mut Observation) -> Result<(), Failure> {
        for path in SearchPath::ALL {
            let indexes = now.at(*path);
            if indexes.is_empty() {
                continue;
            }
            self.set_path(*path, SETTINGS).await?;
            for chunk in indexes.chunks(BATCH_SIZE) {
                let (mut rest, mut batch_size) = (chunk, BATCH_SIZE);
                while !rest.is_empty() {
                    match self.plan_some(&rest[..batch_size.min(rest.len())], now).await? {
                        Some(done) => rest = &rest[done..],
                        None => batch_size = 1,
                    }
                }
            }
        }
        Ok(())
    }

    /// Explains queries until one fails; returns how many have a result, at least one. `None` if the whole
    /// message was rejected, so that the failing query is unknown.
    async fn plan_some(
        &mut self,
        indexes: &[usize],
        now: &mut Observation,
    ) -> Result<Option<usize>, Failure> {
        let messages: Vec<String> =
            indexes.iter().filter_map(|index| self.explain_sql(*index, now)).collect();
        let (sets, server_error) = match self.connection.attempt(&messages.concat()).await {
            Ok(sets) => (sets, None),
            Err(mut server_error) => (std::mem::take(&mut server_error.sets), Some(server_error)),
        };
        let explained = sets.len() / STATEMENTS;
        for (number, index) in indexes.iter().take(explained).enumerate() {
            let row = sets.get(number * STATEMENTS + 1).and_then(|rows| rows.first());
            let plan = row.map(plan).transpose()?;
            if let Some(prepared) = now.prepared_mut(*index) {
                prepared.plan = plan.map(Ok);
            }
        }
        let Some(server_error) = server_error else { return Ok(Some(indexes.len())) };
        let error = server_error.statement_error().ok_or_else(|| failure(&server_error))?;
        // A rollback does not deallocate prepared statements.
        self.attempt(&format!("ROLLBACK TO SAVEPOINT {QUERY_SAVEPOINT}; DEALLOCATE ALL")).await?;
        if indexes.len() > 1 && error.sqlstate.as_deref() == Some(SYNTAX) {
            return Ok(None);
        }
        if let Some(prepared) = indexes.get(explained).and_then(|index| now.prepared_mut(*index)) {
            prepared.plan = Some(Err(error));
        }
        Ok(Some(explained + 1))
    }

    fn explain_sql(&self, index: usize, now: &Observation) -> Option<String> {
        let PrepareResult::Prepared(Prepared { parameters, .. }) = now.seen.get(index)? else { return None };
        let sql = self.release.queries[index].rendered(self.schemas.tenant).sql;
        let nulls = vec!["NULL"; parameters.len()].join(", ");
        let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
        let name = format!("tenure_query_{index}");
        Some(format!(
            "PREPARE {name} AS {sql}\n; EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) EXECUTE {name}{arguments}; DEALLOCATE {name};"
        ))
    }
}

fn plan(row: &Row) -> Result<Plan, Failure> {
    Ok(Plan::read(&row.document("QUERY PLAN")?))
}
