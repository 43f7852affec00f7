//! Which part of a statement on an old table harms nobody all the same: what it acts on is new there, or
//! never was.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use super::rule_context::{RuleContext, Span};
use super::schema::{Column, Filled, Found, Table, column_ref, filled_by, name_of, names_of};

/// Whether the finding at `hit` is about such a part.
pub(super) fn is_spared(subject: &RuleContext<'_>, hit: &Span) -> bool {
    let Some(action) = subject.action_at(hit) else { return false };
    let table = subject.table();
    match action.kind() {
        SyntaxKind::ADD_COLUMN => {
            let name = action.child(SyntaxKind::COLUMN_NAME).map(|node| name_of(node));
            // It is there already, so nothing happens.
            action.has_child(&[SyntaxKind::IF_NOT_EXISTS])
                && name.is_some_and(|name| matches!(column(table, &name), Found::There(_)))
        }
        SyntaxKind::DROP_COLUMN | SyntaxKind::RENAME_COLUMN => {
            column_ref(action).is_some_and(|name| match column(table, &name) {
                Found::There(column) => column.new,
                Found::Absent => action.has_child(&[SyntaxKind::IF_EXISTS]),
                Found::Unknown => false,
            })
        }
        SyntaxKind::ALTER_COLUMN => column_ref(action)
            .and_then(|name| column(table, &name).there())
            .is_some_and(|column| column.new && suits_a_new_one(action, column)),
        SyntaxKind::DROP_CONSTRAINT | SyntaxKind::RENAME_CONSTRAINT => {
            let name = names_of(action, SyntaxKind::CONSTRAINT_NAME_REF).concat();
            match table.there().map(|table| table.constraint(&name)) {
                Some(Found::There(constraint)) => constraint.new,
                Some(Found::Absent) => action.has_child(&[SyntaxKind::IF_EXISTS]),
                Some(Found::Unknown) | None => false,
            }
        }
        _ => false,
    }
}

fn column<'a>(table: Found<&'a Table>, name: &str) -> Found<&'a Column> {
    match table {
        Found::There(table) => table.column(name),
        Found::Absent | Found::Unknown => Found::Unknown,
    }
}

/// The running release does not know a new column, so it leaves it out: that must stay possible.
fn suits_a_new_one(action: Node<'_>, column: &Column) -> bool {
    action.children().all(|part| match part.kind() {
        SyntaxKind::SET_NOT_NULL => column.filled != Filled::Not,
        SyntaxKind::DROP_DEFAULT | SyntaxKind::DROP_IDENTITY | SyntaxKind::DROP_EXPRESSION => {
            !column.not_null
        }
        SyntaxKind::SET_DEFAULT => !column.not_null || filled_by(part) != Filled::Not,
        _ => true,
    })
}
