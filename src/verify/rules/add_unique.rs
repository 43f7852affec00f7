//! A new uniqueness constraint. The running release may write duplicates.

use squawk_syntax::SyntaxKind;

use crate::sql::{Name, NameRole, Node, normalized};

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::rules::add_column::has_generated_value;
use crate::verify::rules::net_effect::{tables_before, takes_old_name};
use crate::verify::rules::new_column::{
    fills_of, is_new_and_omitted, omitted_in_new_column, value_when_added,
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
    let Some(name) = column.child(SyntaxKind::COLUMN_NAME).map(|node| name_of(node)) else { return false };
    let has_sequence = is_serial(column)
        || column.children().any(|part| {
            part.kind() == SyntaxKind::GENERATED_CONSTRAINT
                && words(part).iter().any(|word| word == "identity")
        });
    let default = column.child(SyntaxKind::DEFAULT_CONSTRAINT).map(|part| default_value(part));
    let stays = || {
        omitted_in_new_column(context, &name, true).is_none_or(|after| {
            default.as_ref().is_some_and(|value| value == after) || *after == OmittedValue::Generated
        })
    };
    let is_distinct = default.as_ref().is_some_and(|value| is_distinct(context, &name, value));
    (has_sequence && continues(context, &name) || is_distinct) && may_differ(context, &name) && stays()
}

/// Whether the default is a random UUID, or the next value of a sequence that the file created and that does not begin again.
fn is_distinct(context: &RuleContext<'_>, column: &str, value: &OmittedValue) -> bool {
    let OmittedValue::Default(text) = value else { return false };
    let random = ["gen_random_uuid", "uuid_generate_v4", "uuidv7", "uuidv4"];
    let is_random = |name: &str| {
        random.contains(&name) && (name == "gen_random_uuid" || context.schema.has_routine(name).is_none())
    };
    text.strip_suffix(" ( )").is_some_and(is_random)
        || (is_next_of_new(context, text).unwrap_or(false) && continues(context, column))
}

/// Whether the default is the next value of a sequence that the file created.
fn is_next_of_new(context: &RuleContext<'_>, default: &str) -> Option<bool> {
    let text = default.replace(": :", "::");
    let name = text.strip_prefix("nextval ( '")?.strip_suffix(" )")?;
    let name = name.strip_suffix(" :: regclass").unwrap_or(name).strip_suffix('\'')?;
    let mut parts = name.rsplit('.').map(normalized);
    let (name, schema) = (parts.next()?, parts.next());
    let in_schema = |own: &Name| match (&own.schema, &schema) {
        (Some(own), Some(schema)) => own == schema,
        (Some(one), None) | (None, Some(one)) => one == "public",
        (None, None) => true,
    };
    let is_it = |own: &Name| own.role == NameRole::Created && own.name == name && in_schema(own);
    let statements = context.file.iter().map(|other| other.statement);
    let of_sequences = statements.filter(|made| made.kind == SyntaxKind::CREATE_SEQUENCE);
    let mut made = of_sequences.filter_map(|made| Some((made, made.names.iter().find(|own| is_it(own))?)));
    let (statement, made) = made.next_back()?;
    let is_temporary = statement.node(context.file_script).contains(&[SyntaxKind::TEMP]);
    Some(context.is_new(made) && !is_temporary)
}

/// Whether the sequence of the column gives each value once, and the file writes no other values into the column. A sequence that is
/// set to the maximum continues after what was written.
fn continues(context: &RuleContext<'_>, column: &str) -> bool {
    let Some(table) = context.targets().next() else { return false };
    let of_table = |own: &Name| own.role == NameRole::Target && own.name == table.name;
    let (mut is_set, mut begins_again, mut is_written) = (false, false, false);
    for statement in context.file.iter().map(|other| other.statement) {
        let node = statement.node(context.file_script);
        let has = |word: &str| words(node).iter().any(|own| own == word);
        let follows = |first: &[&str], word: &str| {
            words(node).windows(2).any(|pair| first.contains(&pair[0].as_str()) && pair[1] == word)
        };
        let cycles = || has("cycle") && !follows(&["no"], "cycle");
        match statement.kind {
            SyntaxKind::ALTER_SEQUENCE => begins_again = true,
            SyntaxKind::CREATE_SEQUENCE => begins_again |= cycles(),
            SyntaxKind::ALTER_TABLE if statement.names.iter().any(of_table) => {
                begins_again |=
                    cycles() || node.contains(&[SyntaxKind::RESTART]) || follows(&["set"], "increment");
            }
            SyntaxKind::INSERT => is_written |= statement.names.iter().any(of_table) && has(column),
            _ if has("setval") && has("max") => is_set = true,
            _ => begins_again |= has("setval"),
        }
    }
    is_written |= fills_of(context, column).iter().any(|fill| !fill.is_of_sequence());
    !begins_again && (is_set || !is_written)
}

/// Whether the existing rows may differ in the new column: neither its first default nor an UPDATE gives all of them one value.
fn may_differ(context: &RuleContext<'_>, name: &str) -> bool {
    let fills = fills_of(context, name);
    match fills.iter().rev().find(|fill| fill.of_all) {
        Some(fill) => !fill.is_constant(),
        None if !fills.is_empty() => true,
        None => match value_when_added(context, name) {
            Some(OmittedValue::Default(text)) => text.contains('('),
            Some(OmittedValue::Null | OmittedValue::Generated) | None => true,
        },
    }
}

/// Whether the file added the column, and rows of the running release get a distinct value in it.
fn is_new_and_distinct(context: &RuleContext<'_>, name: &str) -> bool {
    let has_sequence = || {
        let table = context.targets().next().map(|target| context.after.table(target, context.scope));
        matches!(table, Some(Found::Present(table)) if table.has_sequence(name)) && continues(context, name)
    };
    omitted_in_new_column(context, name, false).is_some_and(|value| {
        is_distinct(context, name, value) || *value == OmittedValue::Generated && has_sequence()
    }) && may_differ(context, name)
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
    let stays_null = |name: &String| is_new_and_omitted(context, name) && may_differ(context, name);
    let stays_null = || !key && columns.iter().any(stays_null);
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
