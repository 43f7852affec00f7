//! What can be wrong with a project's files: each file by itself, and all of them as a chain.

use super::Version;
use crate::error::{Code, Failure, Place};
use crate::sql::SqlError;

/// Why the files are no chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages say")]
pub enum ChainError {
    /// Not `vX_to_vY_name.sql`.
    #[error("{file} is not the name of a migration: {why}")]
    Name { file: String, why: String },
    /// X is not lower than Y, and the file undoes no other.
    #[error("{file} leads from {from} to {to}, which is not higher")]
    Order { file: String, from: Version, to: Version },
    /// Nothing leads to a version that a file starts from.
    #[error("the chain has a gap: {file} starts from {from}, but {before} leads to {reached}")]
    Gap { file: String, from: Version, before: String, reached: Version },
    /// The first file starts from what no file makes, and an empty database was to be brought along the chain.
    #[error("the chain begins at {from}, so it cannot be run on an empty database")]
    StartsLate { file: String, from: Version },
    /// Two files start from one version.
    #[error("two migrations start from {version}: {first} and {second}")]
    ForkFrom { version: Version, first: String, second: String },
    /// Two files lead to one version.
    #[error("two migrations lead to {version}: {first} and {second}")]
    ForkTo { version: Version, first: String, second: String },
    /// The header names other versions than the file's name.
    #[error("the header says {header}, the file's name says {name}")]
    HeaderMismatch { header: String, name: String, place: Place },
    /// A header line that must be there is not.
    #[error("the header line `{line}` is missing")]
    HeaderMissing { line: &'static str, place: Place },
    /// A header line cannot be understood.
    #[error("this header line cannot be understood: {why}")]
    Header { why: String, place: Place },
    /// No statement.
    #[error("the file has no statement")]
    Empty { place: Place },
    /// Its SQL.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Self {
        let message = error.to_string();
        let file = |name: String| Place::File(format!("migrations/{name}"));
        let (code, place, hint) = match error {
            ChainError::Sql(error) => return error.into(),
            ChainError::Name { file: name, .. } => (
                Code::MigrationName,
                file(name),
                "name it like v1.0.0_to_v1.0.1_add_mfa_columns.sql; `tenure migrate new NAME` makes one",
            ),
            ChainError::Order { file: name, .. } => (
                Code::MigrationOrder,
                file(name),
                "a migration leads to a higher version than it starts from",
            ),
            ChainError::Gap { file: name, .. } => (
                Code::ChainGap,
                file(name),
                "add the missing migration, or rename the file that starts too late",
            ),
            ChainError::StartsLate { file: name, from } => {
                return Self::new(Code::ChainGap, message).at(file(name)).hint(format!(
                    "add migrations/v0.0.0_to_v{from}_….sql that makes what was there before; a database that is at {from} \
                     already does not run it"
                ));
            }
            ChainError::ForkFrom { second, .. } | ChainError::ForkTo { second, .. } => (
                Code::ChainFork,
                file(second),
                "keep one migration per version: rename the newer one to follow the other",
            ),
            ChainError::HeaderMismatch { place, .. } => {
                (Code::HeaderMismatch, place, "make the header line agree with the file's name")
            }
            ChainError::HeaderMissing { place, .. } => {
                (Code::HeaderMissing, place, "add the line to the comments at the top of the file")
            }
            ChainError::Header { place, .. } => {
                (Code::HeaderInvalid, place, "see docs/migrations.md for the header lines")
            }
            ChainError::Empty { place } => {
                (Code::MigrationEmpty, place, "write a statement, or delete the file")
            }
        };
        Self::new(code, message).at(place).hint(hint)
    }
}
