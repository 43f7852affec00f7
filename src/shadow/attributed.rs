//! An observed effect with its cause.

use std::ops::Range;

/// An effect, the schema that it happened in, and the statement that caused it.
#[derive(Debug, Clone)]
pub struct Attributed<T> {
    /// The effect.
    pub what: T,
    /// The schema.
    pub schema: SchemaOwner,
    /// The byte range of the statement in its file; `None` if no statement was found.
    pub statement: Option<Range<usize>>,
}

/// To whom a schema belongs, seen from the unit that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaOwner {
    /// The platform's schema.
    Platform,
    /// The tenant that the statements ran for.
    Tenant,
    /// Another tenant.
    OtherTenant,
    /// None of them.
    Elsewhere,
}
