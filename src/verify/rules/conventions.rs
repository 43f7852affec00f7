//! What the project's tables and migrations look like. Nothing breaks where one does not, so these warn.
//! What is asked of a table that is added to a schema in service is not asked of the schema that was there
//! first: a template, and the first step of a chain, only tell what there is.

use squawk_syntax::SyntaxKind;

use crate::sql::{NameRole, Node};
use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::{Column, ConstraintKind, Table, name_of, names_of};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId("primary-key-uuid"),
        level: Level::Warn,
        impact: &[Impact::Conventions],
        why: "has a primary key that can be counted through",
        remediation: "id UUID PRIMARY KEY DEFAULT gen_random_uuid()",
        bad: "CREATE TABLE notes (id bigserial PRIMARY KEY, created_at timestamptz, updated_at timestamptz);",
        good: "CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), created_at timestamptz, updated_at timestamptz);",
        ignores_new_objects: false,
        judge: Judge::Code(keys),
    },
    Rule {
        id: RuleId("table-timestamps"),
        level: Level::Warn,
        impact: &[Impact::Conventions],
        why: "does not say when its rows were made and changed",
        remediation: "add created_at and updated_at: TIMESTAMP WITH TIME ZONE DEFAULT NOW()",
        bad: "CREATE TABLE notes (id uuid PRIMARY KEY, body text);",
        good: "CREATE TABLE notes (id uuid PRIMARY KEY, body text, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());",
        ignores_new_objects: false,
        judge: Judge::Code(timestamps),
    },
    Rule {
        id: RuleId("foreign-key-index"),
        level: Level::Warn,
        impact: &[Impact::Conventions],
        why: "refers to a table by a column without an index, so that a DELETE there reads all of this one",
        remediation: "CREATE INDEX on the column, in the same migration or CONCURRENTLY in the next",
        bad: "ALTER TABLE users ADD COLUMN boss_id uuid REFERENCES users (id);",
        good: "ALTER TABLE users ADD COLUMN boss_id uuid REFERENCES users (id); CREATE INDEX idx_users_boss ON users (boss_id);",
        ignores_new_objects: false,
        judge: Judge::Code(references),
    },
    Rule {
        id: RuleId("large-migration"),
        level: Level::Warn,
        impact: &[Impact::Conventions],
        why: "is more than a small step: a failure undoes all of it, and its locks are held to its end",
        remediation: "make several migrations of it",
        bad: MANY,
        good: "ALTER TABLE users ADD COLUMN nick text;",
        ignores_new_objects: false,
        judge: Judge::Code(size),
    },
    Rule {
        id: RuleId("missing-description"),
        level: Level::Warn,
        impact: &[Impact::Conventions],
        why: "does not say what it is for",
        remediation: "say in a few words after -- Description: what the migration does",
        bad: "-- Description: change\nALTER TABLE users ADD COLUMN nick text;",
        good: "-- Description: Let people choose a nickname\nALTER TABLE users ADD COLUMN nick text;",
        ignores_new_objects: false,
        judge: Judge::Code(description),
    },
];

/// As many statements as a small migration has.
const SMALL: usize = 25;

const MANY: &str = "COMMENT ON TABLE users IS '01'; COMMENT ON TABLE users IS '02'; COMMENT ON TABLE users IS '03'; COMMENT ON TABLE users IS '04'; COMMENT ON TABLE users IS '05'; COMMENT ON TABLE users IS '06'; COMMENT ON TABLE users IS '07'; COMMENT ON TABLE users IS '08'; COMMENT ON TABLE users IS '09'; COMMENT ON TABLE users IS '10'; COMMENT ON TABLE users IS '11'; COMMENT ON TABLE users IS '12'; COMMENT ON TABLE users IS '13'; COMMENT ON TABLE users IS '14'; COMMENT ON TABLE users IS '15'; COMMENT ON TABLE users IS '16'; COMMENT ON TABLE users IS '17'; COMMENT ON TABLE users IS '18'; COMMENT ON TABLE users IS '19'; COMMENT ON TABLE users IS '20'; COMMENT ON TABLE users IS '21'; COMMENT ON TABLE users IS '22'; COMMENT ON TABLE users IS '23'; COMMENT ON TABLE users IS '24'; COMMENT ON TABLE users IS '25'; COMMENT ON TABLE users IS '26';";

/// The table that the statement makes, if it is one of the project's own shape: no temporary one, no part
/// or copy of another.
fn made_table<'a>(subject: &'a RuleContext<'_>) -> Option<(&'a Table, Span)> {
    let borrowed = [SyntaxKind::INHERITS, SyntaxKind::OF_TYPE, SyntaxKind::PARTITION_OF, SyntaxKind::TEMP];
    if subject.statement.kind != SyntaxKind::CREATE_TABLE || subject.node.has_child(&borrowed) {
        return None;
    }
    let name = subject.statement.names.iter().find(|name| name.role == NameRole::Created)?;
    let list = subject.node.child(SyntaxKind::TABLE_ARG_LIST)?;
    if list.has_child(&[SyntaxKind::LIKE_CLAUSE]) || name.schema.as_deref() == Some("pg_temp") {
        return None;
    }
    Some((subject.after.table(name, subject.scope).there()?, name.range.clone()))
}

/// Numbers and texts; a domain or a type of the user's own may be a UUID.
const COUNTABLE: &[&str] = &["int2", "int4", "int8", "numeric", "text", "varchar", "bpchar", "date"];

fn keys(subject: &RuleContext<'_>) -> Vec<Span> {
    let Some((table, hit)) = made_table(subject) else { return Vec::new() };
    let key = table.constraints.iter().find(|own| own.kind == ConstraintKind::Primary);
    // A key of several columns refers to other tables' rows.
    let Some([column]) = key.map(|key| key.columns.as_slice()) else { return Vec::new() };
    let of_type = table.column(column).there().and_then(|column| column.of_type.as_ref());
    if of_type.is_some_and(|of_type| of_type.is_one_of(COUNTABLE)) { vec![hit] } else { Vec::new() }
}

fn timestamps(subject: &RuleContext<'_>) -> Vec<Span> {
    let Some((table, hit)) = made_table(subject) else { return Vec::new() };
    let has_column = |name: &str| table.columns.iter().any(|column| column.name == name);
    let is_time = |column: &Column| {
        column.of_type.as_ref().is_some_and(|of_type| of_type.is_one_of(&["timestamp", "timestamptz"]))
    };
    let fine = if subject.in_service {
        has_column("created_at") && has_column("updated_at")
    } else {
        table.columns.iter().any(is_time)
    };
    if fine { Vec::new() } else { vec![hit] }
}

fn references(subject: &RuleContext<'_>) -> Vec<Span> {
    if !subject.in_service {
        return Vec::new();
    }
    let name = match subject.statement.kind {
        SyntaxKind::CREATE_TABLE => {
            subject.statement.names.iter().find(|name| name.role == NameRole::Created)
        }
        SyntaxKind::ALTER_TABLE => subject.targets().next(),
        _ => None,
    };
    let Some(table) = name.and_then(|name| subject.after.table(name, subject.scope).there()) else {
        return Vec::new();
    };
    let keys = [SyntaxKind::FOREIGN_KEY_CONSTRAINT, SyntaxKind::REFERENCES_CONSTRAINT];
    let found = subject.nodes(&keys).filter(|key| {
        first_column(*key).is_some_and(|column| {
            let indexed = table
                .indexes
                .iter()
                .any(|index| index.columns.as_ref().and_then(|own| own.first()) == Some(&column));
            !indexed && table.column(&column).there().is_some()
        })
    });
    found.map(Node::span).collect()
}

/// The first column of the key: of the list, or the one that the key stands behind.
fn first_column(key: Node<'_>) -> Option<String> {
    match key
        .child(SyntaxKind::FOREIGN_KEY_COLUMN_LIST)
        .filter(|_| key.kind() == SyntaxKind::FOREIGN_KEY_CONSTRAINT)
    {
        Some(list) => names_of(list, SyntaxKind::COLUMN_NAME_REF).into_iter().next(),
        None => key.parent()?.child(SyntaxKind::COLUMN_NAME).map(|name| name_of(name)),
    }
}

fn size(subject: &RuleContext<'_>) -> Vec<Span> {
    let first_beyond = subject.file.get(SMALL).is_some_and(|met| met.statement == subject.statement);
    if subject.in_service && first_beyond { vec![subject.statement.range.clone()] } else { Vec::new() }
}

/// Words that stand where somebody meant to write something.
const SAYS_NOTHING: &[&str] = &[
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

/// The line itself is the chain's business; here is what it says.
fn description(subject: &RuleContext<'_>) -> Vec<Span> {
    let first = subject.file.first().is_some_and(|met| met.statement == subject.statement);
    if !first || subject.in_template {
        return Vec::new();
    }
    let empty = |said: &str| {
        let mut words = said.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        words.all(|word| SAYS_NOTHING.contains(&word.to_lowercase().as_str()))
    };
    let lines =
        subject.script.comments.iter().filter(|comment| comment.range.end <= subject.script.code_start());
    lines
        .filter_map(|comment| Some((comment.line.as_deref()?.split_once(':')?, comment.range.clone())))
        .filter(|((key, said), _)| key.trim().eq_ignore_ascii_case("description") && empty(said))
        .map(|(_, range)| range)
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{all_ids_in_template, all_ids_on};

    const SEEDS_JOBS: &str = "-- Template: v1.0.0\nCREATE TABLE {org_schema}.pipeline_jobs (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), workspace_id UUID REFERENCES workspaces(id), started_at TIMESTAMP WITH TIME ZONE, created_by UUID REFERENCES datalinx_platform.users(id));";

    #[test]
    fn a_schema_in_service_gets_tables_of_its_shape() {
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
    fn what_was_there_first_only_tells() {
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
