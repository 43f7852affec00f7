//! Failures as text and as JSON.

use serde_json::{Map, Value, json};

use super::{Diagnostic, Paint, Severity, Text, without_credentials};
use crate::error::Failure;

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
pub fn failure_json(failure: &Failure) -> Value {
    let mut error = Map::new();
    error.insert("code".to_owned(), json!(failure.code.as_str()));
    error.insert("message".to_owned(), json!(without_credentials(&failure.message)));
    error.insert("retryable".to_owned(), json!(failure.is_retryable()));
    if let Some(hint) = &failure.hint {
        error.insert("hint".to_owned(), json!(without_credentials(hint)));
    }
    if let Some(place) = &failure.place {
        error.insert("file".to_owned(), json!(without_credentials(place.file())));
        if let Some(start) = place.start() {
            error.insert("line".to_owned(), json!(start.line));
            error.insert("column".to_owned(), json!(start.column));
        }
    }
    if let Some(sqlstate) = &failure.sqlstate {
        error.insert("sqlstate".to_owned(), json!(sqlstate));
    }
    if let Some(schema) = &failure.schema {
        error.insert("schema".to_owned(), json!(schema));
    }
    Value::Object(error)
}
