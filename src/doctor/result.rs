//! The result of `tenure doctor`.

use schemars::JsonSchema;
use serde::Serialize;

/// The result of all checks.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Diagnosis {
    /// The worst state of the checks.
    pub outcome: Health,
    /// The checks, in a fixed order.
    pub checks: Vec<Check>,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Check {
    /// The stable name of the check.
    pub check: &'static str,
    /// Its state.
    pub state: Health,
    /// The fact that decided the state.
    pub message: String,
    /// The next step, unless the state is `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<&'static str>,
}

/// The state of a check, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// No problem.
    Ok,
    /// A limitation or a risk; runs work.
    Warn,
    /// Runs do not work.
    Fail,
}

impl Health {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}
