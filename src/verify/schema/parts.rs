//! Columns, constraints and indexes from a statement's tree; and texts in a form that does not depend on white space, comments
//! and case.

use squawk_syntax::SyntaxKind;

use super::table::{Column, Constraint, ConstraintKind, Index, OmittedValue, Table, object_name};
use super::types::SqlType;
use crate::sql::{Name, Node, Statement, mentions, normalized};

/// The identifier `node`, as the server stores it.
pub(in crate::verify) fn name_of(node: Node<'_>) -> String {
    normalized(node.text())
}

/// The identifiers of `kind` that are children of `node`.
pub(in crate::verify) fn names_of(node: Node<'_>, kind: SyntaxKind) -> Vec<String> {
    node.children().filter(|child| child.kind() == kind).map(|child| name_of(child)).collect()
}

/// The column of an action of `ALTER TABLE`: `ALTER c …`, `DROP c`, `RENAME c TO d`.
pub(in crate::verify) fn column_ref(action: Node<'_>) -> Option<String> {
    action.child(SyntaxKind::COLUMN_NAME_REF).map(|node| name_of(node))
}

/// The words of `node`, case-folded, without comments; for a dollar-quoted string, its content.
pub(in crate::verify) fn words(node: Node<'_>) -> Vec<String> {
    words_besides(node, &[])
}

/// The last of these words.
pub(in crate::verify) fn last_word(node: Node<'_>) -> Option<String> {
    let tokens = node.tokens().filter(|token| token.kind != SyntaxKind::SEMICOLON);
    tokens.last().map(|token| word(token.text))
}

/// The words of `node` outside of `left_out` and without `OR REPLACE`.
pub(super) fn words_besides(node: Node<'_>, left_out: &[Node<'_>]) -> Vec<String> {
    let or_replace = node.child(SyntaxKind::OR_REPLACE);
    let apart: Vec<_> = or_replace.iter().chain(left_out).map(|node| node.range()).collect();
    node.tokens()
        .filter(|token| token.kind != SyntaxKind::SEMICOLON)
        .filter(|token| !apart.iter().any(|range| range.contains(&token.range().start)))
        .map(|token| word(token.text))
        .collect()
}

fn word(text: &str) -> String {
    if text.starts_with('$') && text.len() > 1 && text.ends_with('$') {
        let tag = text[1..].find('$').map_or(0, |end| end + 2);
        return text.get(tag..text.len().saturating_sub(tag)).unwrap_or_default().trim().to_owned();
    }
    // A name in double quotes may contain an apostrophe.
    let is_name = text.trim_start_matches(['u', 'U', '&']).starts_with('"');
    if text.contains('\'') && !is_name { text.to_owned() } else { normalized(text) }
}

/// The columns that the condition proves to be not NULL: `a IS NOT NULL AND …`.
pub(in crate::verify) fn proven(condition: Node<'_>) -> Vec<String> {
    match condition.kind() {
        SyntaxKind::PAREN_EXPR => condition.children().flat_map(|inner| proven(inner)).collect(),
        SyntaxKind::BIN_EXPR => {
            let null_test = condition.child(SyntaxKind::IS_NOT).is_some()
                && condition.children().any(|side| words(side) == ["null"]);
            if null_test {
                return names_of(condition, SyntaxKind::NAME_REF);
            }
            let is_and = condition.has_token(SyntaxKind::AND_KW);
            if is_and { condition.children().flat_map(|side| proven(side)).collect() } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

/// The names in `part` of the statement.
pub(super) fn names_in<'a>(
    statement: &'a Statement,
    part: Node<'_>,
) -> impl Iterator<Item = &'a Name> + use<'a> {
    let range = part.range();
    let names = statement.names.iter();
    names.filter(move |name| range.start <= name.range.start && name.range.end <= range.end)
}

/// The columns in an expression, without duplicates.
pub(in crate::verify) fn mentioned(expression: Node<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for node in expression.descendants().filter(|node| node.kind() == SyntaxKind::NAME_REF) {
        let called = node.parent().is_some_and(|parent| {
            parent.kind() == SyntaxKind::CALL_EXPR && parent.children().next().as_ref() == Some(&node)
        });
        let name = name_of(node);
        if !called && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// The column that `node`, a `COLUMN` or an `ADD_COLUMN`, defines.
pub(super) fn column(node: Node<'_>) -> Option<Column> {
    let name = name_of(node.child(SyntaxKind::COLUMN_NAME)?);
    let has = |kind| node.child(kind).is_some();
    let serial = is_serial(node);
    let omitted_value = if serial || has(SyntaxKind::GENERATED_CONSTRAINT) {
        OmittedValue::Generated
    } else {
        node.child(SyntaxKind::DEFAULT_CONSTRAINT)
            .map_or(OmittedValue::Null, |default| default_value(default))
    };
    let identity = node.contains(&[SyntaxKind::GENERATED_IDENTITY]);
    let not_null =
        serial || identity || has(SyntaxKind::NOT_NULL_CONSTRAINT) || has(SyntaxKind::PRIMARY_KEY_CONSTRAINT);
    Some(Column { name, of_type: SqlType::of(node), not_null, omitted_value, new: true })
}

/// The value that `DEFAULT x` or `SET DEFAULT x` gives.
pub(in crate::verify) fn default_value(default: Node<'_>) -> OmittedValue {
    let Some(value) = default.children().find(|part| part.kind() != SyntaxKind::CONSTRAINT_NAME_CLAUSE)
    else {
        return OmittedValue::Null;
    };
    let text = words(value).join(" ");
    // pg_dump writes `NULL::text`.
    let plain = text.trim_start_matches(['(', ' ']).trim_end_matches([' ', ')']);
    let plain = plain.replace(": :", "::");
    if plain == "null" || plain.starts_with("null ::") || plain.starts_with("cast ( null as ") {
        OmittedValue::Null
    } else {
        OmittedValue::Default(text)
    }
}

/// Whether the column has a serial type, and so a sequence of its own (manual, chapter 8.1.4).
pub(in crate::verify) fn is_serial(column: Node<'_>) -> bool {
    column.children().any(|part| {
        part.kind() == SyntaxKind::PATH_TYPE && may_be_serial(part.text()) && {
            let name = words(part).join("");
            let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
            ["serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"].contains(&name)
        }
    })
}

/// A cheap check, false for most types.
fn may_be_serial(text: &str) -> bool {
    mentions(text, "serial") || mentions(text, "u&")
}

/// Adds the constraint `node` to `table`, whose name is `of`; `column` is the column of a column constraint.
pub(super) fn add_constraint(table: &mut Table, of: &str, node: Node<'_>, column: Option<&str>) {
    let has = |kind| node.children().any(|part| part.kind() == kind);
    let below = |kind: SyntaxKind| node.descendants().find(|part| part.kind() == kind);
    let own = || column.map(|name| vec![name.to_owned()]);
    // The one column in the condition of a CHECK.
    let mut checked = String::new();
    let (kind, mut columns, label) = match node.kind() {
        SyntaxKind::CHECK_CONSTRAINT => {
            let condition = node.children().find(|part| part.kind() != SyntaxKind::CONSTRAINT_NAME_CLAUSE);
            let all = condition.map(mentioned).unwrap_or_default();
            let columns = condition.map(proven).unwrap_or_default();
            if let [one] = all.as_slice() {
                checked.clone_from(one);
            }
            (ConstraintKind::Check, columns, "check")
        }
        SyntaxKind::NOT_NULL_CONSTRAINT => (
            ConstraintKind::NotNull,
            column_ref(node).map(|name| vec![name]).or(own()).unwrap_or_default(),
            "not_null",
        ),
        SyntaxKind::PRIMARY_KEY_CONSTRAINT => (ConstraintKind::PrimaryKey, Vec::new(), "pkey"),
        SyntaxKind::UNIQUE_CONSTRAINT => (ConstraintKind::Unique, Vec::new(), "key"),
        SyntaxKind::EXCLUDE_CONSTRAINT => (ConstraintKind::Unique, Vec::new(), "excl"),
        SyntaxKind::FOREIGN_KEY_CONSTRAINT | SyntaxKind::REFERENCES_CONSTRAINT => {
            let list = node.child(SyntaxKind::FOREIGN_KEY_COLUMN_LIST);
            let columns = list.map(|list| names_of(list, SyntaxKind::COLUMN_NAME_REF)).or(own());
            (ConstraintKind::ForeignKey { has_action: has_action(node) }, columns.unwrap_or_default(), "fkey")
        }
        _ => return,
    };
    let demands_order = matches!(kind, ConstraintKind::Unique | ConstraintKind::PrimaryKey);
    if demands_order && node.kind() != SyntaxKind::EXCLUDE_CONSTRAINT {
        let list = below(SyntaxKind::CONSTRAINT_COLUMN_REF_LIST);
        columns = list.map(|list| names_of(list, SyntaxKind::COLUMN_NAME_REF)).or(own()).unwrap_or_default();
    }
    let named_after = match kind {
        ConstraintKind::Check => checked,
        ConstraintKind::PrimaryKey => String::new(),
        _ => [columns.clone(), included(node)].concat().join("_"),
    };
    let used = below(SyntaxKind::USING_INDEX_NAME).and_then(|using| {
        let written = using.children().next().map(|index| words(index).last().cloned().unwrap_or_default());
        written.and_then(|name| table.indexes.iter().position(|index| index.name == name))
    });
    let given = below(SyntaxKind::CONSTRAINT_NAME).map(|name| name_of(name));
    let index_name = used.map(|at| table.indexes[at].name.clone());
    let Some(name) = given.or(index_name).or_else(|| table.generated_name(of, &named_after, label)) else {
        table.is_complete = false;
        return;
    };
    // The statement has no effect, or fails.
    if table.constraints.iter().any(|own| own.name == name) {
        return;
    }
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
    if kind == ConstraintKind::PrimaryKey {
        let part_of_key = |column: &&mut Column| columns.contains(&column.name);
        table.columns.iter_mut().filter(part_of_key).for_each(|column| column.not_null = true);
    }
    let validated = !has(SyntaxKind::NOT_VALID) && !has(SyntaxKind::NOT_ENFORCED);
    let text = constraint_text(node, column);
    table.constraints.push(Constraint { name, kind, columns, text, validated, new: true });
}

/// The definition of a constraint without its name. That of a column names the column.
pub(in crate::verify) fn constraint_text(node: Node<'_>, column: Option<&str>) -> String {
    let apart: Vec<Node<'_>> = node
        .children()
        .filter(|part| matches!(part.kind(), SyntaxKind::CONSTRAINT_NAME_CLAUSE | SyntaxKind::NOT_VALID))
        .collect();
    let words = words_besides(node, &apart);
    let is_key =
        matches!(node.kind(), SyntaxKind::FOREIGN_KEY_CONSTRAINT | SyntaxKind::REFERENCES_CONSTRAINT);
    let text = if is_key { foreign_key_text(words) } else { words.join(" ") };
    match column.filter(|_| node.kind() != SyntaxKind::CHECK_CONSTRAINT) {
        Some(column) if node.kind() == SyntaxKind::REFERENCES_CONSTRAINT => {
            format!("foreign key ( {column} ) {text}")
        }
        Some(column) => format!("{text} ( {column} )"),
        None => text,
    }
}

/// The definition of a foreign key with its options in one order, without those that the server assumes (manual, CREATE TABLE).
/// Of two options about deferral the later one counts.
pub(super) fn foreign_key_text(words: Vec<String>) -> String {
    let table = words.iter().position(|word| word == "references").map_or(words.len(), |at| at + 2);
    let list_end = words.iter().skip(table).position(|word| word == ")").map_or(table, |at| table + at + 1);
    let has_list = words.get(table).is_some_and(|word| word == "(" || word == ".");
    let at = if has_list { list_end } else { table }.min(words.len());
    let (head, rest) = words.split_at(at);
    let mut options: Vec<Vec<&str>> = Vec::new();
    for word in rest {
        let begins = match word.as_str() {
            "on" | "match" | "not" | "initially" => true,
            "deferrable" | "enforced" => options.last().is_none_or(|last| last != &["not"]),
            _ => options.is_empty(),
        };
        if begins {
            options.push(Vec::new());
        }
        options.last_mut().into_iter().for_each(|last| last.push(word));
    }
    let rank = |option: &[&str]| {
        let all = [
            ["match"].as_slice(),
            &["on", "delete"],
            &["on", "update"],
            &["deferrable"],
            &["initially"],
            &["enforced"],
        ];
        let positive: Vec<&str> = option.iter().copied().filter(|word| *word != "not").collect();
        all.iter().position(|start| positive.starts_with(start)).unwrap_or(all.len())
    };
    let mut last: [Option<Vec<&str>>; 7] = Default::default();
    for option in options {
        let rank = rank(&option);
        last[rank] = Some(option);
    }
    let assumed = [
        "match simple",
        "on delete no action",
        "on update no action",
        "not deferrable",
        "initially immediate",
        "enforced",
    ];
    let kept = last
        .into_iter()
        .flatten()
        .map(|option| option.join(" "))
        .filter(|option| !assumed.contains(&option.as_str()));
    std::iter::once(head.join(" ")).chain(kept).collect::<Vec<_>>().join(" ")
}

/// The columns of an INCLUDE clause.
fn included(node: Node<'_>) -> Vec<String> {
    let clause = node.children().find(|part| format!("{:?}", part.kind()).contains("INCLUDE"));
    clause.map(mentioned).unwrap_or_default()
}

/// Whether a foreign key changes this table when a referenced row is deleted or updated.
fn has_action(node: Node<'_>) -> bool {
    let actions = [SyntaxKind::ON_DELETE_ACTION, SyntaxKind::ON_UPDATE_ACTION];
    let passive = [SyntaxKind::NO_ACTION, SyntaxKind::RESTRICT];
    node.children()
        .filter(|part| actions.contains(&part.kind()))
        .any(|action| !action.children().any(|what| passive.contains(&what.kind())))
}

/// The index that a `CREATE INDEX` creates on `table`, whose name is `of`; `None` if its name is not known.
pub(super) fn index(table: &Table, of: &str, node: Node<'_>) -> Option<Index> {
    let list = node.child(SyntaxKind::PARTITION_ITEM_LIST)?;
    let items: Vec<Node<'_>> = list.children().filter_map(|item| item.children().next()).collect();
    let plain = |item: Node<'_>| (item.kind() == SyntaxKind::NAME_REF).then(|| name_of(item));
    let name = node.child(SyntaxKind::INDEX).and_then(last_word);
    let name = if let Some(name) = name {
        name
    } else {
        let mut parts: Vec<String> = Vec::new();
        for item in items.iter().copied().map(index_column).chain(included(node).into_iter().map(Some)) {
            let item = item?;
            let numbers = (1..100).map(|number| format!("{item}{number}"));
            let unused = std::iter::once(item.clone()).chain(numbers).find(|name| !parts.contains(name))?;
            parts.push(unused);
        }
        table.generated_name(of, &parts.join("_"), "idx")?
    };
    Some(Index {
        name,
        unique: node.has_token(SyntaxKind::UNIQUE_KW),
        columns: items.iter().copied().map(plain).collect(),
        partial: node.child(SyntaxKind::WHERE_CLAUSE).is_some(),
        of_constraint: false,
        new: true,
    })
}

/// The name that the server gives to the column of an index (`FigureIndexColname`), if it is known.
fn index_column(item: Node<'_>) -> Option<String> {
    match item.kind() {
        SyntaxKind::NAME_REF => Some(name_of(item)),
        SyntaxKind::BIN_EXPR | SyntaxKind::PREFIX_EXPR => Some("expr".to_owned()),
        SyntaxKind::PAREN_EXPR => index_column(item.children().next()?),
        SyntaxKind::CALL_EXPR => words(item.children().next()?).pop(),
        SyntaxKind::CAST_EXPR => {
            let operand = item.children().next().filter(|it| it.kind() != SyntaxKind::LITERAL)?;
            index_column(operand).filter(|name| name != "expr")
        }
        _ => None,
    }
}

/// The name of the sequence of the column that `node` defines in the table `of`, if it has one.
pub(super) fn sequence_of(node: Node<'_>, of: &str, column: &str) -> Option<String> {
    let has_sequence = is_serial(node) || node.contains(&[SyntaxKind::GENERATED_IDENTITY]);
    has_sequence.then(|| object_name(of, column, "seq"))
}
