//! The values that rows have in a column that the file added.

use squawk_syntax::SyntaxKind;

use crate::sql::{Name, NameRole, Node};
use crate::verify::rule_context::RuleContext;
use crate::verify::rules::net_effect::{before_file, column_after, column_before, table_before, table_in};
use crate::verify::schema::{Column, OmittedValue, Table, default_value, is_serial, name_of, words};

/// The value of the column `name` in rows of the running release, if the file added the column or gave it this name. A constraint
/// that is `validated` has been checked for the rows that got another value when the column was added.
pub(super) fn omitted_in_new_column<'a>(
    context: &'a RuleContext<'_>,
    name: &str,
    validated: bool,
) -> Option<&'a OmittedValue> {
    new_column(context, name, validated).map(|column| &column.omitted_value)
}

/// The column `name` with the value that [`omitted_in_new_column`] returns.
pub(super) fn new_column<'a>(
    context: &'a RuleContext<'_>,
    name: &str,
    validated: bool,
) -> Option<&'a Column> {
    let end = context.statement.range.end;
    let next = context.file.iter().find(|other| other.statement.range.start >= end);
    let after_statement = next.map_or(context.after, |next| &next.schema);
    let before = table_before(context);
    let is_new = |column: &&Column| column.new || before.is_some_and(|table| table.column(name).is_absent());
    let in_body = !std::ptr::eq(context.script, context.file_script);
    let table = if in_body { context.table().present() } else { table_in(Some(after_statement), context) };
    if column_before(context, name).is_some() || may_be_of_child(context, name) {
        return None;
    }
    let now = table.and_then(|table| table.column(name).present()).filter(is_new)?;
    let Some(after) = column_after(context, name) else { return Some(now) };
    let is_known = validated || after.omitted_value == now.omitted_value;
    (is_known && is_new(&after)).then_some(after)
}

/// Whether a table that is in use is a child of the statement's table and may have had the column `name`: the file made a table of it
/// the parent, or the two columns become one (manual, chapter 5.11).
pub(super) fn may_be_of_child(context: &RuleContext<'_>, name: &str) -> bool {
    let Some((target, before)) = context.targets().next().zip(before_file(context)) else { return false };
    let is_made = before.table(target, context.scope).is_absent() && table_before(context).is_none();
    let has_it = |child: &Table| child.column(name).present().is_some();
    (is_made && !context.is_new_table(target)) || before.children_of(&target.name).any(has_it)
}

/// The value that the rows got in the column `name` of the statement's table when the file added it.
pub(super) fn value_when_added(context: &RuleContext<'_>, name: &str) -> Option<OmittedValue> {
    let table = context.targets().next()?;
    let is_it = |own: &Name| own.role == NameRole::Target && own.name == table.name;
    let statements = context.file.iter().map(|other| other.statement);
    let actions = statements
        .filter(|statement| statement.kind == SyntaxKind::ALTER_TABLE && statement.names.iter().any(is_it))
        .flat_map(|statement| statement.node(context.file_script).children());
    let is_named = |action: Node<'_>| {
        action.child(SyntaxKind::COLUMN_NAME).is_some_and(|column| name_of(column) == name)
    };
    let added =
        actions.filter(|action| action.kind() == SyntaxKind::ADD_COLUMN && is_named(*action)).last()?;
    if is_serial(added) || added.has_child(&[SyntaxKind::GENERATED_CONSTRAINT]) {
        return Some(OmittedValue::Generated);
    }
    Some(added.child(SyntaxKind::DEFAULT_CONSTRAINT).map_or(OmittedValue::Null, |node| default_value(node)))
}

/// A value that an UPDATE of the file gives to a column.
#[derive(Debug)]
pub(super) struct Fill {
    words: Vec<String>,
    /// Whether it has no WHERE.
    pub(super) of_all: bool,
}

impl Fill {
    /// Whether it is the same for all rows: a literal, perhaps with a cast.
    pub(super) fn is_constant(&self) -> bool {
        let is_literal = |word: &String| {
            word == "true"
                || word == "false"
                || word.starts_with(|first: char| first == '\'' || first.is_ascii_digit())
        };
        let mut words = self.words.iter().skip_while(|word| *word == "-");
        words.next().is_some_and(is_literal) && words.next().is_none_or(|word| word.starts_with(':'))
    }

    /// Whether it is the default, or the next value of a sequence.
    pub(super) fn is_of_sequence(&self) -> bool {
        self.words.first().is_some_and(|word| ["default", "nextval"].contains(&word.as_str()))
    }
}

/// What the UPDATE statements of the file write into the column `name` of the statement's table.
pub(super) fn fills_of(context: &RuleContext<'_>, name: &str) -> Vec<Fill> {
    let Some(table) = context.targets().next() else { return Vec::new() };
    let is_it = |own: &Name| own.role == NameRole::Target && own.name == table.name;
    let updates = context
        .file
        .iter()
        .map(|other| other.statement)
        .filter(|statement| statement.kind == SyntaxKind::UPDATE && statement.names.iter().any(is_it));
    let fills = updates.flat_map(|update| {
        let node = update.node(context.file_script);
        let of_all = !node.has_child(&[SyntaxKind::WHERE_CLAUSE]);
        let set = node.child(SyntaxKind::SET_CLAUSE).into_iter().flat_map(Node::descendants);
        set.filter(|part| part.kind() == SyntaxKind::COLUMN_TARGET)
            .filter(|target| words(*target).first().is_some_and(|word| word == name))
            .filter_map(Node::parent)
            .map(|item| {
                let value = words(item).into_iter().skip_while(|word| word != "=").skip(1);
                Fill { words: value.collect(), of_all }
            })
            .collect::<Vec<_>>()
    });
    fills.collect()
}

/// Whether the running release leaves the column `name` NULL, which the file added; if it must not be NULL, the server refuses the
/// rows of the running release anyway.
pub(super) fn is_new_and_omitted(context: &RuleContext<'_>, name: &str) -> bool {
    omitted_in_new_column(context, name, true) == Some(&OmittedValue::Null)
}
