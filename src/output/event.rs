//! An event as one JSON object, for `--events`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Text, failure_json, shown_value, without_credentials};
use crate::event::Event;

/// Converts an event to one line of JSON; `at_ms` is its time in milliseconds since 1970.
pub fn event_json(event: &Event<'_>, at_ms: u128) -> Text {
    Text::of_json(&value(event, at_ms))
}

fn value(event: &Event<'_>, at_ms: u128) -> Value {
    let at = u64::try_from(at_ms).unwrap_or(u64::MAX);
    match event {
        Event::Began { expected } => json!({ "at_ms": at, "event": "began", "expected": expected }),
        Event::UnitDone { schema, migration, elapsed } => json!({
            "at_ms": at, "event": "unit-done", "schema": schema, "migration": migration,
            "duration_ms": milliseconds(*elapsed),
        }),
        Event::UnitDoneByAnother { schema, migration } => json!({
            "at_ms": at, "event": "unit-done-by-another", "schema": schema, "migration": migration,
        }),
        Event::UnitDelayed { schema, migration, failure, pause } => json!({
            "at_ms": at, "event": "unit-delayed", "schema": schema, "migration": migration,
            "pause_ms": u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), "error": failure_json(failure),
        }),
        Event::UnitFailed { schema, migration, failure } => json!({
            "at_ms": at, "event": "unit-failed", "schema": schema, "migration": migration,
            "error": failure_json(failure),
        }),
        Event::TenantGone { schema, now } => {
            json!({ "at_ms": at, "event": "tenant-gone", "schema": schema, "now": now })
        }
        Event::Notice { schema, notice } => json!({
            "at_ms": at, "event": "notice", "schema": schema, "migration": notice.migration, "line": notice.line,
            "level": notice.level.as_str(), "message": without_credentials(&notice.message),
        }),
        Event::Running { oldest, delayed, activity } => {
            let milliseconds = |elapsed: Duration| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            json!({
                "at_ms": at, "event": "running", "waiting": activity.waiting, "delayed": delayed,
                "oldest": oldest.map(|unit| json!({
                    "schema": unit.schema, "migration": unit.migration, "others": unit.others,
                    "elapsed_ms": milliseconds(unit.elapsed),
                })),
                "lock_holder": activity.holder.as_ref().map(|holder| json!({
                    "pid": holder.pid, "application": holder.application,
                    "age_ms": holder.age.map(milliseconds), "query": holder.query,
                })),
                "index": activity.index.as_ref().map(|index| json!({
                    "phase": index.phase, "percent": index.percent,
                })),
            })
        }
        Event::RunRecordFailed { failure } => {
            json!({ "at_ms": at, "event": "run-record-failed", "error": failure_json(failure) })
        }
        Event::TenantDone { slug } => json!({ "at_ms": at, "event": "tenant-done", "slug": slug }),
        Event::TenantDelayed { slug, failure, pause } => json!({
            "at_ms": at, "event": "tenant-delayed", "slug": slug,
            "pause_ms": u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), "error": failure_json(failure),
        }),
        Event::HookOutput { slug, line } => json!({
            "at_ms": at, "event": "hook-said", "slug": slug, "line": line,
        }),
        Event::TenantFailed { slug, failure } => json!({
            "at_ms": at, "event": "tenant-failed", "slug": shown_value(slug), "error": failure_json(failure),
        }),
        Event::Ended => json!({ "at_ms": at, "event": "ended" }),
    }
}

/// Milliseconds, rounded to microseconds.
fn milliseconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}
