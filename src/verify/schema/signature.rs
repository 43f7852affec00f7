//! The types that distinguish routines of one name.

use squawk_syntax::SyntaxKind;

use super::types::SqlType;
use crate::sql::{Name, Node};

/// The name of a parameter's type that the text does not show.
const ANY: &str = "?";

/// The types of the input parameters in `list`, each by one name.
pub(super) fn inputs(list: Node<'_>) -> Vec<String> {
    list.children()
        .filter(|param| param.kind() == SyntaxKind::PARAM && !param.has_child(&[SyntaxKind::PARAM_OUT]))
        .map(|param| parameter_type(param))
        .collect()
}

fn parameter_type(param: Node<'_>) -> String {
    let Some(of_type) = SqlType::of(param) else { return ANY.to_owned() };
    // A schema may be left out, and modifiers do not count.
    let name = of_type.name.rsplit('.').next().unwrap_or(ANY);
    let array = if of_type.is_array() { "[]" } else { "" };
    format!("{name}{array}")
}

/// The types with which a statement refers to the routine `name`: `DROP FUNCTION f(int)`; `None` without a list.
pub(in crate::verify) fn signature(name: &Name, node: Node<'_>) -> Option<Vec<String>> {
    let holder = node.descendants().find(|child| child.kind() == name.kind && child.span() == name.range)?;
    let list = holder.parent()?.children().find(|child| child.kind() == SyntaxKind::PARAM_LIST)?;
    Some(inputs(list))
}

/// Whether both may be the types of one routine.
pub(in crate::verify) fn may_match(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || a == ANY || b == ANY)
}
