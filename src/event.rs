//! The events of a run. Operations emit them to a [`Sink`], which shows progress or writes lines; no output belongs here.

use std::time::Duration;

use crate::error::Failure;
use crate::ident::SchemaName;

/// An event of a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A run begins.
    Began {
        /// The id of the run's row.
        run: String,
        /// The approximate number of units, or of tenants to create.
        expected: usize,
    },
    /// A unit was committed.
    UnitDone {
        /// The schema.
        schema: &'a SchemaName,
        /// The file's name.
        migration: &'a str,
        /// The time from sending it to the server's answer.
        elapsed: Duration,
    },
    /// Another run had already committed the unit.
    UnitDoneByAnother {
        /// The schema.
        schema: &'a SchemaName,
        /// The file's name.
        migration: &'a str,
    },
    /// A unit failed temporarily and is retried after a pause.
    UnitDelayed {
        /// The schema.
        schema: &'a SchemaName,
        /// The file's name.
        migration: &'a str,
        /// The temporary failure.
        failure: &'a Failure,
        /// The time until the next attempt.
        pause: Duration,
    },
    /// A unit failed and was rolled back.
    UnitFailed {
        /// The schema.
        schema: &'a SchemaName,
        /// The file's name.
        migration: &'a str,
        /// The reason.
        failure: &'a Failure,
    },
    /// A tenant of the run was renamed or dropped by another command.
    TenantGone {
        /// Its former schema.
        schema: &'a SchemaName,
        /// Its new schema, if it was renamed.
        now: Option<&'a SchemaName>,
    },
    /// A tenant was created, or existed already.
    TenantDone {
        /// Its slug.
        slug: &'a str,
    },
    /// Creating a tenant failed temporarily and is retried after a pause.
    TenantDelayed {
        /// Its slug.
        slug: &'a str,
        /// The temporary failure.
        failure: &'a Failure,
        /// The time until the next attempt.
        pause: Duration,
    },
    /// The `after_create` command wrote a line to stderr.
    HookOutput {
        /// The tenant's slug.
        slug: &'a str,
        /// The line.
        line: &'a str,
    },
    /// A tenant could not be created.
    TenantFailed {
        /// Its slug.
        slug: &'a str,
        /// The reason.
        failure: &'a Failure,
    },
    /// The server sent a notice about a statement of a unit that was committed.
    Notice {
        /// The schema.
        schema: &'a SchemaName,
        /// The notice.
        notice: &'a Notice,
    },
    /// The run takes long: sent every ten seconds.
    Running {
        /// The message that was sent first, of those without an answer.
        oldest: Option<&'a UnderWay>,
        /// Units that failed temporarily and wait for their next attempt.
        delayed: usize,
        /// What the server says about the run's sessions.
        activity: &'a Activity,
    },
    /// The run succeeded, but its own record could not be updated.
    RunRecordFailed {
        /// The reason.
        failure: &'a Failure,
    },
    /// The run ends.
    Ended,
}

/// How serious a notice of the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeLevel {
    /// `NOTICE`
    Notice,
    /// `WARNING`
    Warning,
}

impl NoticeLevel {
    /// The server's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
        }
    }
}

/// A notice about a statement of a file, without values of rows and without the name of a tenant's schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// The name of the migration file.
    pub migration: String,
    /// The line of the statement.
    pub line: Option<usize>,
    /// How serious it is.
    pub level: NoticeLevel,
    /// The text.
    pub message: String,
}

/// Units that were sent in one message and have no answer yet.
#[derive(Debug, Clone)]
pub struct UnderWay {
    /// The schema of the first one.
    pub schema: SchemaName,
    /// Its file.
    pub migration: String,
    /// The number of other schemas in the message.
    pub others: usize,
    /// The time since it was sent.
    pub elapsed: Duration,
}

/// What the sessions of a run wait for.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// The number of sessions that wait for a lock.
    pub waiting: usize,
    /// The session that blocks the one that has waited longest.
    pub holder: Option<LockHolder>,
    /// The oldest index build.
    pub index: Option<IndexBuild>,
}

/// The holder of a lock.
#[derive(Debug, Clone)]
pub struct LockHolder {
    /// Its process; `None` for a prepared transaction.
    pub pid: Option<i64>,
    /// Its `application_name`.
    pub application: String,
    /// The age of its transaction, if the role may see it.
    pub age: Option<Duration>,
    /// The first words of its query, without literals, if the role may see it.
    pub query: Option<String>,
}

/// The progress of an index build.
#[derive(Debug, Clone)]
pub struct IndexBuild {
    /// The phase, in the server's words.
    pub phase: String,
    /// How much of the phase is done.
    pub percent: Option<i64>,
}

/// Receives events.
pub trait Sink {
    /// Receives one event.
    fn take(&mut self, event: &Event<'_>);
}

/// A sink that ignores all events.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Sink for Silent {
    fn take(&mut self, _event: &Event<'_>) {}
}
