//! Failures as text and as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Diagnostic, Paint, Severity, Text, without_credentials};
use crate::error::{Failure, Place};

/// Formats a failure as a message with the source lines.
pub fn failure(failure: &Failure, paint: Paint) -> Text {
    let state = failure.sqlstate.as_ref().map(|sqlstate| format!("SQLSTATE {sqlstate}"));
    let text = Diagnostic {
        severity: Severity::Error,
        code: Some(failure.code.as_str()),
        title: &failure.message,
        place: failure.place.as_ref(),
        label: "",
        notes: &state.iter().map(String::as_str).collect::<Vec<_>>(),
        help: failure.hint.as_deref(),
    }
    .render(paint);
    // Also the source lines may contain a URL.
    Text::of_escaped(without_credentials(text.as_str()))
}

/// The JSON object for `"error"`. Keys without a value are omitted.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct ErrorJson {
    /// The stable code; docs/errors.md lists all.
    code: &'static str,
    /// The failed operation, its object, and the reason.
    message: String,
    /// Whether the same command may succeed later without another change.
    retryable: bool,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The file, relative to the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The line in it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// The column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    /// The server's code (manual, appendix A).
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<String>,
    /// The schema of the failed unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
}

impl From<&Failure> for ErrorJson {
    fn from(failure: &Failure) -> Self {
        let start = failure.place.as_ref().and_then(Place::start);
        Self {
            code: failure.code.as_str(),
            message: without_credentials(&failure.message),
            retryable: failure.is_retryable(),
            hint: failure.hint.as_deref().map(without_credentials),
            file: failure.place.as_ref().map(|place| without_credentials(place.file())),
            line: start.map(|at| at.line),
            column: start.map(|at| at.column),
            sqlstate: failure.sqlstate.clone(),
            schema: failure.schema.as_ref().map(ToString::to_string),
        }
    }
}
