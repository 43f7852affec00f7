//! How the server would run each query: a generic plan, as a prepared statement has, on tables that are too
//! small for an index to pay, so reading a table as a whole is made dear.

use super::{INNER, Observer, failed};
use crate::error::Failure;
use crate::postgres::Row;
use crate::queries::{Observation, Plan, PrepareResult, Prepared, QueryError, SearchPath};

const SETTINGS: &str = "SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan; \
    SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '10s'; ";

/// So many queries travel in one message.
const AT_ONCE: usize = 50;

/// Of a text that is no SQL: the server says it of the whole message, and runs nothing of it.
const SYNTAX: &str = "42601";

/// So many statements stand in a message for each: PREPARE, EXPLAIN, DEALLOCATE.
const STATEMENTS: usize = 3;

impl Observer<'_> {
    /// Asks for every plan.
    pub(super) async fn plan_all(&mut self, now: &mut Observation) -> Result<(), Failure> {
        for path in SearchPath::ALL {
            let wanted = now.at(*path);
            if wanted.is_empty() {
                continue;
            }
            self.stand(*path, SETTINGS).await?;
            for chunk in wanted.chunks(AT_ONCE) {
                let (mut rest, mut at_once) = (chunk, AT_ONCE);
                while !rest.is_empty() {
                    match self.plan_some(&rest[..at_once.min(rest.len())], now).await? {
                        Some(done) => rest = &rest[done..],
                        None => at_once = 1,
                    }
                }
            }
        }
        Ok(())
    }

    /// Plans queries until one is refused; how many have an answer now, one at least. None, where the message
    /// as a whole was refused, so that nobody knows for which of them.
    async fn plan_some(&mut self, wanted: &[usize], now: &mut Observation) -> Result<Option<usize>, Failure> {
        let asked: Vec<String> = wanted.iter().filter_map(|index| self.asked_plan(*index, now)).collect();
        let (sets, server_error) = match self.connection.attempt(&asked.concat()).await {
            Ok(sets) => (sets, None),
            Err(mut server_error) => (std::mem::take(&mut server_error.sets), Some(server_error)),
        };
        let planned = sets.len() / STATEMENTS;
        for (number, index) in wanted.iter().take(planned).enumerate() {
            let row = sets.get(number * STATEMENTS + 1).and_then(|rows| rows.first());
            let plan = row.map(plan).transpose()?;
            if let Some(prepared) = now.prepared_mut(*index) {
                prepared.plan = plan.map(Ok);
            }
        }
        let Some(server_error) = server_error else { return Ok(Some(wanted.len())) };
        let (sqlstate, message) = server_error.about_the_statement().ok_or_else(|| failed(&server_error))?;
        // What was prepared does not go with the savepoint.
        self.attempt(&format!("ROLLBACK TO SAVEPOINT {INNER}; DEALLOCATE ALL")).await?;
        if wanted.len() > 1 && sqlstate.as_deref() == Some(SYNTAX) {
            return Ok(None);
        }
        if let Some(prepared) = wanted.get(planned).and_then(|index| now.prepared_mut(*index)) {
            prepared.plan = Some(Err(QueryError { sqlstate, message, at: None }));
        }
        Ok(Some(planned + 1))
    }

    fn asked_plan(&self, index: usize, now: &Observation) -> Option<String> {
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
