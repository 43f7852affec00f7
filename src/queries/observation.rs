//! The state of each query on a server at one time: its prepared form, or the error.

use std::sync::Arc;

use super::{Plan, Query, Release};
use crate::error::Place;
use crate::ident::{SchemaName, SharedPath};

/// The schemas in which queries are observed: one representative tenant, and the platform.
#[derive(Debug, Clone, Copy)]
pub struct Schemas<'a> {
    /// The tenant.
    pub tenant: &'a SchemaName,
    /// The platform.
    pub platform: &'a SchemaName,
    /// The shared schemas at the end of the search path.
    pub shared: &'a SharedPath,
}

/// The search paths that an application may use, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchPath {
    /// The tenant's schema, then the shared ones.
    Tenant,
    /// The platform's schema, then the shared ones.
    Platform,
    /// The tenant's schema, the platform's, then the shared ones.
    Both,
}

impl SearchPath {
    /// All of them, in order.
    pub const ALL: &[Self] = &[Self::Tenant, Self::Platform, Self::Both];

    /// The search path as SQL.
    pub fn sql(self, schemas: Schemas<'_>) -> String {
        let Schemas { tenant, platform, shared } = schemas;
        match self {
            Self::Tenant => shared.of(tenant),
            Self::Platform => shared.of(platform),
            Self::Both => shared.starting_with(&[tenant, platform]),
        }
    }
}

/// A data type of a parameter or column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// Its name without modifiers: `character varying`.
    pub base: String,
    /// Its name with modifiers, if known: `character varying(50)`.
    pub name: String,
    /// The labels of an enum, or of the element type of an enum array.
    pub labels: Vec<String>,
    /// The columns of a row type.
    pub fields: Vec<String>,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// Whether the underlying table column may be NULL; `None` if it is not a table column.
    pub nullable: Option<bool>,
}

/// A prepared query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The search path in which it can be prepared.
    pub path: SearchPath,
    /// Its parameters' types.
    pub parameters: Vec<Type>,
    /// The columns of its result.
    pub columns: Vec<Column>,
    /// The result of a trial run, if there was one.
    pub trial: Option<Trial>,
    /// The query plan, if it was requested.
    pub plan: Option<Result<Plan, QueryError>>,
}

/// The result of a trial run: the query writes, was run with sample values and rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    /// It succeeded with these parameter values.
    Ran(Vec<Option<String>>),
    /// The server returned an error.
    Failed(QueryError),
    /// It took too long or waited for a lock; the text is the reason.
    Inconclusive(String),
}

/// The error that the server returned for a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// The SQLSTATE.
    pub sqlstate: Option<String>,
    /// The server's message.
    pub message: String,
    /// The byte offset of the error in the query's text.
    pub at: Option<usize>,
    /// Whether code of the database raised it or was running, so that its message may contain data from rows.
    pub from_code: bool,
}

impl QueryError {
    /// An error with an unknown position.
    pub fn new(sqlstate: Option<String>, message: String) -> Self {
        Self { sqlstate, message, at: None, from_code: false }
    }
}

impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        match &self.sqlstate {
            Some(sqlstate) => write!(f, " [{sqlstate}]"),
            None => Ok(()),
        }
    }
}

/// The state of one query at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrepareResult {
    /// It can be prepared.
    Prepared(Prepared),
    /// It cannot be prepared.
    Failed(QueryError),
}

impl PrepareResult {
    /// The search path in which it can be prepared.
    pub fn path(&self) -> Option<SearchPath> {
        match self {
            Self::Prepared(prepared) => Some(prepared.path),
            Self::Failed(_) => None,
        }
    }

    /// The result of its trial run.
    pub fn trial(&self) -> Option<&Trial> {
        match self {
            Self::Prepared(prepared) => prepared.trial.as_ref(),
            Self::Failed(_) => None,
        }
    }
}

/// The state of all queries of a release at one time, in the release's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// One for each query.
    pub seen: Vec<PrepareResult>,
}

/// A query that was not checked, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    /// Its position.
    pub place: Place,
    /// Why.
    pub why: String,
}

impl Observation {
    /// The queries that a comparison from this observation does not check: statements that are not queries, queries that
    /// cannot be prepared, and queries that cannot be run, whose parameters and columns alone are checked.
    pub fn unchecked(&self, release: &Release) -> Vec<Unchecked> {
        let skipped = release.skipped.iter().map(|skipped| (&skipped.place, skipped.why.clone()));
        let seen = release.queries.iter().zip(&self.seen).filter_map(|(query, seen)| {
            let why = match seen {
                PrepareResult::Failed(error) => format!("it cannot be prepared before the step: {error}"),
                PrepareResult::Prepared(prepared) => match prepared.trial.as_ref()? {
                    Trial::Ran(_) => return None,
                    Trial::Failed(error) => {
                        format!(
                            "it is only prepared, since it fails with sample values before the step: {error}"
                        )
                    }
                    Trial::Inconclusive(why) => format!("it is only prepared: {why}"),
                },
            };
            Some((&query.place, why))
        });
        skipped.chain(seen).map(|(place, why)| Unchecked { place: place.clone(), why }).collect()
    }

    /// Replaces the messages of errors from code of the database, which may contain data from rows.
    pub fn withhold_text_of_code(&mut self) {
        for seen in &mut self.seen {
            let errors = match seen {
                PrepareResult::Failed(error) => [Some(error), None],
                PrepareResult::Prepared(Prepared { trial, plan, .. }) => [
                    trial.as_mut().and_then(|trial| match trial {
                        Trial::Failed(error) => Some(error),
                        Trial::Ran(_) | Trial::Inconclusive(_) => None,
                    }),
                    plan.as_mut().and_then(|plan| plan.as_mut().err()),
                ],
            };
            for error in errors.into_iter().flatten().filter(|error| error.from_code) {
                "a function or a trigger failed".clone_into(&mut error.message);
            }
        }
    }

    /// The indexes of the queries that can be prepared in this search path.
    pub fn at(&self, path: SearchPath) -> Vec<usize> {
        (0..self.seen.len()).filter(|index| self.seen[*index].path() == Some(path)).collect()
    }

    /// The prepared form of a query.
    pub fn prepared_mut(&mut self, index: usize) -> Option<&mut Prepared> {
        match self.seen.get_mut(index)? {
            PrepareResult::Prepared(prepared) => Some(prepared),
            PrepareResult::Failed(_) => None,
        }
    }

    /// The prepared queries.
    pub fn prepared<'a>(
        &'a self,
        release: &'a Release,
    ) -> impl Iterator<Item = (&'a Arc<Query>, &'a Prepared)> {
        release.queries.iter().zip(&self.seen).filter_map(|(query, seen)| match seen {
            PrepareResult::Prepared(prepared) => Some((query, prepared)),
            PrepareResult::Failed(_) => None,
        })
    }
}
