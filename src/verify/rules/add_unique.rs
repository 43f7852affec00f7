//! A new uniqueness constraint. The running release may write duplicates.

use squawk_syntax::SyntaxKind;

use crate::sql::{Name, NameRole, Node, normalized};

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::rules::add_column::has_generated_value;
use crate::verify::rules::net_effect::{
    is_new_and_omitted, omitted_in_new_column, tables_before, takes_old_name,
};
use crate::verify::schema::{
    Found, Index, OmittedValue, Relation, Table, default_value, is_serial, name_of, names_of, words,
};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::AddUnique,
    level: Level::Deny,
    impact: &[Impact::OldWriters, Impact::Locks],
    why: "makes the server refuse duplicates that the running release may write",
    remediation: "let the new release avoid duplicates first, and add this when the old release no longer runs",
    bad: "CREATE UNIQUE INDEX CONCURRENTLY users_phone ON users (phone);",
    good: "CREATE TABLE phones (user_id uuid, phone text UNIQUE);",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

/// A UNIQUE constraint from an existing unique index adds no restriction; a primary key adds NOT NULL. Old writers leave a
/// nullable column without a default NULL, and NULLs are distinct unless the constraint says otherwise.
fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    let constraints =
        [SyntaxKind::UNIQUE_CONSTRAINT, SyntaxKind::PRIMARY_KEY_CONSTRAINT, SyntaxKind::EXCLUDE_CONSTRAINT];
    let restricts = |node: &Node<'_>| {
        let unique = node.kind() == SyntaxKind::UNIQUE_CONSTRAINT;
        let Some(parent) = node.parent() else { return false };
        match parent.kind() {
            SyntaxKind::ADD_CONSTRAINT if node.has_child(&[SyntaxKind::USING_INDEX_NAME]) => {
                !unique && !index_is_key(context, *node)
            }
            SyntaxKind::ADD_CONSTRAINT => !is_implied(context, *node, &columns_of(*node)),
            SyntaxKind::ADD_COLUMN => {
                let strict = node.contains(&[SyntaxKind::NULLS_NOT_DISTINCT]);
                let exclude = node.kind() == SyntaxKind::EXCLUDE_CONSTRAINT;
                let bound = !unique || strict || has_generated_value(parent);
                bound && (exclude || !is_distinct_by_default(context, parent))
            }
            _ => false,
        }
    };
    let indexes = context
        .nodes(&[SyntaxKind::CREATE_INDEX])
        .filter(|index| index.has_token(SyntaxKind::UNIQUE_KW) && restricts_writes(context, *index));
    context.nodes(&constraints).filter(restricts).chain(indexes).map(Node::span).collect()
}

/// Whether the server gives each row a distinct value of the new column: from the column's own sequence, or a random UUID.
fn is_distinct_by_default(context: &RuleContext<'_>, column: Node<'_>) -> bool {
    is_serial(column)
        || column.children().any(|part| match part.kind() {
            SyntaxKind::GENERATED_CONSTRAINT => words(part).iter().any(|word| word == "identity"),
            SyntaxKind::DEFAULT_CONSTRAINT => is_distinct(context, &default_value(part)),
            _ => false,
        })
}

/// Whether the default is a random UUID, or the next value of a sequence that the file created and that does not begin again.
fn is_distinct(context: &RuleContext<'_>, value: &OmittedValue) -> bool {
    let random = ["gen_random_uuid ( )", "uuid_generate_v4 ( )", "uuidv7 ( )", "uuidv4 ( )"];
    let OmittedValue::Default(text) = value else { return false };
    let of_sequence = || {
        let text = text.replace(": :", "::");
        let name = text.strip_prefix("nextval ( '")?.strip_suffix(" )")?;
        let name = name.strip_suffix(" :: regclass").unwrap_or(name).strip_suffix('\'')?;
        let name = normalized(name.rsplit('.').next()?);
        let is_it = |own: &Name| own.role == NameRole::Created && own.name == name;
        let made = context.file.iter().map(|other| other.statement);
        let mut made =
            made.filter(|made| made.kind == SyntaxKind::CREATE_SEQUENCE && made.names.iter().any(is_it));
        let options = words(made.next()?.node(context.file_script));
        let changed = context.file.iter().map(|other| other.statement);
        let mut changed = changed.filter(|other| other.kind == SyntaxKind::ALTER_SEQUENCE);
        Some(!options.iter().any(|word| word == "cycle") && changed.next().is_none())
    };
    random.contains(&text.as_str()) || of_sequence().unwrap_or(false)
}

/// Whether the file added the column, and rows of the running release get a distinct value in it.
fn is_new_and_distinct(context: &RuleContext<'_>, name: &str) -> bool {
    let has_sequence = || {
        let table = context.targets().next().map(|target| context.after.table(target, context.scope));
        matches!(table, Some(Found::Present(table)) if table.has_sequence(name))
    };
    omitted_in_new_column(context, name, false).is_some_and(|value| {
        is_distinct(context, value) || *value == OmittedValue::Generated && has_sequence()
    })
}

/// The columns of a constraint.
fn columns_of(constraint: Node<'_>) -> Vec<String> {
    let list = constraint.first(SyntaxKind::CONSTRAINT_COLUMN_REF_LIST);
    list.map(|list| names_of(list, SyntaxKind::COLUMN_NAME_REF)).unwrap_or_default()
}

/// Whether rows are already distinct in `columns`, or old writers leave them NULL.
fn is_implied(context: &RuleContext<'_>, constraint: Node<'_>, columns: &[String]) -> bool {
    let strict = constraint.contains(&[SyntaxKind::NULLS_NOT_DISTINCT]);
    let key = constraint.kind() == SyntaxKind::PRIMARY_KEY_CONSTRAINT;
    let is_unique = |table: &Table| {
        let (not_null, nullable): (Vec<_>, Vec<_>) =
            columns.iter().cloned().partition(|name| table.proves_not_null(name));
        let allows_null = || !strict && (!key || nullable.is_empty());
        table.is_unique_over(&not_null, None) && (!key || nullable.is_empty())
            || table.is_unique_over(columns, None) && allows_null()
    };
    let stays_null = || !key && columns.iter().any(|name| is_new_and_omitted(context, name));
    let is_distinct = || columns.iter().any(|name| is_new_and_distinct(context, name));
    let exclusion = constraint.kind() == SyntaxKind::EXCLUDE_CONSTRAINT;
    let is_free = || !strict && stays_null() || !exclusion && !key && is_distinct();
    // The file may have given the name of an old column to another one.
    let is_same = |name: &String| {
        let column = context.table().present().and_then(|table| table.column(name).present());
        column.is_some_and(|column| !column.new) && !takes_old_name(context, name)
    };
    let before = || columns.iter().all(is_same) && tables_before(context).any(is_unique);
    let now = || context.table().present().is_some_and(is_unique);
    !columns.is_empty() && (now() || before() || is_free())
}

/// Whether a unique index restricts the writes of the running release.
fn restricts_writes(context: &RuleContext<'_>, index: Node<'_>) -> bool {
    let made = context.statement.names.iter().find(|name| name.kind == SyntaxKind::INDEX);
    let there =
        made.is_some_and(|name| matches!(context.schema.index(name, context.scope), Found::Present(_)));
    if there && index.has_child(&[SyntaxKind::IF_NOT_EXISTS]) {
        return false;
    }
    let relation = context.targets().next().map(|name| context.schema.relation(name, context.scope));
    // A materialized view has no writers.
    if matches!(relation, Some(Found::Present(Relation::View(_)))) {
        return false;
    }
    let items = index.child(SyntaxKind::PARTITION_ITEM_LIST);
    let columns: Vec<String> = items
        .into_iter()
        .flat_map(Node::children)
        .filter_map(|item| item.children().next().filter(|item| item.kind() == SyntaxKind::NAME_REF))
        .map(|column| name_of(column))
        .collect();
    !is_implied(context, index, &columns)
}

/// Whether the columns of the index in `PRIMARY KEY USING INDEX` are never NULL.
fn index_is_key(context: &RuleContext<'_>, constraint: Node<'_>) -> bool {
    let used = constraint.first(SyntaxKind::USING_INDEX_NAME);
    let name = used.and_then(|used| used.children().next()).and_then(|index| words(index).last().cloned());
    let key = |table: &Table, index: &Index| {
        let columns = index.columns.as_ref();
        columns.is_some_and(|columns| columns.iter().all(|column| table.proves_not_null(column)))
    };
    context.table().present().is_some_and(|table| {
        table.indexes.iter().any(|index| Some(&index.name) == name.as_ref() && key(table, index))
    })
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::denied_on;

    #[test]
    fn an_implied_constraint_is_not_reported() {
        let base = "CREATE TABLE t (id uuid PRIMARY KEY, a int, b int UNIQUE, c int NOT NULL); CREATE UNIQUE INDEX u ON t (c); CREATE MATERIALIZED VIEW m AS SELECT 1 AS a";
        for sql in [
            "CREATE UNIQUE INDEX CONCURRENTLY i ON t (b)",
            "CREATE UNIQUE INDEX i ON t (a, b)",
            "CREATE UNIQUE INDEX i ON t (a, c) NULLS NOT DISTINCT",
            "CREATE SEQUENCE s; ALTER TABLE t ADD COLUMN n bigint NOT NULL UNIQUE DEFAULT nextval('s')",
            "CREATE SEQUENCE s START 1; ALTER TABLE t ADD COLUMN n bigint DEFAULT nextval('public.S'::regclass); CREATE UNIQUE INDEX i ON t (n)",
            "CREATE UNIQUE INDEX IF NOT EXISTS u ON t (a)",
            "ALTER TABLE t ADD CONSTRAINT x UNIQUE USING INDEX u",
            "ALTER TABLE t ADD CONSTRAINT x PRIMARY KEY USING INDEX u",
            "ALTER TABLE t ADD UNIQUE (b)",
            "ALTER TABLE t ADD COLUMN n uuid; CREATE UNIQUE INDEX i ON t (n)",
            "CREATE UNIQUE INDEX i ON m (a)",
            "ALTER TABLE t ADD COLUMN n uuid DEFAULT gen_random_uuid(); CREATE UNIQUE INDEX i ON t (n)",
            "ALTER TABLE t ADD COLUMN n serial; CREATE UNIQUE INDEX i ON t (a, n)",
            "ALTER TABLE t ADD COLUMN n int GENERATED BY DEFAULT AS IDENTITY, ADD UNIQUE (n)",
            "ALTER TABLE t ADD COLUMN n uuid DEFAULT gen_random_uuid(); ALTER TABLE t ADD UNIQUE NULLS NOT DISTINCT (n)",
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
            "ALTER TABLE t ADD COLUMN n uuid DEFAULT gen_random_uuid(); CREATE UNIQUE INDEX i ON t (n); ALTER TABLE t ALTER n SET DEFAULT uuid_nil()",
            "CREATE UNIQUE INDEX i ON t (a, b) NULLS NOT DISTINCT",
            "ALTER TABLE t DROP CONSTRAINT t_b_key, DROP b, ADD b int DEFAULT 1; CREATE UNIQUE INDEX i ON t (b)",
            "CREATE SEQUENCE s MAXVALUE 9 CYCLE; ALTER TABLE t ADD COLUMN n bigint NOT NULL UNIQUE DEFAULT nextval('s')",
            "CREATE SEQUENCE s; ALTER TABLE t ADD COLUMN n bigint NOT NULL UNIQUE DEFAULT nextval('s') % 2",
            "ALTER TABLE t ADD COLUMN n bigint NOT NULL UNIQUE DEFAULT nextval('s')",
            "ALTER TABLE t ADD COLUMN n timestamptz DEFAULT now(); CREATE UNIQUE INDEX i ON t (n)",
            "ALTER TABLE t ADD COLUMN n int GENERATED ALWAYS AS (a % 2) STORED, ADD UNIQUE (n)",
            "ALTER TABLE t ADD EXCLUDE USING gist (b WITH =)",
        ] {
            assert!(denied_on(base, sql).contains(&"add-unique"), "{sql}: {:?}", denied_on(base, sql));
        }
    }
}
