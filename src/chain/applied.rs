//! Compares the applied migrations in the history with the files: finds edited and missing files.

use super::{Chain, Checksum, FleetState, Version};
use crate::error::{Code, Failure, Place};

/// The newest record of one migration in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The version before it.
    pub from: Version,
    /// The version after it.
    pub to: Version,
    /// The file's name when it was applied.
    pub name: String,
    /// Its checksum when it was applied; `None` if `repair` accepted that the file is missing.
    pub checksum: Option<Checksum>,
    /// The time, in the server's format.
    pub applied_at: String,
}

/// A mismatch between a record and the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Divergence {
    /// The file was edited.
    Edited {
        /// The record.
        applied: Applied,
        /// The file's name now.
        file: String,
        /// The file's checksum now.
        now: Checksum,
    },
    /// The file is missing.
    Missing {
        /// The record.
        applied: Applied,
    },
}

impl Divergence {
    /// Returns a failure unless records and chain agree. `fleet` contains the current versions.
    pub fn check(chain: &Chain, applied: &[Applied], fleet: &FleetState) -> Result<(), Failure> {
        let Some(first) = Self::find(chain, applied).into_iter().next() else { return Ok(()) };
        let mut versions = fleet.tenants.keys().chain([&fleet.platform]);
        let is_sufficient = versions.all(|version| chain.position(version).is_some());
        Err(first.failure(if is_sufficient {
            ChainCoverage::Sufficient
        } else {
            ChainCoverage::Insufficient
        }))
    }

    /// All divergences between the records and the chain, in the order of the records.
    pub fn find(chain: &Chain, applied: &[Applied]) -> Vec<Self> {
        let same_edge = |applied: &Applied| {
            chain
                .migrations()
                .iter()
                .find(|migration| (migration.from(), migration.to()) == (&applied.from, &applied.to))
        };
        applied
            .iter()
            .filter_map(|applied| {
                let checksum = applied.checksum.as_ref()?;
                match same_edge(applied) {
                    None => Some(Self::Missing { applied: applied.clone() }),
                    Some(migration) if migration.checksum == *checksum => None,
                    Some(migration) => Some(Self::Edited {
                        applied: applied.clone(),
                        file: migration.file.clone(),
                        now: migration.checksum.clone(),
                    }),
                }
            })
            .collect()
    }
}

/// Whether the chain of the existing files contains the current versions of the schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainCoverage {
    /// It does: the missing file is not needed.
    Sufficient,
    /// It does not: accepting the missing file would not help.
    Insufficient,
}

impl Divergence {
    /// The failure, with a hint.
    pub fn failure(self, coverage: ChainCoverage) -> Failure {
        match self {
            Self::Edited { applied, file, now } => {
                let then = applied.checksum.as_ref().map(Checksum::as_str).unwrap_or_default();
                Failure::new(
                    Code::MigrationEdited,
                    format!(
                        "{file} was edited after it was applied at {}: its checksum was {then} and is {now}",
                        applied.applied_at
                    ),
                )
                .at(Place::File(format!("migrations/{file}")))
                .hint("restore the file and write a new migration; if the edit has no effect, `tenure migrate repair` accepts it")
            }
            Self::Missing { applied } => Failure::new(
                Code::MigrationGone,
                format!(
                    "{} was applied at {} and is no longer in migrations/",
                    applied.name, applied.applied_at
                ),
            )
            .at(Place::File(format!("migrations/{}", applied.name)))
            .hint(match coverage {
                ChainCoverage::Sufficient => {
                    "restore the file; if it was removed on purpose, `tenure migrate repair` accepts that"
                }
                ChainCoverage::Insufficient => {
                    "restore the file: without it the files do not lead to the version of the database"
                }
            }),
        }
    }
}
