//! What happened, in order. Who works says it; who shows, shows it: progress, lines and files are sinks.

use std::time::Duration;

use crate::error::Failure;
use crate::ident::SchemaName;

/// One thing that happened during a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A run begins that will do about so many units.
    Began {
        /// Units, or tenants to be made.
        expected: usize,
    },
    /// A unit was done.
    UnitDone {
        /// The schema.
        schema: &'a SchemaName,
        /// The file's name.
        migration: &'a str,
        /// From sending to the server's answer.
        elapsed: Duration,
    },
    /// Another runner had done the unit already.
    UnitDoneByAnother {
        /// The schema.
        schema: &'a SchemaName,
        /// The file's name.
        migration: &'a str,
    },
    /// A unit was refused by something that passes, and is tried again after a pause.
    UnitDelayed {
        /// The schema.
        schema: &'a SchemaName,
        /// The file's name.
        migration: &'a str,
        /// What was in the way.
        failure: &'a Failure,
        /// Until the next try.
        pause: Duration,
    },
    /// A unit failed and was rolled back.
    UnitFailed {
        /// The schema.
        schema: &'a SchemaName,
        /// The file's name.
        migration: &'a str,
        /// Why.
        failure: &'a Failure,
    },
    /// A tenant that was to be moved got another name meanwhile, or was dropped.
    TenantGone {
        /// The schema that it had.
        schema: &'a SchemaName,
        /// The schema that it has, if it goes on under that.
        now: Option<&'a SchemaName>,
    },
    /// A tenant was made, or was there already.
    TenantDone {
        /// Its slug.
        slug: &'a str,
    },
    /// A tenant could not be made for something that passes, and is tried again after a pause.
    TenantDelayed {
        /// Its slug.
        slug: &'a str,
        /// What was in the way.
        failure: &'a Failure,
        /// Until the next try.
        pause: Duration,
    },
    /// The command that is run after a tenant is made said something.
    HookOutput {
        /// The tenant's slug.
        slug: &'a str,
        /// A line of its stderr.
        line: &'a str,
    },
    /// A tenant could not be made.
    TenantFailed {
        /// Its slug.
        slug: &'a str,
        /// Why.
        failure: &'a Failure,
    },
    /// What a run did is done, but its own row does not say so.
    RunRecordFailed {
        /// Why.
        failure: &'a Failure,
    },
    /// The run ends.
    Ended,
}

/// Takes events as they happen.
pub trait Sink {
    /// Takes one.
    fn take(&mut self, event: &Event<'_>);
}

/// Takes them and does nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Sink for Silent {
    fn take(&mut self, _event: &Event<'_>) {}
}
