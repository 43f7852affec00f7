//! Parts of a statement on an existing table that harm no release, since they act on a part that is new or does not exist.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use super::rule_context::{RuleContext, Span};
use super::rules::add_column::is_never_null;
use super::schema::{Column, Found, OmittedValue, Table, column_ref, default_value, name_of, names_of};

/// Whether the finding at `hit` concerns such a part.
pub(super) fn acts_on_new_part(context: &RuleContext<'_>, span: &Span) -> bool {
    let Some(action) = context.action_at(span) else { return false };
    let table = context.table();
    match action.kind() {
        SyntaxKind::ADD_COLUMN => {
            let name = action.child(SyntaxKind::COLUMN_NAME).map(|node| name_of(node));
            // The column exists, so nothing happens.
            action.has_child(&[SyntaxKind::IF_NOT_EXISTS])
                && name.is_some_and(|name| matches!(column(table, &name), Found::Present(_)))
        }
        SyntaxKind::DROP_COLUMN | SyntaxKind::RENAME_COLUMN => {
            column_ref(action).is_some_and(|name| match column(table, &name) {
                Found::Present(column) => column.new,
                Found::Absent => action.has_child(&[SyntaxKind::IF_EXISTS]),
                Found::Unknown => false,
            })
        }
        SyntaxKind::ALTER_COLUMN => column_ref(action)
            .and_then(|name| column(table, &name).present())
            .is_some_and(|column| column.new && keeps_column_optional(context, action, column)),
        SyntaxKind::DROP_CONSTRAINT | SyntaxKind::RENAME_CONSTRAINT | SyntaxKind::ALTER_CONSTRAINT => {
            let name = names_of(action, SyntaxKind::CONSTRAINT_NAME_REF).concat();
            match table.present().map(|table| table.constraint(&name)) {
                Some(Found::Present(constraint)) => constraint.new,
                Some(Found::Absent) => action.has_child(&[SyntaxKind::IF_EXISTS]),
                Some(Found::Unknown) | None => false,
            }
        }
        _ => false,
    }
}

fn column<'a>(table: Found<&'a Table>, name: &str) -> Found<&'a Column> {
    match table {
        Found::Present(table) => table.column(name),
        Found::Absent | Found::Unknown => Found::Unknown,
    }
}

/// The running release does not set a new column, so the server must not require it.
fn keeps_column_optional(context: &RuleContext<'_>, action: Node<'_>, column: &Column) -> bool {
    let domain = column.of_type.as_ref().and_then(|of_type| context.schema.domain(&of_type.name));
    let is_required = column.not_null || domain.is_some_and(|domain| context.schema.refuses_null(domain));
    action.children().all(|part| match part.kind() {
        SyntaxKind::SET_NOT_NULL => column.omitted_value != OmittedValue::Null,
        SyntaxKind::SET_TYPE => column.omitted_value != OmittedValue::Null || !is_never_null(context, part),
        SyntaxKind::DROP_DEFAULT | SyntaxKind::DROP_IDENTITY | SyntaxKind::DROP_EXPRESSION => !is_required,
        SyntaxKind::SET_DEFAULT => !is_required || default_value(part) != OmittedValue::Null,
        _ => true,
    })
}
