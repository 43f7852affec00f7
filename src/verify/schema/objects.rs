//! Views and routines as their text makes them, in a form in which an old and a new text can be compared.

use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::parts::{child, words, words_besides};
use super::{Routine, View};

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
    pub(in crate::verify) fn of(node: &SyntaxNode) -> Self {
        let list = node
            .children()
            .find(|part| part.kind() == SyntaxKind::SELECT)
            .and_then(|select| child(&select, SyntaxKind::SELECT_CLAUSE))
            .and_then(|clause| child(&clause, SyntaxKind::TARGET_LIST));
        let names: Vec<Vec<String>> = child(node, SyntaxKind::COLUMN_LIST)
            .map(|list| list.children().map(|name| words(&name)).collect())
            .unwrap_or_default();
        let targets: Vec<SyntaxNode> =
            list.as_ref().map(|list| list.children().collect()).unwrap_or_default();
        let columns = targets.iter().enumerate().map(|(index, target)| {
            let name = names.get(index).cloned().unwrap_or_default();
            [words(target), vec!["as".to_owned()], name].concat()
        });
        let apart: Vec<SyntaxNode> = list.into_iter().chain(child(node, SyntaxKind::COLUMN_LIST)).collect();
        Self {
            columns: columns.collect(),
            rest: words_besides(node, &apart),
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

impl Routine {
    /// The routine that `node` makes.
    pub(in crate::verify) fn of(node: &SyntaxNode) -> Self {
        let list = child(node, SyntaxKind::PARAM_LIST);
        let parameters: Vec<SyntaxNode> = list
            .iter()
            .flat_map(SyntaxNode::children)
            .filter(|part| part.kind() == SyntaxKind::PARAM && child(part, SyntaxKind::PARAM_OUT).is_none())
            .collect();
        let of_type = |parameter: &SyntaxNode| {
            let node = parameter.children().find(|part| format!("{:?}", part.kind()).ends_with("_TYPE"));
            node.map(|node| words(&node).join(" ")).unwrap_or_default()
        };
        let says = |kinds: &[SyntaxKind]| node.descendants().any(|part| kinds.contains(&part.kind()));
        let language = node.descendants().find(|part| part.kind() == SyntaxKind::LANGUAGE_REF);
        let language = language.map(|part| words(&part).concat()).unwrap_or_default();
        // The server lets these two change nothing where they are not volatile.
        let kept = ["sql", "plpgsql"].contains(&language.trim_matches('\'').to_lowercase().as_str());
        Self {
            inputs: parameters.iter().map(of_type).collect(),
            optional: parameters
                .iter()
                .filter(|part| child(part, SyntaxKind::PARAM_DEFAULT).is_some())
                .count(),
            pure: kept && says(&[SyntaxKind::IMMUTABLE, SyntaxKind::STABLE]),
            text: words(node),
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
