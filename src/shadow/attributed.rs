//! An observed effect with its cause.

use std::ops::Range;

use crate::postgres::catalog::{Change, Effect};

/// A change of the catalog and its effect on the running release.
#[derive(Debug, Clone)]
pub struct JudgedChange {
    /// The change.
    pub change: Change,
    /// Its effect.
    pub effect: Effect,
    /// The tables that the object is a partition or a child of.
    pub parents: Vec<String>,
}

/// An effect, the schema that it happened in, and the statement that caused it.
#[derive(Debug, Clone)]
pub struct Attributed<T> {
    /// The effect.
    pub what: T,
    /// To whom the schema belongs.
    pub schema: SchemaOwner,
    /// The name of the schema.
    pub schema_name: String,
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
