//! The outcome of a run: the text in its row and in the JSON, and the exit code.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Class;

/// The outcome of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// All work is done.
    Done,
    /// There was nothing to do.
    Nothing,
    /// It failed before it changed anything.
    Failed,
    /// Some of the work is done.
    Partial,
    /// It was interrupted between two units.
    Interrupted,
}

impl RunStatus {
    /// The text in the JSON and in the run's row.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Nothing => "nothing",
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Interrupted => "interrupted",
        }
    }

    /// The exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done | Self::Nothing => 0,
            Self::Failed => Class::Refused.exit_code(),
            Self::Partial => Class::Partial.exit_code(),
            Self::Interrupted => Class::Interrupted.exit_code(),
        }
    }
}
