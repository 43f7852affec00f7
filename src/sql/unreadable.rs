//! What a file that could not be understood may have made. A later statement that names it is not called
//! unclear: it may be clear once the first file is put right, and people are told what to do first.

use std::sync::Arc;

use super::{Name, NameRole, ScopedNames, Statement};
use crate::error::Source;

/// The files of a project that taught nothing, or not all.
#[derive(Debug, Clone, Default)]
pub(super) struct UnreadableFiles {
    texts: Vec<Arc<Source>>,
    /// Of one of them not even the text is known.
    has_unknown_text: bool,
}

impl ScopedNames {
    /// Remembers a file that was not understood, `None` if nobody could read it.
    pub fn add_unreadable(&mut self, source: Option<Arc<Source>>) {
        match source {
            Some(source) => self.unreadable.texts.push(source),
            None => self.unreadable.has_unknown_text = true,
        }
    }

    /// Whether such a file may be why nothing is known of what `statement` names.
    pub fn may_depend_on_unreadable(&self, statement: &Statement) -> bool {
        let unknown = |name: &&Name| name.schema.is_none() && self.scope_of(name, "").is_none();
        let named =
            |name: &Name| self.unreadable.texts.iter().any(|source| has_word(&source.text, &name.name));
        // Where it acts on something, what it only mentions (a type, a function) does not decide.
        let acts = statement.names.iter().any(|name| name.role != NameRole::Referenced);
        let mut names = statement.names.iter().filter(|name| !acts || name.role != NameRole::Referenced);
        self.unreadable.has_unknown_text || names.any(|name| unknown(&name) && named(name))
    }
}

/// Whether `word` stands in `text` by itself, in whatever case.
fn has_word(text: &str, word: &str) -> bool {
    let text = text.to_lowercase();
    let goes_on = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(&word.to_lowercase())
        .any(|(at, found)| !text[..at].ends_with(goes_on) && !text[at + found.len()..].starts_with(goes_on))
}
