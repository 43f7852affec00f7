//! Fingerprints of findings that do not depend on line numbers: they stay the same while other parts of a file change.

use std::collections::HashMap;

use super::verified::text_of;
use crate::chain::Checksum;
use crate::error::Place;
use crate::verify::Object;

/// Counts the findings with the same rule and text, so that each gets a fingerprint of its own.
#[derive(Debug, Default)]
pub(super) struct Fingerprints {
    seen: HashMap<String, usize>,
}

impl Fingerprints {
    /// The fingerprint of a finding or failure with this id at a statement.
    pub(super) fn of_place(&mut self, id: &str, place: &Place) -> String {
        self.next(format!("{id}\n{}\n{}", place.file(), text_of(place)))
    }

    /// The fingerprint of a finding about an object of the database.
    pub(super) fn of_object(&mut self, id: &str, object: &Object) -> String {
        let other = object.other.as_deref().unwrap_or_default();
        self.next(format!("{id}\n{}\n{other}", object.title()))
    }

    /// The hash of `key` and the number of its occurrences so far.
    pub(super) fn next(&mut self, key: String) -> String {
        let before = self.seen.entry(key.clone()).or_default();
        *before += 1;
        Checksum::of(&format!("{key}\n{before}")).to_string()
    }
}
