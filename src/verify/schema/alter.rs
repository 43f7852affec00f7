//! Applies the actions of an `ALTER TABLE` to the model of a table.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use super::parts::{
    add_constraint, column, column_ref, default_value, foreign_key_text, name_of, names_of, sequence_of,
    words,
};
use super::table::{Column, Constraint, ConstraintKind, Found, OmittedValue, Table, object_name};
use super::types::SqlType;

/// Adds the column that `node` defines, with its constraints.
pub(super) fn define_column(table: &mut Table, of: &str, node: Node<'_>) {
    let Some(column) = column(node) else {
        table.is_complete = false;
        return;
    };
    let name = column.name.clone();
    table.columns.push(column);
    table.sequences.extend(sequence_of(node, of, &name).map(|sequence| (name.clone(), sequence)));
    for part in node.children() {
        add_constraint(table, of, part, Some(&name));
    }
}

/// Applies one action of an `ALTER TABLE` on `table`, whose name is `of`.
pub(super) fn alter(table: &mut Table, of: &str, action: Node<'_>) {
    match action.kind() {
        SyntaxKind::ADD_COLUMN => {
            let name = action.child(SyntaxKind::COLUMN_NAME).map(|node| name_of(node)).unwrap_or_default();
            let proven = action.child(SyntaxKind::IF_NOT_EXISTS).is_none();
            match table.column(&name) {
                Found::Present(_) => {}
                Found::Unknown if !proven => {}
                _ => define_column(table, of, action),
            }
        }
        SyntaxKind::DROP_COLUMN => {
            let Some(name) = column_ref(action) else { return };
            table.columns.retain(|column| column.name != name);
            table.sequences.retain(|(column, _)| *column != name);
            table.constraints.retain(|constraint| !constraint.columns.contains(&name));
            table.indexes.retain(|index| !index.columns.as_ref().is_some_and(|own| own.contains(&name)));
        }
        SyntaxKind::RENAME_COLUMN => {
            let Some(old) = column_ref(action) else { return };
            let new = names_of(action, SyntaxKind::COLUMN_NAME).concat();
            rename_column(table, &old, &new);
        }
        SyntaxKind::ADD_CONSTRAINT => {
            action.children().for_each(|part| add_constraint(table, of, part, None));
        }
        SyntaxKind::DROP_CONSTRAINT => {
            let names = names_of(action, SyntaxKind::CONSTRAINT_NAME_REF);
            table.constraints.retain(|constraint| !names.contains(&constraint.name));
            table.indexes.retain(|index| !(index.of_constraint && names.contains(&index.name)));
        }
        SyntaxKind::VALIDATE_CONSTRAINT => {
            let names = names_of(action, SyntaxKind::CONSTRAINT_NAME_REF);
            let named = table.constraints.iter_mut().filter(|own| names.contains(&own.name));
            named.for_each(|constraint| constraint.validated = true);
        }
        SyntaxKind::ALTER_CONSTRAINT => {
            let names = names_of(action, SyntaxKind::CONSTRAINT_NAME_REF);
            let options = action.children().filter(|part| part.kind() != SyntaxKind::CONSTRAINT_NAME_REF);
            let options: Vec<String> = options.flat_map(|part| words(part)).collect();
            for constraint in table.constraints.iter_mut().filter(|own| names.contains(&own.name)) {
                let old = constraint.text.split(' ').map(str::to_owned);
                constraint.text = foreign_key_text(old.chain(options.iter().cloned()).collect());
            }
        }
        SyntaxKind::RENAME_CONSTRAINT => {
            let old = names_of(action, SyntaxKind::CONSTRAINT_NAME_REF);
            let new = names_of(action, SyntaxKind::CONSTRAINT_NAME).concat();
            for constraint in table.constraints.iter_mut().filter(|own| old.contains(&own.name)) {
                constraint.name.clone_from(&new);
            }
            for index in table.indexes.iter_mut().filter(|own| own.of_constraint && old.contains(&own.name)) {
                index.name.clone_from(&new);
            }
        }
        SyntaxKind::ENABLE_TRIGGER | SyntaxKind::ENABLE_RULE => {
            let what = words(action)[2..].concat();
            table.disabled.retain(|own| what != "all" && *own != what);
        }
        SyntaxKind::DISABLE_TRIGGER
        | SyntaxKind::DISABLE_RULE
        | SyntaxKind::ENABLE_ALWAYS_RULE
        | SyntaxKind::ENABLE_ALWAYS_TRIGGER
        | SyntaxKind::ENABLE_REPLICA_RULE
        | SyntaxKind::ENABLE_REPLICA_TRIGGER => {
            let what = words(action)[2..].concat();
            if !table.disabled.contains(&what) {
                table.disabled.push(what);
            }
        }
        SyntaxKind::ENABLE_RLS => table.row_security[0] = true,
        SyntaxKind::DISABLE_RLS => table.row_security[0] = false,
        SyntaxKind::FORCE_RLS => table.row_security[1] = true,
        SyntaxKind::NO_FORCE_RLS => table.row_security[1] = false,
        SyntaxKind::ALTER_COLUMN => alter_column(table, of, action),
        SyntaxKind::INHERIT_TABLE | SyntaxKind::OF_TYPE | SyntaxKind::ATTACH_PARTITION => {
            table.is_complete = false;
        }
        _ => {}
    }
}

fn rename_column(table: &mut Table, old: &str, new: &str) {
    for constraint in table.constraints.iter_mut().filter(|own| own.columns.iter().any(|name| name == old)) {
        constraint.rename_words(old, new, 0);
    }
    let of_columns = table.columns.iter_mut().map(|column| &mut column.name);
    let of_constraints = table.constraints.iter_mut().flat_map(|own| own.columns.iter_mut());
    let of_indexes = table.indexes.iter_mut().filter_map(|own| own.columns.as_mut()).flatten();
    let of_sequences = table.sequences.iter_mut().map(|(column, _)| column);
    let all = of_columns.chain(of_constraints).chain(of_indexes).chain(of_sequences);
    for name in all.filter(|name| *name == old) {
        new.clone_into(name);
    }
}

fn alter_column(table: &mut Table, of: &str, action: Node<'_>) {
    let Some(name) = column_ref(action) else { return };
    if action.has_child(&[SyntaxKind::ADD_GENERATED]) {
        table.sequences.push((name.clone(), object_name(of, &name, "seq")));
    }
    if let Found::Unknown = table.column(&name) {
        return;
    }
    let Some(column) = table.columns.iter_mut().find(|column| column.name == name) else { return };
    for part in action.children() {
        alter_one(column, part);
    }
    if action.children().any(|part| part.kind() == SyntaxKind::DROP_NOT_NULL) {
        let kept = |own: &Constraint| own.kind != ConstraintKind::NotNull || !own.columns.contains(&name);
        table.constraints.retain(kept);
    }
}

fn alter_one(column: &mut Column, part: Node<'_>) {
    match part.kind() {
        SyntaxKind::SET_TYPE => column.of_type = SqlType::of(part),
        SyntaxKind::SET_NOT_NULL => column.not_null = true,
        SyntaxKind::DROP_NOT_NULL => column.not_null = false,
        SyntaxKind::SET_DEFAULT => column.omitted_value = default_value(part),
        SyntaxKind::DROP_DEFAULT | SyntaxKind::DROP_EXPRESSION | SyntaxKind::DROP_IDENTITY => {
            column.omitted_value = OmittedValue::Null;
        }
        SyntaxKind::ADD_GENERATED => column.omitted_value = OmittedValue::Generated,
        _ => {}
    }
}

/// Applies `ADD VALUE` and `RENAME VALUE` to the values of an enum type.
pub(super) fn alter_values(values: &mut Vec<String>, node: Node<'_>) {
    let tokens: Vec<String> = node
        .children()
        .filter(|part| part.kind() != SyntaxKind::IF_NOT_EXISTS)
        .flat_map(|part| words(part))
        .collect();
    let literal = |nth: usize| tokens.iter().filter(|word| word.starts_with('\'')).nth(nth).cloned();
    let (Some(first), second) = (literal(0), literal(1)) else { return };
    let at = |values: &[String], value: &str| values.iter().position(|own| own == value);
    let says = |word: &str| tokens.iter().any(|token| token == word);
    if says("rename") {
        if let (Some(at), Some(second)) = (at(values, &first), second) {
            values[at] = second;
        }
    } else if at(values, &first).is_none() {
        let neighbour = second.and_then(|value| at(values, &value));
        let index = neighbour.map_or(values.len(), |at| at + usize::from(says("after")));
        values.insert(index, first);
    }
}
