//! Rows that go or change. Of every row it is denied, wherever the statement stands: a CTE hides one well,
//! and a WHERE that is the same for each row is none. Of chosen rows too: what is lost is lost, and the release
//! that runs may read them still. Only a seed, whose rows stand in the text, is told.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::rules::condition::{always, nulls};
use crate::verify::schema::executed;

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId("delete-without-where"),
        level: Level::Deny,
        impact: &[Impact::Data],
        why: "removes every row, or all that have no partner",
        remediation: "say by a WHERE which rows must go, and by an Allow line why",
        bad: "WITH gone AS (DELETE FROM users RETURNING id) SELECT count(*) FROM gone;",
        good: "-- Allow: delete-rows because nobody logs in with them\nDELETE FROM users WHERE disabled_at < '2020-01-01';",
        ignores_new_objects: false,
        judge: Judge::Code(|subject| acts(subject, RowWrite::Delete, Reach::All)),
    },
    Rule {
        id: RuleId("update-without-where"),
        level: Level::Deny,
        impact: &[Impact::Data, Impact::Locks],
        why: "overwrites every row, and holds a lock on each until the migration is done",
        remediation: "say by a WHERE which rows are meant: those that do not have the value yet",
        bad: "UPDATE users SET role = 'viewer' WHERE true;",
        good: "UPDATE users SET role = 'viewer' WHERE role IS NULL;",
        ignores_new_objects: false,
        judge: Judge::Code(|subject| acts(subject, RowWrite::Update, Reach::All)),
    },
    Rule {
        id: RuleId("delete-rows"),
        level: Level::Deny,
        impact: &[Impact::Data],
        why: "removes rows that no rollback brings back once the migration is done",
        remediation: "if nobody needs them, accept it by an Allow line that says why",
        bad: "DELETE FROM users WHERE disabled_at < '2020-01-01';",
        good: "INSERT INTO teams (id) VALUES (gen_random_uuid()) ON CONFLICT DO NOTHING;",
        ignores_new_objects: false,
        judge: Judge::Code(|subject| acts(subject, RowWrite::Delete, Reach::Some)),
    },
    Rule {
        id: RuleId("overwrite-rows"),
        level: Level::Deny,
        impact: &[Impact::Data],
        why: "overwrites values that the running release has written and reads",
        remediation: "fill only what is NULL, or a column that the same migration adds",
        bad: "UPDATE users SET role = 'admin' WHERE email LIKE '%@example.com';",
        good: "UPDATE users SET phone = '' WHERE phone IS NULL;",
        ignores_new_objects: false,
        judge: Judge::Code(|subject| acts(subject, RowWrite::Update, Reach::Some)),
    },
    Rule {
        id: RuleId("upsert-rows"),
        level: Level::Warn,
        impact: &[Impact::Data],
        why: "overwrites what the running release has written into the rows that it names, where they are there",
        remediation: "DO NOTHING where the row is there",
        bad: "INSERT INTO teams (id, name) VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET name = excluded.name;",
        good: "INSERT INTO teams (id, name) VALUES (1, 'a') ON CONFLICT (id) DO NOTHING;",
        ignores_new_objects: false,
        judge: Judge::Code(|subject| acts(subject, RowWrite::Upsert, Reach::Some)),
    },
    Rule {
        id: RuleId("fill-locks-rows"),
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "holds a lock on every row until the migration is done",
        remediation: "on a big table, give the column a constant DEFAULT instead, or fill it in small steps",
        bad: "ALTER TABLE users ADD COLUMN nick text; UPDATE users SET nick = name;",
        good: "ALTER TABLE users ADD COLUMN nick text DEFAULT '';",
        ignores_new_objects: false,
        judge: Judge::Code(|subject| acts(subject, RowWrite::Fill, Reach::All)),
    },
];

/// What is done to rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RowWrite {
    Delete,
    Update,
    /// An INSERT of rows that the text itself gives, over those that are there.
    Upsert,
    /// An UPDATE that takes no value away: the column is new, or holds NULL.
    Fill,
}

/// To which.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    All,
    Some,
}

fn acts(subject: &RuleContext<'_>, act: RowWrite, reach: Reach) -> Vec<Span> {
    if subject.statement.kind == SyntaxKind::EXPLAIN && !executed(subject.statement.kind, subject.node) {
        return Vec::new();
    }
    let kinds = [
        SyntaxKind::CONFLICT_DO_UPDATE_SET,
        SyntaxKind::DELETE,
        SyntaxKind::MERGE_DELETE,
        SyntaxKind::MERGE_UPDATE,
        SyntaxKind::UPDATE,
    ];
    subject
        .nodes(&kinds)
        .filter(|node| subject.relation_of(*node).is_none_or(|name| !subject.is_new_table(name)))
        .filter(|node| what(subject, *node) == Some((act, reach)))
        .map(Node::span)
        .collect()
}

/// What `node` does to which rows.
fn what(subject: &RuleContext<'_>, node: Node<'_>) -> Option<(RowWrite, Reach)> {
    let above = |kind| node.ancestors().find(|above| above.kind() == kind);
    match node.kind() {
        SyntaxKind::DELETE => Some((RowWrite::Delete, reach(subject, node))),
        SyntaxKind::UPDATE => {
            let act = if fills(subject, node) { RowWrite::Fill } else { RowWrite::Update };
            Some((act, reach(subject, node)))
        }
        SyntaxKind::CONFLICT_DO_UPDATE_SET => {
            let insert = above(SyntaxKind::INSERT)?;
            let new = subject.relation_of(insert).is_some_and(|name| subject.is_new_table(name));
            let given = insert.has_child(&[SyntaxKind::VALUES]);
            (!new).then_some((if given { RowWrite::Upsert } else { RowWrite::Update }, Reach::Some))
        }
        SyntaxKind::MERGE_DELETE | SyntaxKind::MERGE_UPDATE => {
            let merge = above(SyntaxKind::MERGE)?;
            if subject.relation_of(merge).is_some_and(|name| subject.is_new_table(name)) {
                return None;
            }
            let act =
                if node.kind() == SyntaxKind::MERGE_DELETE { RowWrite::Delete } else { RowWrite::Update };
            let when = node.parent()?;
            let chosen = when.has_child(&[SyntaxKind::MERGE_CONDITION]);
            let joined = merge.first(SyntaxKind::ON_CLAUSE);
            let on_all =
                joined.is_some_and(|on| on.children().all(|condition| always(subject, None, condition)));
            let others = when.kind() == SyntaxKind::MERGE_WHEN_NOT_MATCHED_SOURCE;
            Some((act, if !chosen && (others || on_all) { Reach::All } else { Reach::Some }))
        }
        _ => None,
    }
}

/// Whether a WHERE of the statement itself chooses among the rows.
fn reach(subject: &RuleContext<'_>, node: Node<'_>) -> Reach {
    let table = subject.relation_of(node);
    let chooses = node.children().any(|child| match child.kind() {
        SyntaxKind::WHERE_CURRENT_OF => true,
        SyntaxKind::WHERE_CLAUSE => child.children().any(|condition| !always(subject, table, condition)),
        _ => false,
    });
    if chooses { Reach::Some } else { Reach::All }
}

/// Whether an UPDATE overwrites nothing: each column is one that the file has added, or the WHERE says that
/// it is NULL.
fn fills(subject: &RuleContext<'_>, update: Node<'_>) -> bool {
    let table =
        subject.relation_of(update).and_then(|name| subject.schema.table(name, subject.scope).there());
    let is_new = |name: &str| {
        table.is_some_and(|table| table.columns.iter().any(|column| column.name == name && column.new))
    };
    let clause = update.children().find(|child| child.kind() == SyntaxKind::WHERE_CLAUSE);
    let empty: Vec<String> = clause.into_iter().flat_map(Node::children).flat_map(|it| nulls(it)).collect();
    let set: Vec<String> = update
        .children()
        .filter(|child| child.kind() == SyntaxKind::SET_CLAUSE)
        .flat_map(Node::descendants)
        .filter(|part| part.kind() == SyntaxKind::COLUMN_TARGET)
        .flat_map(|target| crate::verify::schema::names_of(target, SyntaxKind::COLUMN_NAME_REF))
        .collect();
    !set.is_empty() && set.iter().all(|name| is_new(name) || empty.contains(name))
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{ids, ids_on};

    #[test]
    fn a_where_that_chooses_nothing_is_none() {
        for condition in [
            "true",
            "1 = 1",
            "(TRUE)",
            "now() IS NOT NULL",
            "id = 1 OR true",
            "id = 1 OR (1=1)",
            "id=id",
            "NOT false",
            "id IS NULL OR id IS NOT NULL",
            "EXISTS (SELECT 1 FROM gone)",
            "id IN (SELECT id FROM users)",
            "(SELECT true)",
        ] {
            let sql = format!("DELETE FROM users WHERE {condition}");
            assert_eq!(ids(&sql), ["delete-without-where"], "{condition}");
        }
        for condition in [
            "id = 1",
            "disabled",
            "EXISTS (SELECT 1 FROM gone WHERE gone.id = u.id)",
            "u.id IN (SELECT id FROM users WHERE old)",
            "u.id IN (SELECT id FROM gone)",
            "CURRENT OF c",
            "a AND a",
            "a <> a",
        ] {
            assert_eq!(
                ids(&format!("DELETE FROM users u WHERE {condition}")),
                ["delete-rows"],
                "{condition}"
            );
        }
        let base = "CREATE TABLE t (id uuid PRIMARY KEY, a int)";
        assert_eq!(ids_on(base, "DELETE FROM t WHERE id IS NOT NULL"), ["delete-without-where"]);
        assert_eq!(ids_on(base, "DELETE FROM t WHERE a IS NOT NULL"), ["delete-rows"]);
    }

    #[test]
    fn what_fills_overwrites_nothing() {
        let base = "CREATE TABLE t (id uuid PRIMARY KEY, a int, b int)";
        for (sql, expected) in [
            ("ALTER TABLE t ADD c int; UPDATE t SET c = a", &["fill-locks-rows"][..]),
            ("ALTER TABLE t ADD c int; UPDATE t SET c = a, b = 1", &["update-without-where"]),
            ("ALTER TABLE t ADD c int; UPDATE t SET c = a WHERE a > 1", &[]),
            ("UPDATE t SET a = 1 WHERE a IS NULL AND t.b > 1", &[]),
            ("UPDATE t SET (a, b) = (1, 2) WHERE t.a IS NULL AND (b ISNULL)", &[]),
            ("UPDATE t SET a = 1, b = 2 WHERE a IS NULL", &["overwrite-rows"]),
            ("UPDATE t SET a = 1 WHERE a IS NULL OR b = 1", &["overwrite-rows"]),
            ("INSERT INTO t (a) VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1", &["upsert-rows"]),
            ("INSERT INTO t SELECT * FROM t ON CONFLICT (id) DO UPDATE SET a = 1", &["overwrite-rows"]),
            ("INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING", &[]),
        ] {
            assert_eq!(ids_on(base, sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_merge_is_looked_into() {
        let merge = |rest: &str| ids(&format!("MERGE INTO t USING s ON {rest}"));
        assert_eq!(merge("t.id = s.id WHEN MATCHED THEN DELETE"), ["delete-rows"]);
        assert_eq!(merge("true WHEN MATCHED THEN DELETE"), ["delete-without-where"]);
        assert_eq!(merge("t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE"), ["delete-without-where"]);
        assert_eq!(merge("t.id = s.id WHEN NOT MATCHED BY SOURCE AND t.old THEN DELETE"), ["delete-rows"]);
        assert_eq!(merge("t.id = s.id WHEN MATCHED THEN UPDATE SET a = 1"), ["overwrite-rows"]);
        assert_eq!(merge("t.id = s.id WHEN NOT MATCHED THEN INSERT (a) VALUES (1)"), [""; 0]);
    }

    #[test]
    fn only_what_is_run_counts() {
        assert_eq!(ids("EXPLAIN DELETE FROM users"), [""; 0]);
        assert_eq!(ids("EXPLAIN (ANALYZE) DELETE FROM users"), ["delete-without-where"]);
        assert_eq!(ids("EXPLAIN ANALYZE DELETE FROM users"), ["delete-without-where"]);
        assert_eq!(ids("EXPLAIN (COSTS off, ANALYSE on) DELETE FROM users"), ["delete-without-where"]);
        assert_eq!(ids("EXPLAIN (ANALYZE false, VERBOSE) DELETE FROM users"), [""; 0]);
    }
}
