//! Something that was seen, with who did it and to whom.

use std::ops::Range;

/// Something that happened, with the statement that did it, where one was found.
#[derive(Debug, Clone)]
pub struct Attributed<T> {
    /// What.
    pub what: T,
    /// In which schema.
    pub schema: Whose,
    /// The bytes of the statement in the file.
    pub statement: Option<Range<usize>>,
}

/// Whose schema something happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The platform's.
    Platform,
    /// A tenant's.
    Tenant,
    /// Another tenant's than the one that the statements ran for.
    OtherTenant,
    /// Any other.
    Elsewhere,
}
