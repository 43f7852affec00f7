//! A new demand that rows differ. The running release may write two that do not.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::rules::add_column::fills_itself;
use crate::verify::schema::{Filled, Found, Index, Relation, Table, is_serial, name_of, names_of, words};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("add-unique"),
    level: Level::Deny,
    impact: &[Impact::OldWriters, Impact::Locks],
    why: "refuses what the running release writes where it is not unique",
    remediation: "let the new release keep it unique first; add this when the old one is gone",
    bad: "CREATE UNIQUE INDEX CONCURRENTLY users_phone ON users (phone);",
    good: "CREATE TABLE phones (user_id uuid, phone text UNIQUE);",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

/// A constraint made from a unique index demands nothing new, a primary key does: NOT NULL. A nullable
/// column without a default stays NULL under the writers that do not know it, and NULLs differ from each
/// other unless the constraint says otherwise, so its UNIQUE cannot refuse them.
fn judge(subject: &RuleContext<'_>) -> Vec<Span> {
    let constraints =
        [SyntaxKind::UNIQUE_CONSTRAINT, SyntaxKind::PRIMARY_KEY_CONSTRAINT, SyntaxKind::EXCLUDE_CONSTRAINT];
    let demands = |node: &Node<'_>| {
        let unique = node.kind() == SyntaxKind::UNIQUE_CONSTRAINT;
        let Some(parent) = node.parent() else { return false };
        match parent.kind() {
            SyntaxKind::ADD_CONSTRAINT if node.has_child(&[SyntaxKind::USING_INDEX_NAME]) => {
                !unique && !index_is_key(subject, *node)
            }
            SyntaxKind::ADD_CONSTRAINT => !holds_already(subject, *node, &columns_of(*node)),
            SyntaxKind::ADD_COLUMN => {
                let strict = node.contains(&[SyntaxKind::NULLS_NOT_DISTINCT]);
                let exclude = node.kind() == SyntaxKind::EXCLUDE_CONSTRAINT;
                let bound = !unique
                    || strict
                    || fills_itself(parent)
                    || parent.has_child(&[SyntaxKind::NOT_NULL_CONSTRAINT]);
                bound && (exclude || !differs_by_itself(parent))
            }
            _ => false,
        }
    };
    let indexes = subject
        .nodes(&[SyntaxKind::CREATE_INDEX])
        .filter(|index| index.has_token(SyntaxKind::UNIQUE_KW) && binds(subject, *index));
    subject.nodes(&constraints).filter(demands).chain(indexes).map(Node::span).collect()
}

/// Whether the server gives each row a value of the new column that no other has: a number of its own
/// sequence, or a random UUID.
fn differs_by_itself(column: Node<'_>) -> bool {
    let random = ["gen_random_uuid", "uuid_generate_v4", "uuidv7", "uuidv4"];
    is_serial(column)
        || column.children().any(|part| match part.kind() {
            SyntaxKind::GENERATED_CONSTRAINT => words(part).iter().any(|word| word == "identity"),
            SyntaxKind::DEFAULT_CONSTRAINT => part.children().next().is_some_and(|value| {
                let said = words(value);
                matches!(said.as_slice(), [name, open, close] if random.contains(&name.as_str()) && open == "(" && close == ")")
            }),
            _ => false,
        })
}

/// The columns that a constraint names.
fn columns_of(constraint: Node<'_>) -> Vec<String> {
    let list = constraint.first(SyntaxKind::CONSTRAINT_COLUMN_REF_LIST);
    list.map(|list| names_of(list, SyntaxKind::COLUMN_NAME_REF)).unwrap_or_default()
}

/// Whether the rows differ in `columns` anyway, or stay NULL there under writers that do not know them.
fn holds_already(subject: &RuleContext<'_>, demand: Node<'_>, columns: &[String]) -> bool {
    let Some(table) = subject.table().there() else { return false };
    let strict = demand.contains(&[SyntaxKind::NULLS_NOT_DISTINCT]);
    if strict || columns.is_empty() {
        return false;
    }
    let key = demand.kind() == SyntaxKind::PRIMARY_KEY_CONSTRAINT;
    if key && !columns.iter().all(|name| table.proves_not_null(name)) {
        return false;
    }
    table.is_unique_over(columns, None) || (!key && stays_null(table, columns))
}

fn stays_null(table: &Table, columns: &[String]) -> bool {
    let unknown_to_old = |name: &String| {
        table.columns.iter().any(|column| {
            column.name == *name && column.new && column.filled == Filled::Not && !column.not_null
        })
    };
    columns.iter().any(unknown_to_old)
}

/// Whether a unique index demands something of the running release's writes.
fn binds(subject: &RuleContext<'_>, index: Node<'_>) -> bool {
    let made = subject.statement.names.iter().find(|name| name.kind == SyntaxKind::INDEX);
    let there = made.is_some_and(|name| matches!(subject.schema.index(name, subject.scope), Found::There(_)));
    if there && index.has_child(&[SyntaxKind::IF_NOT_EXISTS]) {
        return false;
    }
    let relation = subject.targets().next().map(|name| subject.schema.relation(name, subject.scope));
    // Nobody writes to a materialized view.
    if matches!(relation, Some(Found::There(Relation::View(_)))) {
        return false;
    }
    let items = index.child(SyntaxKind::PARTITION_ITEM_LIST);
    let columns: Vec<String> = items
        .into_iter()
        .flat_map(Node::children)
        .filter_map(|item| item.children().next().filter(|item| item.kind() == SyntaxKind::NAME_REF))
        .map(|column| name_of(column))
        .collect();
    !holds_already(subject, index, &columns)
}

/// Whether the columns of the index that `PRIMARY KEY USING INDEX` names are never NULL.
fn index_is_key(subject: &RuleContext<'_>, constraint: Node<'_>) -> bool {
    let used = constraint.first(SyntaxKind::USING_INDEX_NAME);
    let name = used.and_then(|used| used.children().next()).and_then(|index| words(index).last().cloned());
    let key = |table: &Table, index: &Index| {
        let columns = index.columns.as_ref();
        columns.is_some_and(|columns| columns.iter().all(|column| table.proves_not_null(column)))
    };
    subject.table().there().is_some_and(|table| {
        table.indexes.iter().any(|index| Some(&index.name) == name.as_ref() && key(table, index))
    })
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::denied_on;

    #[test]
    fn what_holds_already_is_no_demand() {
        let base = "CREATE TABLE t (id uuid PRIMARY KEY, a int, b int UNIQUE, c int NOT NULL); CREATE UNIQUE INDEX u ON t (c); CREATE MATERIALIZED VIEW m AS SELECT 1 AS a";
        for sql in [
            "CREATE UNIQUE INDEX CONCURRENTLY i ON t (b)",
            "CREATE UNIQUE INDEX i ON t (a, b)",
            "CREATE UNIQUE INDEX IF NOT EXISTS u ON t (a)",
            "ALTER TABLE t ADD CONSTRAINT x UNIQUE USING INDEX u",
            "ALTER TABLE t ADD CONSTRAINT x PRIMARY KEY USING INDEX u",
            "ALTER TABLE t ADD UNIQUE (b)",
            "ALTER TABLE t ADD COLUMN n uuid; CREATE UNIQUE INDEX i ON t (n)",
            "CREATE UNIQUE INDEX i ON m (a)",
        ] {
            assert_eq!(denied_on(base, sql), [""; 0], "{sql}");
        }
        for sql in [
            "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)",
            "CREATE UNIQUE INDEX i ON t (lower(a))",
            "CREATE UNIQUE INDEX i ON t (b) NULLS NOT DISTINCT",
            "CREATE UNIQUE INDEX IF NOT EXISTS i ON t (a)",
            "ALTER TABLE t ADD UNIQUE (a)",
            "ALTER TABLE t ADD PRIMARY KEY (b)",
            "ALTER TABLE t ADD COLUMN n uuid DEFAULT gen_random_uuid(); CREATE UNIQUE INDEX i ON t (n)",
            "ALTER TABLE t ADD EXCLUDE USING gist (b WITH =)",
        ] {
            assert_eq!(denied_on(base, sql), ["add-unique"], "{sql}");
        }
    }
}
