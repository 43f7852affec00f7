//! Files with errors, which may create names that are missing elsewhere. A later statement with such a name is not
//! reported as unclear: correcting the first file may resolve it.

use std::sync::Arc;

use super::{Name, NameRole, ScopedNames, Statement};
use crate::error::Source;

/// The files of a project whose names are not all known.
#[derive(Debug, Clone, Default)]
pub(super) struct UnreadableFiles {
    texts: Vec<Arc<Source>>,
    /// Whether the text of one of them could not be read.
    has_unknown_text: bool,
}

impl ScopedNames {
    /// Adds a file with errors; `None` if it could not be read.
    pub fn add_unreadable(&mut self, source: Option<Arc<Source>>) {
        match source {
            Some(source) => self.unreadable.texts.push(source),
            None => self.unreadable.has_unknown_text = true,
        }
    }

    /// Whether such a file may create names that `statement` uses.
    pub fn may_depend_on_unreadable(&self, statement: &Statement) -> bool {
        let unknown = |name: &&Name| name.schema.is_none() && self.scope_of(name, "").is_none();
        let named =
            |name: &Name| self.unreadable.texts.iter().any(|source| has_word(&source.text, &name.name));
        // If it acts on an object, names that it only refers to (a type, a function) do not count.
        let acts = statement.names.iter().any(|name| name.role != NameRole::Referenced);
        let mut names = statement.names.iter().filter(|name| !acts || name.role != NameRole::Referenced);
        self.unreadable.has_unknown_text || names.any(|name| unknown(&name) && named(name))
    }
}

/// Whether `text` contains `word` as a whole word, in any case.
fn has_word(text: &str, word: &str) -> bool {
    let text = text.to_lowercase();
    let goes_on = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(&word.to_lowercase())
        .any(|(at, found)| !text[..at].ends_with(goes_on) && !text[at + found.len()..].starts_with(goes_on))
}
