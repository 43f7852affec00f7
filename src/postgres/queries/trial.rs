//! Runs the queries that write, each after a savepoint that is rolled back. Deferred constraints are checked at
//! once.

use super::facts::Tables;
use super::{Observer, QUERY_SAVEPOINT, failure};
use crate::error::Failure;
use crate::postgres::ServerError;
use crate::queries::sample::{CHOICES, Choice, values, with_values};
use crate::queries::{Observation, PrepareResult, Prepared, Query, QueryError, SearchPath, Trial};

/// Limits for a query that writes one row.
const LIMITS: &str = "SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '2s'; ";

/// Errors that the values may cause rather than the query, since another step changed the rows: foreign key and
/// unique violations.
const VALUE_ERRORS: &[&str] = &["23503", "23505"];

impl Observer<'_> {
    /// Runs every query that writes.
    pub(super) async fn try_all(
        &mut self,
        now: &mut Observation,
        before: Option<&Observation>,
    ) -> Result<(), Failure> {
        for path in SearchPath::ALL {
            let writes = |index: usize| {
                let (script, statement) = self.release.queries[index].parsed();
                statement.writes_rows(script)
            };
            let mut indexes = now.at(*path);
            indexes.retain(|index| writes(*index));
            if indexes.is_empty() {
                continue;
            }
            self.set_path(*path, LIMITS).await?;
            let destinations: Vec<_> = indexes
                .iter()
                .flat_map(|index| {
                    let (script, statement) = self.release.queries[*index].parsed();
                    statement.destinations(script)
                })
                .collect();
            let tables = self.tables(&destinations).await?;
            for index in indexes {
                let earlier = before.and_then(|before| before.seen.get(index)?.trial());
                let Some(PrepareResult::Prepared(prepared)) = now.seen.get_mut(index) else { continue };
                let trial = match earlier {
                    // Without a successful run before there is nothing to compare.
                    Some(Trial::Failed(_) | Trial::Inconclusive(_)) => None,
                    Some(Trial::Ran(values)) => {
                        Some(self.run_with_fallback(index, prepared, values, &tables).await?)
                    }
                    None => Some(self.run_first_accepted(index, prepared, &tables, CHOICES).await?),
                };
                prepared.trial = trial;
            }
        }
        Ok(())
    }

    /// Runs the query with each choice of values until one succeeds; the first error is the most relevant.
    async fn run_first_accepted(
        &mut self,
        index: usize,
        prepared: &Prepared,
        tables: &Tables,
        choices: &[Choice],
    ) -> Result<Trial, Failure> {
        let query = &self.release.queries[index];
        let mut refused = None;
        let mut tried = Vec::new();
        for choice in choices {
            let values = values(query, prepared, *choice, |to| tables.facts(to));
            if tried.contains(&values) {
                continue;
            }
            match self.run(query, &values).await? {
                Trial::Failed(error) => _ = refused.get_or_insert(error),
                done => return Ok(done),
            }
            tried.push(values);
        }
        Ok(refused
            .map_or_else(|| Trial::Inconclusive("there were no values to try".to_owned()), Trial::Failed))
    }

    async fn run_with_fallback(
        &mut self,
        index: usize,
        prepared: &Prepared,
        values: &[Option<String>],
        tables: &Tables,
    ) -> Result<Trial, Failure> {
        let trial = self.run(&self.release.queries[index], values).await?;
        match &trial {
            Trial::Failed(QueryError { sqlstate: Some(code), .. })
                if VALUE_ERRORS.contains(&code.as_str()) =>
            {
                // If other keys fail too, the query is the cause.
                let others: Vec<Choice> = CHOICES.iter().map(|choice| choice.with_new_values()).collect();
                let other = self.run_first_accepted(index, prepared, tables, &others).await?;
                Ok(if matches!(other, Trial::Ran(_)) { other } else { trial })
            }
            _ => Ok(trial),
        }
    }

    async fn run(&mut self, query: &Query, values: &[Option<String>]) -> Result<Trial, Failure> {
        let sql = with_values(query, self.schemas.tenant, values);
        // A new line, since the query may end with a comment.
        let sql = format!("{sql}\n; SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK TO SAVEPOINT {QUERY_SAVEPOINT}");
        let Err(server_error) = self.connection.attempt(&sql).await else {
            return Ok(Trial::Ran(values.to_vec()));
        };
        let trial = trial(&server_error).ok_or_else(|| failure(&server_error))?;
        self.attempt(&format!("ROLLBACK TO SAVEPOINT {QUERY_SAVEPOINT}")).await?;
        Ok(trial)
    }
}

/// The result for the query, if the error is about the query.
fn trial(server_error: &ServerError) -> Option<Trial> {
    if let Some(error) = server_error.statement_error() {
        return Some(Trial::Failed(error));
    }
    let unclear = match server_error.sqlstate()? {
        "57014" => "it ran for longer than 5 s",
        "55P03" => "it waited for a lock",
        _ => return None,
    };
    Some(Trial::Inconclusive(unclear.to_owned()))
}
