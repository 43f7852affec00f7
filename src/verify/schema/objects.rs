//! Views and routines as their text makes them, in a form in which an old and a new text can be compared.

use squawk_syntax::SyntaxKind;

use crate::error::Source;
use crate::sql::{Node, Script};

use super::parts::{words, words_besides};
use super::{Routine, View};

/// A letter that stands in no word.
const BETWEEN_WORDS: &str = "\0";

/// How the text of a view relates to an older one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum Change {
    /// It says the same.
    None,
    /// It shows more columns behind the old ones, of the same rows.
    Appends,
    /// It shows something else.
    Other,
}

impl View {
    /// The view that `node` makes.
    pub(in crate::verify) fn of(node: Node<'_>) -> Self {
        let list = node
            .children()
            .find(|part| part.kind() == SyntaxKind::SELECT)
            .and_then(|select| select.child(SyntaxKind::SELECT_CLAUSE))
            .and_then(|clause| clause.child(SyntaxKind::TARGET_LIST));
        let names: Vec<Vec<String>> = node
            .child(SyntaxKind::COLUMN_LIST)
            .map(|list| list.children().map(|name| words(name)).collect())
            .unwrap_or_default();
        let targets: Vec<Node<'_>> = list.as_ref().map(|list| list.children().collect()).unwrap_or_default();
        let columns = targets.iter().enumerate().map(|(index, target)| {
            let name = names.get(index).cloned().unwrap_or_default();
            [words(*target), vec!["as".to_owned()], name].concat().join(BETWEEN_WORDS)
        });
        let apart: Vec<Node<'_>> = list.into_iter().chain(node.child(SyntaxKind::COLUMN_LIST)).collect();
        Self {
            columns: columns.collect(),
            rest: words_besides(node, &apart).join(BETWEEN_WORDS),
            materialized: node.kind() == SyntaxKind::CREATE_MATERIALIZED_VIEW,
        }
    }

    /// What `new` does to those who read this one.
    pub(in crate::verify) fn change(&self, new: &Self) -> Change {
        if self == new {
            Change::None
        } else if self.rest == new.rest && !self.columns.is_empty() && new.columns.starts_with(&self.columns)
        {
            Change::Appends
        } else {
            Change::Other
        }
    }
}

/// Whether a view whose query is `new` shows all that one whose query is `old` shows, and more columns behind
/// them.
pub fn shows_more(old: &str, new: &str) -> bool {
    let view = |query: &str| {
        let text = format!("CREATE VIEW v AS {query}");
        let script = Script::parse(Source::new("view", text)).ok()?;
        Some(View::of(script.statements.first()?.node(&script)))
    };
    matches!((view(old), view(new)), (Some(old), Some(new)) if old.change(&new) == Change::Appends)
}

impl Routine {
    /// The routine that `node` makes.
    pub(in crate::verify) fn of(node: Node<'_>) -> Self {
        let list = node.child(SyntaxKind::PARAM_LIST);
        let parameters: Vec<Node<'_>> = list
            .into_iter()
            .flat_map(Node::children)
            .filter(|part| part.kind() == SyntaxKind::PARAM && part.child(SyntaxKind::PARAM_OUT).is_none())
            .collect();
        let of_type = |parameter: Node<'_>| {
            let node = parameter.children().find(|part| format!("{:?}", part.kind()).ends_with("_TYPE"));
            node.map(|node| words(node).join(" ")).unwrap_or_default()
        };
        let says = |kinds: &[SyntaxKind]| node.descendants().any(|part| kinds.contains(&part.kind()));
        let language = node.first(SyntaxKind::LANGUAGE_REF);
        let language = language.map(|part| words(part).concat()).unwrap_or_default();
        // The server lets these two change nothing where they are not volatile.
        let kept = ["sql", "plpgsql"].contains(&language.trim_matches('\'').to_lowercase().as_str());
        Self {
            inputs: parameters.iter().copied().map(of_type).collect(),
            optional: parameters
                .iter()
                .filter(|part| part.child(SyntaxKind::PARAM_DEFAULT).is_some())
                .count(),
            pure: kept && says(&[SyntaxKind::IMMUTABLE, SyntaxKind::STABLE]),
            text: words(node).join(BETWEEN_WORDS),
        }
    }

    /// Whether some call may mean this one as well as `other`: the number of what it gives fits both.
    pub(in crate::verify) fn meets(&self, other: &Self) -> bool {
        let least = |routine: &Self| routine.inputs.len() - routine.optional.min(routine.inputs.len());
        (self.optional > 0 || other.optional > 0)
            && least(self) <= other.inputs.len()
            && least(other) <= self.inputs.len()
    }
}
