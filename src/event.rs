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
    /// The run succeeded, but its own record could not be updated.
    RunRecordFailed {
        /// The reason.
        failure: &'a Failure,
    },
    /// The run ends.
    Ended,
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
