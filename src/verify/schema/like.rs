//! `CREATE TABLE … (LIKE …)`.

use super::parts::words;
use super::table::{Column, Constraint, ConstraintKind, Index, OmittedValue, Table, object_name};
use crate::sql::Node;

/// Copies the columns of `source` to the new `table`, and the parts that the LIKE clause includes (manual, CREATE TABLE).
pub(super) fn copy_like(table: &mut Table, of: &str, like: Node<'_>, source: &Table) {
    let mut included: Vec<String> = Vec::new();
    for option in words(like).windows(2) {
        match option {
            [word, what] if word == "including" && what == "all" => {
                let all = ["defaults", "constraints", "indexes", "identity", "generated"];
                included.extend(all.map(str::to_owned));
            }
            [word, what] if word == "including" => included.push(what.clone()),
            [word, what] if word == "excluding" => included.retain(|own| own != what),
            _ => {}
        }
    }
    let includes = |what: &str| included.iter().any(|own| own == what);
    table.is_complete &= source.is_complete;
    for column in &source.columns {
        let mut column = Column { new: true, ..column.clone() };
        let has_sequence = source.sequences.iter().any(|(own, _)| *own == column.name);
        let is_identity = has_sequence && includes("identity");
        column.omitted_value = match column.omitted_value {
            OmittedValue::Default(text) if includes("defaults") => OmittedValue::Default(text),
            // The default of a serial column calls nextval of the source's sequence.
            OmittedValue::Generated if includes("defaults") || is_identity || includes("generated") => {
                OmittedValue::Generated
            }
            _ => OmittedValue::Null,
        };
        table.columns.push(column);
    }
    for constraint in &source.constraints {
        let copied = match constraint.kind {
            ConstraintKind::Check => includes("constraints"),
            ConstraintKind::NotNull => true,
            _ => false,
        };
        if copied {
            table.constraints.push(Constraint { new: true, ..constraint.clone() });
        }
    }
    for index in source.indexes.iter().filter(|_| includes("indexes")) {
        let owner = source.constraints.iter().find(|own| index.of_constraint && own.name == index.name);
        let columns = index.columns.clone().unwrap_or_default().join("_");
        let is_key = owner.is_some_and(|own| own.kind == ConstraintKind::PrimaryKey);
        let (columns, label) = match owner {
            _ if is_key => (String::new(), "pkey"),
            Some(_) => (columns, "key"),
            None => (columns, "idx"),
        };
        let name = table.generated_name(of, &columns, label);
        let Some(name) = name.filter(|_| is_key || index.columns.is_some()) else {
            table.is_complete = false;
            continue;
        };
        if let Some(owner) = owner {
            table.constraints.push(Constraint { name: name.clone(), new: true, ..owner.clone() });
        }
        table.indexes.push(Index { name, new: true, ..index.clone() });
    }
    let identities = source.sequences.iter().filter(|_| includes("identity"));
    let own: Vec<_> =
        identities.map(|(column, _)| (column.clone(), object_name(of, column, "seq"))).collect();
    table.sequences.extend(own);
}
