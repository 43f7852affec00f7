//! Compares the applied migrations in the history with the files: finds edited and missing files, and files that are not the ones
//! that were applied as their versions.

use std::fmt;

use super::{Chain, Checksum, FileName, FleetState, Migration, Version};
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
    /// Its checksum when it was applied, or when `repair` accepted an edit.
    pub checksum: Option<Checksum>,
    /// Whether `repair` accepted that the file is missing.
    pub missing_accepted: bool,
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
    /// Another file was applied as this version, as on two branches that used one version.
    OtherHistory {
        /// The record.
        applied: Applied,
        /// The file that has the version now and was not applied, if there is one.
        file: Option<String>,
        /// The file that contains the applied statements now, if there is one.
        moved: Option<String>,
        /// The last version of the chain.
        latest: Version,
    },
}

impl Divergence {
    /// Returns a failure unless records and chain agree. `fleet` contains the current versions. A database that is ahead of the
    /// chain has records of files that this checkout cannot have.
    pub fn check(chain: &Chain, applied: &[Applied], fleet: &FleetState) -> Result<(), Failure> {
        fleet.beyond(chain).map_or(Ok(()), Err)?;
        let Some(first) = Self::find(chain, applied).into_iter().next() else { return Ok(()) };
        Err(first.failure(ChainCoverage::of(chain, fleet)))
    }

    /// All divergences between the records and the chain, in the order of the records.
    pub fn find(chain: &Chain, applied: &[Applied]) -> Vec<Self> {
        applied.iter().filter_map(|applied| Self::of(chain, applied)).collect()
    }

    fn of(chain: &Chain, applied: &Applied) -> Option<Self> {
        let checksum = applied.checksum.as_ref()?;
        let same_edge =
            |migration: &&Migration| (migration.from(), migration.to()) == (&applied.from, &applied.to);
        let now = chain.migrations().iter().find(same_edge);
        if now.map_or(applied.missing_accepted, |now| now.checksum == *checksum) {
            return None;
        }
        let moved = chain.migrations().iter().find(|migration| has_moved(applied, checksum, migration));
        let name = FileName::parse(&applied.name).map(|file| file.name);
        let has_name = |migration: &Migration| name.as_ref() == Ok(&migration.name.name);
        match now {
            Some(now) if moved.is_none() && has_name(now) => Some(Self::Edited {
                applied: applied.clone(),
                file: now.file.clone(),
                now: now.checksum.clone(),
            }),
            None if moved.is_none() => Some(Self::Missing { applied: applied.clone() }),
            now => Some(Self::OtherHistory {
                applied: applied.clone(),
                file: now.map(|now| now.file.clone()),
                moved: moved
                    .or_else(|| chain.migrations().iter().find(|migration| has_name(migration)))
                    .map(|migration| migration.file.clone()),
                latest: chain.latest(),
            }),
        }
    }
}

/// Whether `migration` is the applied file with other versions: in its name, its header and its UPDATE of the version row.
fn has_moved(applied: &Applied, checksum: &Checksum, migration: &Migration) -> bool {
    if (migration.from(), migration.to()) == (&applied.from, &applied.to) {
        return false;
    }
    let text = &migration.script.source.text;
    let replaced =
        |text: &str, now: &Version, then: &Version| text.replace(&now.to_string(), &then.to_string());
    // The version that both files share must not be replaced twice.
    let then = if *migration.from() == applied.to {
        replaced(&replaced(text, migration.from(), &applied.from), migration.to(), &applied.to)
    } else {
        replaced(&replaced(text, migration.to(), &applied.to), migration.from(), &applied.from)
    };
    [&then, text].into_iter().any(|text| Checksum::of(text) == *checksum)
}

/// Whether the chain of the existing files contains the current versions of the schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainCoverage {
    /// It does: the missing file is not needed.
    Sufficient,
    /// It does not: accepting the missing file would not help.
    Insufficient,
}

impl ChainCoverage {
    /// The coverage of the versions in `fleet`.
    fn of(chain: &Chain, fleet: &FleetState) -> Self {
        let mut versions = fleet.tenants.keys().chain([&fleet.platform]);
        if versions.all(|version| chain.position(version).is_some()) {
            Self::Sufficient
        } else {
            Self::Insufficient
        }
    }
}

impl Divergence {
    /// Those that `repair` can accept. Fails with the first that it cannot accept: a file that is needed, or that was not applied.
    pub fn repairable(chain: &Chain, applied: &[Applied], fleet: &FleetState) -> Result<Vec<Self>, Failure> {
        fleet.beyond(chain).map_or(Ok(()), Err)?;
        let coverage = ChainCoverage::of(chain, fleet);
        let found = Self::find(chain, applied);
        let refused = found.iter().find(|found| match found {
            Self::Edited { .. } => false,
            Self::Missing { .. } => coverage == ChainCoverage::Insufficient,
            Self::OtherHistory { .. } => true,
        });
        refused.cloned().map_or(Ok(found), |refused| Err(refused.failure(coverage)))
    }

    /// The failure, with a hint.
    pub fn failure(self, coverage: ChainCoverage) -> Failure {
        let message = self.to_string();
        let file = |name: &str| Place::File(format!("migrations/{name}"));
        match self {
            Self::Edited { file: name, .. } => Failure::new(Code::MigrationEdited, message).at(file(&name)).hint(
                "restore the file and write a new migration; if the edit has no effect, `tenure migrate repair` accepts it",
            ),
            Self::Missing { applied } => {
                Failure::new(Code::MigrationGone, message).at(file(&applied.name)).hint(match coverage {
                    ChainCoverage::Sufficient => {
                        "restore the file; if it was removed on purpose, `tenure migrate repair` accepts that"
                    }
                    ChainCoverage::Insufficient => {
                        "restore the file: without it the files do not lead to the version of the database"
                    }
                })
            }
            Self::OtherHistory { applied, file: name, latest, .. } => {
                let failure = Failure::new(Code::OtherHistory, message);
                let place = file(name.as_deref().unwrap_or(&applied.name));
                let restore = format!("restore {} as version {}", applied.name, applied.to);
                failure.at(place).hint(match name {
                    Some(name) => format!(
                        "{restore} and write the change of {name} as a new step after {latest}, or reset a development database; \
                         a file that was only renamed and edited needs its old name first"
                    ),
                    None => format!("{restore}, or reset a development database"),
                })
            }
        }
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { applied, file, now } => {
                let then = applied.checksum.as_ref().map(Checksum::as_str).unwrap_or_default();
                let at = &applied.applied_at;
                write!(
                    f,
                    "{file} was edited after it was applied at {at}: its checksum was {then} and is {now}"
                )
            }
            Self::Missing { applied: Applied { name, applied_at, .. } } => {
                write!(f, "{name} was applied at {applied_at} and is no longer in migrations/")
            }
            Self::OtherHistory { applied: Applied { name, to, applied_at, .. }, file, moved, .. } => {
                write!(f, "{name} was applied as version {to} at {applied_at}")?;
                if let Some(file) = file {
                    write!(f, ", not {file}, which has that version now")?;
                }
                moved.as_ref().map_or(Ok(()), |moved| write!(f, "; the applied file is now {moved}"))
            }
        }
    }
}
