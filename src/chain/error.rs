//! Errors in a project's migration files and in their chain.

use super::Version;
use crate::error::{Code, Failure, Place};
use crate::sql::SqlError;

/// Why the files are not a valid chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages explain the fields")]
pub enum ChainError {
    /// Not `vX_to_vY_name.sql`.
    #[error("{file} is not the name of a migration: {why}")]
    Name { file: String, why: String },
    /// X is not lower than Y, and it is no down migration of another file.
    #[error("{file} migrates from {from} to {to}, which is not higher")]
    Order { file: String, from: Version, to: Version },
    /// No file leads to the version that a file starts from.
    #[error("the chain has a gap: {file} starts from {from}, but {before} leads to {reached}")]
    Gap { file: String, from: Version, before: String, reached: Version },
    /// The first file does not start from 0.0.0, and an empty database was to be migrated.
    #[error("the chain starts at {from}, so it cannot migrate an empty database")]
    StartsLate { file: String, from: Version },
    /// Two files start from the same version.
    #[error("two migrations start from {version}: {first} and {second}")]
    ForkFrom { version: Version, first: String, second: String },
    /// Two files lead to the same version.
    #[error("two migrations lead to {version}: {first} and {second}")]
    ForkTo { version: Version, first: String, second: String },
    /// The header contains other versions than the file name.
    #[error("the header contains {header}, the file name contains {name}")]
    HeaderMismatch { header: String, name: String, place: Place },
    /// A required header line is missing.
    #[error("the header line `{line}` is missing")]
    HeaderMissing { line: &'static str, place: Place },
    /// A header line is invalid.
    #[error("invalid header line: {why}")]
    Header { why: String, place: Place },
    /// The file contains no statement.
    #[error("the file contains no statement")]
    Empty { place: Place },
    /// An error in its SQL.
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
                "name it like v1.0.0_to_v1.0.1_add_mfa_columns.sql; `tenure migrate new NAME` creates one",
            ),
            ChainError::Order { file: name, .. } => {
                (Code::MigrationOrder, file(name), "the second version must be higher than the first")
            }
            ChainError::Gap { file: name, .. } => {
                (Code::ChainGap, file(name), "add the missing migration, or rename the file after the gap")
            }
            ChainError::StartsLate { file: name, from } => {
                return Self::new(Code::ChainGap, message).at(file(name)).hint(format!(
                    "add migrations/v0.0.0_to_v{from}_….sql that creates the earlier objects; a database that is already at \
                     {from} does not run it"
                ));
            }
            ChainError::ForkFrom { second, .. } | ChainError::ForkTo { second, .. } => (
                Code::ChainFork,
                file(second),
                "keep one migration per version: rename the newer one to follow the other",
            ),
            ChainError::HeaderMismatch { place, .. } => {
                (Code::HeaderMismatch, place, "change the header line or the file name so that they agree")
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
