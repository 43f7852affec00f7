//! A failure, for people and for programs.

use serde_json::{Map, Value, json};

use super::{Diagnostic, Paint, Tone};
use crate::error::Failure;

/// The failure as a message with the lines that it is about.
pub fn failure(failure: &Failure, paint: Paint) -> String {
    let state = failure.sqlstate.as_ref().map(|sqlstate| format!("SQLSTATE {sqlstate}"));
    Diagnostic {
        tone: Tone::Error,
        code: Some(failure.code.as_str()),
        title: &failure.message,
        place: failure.place.as_ref(),
        label: "",
        notes: &state.iter().map(String::as_str).collect::<Vec<_>>(),
        help: failure.hint.as_deref(),
    }
    .render(paint)
}

/// The object behind `"error"`; keys that do not apply are left out.
pub fn failure_json(failure: &Failure) -> Value {
    let mut error = Map::new();
    error.insert("code".to_owned(), json!(failure.code.as_str()));
    error.insert("message".to_owned(), json!(failure.message));
    if let Some(hint) = &failure.hint {
        error.insert("hint".to_owned(), json!(hint));
    }
    if let Some(place) = &failure.place {
        error.insert("file".to_owned(), json!(place.file()));
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
