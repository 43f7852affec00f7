//! A release's queries asked of a database: prepared with the extended protocol, as drivers do it, and
//! described. Whatever transaction is open goes on as if nothing had been asked: all of it happens behind
//! a savepoint that is rolled back to.

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

/// What a transaction is asked to return to.
const OUTER: &str = "tenure_observation";
/// Where it stands before each query.
const INNER: &str = "tenure_query";

/// Of a savepoint where no transaction is open.
const NO_TRANSACTION: &str = "25P01";

/// Another session may hold a table for ever.
const PATIENCE: &str = "SET LOCAL lock_timeout = '10s'; ";

/// So many statements are prepared before those behind are thrown away: half of what the driver keeps
/// before it begins to throw them away one by one.
const AT_ONCE: usize = 50;

/// How each query of `release` would be prepared now, in the open transaction if there is one. Each is
/// looked at in the search path in which it could be prepared in `before`; without that, in the first one
/// that suits it.
pub async fn observe(
    connection: &mut Connection,
    release: &Release,
    schemas: Schemas<'_>,
    before: Option<&Observation>,
) -> Result<Observation, Failure> {
    let began = enter(connection).await?;
    let outcome = Observer { connection, release, schemas }.observe(before).await;
    let left = leave(connection, began).await;
    let observation = outcome?;
    left?;
    Ok(observation)
}

/// Fills in what `observation`, which must be of this moment, does not say yet: what comes of running each
/// query that writes, with the values that `before` found for it, and how the server would run each query.
/// What is written is rolled back, but a sequence that moved stays where it is, and whatever a trigger does
/// outside of the database is done: this is for a database that is thrown away.
pub async fn rehearse(
    connection: &mut Connection,
    release: &Release,
    schemas: Schemas<'_>,
    observation: &mut Observation,
    before: Option<&Observation>,
) -> Result<(), Failure> {
    let began = enter(connection).await?;
    let mut observer = Observer { connection, release, schemas };
    let outcome = match observer.try_all(observation, before).await {
        Ok(()) => observer.plan_all(observation).await,
        Err(failure) => Err(failure),
    };
    let left = leave(connection, began).await;
    outcome.and(left)
}

/// Sets the savepoint, in a transaction of its own if none is open; whether that is so.
async fn enter(connection: &mut Connection) -> Result<bool, Failure> {
    let failed = |server_error: ServerError| {
        server_error.failure("setting a savepoint for the queries of the release")
    };
    match connection.attempt(&format!("SAVEPOINT {OUTER}")).await {
        Ok(_) => Ok(false),
        Err(server_error) if server_error.sqlstate() == Some(NO_TRANSACTION) => {
            connection.run(&format!("BEGIN; SAVEPOINT {OUTER}")).await.map_err(failed)?;
            Ok(true)
        }
        Err(server_error) => Err(failed(server_error)),
    }
}

async fn leave(connection: &mut Connection, began: bool) -> Result<(), Failure> {
    let sql = if began {
        "ROLLBACK".to_owned()
    } else {
        format!("ROLLBACK TO SAVEPOINT {OUTER}; RELEASE SAVEPOINT {OUTER}")
    };
    connection
        .attempt(&sql)
        .await
        .map(drop)
        .map_err(|server_error| server_error.failure("leaving the queries of the release"))
}

struct Observer<'a> {
    connection: &'a mut Connection,
    release: &'a Release,
    schemas: Schemas<'a>,
}

/// What became of one query so far.
type Described = Result<(SearchPath, Shape), QueryError>;

impl Observer<'_> {
    async fn observe(&mut self, before: Option<&Observation>) -> Result<Observation, Failure> {
        let known = |index: usize| before.and_then(|before| before.seen.get(index)?.path());
        let mut described: Vec<Option<Described>> = Vec::new();
        described.resize_with(self.release.queries.len(), || None);
        for path in SearchPath::ALL {
            let wanted = |index: usize| match (known(index), &described[index]) {
                (Some(known), _) => known == *path,
                (None, None) => true,
                (None, Some(so_far)) => so_far.is_err(),
            };
            let wanted: Vec<usize> = (0..described.len()).filter(|index| wanted(*index)).collect();
            self.pass(*path, &wanted, &mut described).await?;
        }
        let described: Vec<Described> = described.into_iter().flatten().collect();
        self.named(described).await
    }

    /// Prepares the queries `wanted` in one search path. What an earlier path said of one that fails in this
    /// one too stays: the first path is the likeliest.
    async fn pass(
        &mut self,
        path: SearchPath,
        wanted: &[usize],
        into: &mut [Option<Described>],
    ) -> Result<(), Failure> {
        if wanted.is_empty() {
            return Ok(());
        }
        self.stand(path, PATIENCE).await?;
        for chunk in wanted.chunks(AT_ONCE) {
            // The driver remembers what it prepared, and would not ask again after the next step.
            self.forget().await?;
            for index in chunk {
                let query = &self.release.queries[*index];
                let rendered = query.rendered(self.schemas.tenant);
                match self.connection.describe(&rendered.sql).await {
                    Ok(shape) => into[*index] = Some(Ok((path, shape))),
                    Err(server_error) => {
                        let refused =
                            refused(query, &rendered, &server_error).ok_or_else(|| failed(&server_error))?;
                        into[*index].get_or_insert(Err(refused));
                        self.attempt(&format!("ROLLBACK TO SAVEPOINT {INNER}")).await?;
                    }
                }
            }
        }
        self.forget().await
    }

    /// Sets the search path, and the savepoint that each query is asked behind.
    async fn stand(&mut self, path: SearchPath, settings: &str) -> Result<(), Failure> {
        let search_path = path.sql(self.schemas);
        self.attempt(&format!("SET LOCAL search_path = {search_path}; {settings}SAVEPOINT {INNER}")).await
    }

    async fn attempt(&mut self, sql: &str) -> Result<(), Failure> {
        self.connection.attempt(sql).await.map(drop).map_err(|server_error| failed(&server_error))
    }

    async fn forget(&mut self) -> Result<(), Failure> {
        self.connection.forget().await.map_err(|server_error| failed(&server_error))
    }

    /// Gives the types and the tables' columns their names, all with one question.
    async fn named(&mut self, described: Vec<Described>) -> Result<Observation, Failure> {
        let shapes = described.iter().filter_map(|one| one.as_ref().ok()).map(|(_, shape)| shape);
        let search_path = SearchPath::Tenant.sql(self.schemas);
        self.attempt(&format!("SET LOCAL search_path = {search_path}")).await?;
        let names = self.connection.names(shapes).await?;
        let seen = described.into_iter().map(|one| match one {
            Ok((path, shape)) => PrepareResult::Prepared(names.prepared(path, &shape)),
            Err(refused) => PrepareResult::Failed(refused),
        });
        Ok(Observation { seen: seen.collect() })
    }
}

fn failed(server_error: &ServerError) -> Failure {
    server_error.failure("preparing the queries of the release")
}

/// What the server, or the driver, has against a query; `None` where it is the connection that failed.
fn refused(query: &Query, rendered: &Rendered, server_error: &ServerError) -> Option<QueryError> {
    let at = server_error.position().and_then(|position| rendered.origin(position, &[&query.text]));
    let (sqlstate, message) = server_error.about_the_statement()?;
    Some(QueryError { sqlstate, message, at: at.map(|(_, offset)| offset) })
}
