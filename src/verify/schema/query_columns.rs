//! The columns of a table that is created from a query.

use squawk_syntax::SyntaxKind;

use super::parts::{name_of, names_of};
use super::table::{Column, OmittedValue, Table};
use crate::sql::{Name, Node, Statement};

/// The columns of the table that `node` creates from a query, if all of their names are known. `source` returns a known table.
pub(super) fn columns_of_query<'t>(
    statement: &Statement,
    node: Node<'_>,
    source: &dyn Fn(&Name) -> Option<&'t Table>,
) -> Option<Vec<Column>> {
    let query = node.descendants().find(|part| {
        matches!(part.kind(), SyntaxKind::SELECT | SyntaxKind::SELECT_INTO | SyntaxKind::COMPOUND_SELECT)
    })?;
    let targets = query.child(SyntaxKind::SELECT_CLAUSE)?.child(SyntaxKind::TARGET_LIST)?;
    let from = query.child(SyntaxKind::FROM_CLAUSE);
    let range = from.map(Node::range).unwrap_or_default();
    let mut read = statement.names.iter().filter(|name| range.contains(&name.range.start));
    let table = match (read.next(), read.next()) {
        (Some(only), None) => source(only),
        _ => None,
    };
    let mut columns = Vec::new();
    for target in targets.children() {
        let expression = target.children().next();
        let label = target.children().find(|part| part.kind() == SyntaxKind::AS_NAME);
        let copied = expression.filter(|it| it.kind() == SyntaxKind::NAME_REF).map(|it| name_of(it));
        let old = copied.as_ref().and_then(|name| table?.columns.iter().find(|column| column.name == *name));
        let name = match (label, copied.clone()) {
            (Some(label), _) => Some(name_of(label.children().next().unwrap_or(label))),
            (None, Some(name)) => Some(name),
            (None, None) => None,
        };
        if let Some(name) = name {
            columns.push(plain(name, old));
        } else if target.has_token(SyntaxKind::STAR) && targets.children().count() == 1 {
            let table = table.filter(|table| table.is_complete)?;
            columns.extend(table.columns.iter().map(|column| plain(column.name.clone(), Some(column))));
        } else {
            return None;
        }
    }
    let list = node.child(SyntaxKind::COLUMN_LIST).or_else(|| node.child(SyntaxKind::TABLE_ARG_LIST));
    let given: Vec<String> = list
        .into_iter()
        .flat_map(Node::children)
        .flat_map(|column| {
            let names = names_of(column, SyntaxKind::COLUMN_NAME);
            if names.is_empty() { vec![name_of(column)] } else { names }
        })
        .collect();
    for (column, name) in columns.iter_mut().zip(given) {
        column.name = name;
    }
    Some(columns)
}

/// A column without constraints, with the type of `old`.
fn plain(name: String, old: Option<&Column>) -> Column {
    let of_type = old.and_then(|column| column.of_type.clone());
    Column { name, of_type, not_null: false, omitted_value: OmittedValue::Null, new: true }
}
