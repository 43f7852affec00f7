//! Prepares and describes a release's queries on a database, with the extended protocol as drivers do.
//! Everything happens after a savepoint that is rolled back, so an open transaction is unchanged. The
//! comparison of two observations is in `crate::queries`.

mod describe;
mod facts;
mod plans;
mod statistics;
mod trial;

pub use self::statistics::statistics;

use self::describe::Shape;
use super::{Connection, ServerError};
use crate::error::Failure;
use crate::queries::{Observation, PrepareResult, Query, QueryError, Release, Schemas, SearchPath};
use crate::sql::Rendered;

/// The savepoint around all queries.
const OUTER_SAVEPOINT: &str = "tenure_observation";
/// The savepoint before each query.
const QUERY_SAVEPOINT: &str = "tenure_query";

/// The SQLSTATE of a savepoint without a transaction.
const NO_TRANSACTION: &str = "25P01";

/// Another session may hold a lock indefinitely.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '10s'; ";

/// How many statements are prepared before all are deallocated: half of the driver's cache, which otherwise
/// deallocates one by one.
const BATCH_SIZE: usize = 50;

/// Describes each query of `release`, in the open transaction if there is one. The search path is that of
/// `before`, else the first one in which the query can be prepared.
pub async fn observe(
    connection: &mut Connection,
    release: &Release,
    schemas: Schemas<'_>,
    before: Option<&Observation>,
) -> Result<Observation, Failure> {
    let started = enter(connection).await?;
    let outcome = Observer { connection, release, schemas }.observe(before).await;
    let ended = leave(connection, started).await;
    let observation = outcome?;
    ended?;
    Ok(observation)
}

/// Completes `observation`, which must be current: runs each query that writes with the values of `before`, and
/// explains each query. Writes are rolled back, but sequences keep their values and triggers' effects outside
/// of the database remain, so this is for temporary databases only.
pub async fn run_and_explain(
    connection: &mut Connection,
    release: &Release,
    schemas: Schemas<'_>,
    observation: &mut Observation,
    before: Option<&Observation>,
) -> Result<(), Failure> {
    let started = enter(connection).await?;
    let mut observer = Observer { connection, release, schemas };
    let outcome = match observer.try_all(observation, before).await {
        Ok(()) => observer.plan_all(observation).await,
        Err(failure) => Err(failure),
    };
    let ended = leave(connection, started).await;
    outcome.and(ended)
}

/// Sets the savepoint; starts a transaction if none is open and returns whether it did.
async fn enter(connection: &mut Connection) -> Result<bool, Failure> {
    let failure = |server_error: ServerError| {
        server_error.failure("setting a savepoint for the queries of the release")
    };
    match connection.attempt(&format!("SAVEPOINT {OUTER_SAVEPOINT}")).await {
        Ok(_) => Ok(false),
        Err(server_error) if server_error.sqlstate() == Some(NO_TRANSACTION) => {
            connection.run(&format!("BEGIN; SAVEPOINT {OUTER_SAVEPOINT}")).await.map_err(failure)?;
            Ok(true)
        }
        Err(server_error) => Err(failure(server_error)),
    }
}

async fn leave(connection: &mut Connection, started: bool) -> Result<(), Failure> {
    let sql = if started {
        "ROLLBACK".to_owned()
    } else {
        format!("ROLLBACK TO SAVEPOINT {OUTER_SAVEPOINT}; RELEASE SAVEPOINT {OUTER_SAVEPOINT}")
    };
    connection
        .attempt(&sql)
        .await
        .map(drop)
        .map_err(|server_error| server_error.failure("rolling back the queries of the release"))
}

struct Observer<'a> {
    connection: &'a mut Connection,
    release: &'a Release,
    schemas: Schemas<'a>,
}

/// The result for one query.
type DescribeResult = Result<(SearchPath, Shape), QueryError>;

impl Observer<'_> {
    async fn observe(&mut self, before: Option<&Observation>) -> Result<Observation, Failure> {
        let known_path = |index: usize| before.and_then(|before| before.seen.get(index)?.path());
        let mut results: Vec<Option<DescribeResult>> = Vec::new();
        results.resize_with(self.release.queries.len(), || None);
        for path in SearchPath::ALL {
            let is_requested = |index: usize| match (known_path(index), &results[index]) {
                (Some(known_path), _) => known_path == *path,
                (None, None) => true,
                (None, Some(so_far)) => so_far.is_err(),
            };
            let indexes: Vec<usize> = (0..results.len()).filter(|index| is_requested(*index)).collect();
            self.describe_in(*path, &indexes, &mut results).await?;
        }
        let results: Vec<DescribeResult> = results.into_iter().flatten().collect();
        self.resolve_names(results).await
    }

    /// Prepares the queries `indexes` in one search path. If a query fails in all paths, the error of the first
    /// one is kept.
    async fn describe_in(
        &mut self,
        path: SearchPath,
        indexes: &[usize],
        into: &mut [Option<DescribeResult>],
    ) -> Result<(), Failure> {
        if indexes.is_empty() {
            return Ok(());
        }
        self.set_path(path, LOCK_TIMEOUT).await?;
        for chunk in indexes.chunks(BATCH_SIZE) {
            // The driver caches prepared statements and would not prepare them again after the next step.
            self.clear_statements().await?;
            for index in chunk {
                let query = &self.release.queries[*index];
                let rendered = query.rendered(self.schemas.tenant);
                match self.connection.describe(&rendered.sql).await {
                    Ok(shape) => into[*index] = Some(Ok((path, shape))),
                    Err(server_error) => {
                        let refusal =
                            refusal(query, &rendered, &server_error).ok_or_else(|| failure(&server_error))?;
                        into[*index].get_or_insert(Err(refusal));
                        self.attempt(&format!("ROLLBACK TO SAVEPOINT {QUERY_SAVEPOINT}")).await?;
                    }
                }
            }
        }
        self.clear_statements().await
    }

    /// Sets the search path and the savepoint for each query.
    async fn set_path(&mut self, path: SearchPath, settings: &str) -> Result<(), Failure> {
        let search_path = path.sql(self.schemas);
        self.attempt(&format!("SET LOCAL search_path = {search_path}; {settings}SAVEPOINT {QUERY_SAVEPOINT}"))
            .await
    }

    async fn attempt(&mut self, sql: &str) -> Result<(), Failure> {
        self.connection.attempt(sql).await.map(drop).map_err(|server_error| failure(&server_error))
    }

    async fn clear_statements(&mut self) -> Result<(), Failure> {
        self.connection.clear_statements().await.map_err(|server_error| failure(&server_error))
    }

    /// Resolves the names of types and columns with one query.
    async fn resolve_names(&mut self, results: Vec<DescribeResult>) -> Result<Observation, Failure> {
        let shapes = results.iter().filter_map(|one| one.as_ref().ok()).map(|(_, shape)| shape);
        let search_path = SearchPath::Tenant.sql(self.schemas);
        self.attempt(&format!("SET LOCAL search_path = {search_path}")).await?;
        let names = self.connection.read_names(shapes).await?;
        let seen = results.into_iter().map(|one| match one {
            Ok((path, shape)) => PrepareResult::Prepared(names.prepared(path, &shape)),
            Err(refusal) => PrepareResult::Failed(refusal),
        });
        Ok(Observation { seen: seen.collect() })
    }
}

fn failure(server_error: &ServerError) -> Failure {
    server_error.failure("preparing the queries of the release")
}

/// The error of the server or the driver about a query; `None` if the connection failed.
fn refusal(query: &Query, rendered: &Rendered, server_error: &ServerError) -> Option<QueryError> {
    let at = server_error.position().and_then(|position| rendered.origin(position, &[&query.text]));
    Some(QueryError { at: at.map(|(_, offset)| offset), ..server_error.prepare_error()? })
}
