//! An event as one JSON object, for `--events`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::{ErrorJson, Text, shown_value, without_credentials};
use crate::event::Event;
use crate::ident::SchemaName;

/// Converts an event to one line of JSON; `at_ms` is its time in milliseconds since 1970.
pub fn event_json(event: &Event<'_>, at_ms: u128) -> Result<Text, serde_json::Error> {
    serde_json::to_value(EventJson { at_ms, event: event.into() }).map(|event| Text::of_json(&event))
}

/// A line of `--events`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct EventJson {
    /// The time in milliseconds since 1970.
    at_ms: u128,
    #[serde(flatten)]
    event: Kind,
}

/// What happened.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Kind {
    /// A run begins with about this number of units, or of tenants to create.
    Began {
        /// The id for `tenure run show`.
        run: String,
        expected: usize,
    },
    /// A unit was committed.
    UnitDone { schema: SchemaName, migration: String, duration_ms: f64 },
    /// Another run had already committed the unit.
    UnitDoneByAnother { schema: SchemaName, migration: String },
    /// A unit failed temporarily and is retried after a pause.
    UnitDelayed { schema: SchemaName, migration: String, pause_ms: u128, error: ErrorJson },
    /// A unit failed and was rolled back.
    UnitFailed { schema: SchemaName, migration: String, error: ErrorJson },
    /// A tenant of the run was renamed or dropped by another command.
    TenantGone {
        schema: SchemaName,
        /// Its new schema, if it was renamed.
        now: Option<SchemaName>,
    },
    /// The server sent a notice about a statement of a unit that was committed.
    Notice {
        schema: SchemaName,
        migration: String,
        line: Option<usize>,
        /// `NOTICE` or `WARNING`.
        level: &'static str,
        message: String,
    },
    /// The run takes long: sent every ten seconds.
    Running {
        /// The number of sessions that wait for a lock.
        waiting: usize,
        /// Units that failed temporarily and wait for their next attempt.
        delayed: usize,
        oldest: Option<UnderWayJson>,
        lock_holder: Option<LockHolderJson>,
        index: Option<IndexBuildJson>,
    },
    /// The run succeeded, but its own record could not be updated.
    RunRecordFailed { error: ErrorJson },
    /// A tenant was created, or existed already.
    TenantDone { slug: String },
    /// Creating a tenant failed temporarily and is retried after a pause.
    TenantDelayed { slug: String, pause_ms: u128, error: ErrorJson },
    /// The `after_create` command wrote a line to stderr.
    HookSaid { slug: String, line: String },
    /// A tenant could not be created.
    TenantFailed { slug: String, error: ErrorJson },
    /// The run ends.
    Ended,
}

/// The message that was sent first, of those without an answer.
#[derive(Debug, JsonSchema, Serialize)]
struct UnderWayJson {
    schema: SchemaName,
    migration: String,
    /// The number of other schemas in the message.
    others: usize,
    elapsed_ms: u128,
}

/// The session that blocks the one that has waited longest.
#[derive(Debug, JsonSchema, Serialize)]
struct LockHolderJson {
    /// Its process; `null` for a prepared transaction.
    pid: Option<i64>,
    application: String,
    /// The age of its transaction.
    age_ms: Option<u128>,
    /// The first words of its query, without literals.
    query: Option<String>,
}

/// The oldest index build.
#[derive(Debug, JsonSchema, Serialize)]
struct IndexBuildJson {
    phase: String,
    percent: Option<i64>,
}

impl From<&Event<'_>> for Kind {
    fn from(event: &Event<'_>) -> Self {
        match *event {
            Event::Began { ref run, expected } => Self::Began { run: run.clone(), expected },
            Event::UnitDone { schema, migration, elapsed } => Self::UnitDone {
                schema: schema.clone(),
                migration: migration.to_owned(),
                duration_ms: milliseconds(elapsed),
            },
            Event::UnitDoneByAnother { schema, migration } => {
                Self::UnitDoneByAnother { schema: schema.clone(), migration: migration.to_owned() }
            }
            Event::UnitDelayed { schema, migration, failure, pause } => Self::UnitDelayed {
                schema: schema.clone(),
                migration: migration.to_owned(),
                pause_ms: pause.as_millis(),
                error: failure.into(),
            },
            Event::UnitFailed { schema, migration, failure } => Self::UnitFailed {
                schema: schema.clone(),
                migration: migration.to_owned(),
                error: failure.into(),
            },
            Event::TenantGone { schema, now } => {
                Self::TenantGone { schema: schema.clone(), now: now.cloned() }
            }
            Event::Notice { schema, notice } => Self::Notice {
                schema: schema.clone(),
                migration: notice.migration.clone(),
                line: notice.line,
                level: notice.level.as_str(),
                message: without_credentials(&notice.message),
            },
            Event::Running { oldest, delayed, activity } => Self::Running {
                waiting: activity.waiting,
                delayed,
                oldest: oldest.map(|unit| UnderWayJson {
                    schema: unit.schema.clone(),
                    migration: unit.migration.clone(),
                    others: unit.others,
                    elapsed_ms: unit.elapsed.as_millis(),
                }),
                lock_holder: activity.holder.as_ref().map(|holder| LockHolderJson {
                    pid: holder.pid,
                    application: holder.application.clone(),
                    age_ms: holder.age.map(|age| age.as_millis()),
                    query: holder.query.clone(),
                }),
                index: activity
                    .index
                    .as_ref()
                    .map(|index| IndexBuildJson { phase: index.phase.clone(), percent: index.percent }),
            },
            Event::RunRecordFailed { failure } => Self::RunRecordFailed { error: failure.into() },
            Event::TenantDone { slug } => Self::TenantDone { slug: slug.to_owned() },
            Event::TenantDelayed { slug, failure, pause } => Self::TenantDelayed {
                slug: slug.to_owned(),
                pause_ms: pause.as_millis(),
                error: failure.into(),
            },
            Event::HookOutput { slug, line } => {
                Self::HookSaid { slug: slug.to_owned(), line: line.to_owned() }
            }
            Event::TenantFailed { slug, failure } => {
                Self::TenantFailed { slug: shown_value(slug).into_owned(), error: failure.into() }
            }
            Event::Ended => Self::Ended,
        }
    }
}

/// Milliseconds, rounded to microseconds.
fn milliseconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}
