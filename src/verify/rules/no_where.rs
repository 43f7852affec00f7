//! Deleted and overwritten rows. A statement on all rows is denied wherever it is, also inside a CTE; a WHERE with the same
//! result for each row does not count. A statement on chosen rows is denied too, since the running release may read them. An
//! upsert of rows in the text is a warning.

use squawk_syntax::SyntaxKind;

use crate::sql::{Name, NameRole, Node, RELATIONS};

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::rules::condition::{is_constant, nulls};
use crate::verify::rules::filters::is_of_the_server;
use crate::verify::schema::{Attached, Routine, executed};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule {
        id: RuleId::DeleteWithoutWhere,
        level: Level::Deny,
        impact: &[Impact::Data],
        why: "deletes every row, or every row without a match",
        remediation: "choose the rows with WHERE, and give the reason in an Allow line",
        bad: "WITH gone AS (DELETE FROM users RETURNING id) SELECT count(*) FROM gone;",
        good: "-- Allow: delete-rows because nobody logs in with them\nDELETE FROM users WHERE disabled_at < '2020-01-01';",
        ignores_new_objects: false,
        judge: Judge::Code(|context| row_writes(context, RowWrite::Delete, Reach::All)),
    },
    Rule {
        id: RuleId::UpdateWithoutWhere,
        level: Level::Deny,
        impact: &[Impact::Data, Impact::Locks],
        why: "overwrites every row, and locks each until the migration ends",
        remediation: "choose the rows with WHERE: those that do not have the value yet",
        bad: "UPDATE users SET role = 'viewer' WHERE true;",
        good: "UPDATE users SET role = 'viewer' WHERE role IS NULL;",
        ignores_new_objects: false,
        judge: Judge::Code(|context| row_writes(context, RowWrite::Update, Reach::All)),
    },
    Rule {
        id: RuleId::DeleteRows,
        level: Level::Deny,
        impact: &[Impact::Data],
        why: "deletes rows, which cannot be restored after the commit",
        remediation: "if the rows are not needed, accept it with an Allow line that gives the reason",
        bad: "DELETE FROM users WHERE disabled_at < '2020-01-01';",
        good: "INSERT INTO teams (id) VALUES (gen_random_uuid()) ON CONFLICT DO NOTHING;",
        ignores_new_objects: false,
        judge: Judge::Code(|context| row_writes(context, RowWrite::Delete, Reach::Some)),
    },
    Rule {
        id: RuleId::OverwriteRows,
        level: Level::Deny,
        impact: &[Impact::Data],
        why: "overwrites values that the running release wrote and reads",
        remediation: "fill only what is NULL, or a column that the same migration adds",
        bad: "UPDATE users SET role = 'admin' WHERE email LIKE '%@example.com';",
        good: "UPDATE users SET phone = '' WHERE phone IS NULL;",
        ignores_new_objects: false,
        judge: Judge::Code(|context| row_writes(context, RowWrite::Update, Reach::Some)),
    },
    Rule {
        id: RuleId::UpsertRows,
        level: Level::Warn,
        impact: &[Impact::Data],
        why: "overwrites existing rows with the given keys, which the running release may have written",
        remediation: "use DO NOTHING for existing rows",
        bad: "INSERT INTO teams (id, name) VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET name = excluded.name;",
        good: "INSERT INTO teams (id, name) VALUES (1, 'a') ON CONFLICT (id) DO NOTHING;",
        ignores_new_objects: false,
        judge: Judge::Code(|context| row_writes(context, RowWrite::Upsert, Reach::Some)),
    },
    Rule {
        id: RuleId::FillLocksRows,
        level: Level::Warn,
        impact: &[Impact::Locks],
        why: "locks every row until the migration ends",
        remediation: "on a big table, give the column a constant DEFAULT instead, or fill it in small steps",
        bad: "ALTER TABLE users ADD COLUMN nick text; UPDATE users SET nick = name;",
        good: "ALTER TABLE users ADD COLUMN nick text DEFAULT '';",
        ignores_new_objects: false,
        judge: Judge::Code(|context| row_writes(context, RowWrite::Fill, Reach::All)),
    },
];

/// A write to rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RowWrite {
    Delete,
    Update,
    /// An INSERT with VALUES that overwrites existing rows.
    Upsert,
    /// An UPDATE that overwrites no value: the column is new, or holds NULL.
    Fill,
}

/// Which rows are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    All,
    Some,
}

fn row_writes(context: &RuleContext<'_>, act: RowWrite, reach: Reach) -> Vec<Span> {
    if context.statement.kind == SyntaxKind::EXPLAIN && !executed(context.statement.kind, context.node) {
        return Vec::new();
    }
    let kinds = [
        SyntaxKind::CONFLICT_DO_UPDATE_SET,
        SyntaxKind::DELETE,
        SyntaxKind::MERGE_DELETE,
        SyntaxKind::MERGE_UPDATE,
        SyntaxKind::UPDATE,
    ];
    context
        .nodes(&kinds)
        .filter(|node| {
            let name = context.relation_of(*node);
            name.is_none_or(|name| !context.is_new_table(name) && !is_of_the_server(name))
        })
        .filter(|node| row_write(context, *node) == Some((act, reach)))
        .map(Node::span)
        .collect()
}

/// The write that `node` does, and to which rows.
fn row_write(context: &RuleContext<'_>, node: Node<'_>) -> Option<(RowWrite, Reach)> {
    let above = |kind| node.ancestors().find(|above| above.kind() == kind);
    match node.kind() {
        SyntaxKind::DELETE => Some((RowWrite::Delete, reach(context, node))),
        SyntaxKind::UPDATE => {
            let act = if fills(context, node) { RowWrite::Fill } else { RowWrite::Update };
            Some((act, reach(context, node)))
        }
        SyntaxKind::CONFLICT_DO_UPDATE_SET => {
            let insert = above(SyntaxKind::INSERT)?;
            let new = context.relation_of(insert).is_some_and(|name| context.is_new_table(name));
            let given = insert.has_child(&[SyntaxKind::VALUES]);
            let through_view = context.relation_of(insert).is_some_and(|name| shows_old_rows(context, name));
            let act = if given && !through_view { RowWrite::Upsert } else { RowWrite::Update };
            (!new).then_some((act, Reach::Some))
        }
        SyntaxKind::MERGE_DELETE | SyntaxKind::MERGE_UPDATE => {
            let merge = above(SyntaxKind::MERGE)?;
            if context.relation_of(merge).is_some_and(|name| context.is_new_table(name)) {
                return None;
            }
            let act =
                if node.kind() == SyntaxKind::MERGE_DELETE { RowWrite::Delete } else { RowWrite::Update };
            let when = node.parent()?;
            let chosen = when.has_child(&[SyntaxKind::MERGE_CONDITION]);
            let joined = merge.first(SyntaxKind::ON_CLAUSE);
            let on_all =
                joined.is_some_and(|on| on.children().all(|condition| is_constant(context, None, condition)));
            let others = when.kind() == SyntaxKind::MERGE_WHEN_NOT_MATCHED_SOURCE;
            Some((act, if !chosen && (others || on_all) { Reach::All } else { Reach::Some }))
        }
        _ => None,
    }
}

/// Whether `name` is a view of the file on a table that it did not create.
fn shows_old_rows(context: &RuleContext<'_>, name: &Name) -> bool {
    let is_it = |own: &Name| own.role == NameRole::Created && own.name == name.name;
    let reads_old = |own: &Name| {
        own.role == NameRole::Referenced && RELATIONS.contains(&own.kind) && !context.is_new_table(own)
    };
    context.file.iter().map(|other| other.statement).any(|other| {
        other.kind == SyntaxKind::CREATE_VIEW
            && other.names.iter().any(is_it)
            && other.names.iter().any(reads_old)
    })
}

/// Whether a WHERE of the statement itself restricts the rows.
fn reach(context: &RuleContext<'_>, node: Node<'_>) -> Reach {
    let table = context.relation_of(node);
    let chooses = node.children().any(|child| match child.kind() {
        SyntaxKind::WHERE_CURRENT_OF => true,
        SyntaxKind::WHERE_CLAUSE => child.children().any(|condition| !is_constant(context, table, condition)),
        _ => false,
    });
    if chooses { Reach::Some } else { Reach::All }
}

/// Whether an UPDATE overwrites nothing: the file added each column, or the WHERE requires it to be NULL.
fn fills(context: &RuleContext<'_>, update: Node<'_>) -> bool {
    let table =
        context.relation_of(update).and_then(|name| context.schema.table(name, context.scope).present());
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
    !set.is_empty()
        && set.iter().all(|name| is_new(name) || empty.contains(name))
        && !table
            .into_iter()
            .chain(
                context
                    .relation_of(update)
                    .into_iter()
                    .flat_map(|name| context.schema.children_of(&name.name)),
            )
            .flat_map(|table| &table.attached)
            .any(|own| overwrites(context, own, &set))
}

/// Whether an update of the columns `set` fires a rule, or a trigger whose function overwrites or deletes rows.
fn overwrites(context: &RuleContext<'_>, trigger: &Attached, set: &[String]) -> bool {
    let words: Vec<&str> = trigger.text.split(' ').collect();
    if words.iter().take(4).any(|word| *word == "rule") {
        let action = words.iter().skip_while(|word| **word != "do").skip(1);
        return words.windows(3).any(|three| matches!(three, ["on", "update", "to"]))
            && action.into_iter().any(|word| ["delete", "update"].contains(word));
    }
    let event = words.iter().take_while(|word| **word != "on").skip_while(|word| **word != "update");
    let event: Vec<&&str> = event.collect();
    let fires = match event.as_slice() {
        [] => false,
        [_, of, columns @ ..] if **of == "of" => {
            columns.iter().any(|word| set.iter().any(|name| name == **word))
        }
        _ => true,
    };
    let call = words.iter().skip_while(|word| **word != "execute").skip(2).take_while(|word| **word != "(");
    call.last().is_some_and(|function| fires && changes_rows(context, function, &mut Vec::new()))
}

/// Whether the function `name`, or one that it calls, overwrites or deletes rows, perhaps with dynamic SQL.
fn changes_rows(context: &RuleContext<'_>, name: &str, followed: &mut Vec<String>) -> bool {
    let writes = [SyntaxKind::DELETE, SyntaxKind::MERGE, SyntaxKind::TRUNCATE, SyntaxKind::UPDATE];
    if followed.iter().any(|own| own == name) {
        return false;
    }
    followed.push(name.to_owned());
    let routines = context.schema.has_routine(name).into_iter().flatten();
    routines.filter_map(Routine::code).any(|code| {
        let is_write = |text: &String| {
            let text = text.trim_start().to_lowercase();
            ["delete ", "merge ", "truncate ", "update "].iter().any(|verb| text.starts_with(verb))
        };
        let scripts = || std::iter::once(&code.script).chain(&code.expressions);
        let statements = || {
            scripts().flat_map(|script| script.statements.iter().map(move |statement| (script, statement)))
        };
        let mut calls = statements()
            .flat_map(|(_, statement)| &statement.names)
            .filter(|name| matches!(name.kind, SyntaxKind::CALL_EXPR | SyntaxKind::PROCEDURE_NAME_REF));
        statements().any(|(script, statement)| statement.node(script).contains(&writes))
            || code.is_dynamic && code.strings.iter().any(is_write)
            || calls.any(|called| changes_rows(context, &called.name, followed))
    })
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{denied_on, ids, ids_on};

    #[test]
    fn a_filled_column_that_fires_a_trigger_which_overwrites_rows() {
        let base = |event: &str, body: &str| {
            format!(
                "CREATE TABLE t (a int, b int, n int); CREATE TABLE u (at date); \
                 CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$; \
                 CREATE TRIGGER g {event} ON t FOR EACH ROW EXECUTE PROCEDURE f()"
            )
        };
        let add = "ALTER TABLE t ADD c int; UPDATE t SET c = 1";
        let fill = "UPDATE t SET b = 1 WHERE b IS NULL";
        let touch = "UPDATE u SET at = now()";
        for (event, body, sql, expected) in [
            ("AFTER UPDATE", touch, add, Some("update-without-where")),
            ("AFTER INSERT OR UPDATE", "DELETE FROM u", fill, Some("overwrite-rows")),
            ("AFTER UPDATE OF a, b", touch, fill, Some("overwrite-rows")),
            ("AFTER UPDATE OF a", touch, fill, None),
            ("AFTER INSERT OR DELETE", touch, add, None),
            ("BEFORE UPDATE", "NEW.n := 1", add, None),
            ("AFTER UPDATE", "INSERT INTO u VALUES (now())", add, None),
        ] {
            let found = denied_on(&base(event, body), sql);
            assert_eq!(found, expected.as_slice(), "{event} {body}: {sql}");
        }
    }

    #[test]
    fn a_where_that_is_true_for_all_rows_does_not_count() {
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
    fn filling_null_overwrites_nothing() {
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
    fn an_upsert_through_a_view_of_the_file_overwrites_rows() {
        let base = "CREATE TABLE t (id int PRIMARY KEY, a int)";
        let upsert = |of: &str| {
            format!(
                "CREATE VIEW v AS SELECT id, a FROM {of}; INSERT INTO v VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET a = 1"
            )
        };
        assert_eq!(ids_on(base, &upsert("t")), ["overwrite-rows"]);
        let new = format!("CREATE TABLE n (id int PRIMARY KEY, a int); {}", upsert("n"));
        assert!(!ids_on(base, &new).contains(&"overwrite-rows"));
    }

    #[test]
    fn merge_actions_are_judged() {
        let merge = |rest: &str| ids(&format!("MERGE INTO t USING s ON {rest}"));
        assert_eq!(merge("t.id = s.id WHEN MATCHED THEN DELETE"), ["delete-rows"]);
        assert_eq!(merge("true WHEN MATCHED THEN DELETE"), ["delete-without-where"]);
        assert_eq!(merge("t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE"), ["delete-without-where"]);
        assert_eq!(merge("t.id = s.id WHEN NOT MATCHED BY SOURCE AND t.old THEN DELETE"), ["delete-rows"]);
        assert_eq!(merge("t.id = s.id WHEN MATCHED THEN UPDATE SET a = 1"), ["overwrite-rows"]);
        assert_eq!(merge("t.id = s.id WHEN NOT MATCHED THEN INSERT (a) VALUES (1)"), [""; 0]);
    }

    #[test]
    fn only_executed_statements_count() {
        assert_eq!(ids("EXPLAIN DELETE FROM users"), [""; 0]);
        assert_eq!(ids("EXPLAIN (ANALYZE) DELETE FROM users"), ["delete-without-where"]);
        assert_eq!(ids("EXPLAIN ANALYZE DELETE FROM users"), ["delete-without-where"]);
        assert_eq!(ids("EXPLAIN (COSTS off, ANALYSE on) DELETE FROM users"), ["delete-without-where"]);
        assert_eq!(ids("EXPLAIN (ANALYZE false, VERBOSE) DELETE FROM users"), [""; 0]);
    }
}
