//! What a server says of each query at one moment: how it would be prepared, or why it cannot be.

use std::sync::Arc;

use super::{Plan, Query, Release};
use crate::error::Place;
use crate::ident::{SchemaName, SharedPath};

/// Where queries are looked at: a tenant that stands for all, and the platform.
#[derive(Debug, Clone, Copy)]
pub struct Schemas<'a> {
    /// The tenant.
    pub tenant: &'a SchemaName,
    /// The platform.
    pub platform: &'a SchemaName,
    /// What a search path names behind them.
    pub shared: &'a SharedPath,
}

/// The search paths that an application may have set, in the order in which they are tried.
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

    /// The path as SQL.
    pub fn sql(self, schemas: Schemas<'_>) -> String {
        let Schemas { tenant, platform, shared } = schemas;
        match self {
            Self::Tenant => shared.of(tenant),
            Self::Platform => shared.of(platform),
            Self::Both => shared.starting_with(&[tenant, platform]),
        }
    }
}

/// A type as an application meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// Its name without modifiers: `character varying`.
    pub base: String,
    /// Its name with modifiers where they are known: `character varying(50)`.
    pub name: String,
    /// The labels of an enum, or of the enum that an array holds.
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
    /// Whether the table's column that it is may be NULL; `None` where it is no table's column.
    pub nullable: Option<bool>,
}

/// A query that can be prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// In this search path.
    pub path: SearchPath,
    /// Its parameters' types.
    pub parameters: Vec<Type>,
    /// The columns of its result.
    pub columns: Vec<Column>,
    /// What came of running it, where that was tried.
    pub trial: Option<Trial>,
    /// How the server would run it, where it was asked.
    pub plan: Option<Result<Plan, QueryError>>,
}

/// What came of a query that writes, run with sample values and rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    /// It ran, with these values for its parameters.
    Ran(Vec<Option<String>>),
    /// The server refused it.
    Failed(QueryError),
    /// It took too long, or waited for a lock, so it says nothing.
    Inconclusive(String),
}

/// Why a query cannot be prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// The server's code.
    pub sqlstate: Option<String>,
    /// Its message.
    pub message: String,
    /// The byte of the query's text that it points at.
    pub at: Option<usize>,
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

/// One query at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrepareResult {
    /// It can be prepared.
    Prepared(Prepared),
    /// It cannot.
    Failed(QueryError),
}

impl PrepareResult {
    /// The search path that it can be prepared in.
    pub fn path(&self) -> Option<SearchPath> {
        match self {
            Self::Prepared(prepared) => Some(prepared.path),
            Self::Failed(_) => None,
        }
    }

    /// What came of running it.
    pub fn trial(&self) -> Option<&Trial> {
        match self {
            Self::Prepared(prepared) => prepared.trial.as_ref(),
            Self::Failed(_) => None,
        }
    }
}

/// All queries of a release at one moment, in the release's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// One for each query.
    pub seen: Vec<PrepareResult>,
}

/// A query that was not checked, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    /// Where it stands.
    pub place: Place,
    /// Why.
    pub why: String,
}

impl Observation {
    /// What says nothing about a step that begins here: what is no query, what cannot be prepared here already,
    /// and what cannot be run here, of which only the shape is checked.
    pub fn unchecked(&self, release: &Release) -> Vec<Unchecked> {
        let skipped = release.skipped.iter().map(|skipped| (&skipped.place, skipped.why.clone()));
        let seen = release.queries.iter().zip(&self.seen).filter_map(|(query, seen)| {
            let why = match seen {
                PrepareResult::Failed(refused) => format!("it cannot be prepared before the step: {refused}"),
                PrepareResult::Prepared(prepared) => match prepared.trial.as_ref()? {
                    Trial::Ran(_) => return None,
                    Trial::Failed(refused) => {
                        format!("it is only prepared, since it fails with sample values before the step: {refused}")
                    }
                    Trial::Inconclusive(why) => format!("it is only prepared: {why}"),
                },
            };
            Some((&query.place, why))
        });
        skipped.chain(seen).map(|(place, why)| Unchecked { place: place.clone(), why }).collect()
    }

    /// The queries that can be prepared in this search path, by their numbers.
    pub fn at(&self, path: SearchPath) -> Vec<usize> {
        (0..self.seen.len()).filter(|index| self.seen[*index].path() == Some(path)).collect()
    }

    /// What is known of a query that can be prepared.
    pub fn prepared_mut(&mut self, index: usize) -> Option<&mut Prepared> {
        match self.seen.get_mut(index)? {
            PrepareResult::Prepared(prepared) => Some(prepared),
            PrepareResult::Failed(_) => None,
        }
    }

    /// The queries that can be prepared here.
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
