//! Queries that write are run, each behind a savepoint, with everything that is checked only at the end of a
//! transaction checked at once; then it is as if they had not been.

use super::facts::Tables;
use super::{INNER, Observer, failed};
use crate::error::Failure;
use crate::postgres::ServerError;
use crate::queries::sample::{CHOICES, Choice, values, with_values};
use crate::queries::{Observation, PrepareResult, Prepared, Query, QueryError, SearchPath, Trial};

/// Long enough for one row, and short enough that a query which waits for ever is no hang.
const LIMITS: &str = "SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '2s'; ";

/// Refusals that may lie in the values, which another step's rows made wrong, rather than in the query: a
/// foreign key, a unique index.
const OF_VALUES: &[&str] = &["23503", "23505"];

impl Observer<'_> {
    /// Tries every query that writes.
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
            let mut wanted = now.at(*path);
            wanted.retain(|index| writes(*index));
            if wanted.is_empty() {
                continue;
            }
            self.stand(*path, LIMITS).await?;
            let destinations: Vec<_> = wanted
                .iter()
                .flat_map(|index| {
                    let (script, statement) = self.release.queries[*index].parsed();
                    statement.destinations(script)
                })
                .collect();
            let tables = self.tables(&destinations).await?;
            for index in wanted {
                let earlier = before.and_then(|before| before.seen.get(index)?.trial());
                let Some(PrepareResult::Prepared(prepared)) = now.seen.get_mut(index) else { continue };
                let trial = match earlier {
                    // What says nothing before would say nothing now.
                    Some(Trial::Failed(_) | Trial::Inconclusive(_)) => None,
                    Some(Trial::Ran(values)) => Some(self.again(index, prepared, values, &tables).await?),
                    None => Some(self.first(index, prepared, &tables, CHOICES).await?),
                };
                prepared.trial = trial;
            }
        }
        Ok(())
    }

    /// Tries one choice of values after the other until one is taken; the first refusal is the likeliest.
    async fn first(
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
                Trial::Failed(why) => _ = refused.get_or_insert(why),
                done => return Ok(done),
            }
            tried.push(values);
        }
        Ok(refused.map_or_else(|| Trial::Inconclusive("there was nothing to try".to_owned()), Trial::Failed))
    }

    async fn again(
        &mut self,
        index: usize,
        prepared: &Prepared,
        values: &[Option<String>],
        tables: &Tables,
    ) -> Result<Trial, Failure> {
        let trial = self.run(&self.release.queries[index], values).await?;
        match &trial {
            Trial::Failed(QueryError { sqlstate: Some(code), .. }) if OF_VALUES.contains(&code.as_str()) => {
                // Another key is refused too: then it is the query.
                let others: Vec<Choice> = CHOICES.iter().map(|choice| choice.with_new_values()).collect();
                let other = self.first(index, prepared, tables, &others).await?;
                Ok(if matches!(other, Trial::Ran(_)) { other } else { trial })
            }
            _ => Ok(trial),
        }
    }

    async fn run(&mut self, query: &Query, values: &[Option<String>]) -> Result<Trial, Failure> {
        let sql = with_values(query, self.schemas.tenant, values);
        // A line of its own: the query may end in a comment.
        let sql = format!("{sql}\n; SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK TO SAVEPOINT {INNER}");
        let Err(server_error) = self.connection.attempt(&sql).await else {
            return Ok(Trial::Ran(values.to_vec()));
        };
        let trial = trial(&server_error).ok_or_else(|| failed(&server_error))?;
        self.attempt(&format!("ROLLBACK TO SAVEPOINT {INNER}")).await?;
        Ok(trial)
    }
}

/// What a refusal says of the query, if it does.
fn trial(server_error: &ServerError) -> Option<Trial> {
    if let Some((sqlstate, message)) = server_error.about_the_statement() {
        return Some(Trial::Failed(QueryError { sqlstate, message, at: None }));
    }
    let unclear = match server_error.sqlstate()? {
        "57014" => "it ran for longer than 5 s",
        "55P03" => "it waited for a lock",
        _ => return None,
    };
    Some(Trial::Inconclusive(unclear.to_owned()))
}
