//! Views and routines in a form in which two definitions can be compared.

use squawk_syntax::SyntaxKind;

use crate::error::Source;
use crate::sql::{Code, Node, Script};

use super::parts::{words, words_besides};
use super::signature::inputs;
use super::{Routine, View};

/// A separator that no word contains.
const BETWEEN_WORDS: &str = "\0";

/// The difference between two definitions of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum Change {
    /// The definitions are equal.
    None,
    /// The new one appends columns; the rows are the same.
    Appends,
    /// Any other difference.
    Other,
}

impl View {
    /// The view that `node` creates.
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
            attached: Vec::new(),
        }
    }

    /// Whether `new` has all columns of this view, in this order, and shows the same rows. What `*` means may change only with
    /// a table, which is judged there.
    pub(in crate::verify) fn is_contained_in(&self, new: &Self) -> bool {
        let mut rest = new.columns.iter();
        self.rest == new.rest
            && self.columns.is_empty() == new.columns.is_empty()
            && self.columns.iter().all(|column| rest.any(|other| other == column))
    }

    /// The difference between this view and `new`.
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

/// The words of a routine's definition outside of `left_out`. The order of its options has no meaning, and those for the planner
/// do not change the result of a call.
fn definition_words(node: Node<'_>, left_out: &[Node<'_>]) -> Vec<String> {
    let list = node.child(SyntaxKind::FUNC_OPTION_LIST);
    let apart: Vec<Node<'_>> = list.into_iter().chain(left_out.iter().copied()).collect();
    let is_left_out = |option: &Node<'_>| {
        is_for_planner(*option) || left_out.iter().any(|part| option.range().contains(&part.range().start))
    };
    let options = list.into_iter().flat_map(Node::children).filter(|option| !is_left_out(option));
    let mut options: Vec<Vec<String>> = options.map(|option| words(option)).collect();
    options.sort();
    std::iter::once(words_besides(node, &apart)).chain(options).flatten().collect()
}

/// Whether the option of a routine changes only the plans of queries that call it.
pub(in crate::verify) fn is_for_planner(option: Node<'_>) -> bool {
    let kinds = [
        SyntaxKind::COST_FUNC_OPTION,
        SyntaxKind::PARALLEL_FUNC_OPTION,
        SyntaxKind::ROWS_FUNC_OPTION,
        SyntaxKind::SUPPORT_FUNC_OPTION,
    ];
    kinds.contains(&option.kind())
}

/// Whether a view with the query `new` has all columns of one with the query `old`, and more after them.
pub fn appends_columns(old: &str, new: &str) -> bool {
    let view = |query: &str| {
        let text = format!("CREATE VIEW v AS {query}");
        let script = Script::parse(Source::new("view", text)).ok()?;
        Some(View::of(script.statements.first()?.node(&script)))
    };
    matches!((view(old), view(new)), (Some(old), Some(new)) if old.change(&new) == Change::Appends)
}

impl Routine {
    /// The routine that `node` creates.
    pub(in crate::verify) fn of(node: Node<'_>) -> Self {
        let list = node.child(SyntaxKind::PARAM_LIST);
        let parameters = list.into_iter().flat_map(Node::children);
        Self {
            inputs: list.map(inputs).unwrap_or_default(),
            optional: parameters.filter(|part| part.child(SyntaxKind::PARAM_DEFAULT).is_some()).count(),
            pure: Self::is_pure(node),
            text: definition_words(node, &[]).join(BETWEEN_WORDS),
            altered: String::new(),
            definition: node.text().into(),
        }
    }

    /// Whether the server prevents the routine that `node` creates from changing data.
    pub(in crate::verify) fn is_pure(node: Node<'_>) -> bool {
        let says = |kinds: &[SyntaxKind]| node.descendants().any(|part| kinds.contains(&part.kind()));
        let language = node.first(SyntaxKind::LANGUAGE_REF);
        let language = language.map(|part| words(part).concat()).unwrap_or_default();
        // In these languages the server enforces that a non-volatile function changes nothing.
        let is_enforced = ["sql", "plpgsql"].contains(&language.trim_matches('\'').to_lowercase().as_str());
        is_enforced && says(&[SyntaxKind::IMMUTABLE, SyntaxKind::STABLE])
    }

    /// Its definition without the body.
    pub(in crate::verify) fn header(&self) -> Vec<String> {
        let script = Script::parse(Source::new("", self.definition.as_ref())).ok();
        let mut header = script.map_or_else(Vec::new, |script| {
            let node = script.statements.first().map(|statement| statement.node(&script));
            let body = node.and_then(|node| node.first(SyntaxKind::AS_DEFINITION));
            node.map(|node| definition_words(node, body.as_slice())).unwrap_or_default()
        });
        header.push(self.altered.clone());
        header
    }

    /// Its body, if it can be read.
    pub(in crate::verify) fn code(&self) -> Option<Code> {
        let script = Script::parse(Source::new("", self.definition.as_ref())).ok()?;
        Code::of(&script, script.statements.first()?)
    }

    /// Whether a call may be ambiguous between this routine and `other`, judged by the number of arguments.
    pub(in crate::verify) fn may_be_ambiguous_with(&self, other: &Self) -> bool {
        let least = |routine: &Self| routine.inputs.len() - routine.optional.min(routine.inputs.len());
        (self.optional > 0 || other.optional > 0)
            && least(self) <= other.inputs.len()
            && least(other) <= self.inputs.len()
    }
}
