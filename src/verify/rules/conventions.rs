//! Conventions for tables and migrations. A violation breaks nothing, so these rules warn. Some apply only to tables that are
//! added to a schema in service: a template and the first step of a chain describe an existing schema.

use squawk_syntax::SyntaxKind;

use crate::sql::{NameRole, Node, Scope};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::{Column, ConstraintKind, Table, name_of, names_of};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::PrimaryKeyUuid,
        level: Level::Warn,
        impact: &[Impact::Conventions],
        why: "has a primary key whose values can be guessed",
        remediation: "id UUID PRIMARY KEY DEFAULT gen_random_uuid()",
        bad: "CREATE TABLE notes (id bigserial PRIMARY KEY, created_at timestamptz, updated_at timestamptz);",
        good: "CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), created_at timestamptz, updated_at timestamptz);",
        ignores_new_objects: false,
        judge: Judge::Code(keys),
    },
    Rule {
        id: RuleId::TableTimestamps,
        level: Level::Warn,
        impact: &[Impact::Conventions],
        why: "has no columns for the time of creation and of change",
        remediation: "add created_at and updated_at: TIMESTAMP WITH TIME ZONE DEFAULT NOW()",
        bad: "CREATE TABLE notes (id uuid PRIMARY KEY, body text);",
        good: "CREATE TABLE notes (id uuid PRIMARY KEY, body text, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());",
        ignores_new_objects: false,
        judge: Judge::Code(timestamps),
    },
    Rule {
        id: RuleId::ForeignKeyIndex,
        level: Level::Warn,
        impact: &[Impact::Conventions],
        why: "references a table through a column without an index, so a DELETE there scans this table",
        remediation: "CREATE INDEX on the column, in the same migration or CONCURRENTLY in the next",
        bad: "ALTER TABLE users ADD COLUMN boss_id uuid REFERENCES users (id);",
        good: "ALTER TABLE users ADD COLUMN boss_id uuid REFERENCES users (id); CREATE INDEX idx_users_boss ON users (boss_id);",
        ignores_new_objects: false,
        judge: Judge::Code(references),
    },
    Rule {
        id: RuleId::LargeMigration,
        level: Level::Warn,
        impact: &[Impact::Conventions],
        why: "has many statements: a failure rolls back all of them, and locks are held until the end",
        remediation: "split it into several migrations",
        bad: MANY,
        good: "ALTER TABLE users ADD COLUMN nick text;",
        ignores_new_objects: false,
        judge: Judge::Code(size),
    },
    Rule {
        id: RuleId::MissingDescription,
        level: Level::Warn,
        impact: &[Impact::Conventions],
        why: "does not say what the migration is for",
        remediation: "describe the migration in a few words after -- Description:",
        bad: "-- Description: change\nALTER TABLE users ADD COLUMN nick text;",
        good: "-- Description: Let people choose a nickname\nALTER TABLE users ADD COLUMN nick text;",
        ignores_new_objects: false,
        judge: Judge::Code(description),
    },
    Rule {
        id: RuleId::RegistryTable,
        level: Level::Warn,
        impact: &[Impact::Conventions],
        why: "has the name of the registry of tenants, but not its columns, so tenants cannot be created",
        remediation: "name the registry's table and columns in tenure.toml: [tenants] registry, [tenants.columns]",
        bad: "CREATE TABLE datalinx_platform.organizations (id uuid PRIMARY KEY, title text, created_at timestamptz, updated_at timestamptz);",
        good: "CREATE TABLE datalinx_platform.organizations (id uuid PRIMARY KEY, name text, slug text, schema_name text, created_at timestamptz, updated_at timestamptz);",
        ignores_new_objects: false,
        judge: Judge::Code(registry),
    },
];

/// The number of statements of a small migration.
const SMALL_STATEMENTS: usize = 25;

const MANY: &str = "COMMENT ON TABLE users IS '01'; COMMENT ON TABLE users IS '02'; COMMENT ON TABLE users IS '03'; COMMENT ON TABLE users IS '04'; COMMENT ON TABLE users IS '05'; COMMENT ON TABLE users IS '06'; COMMENT ON TABLE users IS '07'; COMMENT ON TABLE users IS '08'; COMMENT ON TABLE users IS '09'; COMMENT ON TABLE users IS '10'; COMMENT ON TABLE users IS '11'; COMMENT ON TABLE users IS '12'; COMMENT ON TABLE users IS '13'; COMMENT ON TABLE users IS '14'; COMMENT ON TABLE users IS '15'; COMMENT ON TABLE users IS '16'; COMMENT ON TABLE users IS '17'; COMMENT ON TABLE users IS '18'; COMMENT ON TABLE users IS '19'; COMMENT ON TABLE users IS '20'; COMMENT ON TABLE users IS '21'; COMMENT ON TABLE users IS '22'; COMMENT ON TABLE users IS '23'; COMMENT ON TABLE users IS '24'; COMMENT ON TABLE users IS '25'; COMMENT ON TABLE users IS '26';";

/// The table that the statement creates, unless it is temporary, or a partition or copy of another.
fn made_table<'a>(context: &'a RuleContext<'_>) -> Option<(&'a Table, Span)> {
    let borrowed = [SyntaxKind::INHERITS, SyntaxKind::OF_TYPE, SyntaxKind::PARTITION_OF, SyntaxKind::TEMP];
    if context.statement.kind != SyntaxKind::CREATE_TABLE || context.node.has_child(&borrowed) {
        return None;
    }
    let name = context.statement.names.iter().find(|name| name.role == NameRole::Created)?;
    let list = context.node.child(SyntaxKind::TABLE_ARG_LIST)?;
    if list.has_child(&[SyntaxKind::LIKE_CLAUSE]) || name.schema.as_deref() == Some("pg_temp") {
        return None;
    }
    Some((context.after.table(name, context.scope).present()?, name.range.clone()))
}

/// Numbers and texts. A domain or a user-defined type may be a UUID.
const COUNTABLE: &[&str] = &["int2", "int4", "int8", "numeric", "text", "varchar", "bpchar", "date"];

fn keys(context: &RuleContext<'_>) -> Vec<Span> {
    let Some((table, span)) = made_table(context) else { return Vec::new() };
    let key = table.constraints.iter().find(|own| own.kind == ConstraintKind::PrimaryKey);
    // A key of several columns references rows of other tables.
    let Some([column]) = key.map(|key| key.columns.as_slice()) else { return Vec::new() };
    let of_type = table.column(column).present().and_then(|column| column.of_type.as_ref());
    if of_type.is_some_and(|of_type| of_type.is_one_of(COUNTABLE)) { vec![span] } else { Vec::new() }
}

fn registry(context: &RuleContext<'_>) -> Vec<Span> {
    let Some((table, span)) = made_table(context) else { return Vec::new() };
    let (name, columns) = context.schemas.registry;
    let mut made = context.statement.names.iter().filter(|made| made.role == NameRole::Created);
    let is_registry = made.any(|made| {
        let is_platforms = made
            .schema
            .as_deref()
            .map_or(context.scope == Some(Scope::Platform), |schema| schema == context.schemas.platform);
        made.name == name && is_platforms
    });
    let lacks = columns.iter().any(|column| table.column(column).is_absent());
    if is_registry && lacks { vec![span] } else { Vec::new() }
}

fn timestamps(context: &RuleContext<'_>) -> Vec<Span> {
    let Some((table, span)) = made_table(context) else { return Vec::new() };
    let has_column = |name: &str| table.columns.iter().any(|column| column.name == name);
    let is_time = |column: &Column| {
        column.of_type.as_ref().is_some_and(|of_type| of_type.is_one_of(&["timestamp", "timestamptz"]))
    };
    let fine = if context.in_service {
        has_column("created_at") && has_column("updated_at")
    } else {
        table.columns.iter().any(is_time)
    };
    if fine { Vec::new() } else { vec![span] }
}

fn references(context: &RuleContext<'_>) -> Vec<Span> {
    if !context.in_service {
        return Vec::new();
    }
    let name = match context.statement.kind {
        SyntaxKind::CREATE_TABLE => {
            context.statement.names.iter().find(|name| name.role == NameRole::Created)
        }
        SyntaxKind::ALTER_TABLE => context.targets().next(),
        _ => None,
    };
    let Some(table) = name.and_then(|name| context.after.table(name, context.scope).present()) else {
        return Vec::new();
    };
    let keys = [SyntaxKind::FOREIGN_KEY_CONSTRAINT, SyntaxKind::REFERENCES_CONSTRAINT];
    let found = context.nodes(&keys).filter(|key| {
        first_column(*key).is_some_and(|column| {
            let indexed = table
                .indexes
                .iter()
                .any(|index| index.columns.as_ref().and_then(|own| own.first()) == Some(&column));
            !indexed && table.column(&column).present().is_some()
        })
    });
    found.map(Node::span).collect()
}

/// The first column of the key: from its list, or the column that has the constraint.
fn first_column(key: Node<'_>) -> Option<String> {
    match key
        .child(SyntaxKind::FOREIGN_KEY_COLUMN_LIST)
        .filter(|_| key.kind() == SyntaxKind::FOREIGN_KEY_CONSTRAINT)
    {
        Some(list) => names_of(list, SyntaxKind::COLUMN_NAME_REF).into_iter().next(),
        None => key.parent()?.child(SyntaxKind::COLUMN_NAME).map(|name| name_of(name)),
    }
}

fn size(context: &RuleContext<'_>) -> Vec<Span> {
    let first_beyond =
        context.file.get(SMALL_STATEMENTS).is_some_and(|other| other.statement == context.statement);
    if context.in_service && first_beyond { vec![context.statement.range.clone()] } else { Vec::new() }
}

/// Words that describe nothing.
const EMPTY_WORDS: &[&str] = &[
    "a",
    "change",
    "changes",
    "describe",
    "description",
    "fixme",
    "migration",
    "tbd",
    "the",
    "todo",
    "wip",
    "xxx",
];

/// The chain checks that the line exists; this rule checks its content.
fn description(context: &RuleContext<'_>) -> Vec<Span> {
    let first = context.file.first().is_some_and(|other| other.statement == context.statement);
    if !first || context.in_template {
        return Vec::new();
    }
    let empty = |text: &str| {
        let mut words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        words.all(|word| EMPTY_WORDS.contains(&word.to_lowercase().as_str()))
    };
    let lines =
        context.script.comments.iter().filter(|comment| comment.range.end <= context.script.code_start());
    lines
        .filter_map(|comment| Some((comment.line.as_deref()?.split_once(':')?, comment.range.clone())))
        .filter(|((key, text), _)| key.trim().eq_ignore_ascii_case("description") && empty(text))
        .map(|(_, range)| range)
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{all_ids_in_template, all_ids_on};

    const SEEDS_JOBS: &str = "-- Template: v1.0.0\nCREATE TABLE {org_schema}.pipeline_jobs (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), workspace_id UUID REFERENCES workspaces(id), started_at TIMESTAMP WITH TIME ZONE, created_by UUID REFERENCES datalinx_platform.users(id));";

    #[test]
    fn conventions_apply_to_a_schema_in_service() {
        let base = "CREATE TABLE teams (id uuid PRIMARY KEY)";
        let stamps = "created_at timestamptz, updated_at timestamptz";
        for (sql, expected) in [
            (format!("CREATE TABLE a (id uuid PRIMARY KEY, {stamps})"), &[][..]),
            (format!("CREATE TABLE a (id int PRIMARY KEY, {stamps})"), &["primary-key-uuid"]),
            (format!("CREATE TABLE a (id bigint, {stamps}, PRIMARY KEY (id))"), &["primary-key-uuid"]),
            (format!("CREATE TABLE a (a int, b int, {stamps}, PRIMARY KEY (a, b))"), &[]),
            (
                "CREATE TABLE a (id uuid PRIMARY KEY, created_at timestamptz)".to_owned(),
                &["table-timestamps"],
            ),
            ("CREATE TEMP TABLE a (id int PRIMARY KEY)".to_owned(), &[]),
            (format!("CREATE TABLE a (team uuid REFERENCES teams, {stamps})"), &["foreign-key-index"]),
            (format!("CREATE TABLE a (team uuid PRIMARY KEY REFERENCES teams, {stamps})"), &[]),
            (
                format!(
                    "CREATE TABLE a (team uuid REFERENCES teams, {stamps}); CREATE INDEX i ON a (team, created_at)"
                ),
                &[],
            ),
            (
                format!(
                    "CREATE TABLE a (b int, team uuid, {stamps}, FOREIGN KEY (team) REFERENCES teams); CREATE INDEX i ON a (b, team)"
                ),
                &["foreign-key-index"],
            ),
        ] {
            assert_eq!(all_ids_on(base, &sql), expected, "{sql}");
        }
    }

    #[test]
    fn an_initial_schema_is_exempt() {
        assert_eq!(all_ids_in_template(SEEDS_JOBS), [""; 0]);
        assert_eq!(
            all_ids_on("", "CREATE TABLE a (id uuid PRIMARY KEY, last_login_at timestamptz)"),
            [""; 0]
        );
        assert_eq!(all_ids_on("", "CREATE TABLE a (id uuid PRIMARY KEY)"), ["table-timestamps"]);
        assert_eq!(
            all_ids_in_template("CREATE TABLE a (id serial PRIMARY KEY, at timestamptz)"),
            ["primary-key-uuid"]
        );
    }
}
