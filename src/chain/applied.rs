//! What was applied, against what the files say now: an edited file and a file that is gone are found
//! here. Pure.

use super::{Chain, Checksum, FleetState, Version};
use crate::error::{Code, Failure, Place};

/// The newest record of one migration in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The version that it started from.
    pub from: Version,
    /// The version that it led to.
    pub to: Version,
    /// The file's name then.
    pub name: String,
    /// Its checksum then; `None` where its absence was accepted.
    pub checksum: Option<Checksum>,
    /// When, as the server writes it.
    pub applied_at: String,
}

/// A record and a file that do not agree.
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
    /// There is no such file.
    Missing {
        /// The record.
        applied: Applied,
    },
}

impl Divergence {
    /// A failure unless records and chain agree. `fleet` says where the schemas are.
    pub fn check(chain: &Chain, applied: &[Applied], fleet: &FleetState) -> Result<(), Failure> {
        let Some(first) = Self::find(chain, applied).into_iter().next() else { return Ok(()) };
        let mut versions = fleet.tenants.keys().chain([&fleet.platform]);
        let leads_on = versions.all(|version| chain.position(version).is_some());
        Err(first.failure(if leads_on { ChainCoverage::Sufficient } else { ChainCoverage::Insufficient }))
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

/// Whether the files that are there are a chain that knows where the schemas are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainCoverage {
    /// They are: what is gone is not needed.
    Sufficient,
    /// They are not: to accept that something is gone would help nobody.
    Insufficient,
}

impl Divergence {
    /// The failure, with what can be done about it.
    pub fn failure(self, rest: ChainCoverage) -> Failure {
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
                .hint("put the file back as it was and write a new migration; if the edit changes nothing, `tenure migrate repair` accepts it")
            }
            Self::Missing { applied } => Failure::new(
                Code::MigrationGone,
                format!(
                    "{} was applied at {} and is no longer in migrations/",
                    applied.name, applied.applied_at
                ),
            )
            .at(Place::File(format!("migrations/{}", applied.name)))
            .hint(match rest {
                ChainCoverage::Sufficient => {
                    "put the file back; if it is meant to be gone, `tenure migrate repair` accepts that"
                }
                ChainCoverage::Insufficient => {
                    "put the file back: without it the files do not lead to where the database is"
                }
            }),
        }
    }
}
