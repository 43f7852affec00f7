//! Columns, constraints and indexes as a statement's tree gives them; and texts in a form in which two of
//! them can be compared, whatever their spaces, comments and capitals.

use squawk_syntax::{SyntaxElement, SyntaxKind, SyntaxNode};

use super::table::{Column, Constraint, ConstraintKind, Filled, Index, Table};
use super::types::SqlType;
use crate::sql::normalized;

/// The first child of `kind`.
pub(in crate::verify) fn child(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

/// The identifier that `node` is, as the server stores it.
pub(in crate::verify) fn name_of(node: &SyntaxNode) -> String {
    normalized(&node.text().to_string())
}

/// The identifiers of `kind` directly below `node`.
pub(in crate::verify) fn names_of(node: &SyntaxNode, kind: SyntaxKind) -> Vec<String> {
    node.children().filter(|child| child.kind() == kind).map(|child| name_of(&child)).collect()
}

/// The column that an action of `ALTER TABLE` is about: `ALTER c …`, `DROP c`, `RENAME c TO d`.
pub(in crate::verify) fn column_ref(action: &SyntaxNode) -> Option<String> {
    child(action, SyntaxKind::COLUMN_NAME_REF).map(|node| name_of(&node))
}

/// The words of `node`, folded, without comments; of a body in dollars, what stands inside.
pub(in crate::verify) fn words(node: &SyntaxNode) -> Vec<String> {
    words_besides(node, &[])
}

/// The words of `node` that stand in none of `left_out`; `OR REPLACE` never counts.
pub(super) fn words_besides(node: &SyntaxNode, left_out: &[SyntaxNode]) -> Vec<String> {
    let or_replace = child(node, SyntaxKind::OR_REPLACE);
    let apart: Vec<_> = or_replace.iter().chain(left_out).map(SyntaxNode::text_range).collect();
    node.descendants_with_tokens()
        .filter_map(SyntaxElement::into_token)
        .filter(|token| !token.kind().is_trivia() && token.kind() != SyntaxKind::SEMICOLON)
        .filter(|token| !apart.iter().any(|range| range.contains_range(token.text_range())))
        .map(|token| word(token.text()))
        .collect()
}

fn word(text: &str) -> String {
    if text.starts_with('$') && text.len() > 1 && text.ends_with('$') {
        let tag = text[1..].find('$').map_or(0, |end| end + 2);
        return text.get(tag..text.len().saturating_sub(tag)).unwrap_or_default().trim().to_owned();
    }
    if text.contains('\'') { text.to_owned() } else { normalized(text) }
}

/// The columns that the condition proves to be not NULL: `a IS NOT NULL AND …`.
pub(in crate::verify) fn proven(condition: &SyntaxNode) -> Vec<String> {
    match condition.kind() {
        SyntaxKind::PAREN_EXPR => condition.children().flat_map(|inner| proven(&inner)).collect(),
        SyntaxKind::BIN_EXPR => {
            let null_test = child(condition, SyntaxKind::IS_NOT).is_some()
                && condition.children().any(|side| words(&side) == ["null"]);
            if null_test {
                return names_of(condition, SyntaxKind::NAME_REF);
            }
            let is_and = condition.children_with_tokens().any(|part| part.kind() == SyntaxKind::AND_KW);
            if is_and { condition.children().flat_map(|side| proven(&side)).collect() } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

/// The columns that an expression names, each once.
pub(in crate::verify) fn mentioned(expression: &SyntaxNode) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for node in expression.descendants().filter(|node| node.kind() == SyntaxKind::NAME_REF) {
        let called = node.parent().is_some_and(|parent| {
            parent.kind() == SyntaxKind::CALL_EXPR && parent.children().next().as_ref() == Some(&node)
        });
        let name = name_of(&node);
        if !called && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// The column that `node`, a `COLUMN` or an `ADD_COLUMN`, defines.
pub(super) fn column(node: &SyntaxNode) -> Option<Column> {
    let name = name_of(&child(node, SyntaxKind::COLUMN_NAME)?);
    let has = |kind| child(node, kind).is_some();
    let serial = is_serial(node);
    let filled = if serial || has(SyntaxKind::GENERATED_CONSTRAINT) {
        Filled::Itself
    } else {
        child(node, SyntaxKind::DEFAULT_CONSTRAINT).map_or(Filled::Not, |default| filled_by(&default))
    };
    let identity = node.descendants().any(|part| part.kind() == SyntaxKind::GENERATED_IDENTITY);
    let not_null =
        serial || identity || has(SyntaxKind::NOT_NULL_CONSTRAINT) || has(SyntaxKind::PRIMARY_KEY_CONSTRAINT);
    Some(Column { name, of_type: SqlType::of(node), not_null, filled, new: true })
}

/// What `DEFAULT x` or `SET DEFAULT x` gives.
pub(in crate::verify) fn filled_by(default: &SyntaxNode) -> Filled {
    let Some(value) = default.children().find(|part| part.kind() != SyntaxKind::CONSTRAINT_NAME_CLAUSE)
    else {
        return Filled::Not;
    };
    let text = words(&value).join(" ");
    // `NULL::text` as pg_dump writes it.
    if text == "null" || text.starts_with("null ::") { Filled::Not } else { Filled::Default(text) }
}

/// Whether the column's type is a serial: it has a sequence of its own (manual, chapter 8.1.4).
pub(in crate::verify) fn is_serial(column: &SyntaxNode) -> bool {
    column.children().any(|part| {
        let name = words(&part).join("");
        let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
        part.kind() == SyntaxKind::PATH_TYPE
            && ["serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"].contains(&name)
    })
}

/// Adds the constraint that `node` is to `table`, whose name is `of`; on `column` where it stands behind
/// one.
pub(super) fn constrain(table: &mut Table, of: &str, node: &SyntaxNode, column: Option<&str>) {
    let has = |kind| node.children().any(|part| part.kind() == kind);
    let below = |kind: SyntaxKind| node.descendants().find(|part| part.kind() == kind);
    let own = || column.map(|name| vec![name.to_owned()]);
    let (kind, mut columns, mut ending) = match node.kind() {
        SyntaxKind::CHECK_CONSTRAINT => {
            let condition = node.children().find(|part| part.kind() != SyntaxKind::CONSTRAINT_NAME_CLAUSE);
            let all = condition.as_ref().map(mentioned).unwrap_or_default();
            let columns = condition.as_ref().map(proven).unwrap_or_default();
            let named = if let [one] = all.as_slice() { format!("{one}_check") } else { "check".to_owned() };
            (ConstraintKind::Check, columns, named)
        }
        SyntaxKind::NOT_NULL_CONSTRAINT => (
            ConstraintKind::NotNull,
            column_ref(node).map(|name| vec![name]).or(own()).unwrap_or_default(),
            String::new(),
        ),
        SyntaxKind::PRIMARY_KEY_CONSTRAINT => (ConstraintKind::Primary, Vec::new(), "pkey".to_owned()),
        SyntaxKind::UNIQUE_CONSTRAINT => (ConstraintKind::Unique, Vec::new(), "key".to_owned()),
        SyntaxKind::EXCLUDE_CONSTRAINT => (ConstraintKind::Unique, Vec::new(), "excl".to_owned()),
        SyntaxKind::FOREIGN_KEY_CONSTRAINT | SyntaxKind::REFERENCES_CONSTRAINT => {
            let list = child(node, SyntaxKind::FOREIGN_KEY_COLUMN_LIST);
            let columns = list.map(|list| names_of(&list, SyntaxKind::COLUMN_NAME_REF)).or(own());
            (ConstraintKind::Foreign { acts: acts(node) }, columns.unwrap_or_default(), "fkey".to_owned())
        }
        _ => return,
    };
    let demands_order = matches!(kind, ConstraintKind::Unique | ConstraintKind::Primary);
    if demands_order && node.kind() != SyntaxKind::EXCLUDE_CONSTRAINT {
        let list = below(SyntaxKind::CONSTRAINT_COLUMN_REF_LIST);
        columns = list.map(|list| names_of(&list, SyntaxKind::COLUMN_NAME_REF)).or(own()).unwrap_or_default();
    }
    if matches!(kind, ConstraintKind::NotNull) {
        ending = format!("{}_not_null", columns.join("_"));
    } else if !columns.is_empty() && !matches!(kind, ConstraintKind::Check | ConstraintKind::Primary) {
        ending = format!("{}_{ending}", columns.join("_"));
    }
    let used = below(SyntaxKind::USING_INDEX_NAME).and_then(|using| {
        let written = using.children().next().map(|index| words(&index).last().cloned().unwrap_or_default());
        written.and_then(|name| table.indexes.iter().position(|index| index.name == name))
    });
    let given = below(SyntaxKind::CONSTRAINT_NAME).map(|name| name_of(&name));
    let index_name = used.map(|at| table.indexes[at].name.clone());
    let Some(name) = given.or(index_name).or_else(|| table.free_name(format!("{of}_{ending}"))) else {
        table.whole = false;
        return;
    };
    if let Some(at) = used {
        columns = table.indexes[at].columns.clone().unwrap_or_default();
        table.indexes[at].name.clone_from(&name);
        table.indexes[at].of_constraint = true;
    } else if below(SyntaxKind::USING_INDEX_NAME).is_none() && demands_order {
        let exclusion = node.kind() == SyntaxKind::EXCLUDE_CONSTRAINT;
        table.indexes.push(Index {
            name: name.clone(),
            unique: true,
            columns: (!exclusion).then(|| columns.clone()),
            partial: has(SyntaxKind::WHERE_CLAUSE),
            of_constraint: true,
            new: true,
        });
    }
    if kind == ConstraintKind::Primary {
        let part_of_key = |column: &&mut Column| columns.contains(&column.name);
        table.columns.iter_mut().filter(part_of_key).for_each(|column| column.not_null = true);
    }
    let validated = !has(SyntaxKind::NOT_VALID) && !has(SyntaxKind::NOT_ENFORCED);
    table.constraints.push(Constraint { name, kind, columns, validated, new: true });
}

/// Whether a key does something to this table when the other one's row goes or changes.
fn acts(node: &SyntaxNode) -> bool {
    let actions = [SyntaxKind::ON_DELETE_ACTION, SyntaxKind::ON_UPDATE_ACTION];
    let passive = [SyntaxKind::NO_ACTION, SyntaxKind::RESTRICT];
    node.children()
        .filter(|part| actions.contains(&part.kind()))
        .any(|action| !action.children().any(|what| passive.contains(&what.kind())))
}

/// The index that a `CREATE INDEX` makes on `table`, whose name is `of`; `None` where its name is cut.
pub(super) fn index(table: &Table, of: &str, node: &SyntaxNode) -> Option<Index> {
    let list = child(node, SyntaxKind::PARTITION_ITEM_LIST)?;
    let items: Vec<SyntaxNode> = list.children().filter_map(|item| item.children().next()).collect();
    let plain = |item: &SyntaxNode| (item.kind() == SyntaxKind::NAME_REF).then(|| name_of(item));
    let name = child(node, SyntaxKind::INDEX).and_then(|index| words(&index).last().cloned());
    let name = if let Some(name) = name {
        name
    } else {
        // The server names an index on a call after the function.
        if items.iter().any(|item| item.kind() == SyntaxKind::CALL_EXPR) {
            return None;
        }
        let part = |item: &SyntaxNode| plain(item).unwrap_or("expr".to_owned());
        let parts: Vec<String> = items.iter().map(part).collect();
        table.free_name(format!("{of}_{}_idx", parts.join("_")))?
    };
    Some(Index {
        name,
        unique: node.children_with_tokens().any(|part| part.kind() == SyntaxKind::UNIQUE_KW),
        columns: items.iter().map(plain).collect(),
        partial: child(node, SyntaxKind::WHERE_CLAUSE).is_some(),
        of_constraint: false,
        new: true,
    })
}
