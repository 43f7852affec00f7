//! The net effect of a file. A file is one transaction, so other sessions see only its result: what it drops and creates again is
//! not lost, and a constraint that held before the file refuses nothing new.

use squawk_syntax::SyntaxKind;

use crate::sql::{Name, NameRole, Node, Renamed, Statement};
use crate::verify::new_objects::is_drop;
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::{
    Column, Constraint, ConstraintKind, Found, Index, Relation, Routine, Schema, StatementContext, Table,
    TypeDef, constraint_text, may_match, signature, words,
};

/// The schema before the file, if the file is one transaction.
pub(super) fn before_file<'a>(context: &RuleContext<'a>) -> Option<&'a Schema> {
    let is_transaction = context.file.iter().all(|one| one.statement.transactional);
    context.file.first().filter(|_| is_transaction).map(|first| &first.schema)
}

/// The schema after the file, if the file is one transaction.
fn after_file<'a>(context: &RuleContext<'a>) -> Option<&'a Schema> {
    before_file(context).map(|_| context.after)
}

pub(super) fn table_in<'a>(schema: Option<&'a Schema>, context: &RuleContext<'_>) -> Option<&'a Table> {
    schema?.table(context.targets().next()?, context.scope).present()
}

/// What the file renames before the statement, the last first.
fn renames_before(context: &RuleContext<'_>) -> Vec<Renamed> {
    let mut renames: Vec<_> = context
        .file
        .iter()
        .filter(|other| other.statement.range.end <= context.statement.range.start)
        .filter_map(|other| other.statement.renamed(context.file_script))
        .filter(|renamed| renamed.from != renamed.to && !renamed.is_label)
        .collect();
    renames.reverse();
    renames
}

/// Whether the file gave the name `name` to something before the statement.
pub(super) fn takes_old_name(context: &RuleContext<'_>, name: &str) -> bool {
    renames_before(context).iter().any(|renamed| renamed.to == name)
}

/// The text of a constraint with the names that the file renamed as they were before it.
fn with_old_names(text: &str, renames: &[Renamed]) -> String {
    let old = |word: &str| {
        renames.iter().fold(
            word.to_owned(),
            |word, renamed| {
                if word == renamed.to { renamed.from.clone() } else { word }
            },
        )
    };
    text.split(' ').map(old).collect::<Vec<_>>().join(" ")
}

/// The statement's table before the file under the name that it had then.
fn renamed_table<'a>(context: &RuleContext<'a>, renames: &[Renamed]) -> Option<&'a Table> {
    let target = context.targets().next()?;
    let name = with_old_names(&target.name, renames);
    before_file(context)?.table(&Name { name, ..target.clone() }, context.scope).present()
}

/// The statement's table before the file, and before the statement.
pub(super) fn tables_before<'a>(context: &'a RuleContext<'_>) -> impl Iterator<Item = &'a Table> {
    let before = table_in(before_file(context), context);
    before.into_iter().chain(table_in(Some(context.schema), context))
}

/// The statement's table before the file, which may have renamed it.
pub(super) fn table_before<'a>(context: &RuleContext<'a>) -> Option<&'a Table> {
    table_in(before_file(context), context).or_else(|| renamed_table(context, &renames_before(context)))
}

/// The column before the file.
pub(super) fn column_before<'a>(context: &RuleContext<'a>, name: &str) -> Option<&'a Column> {
    table_before(context)?.column(name).present()
}

/// Whether the table had no column `name` before the file.
pub(super) fn column_was_absent(context: &RuleContext<'_>, name: &str) -> bool {
    table_before(context).is_some_and(|table| table.column(name).is_absent())
}

/// Whether the file gave the object that the statement renames the name that it has now, which the running release does not know.
pub(super) fn was_renamed(context: &RuleContext<'_>) -> bool {
    let Some(now) = context.statement.renamed(context.script).filter(|_| before_file(context).is_some())
    else {
        return false;
    };
    let target = |statement: &Statement| {
        statement.names.iter().find(|name| name.role == NameRole::Target).map(|name| name.name.clone())
    };
    let of = target(context.statement);
    let earlier: Vec<_> = context
        .file
        .iter()
        .filter(|other| other.statement.range.end <= context.statement.range.start)
        .filter_map(|other| Some((other.statement, other.statement.renamed(context.file_script)?)))
        .collect();
    let is_its_name = |name: &str| {
        Some(name) == of.as_deref()
            || earlier.iter().any(|(_, renamed)| renamed.from == name && Some(&renamed.to) == of.as_ref())
    };
    std::ptr::eq(context.script, context.file_script)
        && earlier.iter().any(|(statement, renamed)| {
            statement.kind == context.statement.kind
                && renamed.to == now.from
                && renamed.from != renamed.to
                && (Some(&now.from) == of.as_ref()
                    || target(statement).is_some_and(|name| is_its_name(&name)))
        })
}

/// The column after the file.
pub(super) fn column_after<'a>(context: &RuleContext<'a>, name: &str) -> Option<&'a Column> {
    table_in(after_file(context), context)?.column(name).present()
}

/// Whether the file creates the constraint again as it was. ON CONFLICT does not name a foreign key, and a session must ask for its
/// deferral.
pub(super) fn has_constraint_again(context: &RuleContext<'_>, old: &Constraint) -> bool {
    let is_foreign_key = matches!(old.kind, ConstraintKind::ForeignKey { .. });
    let is_deferrable = |new: &Constraint| {
        is_foreign_key && new.text.strip_prefix(&old.text).map(str::trim) == Some("deferrable")
    };
    let again = |new: &Constraint| {
        let is_same = || {
            new.text == old.text
                || is_deferrable(new)
                || completed(context, &new.text) == completed(context, &old.text)
        };
        (new.name == old.name || is_foreign_key) && new.columns == old.columns && is_same()
    };
    table_in(after_file(context), context).is_some_and(|table| table.constraints.iter().any(again))
}

/// Whether the file creates the unique index `old` again under its name.
pub(super) fn has_index_again(context: &RuleContext<'_>, name: &Name, old: &Index) -> bool {
    let same = |new: &Index| {
        new.unique
            && new.name == old.name
            && old.columns.is_some()
            && new.columns == old.columns
            && !(new.partial || old.partial)
            && new.of_constraint == old.of_constraint
    };
    let found = after_file(context).map(|schema| schema.index(name, context.scope));
    matches!(found, Some(Found::Present((_, new))) if same(new))
}

/// Whether the triggers that are turned off are the same before and after the file.
pub(in crate::verify) fn changes_triggers(context: &RuleContext<'_>, _: &Span) -> bool {
    let before = table_in(before_file(context), context);
    let after = table_in(after_file(context), context);
    !matches!((before, after), (Some(before), Some(after)) if before.disabled == after.disabled)
}

/// The trigger, rule or policy that the statement creates, drops or replaces is not the same before and after the file.
pub(in crate::verify) fn attached_changes(context: &RuleContext<'_>, _: &Span) -> bool {
    let parts = [
        SyntaxKind::POLICY,
        SyntaxKind::POLICY_REF,
        SyntaxKind::RULE,
        SyntaxKind::RULE_REF,
        SyntaxKind::TRIGGER,
        SyntaxKind::TRIGGER_REF,
    ];
    if format!("{:?}", context.statement.kind).starts_with("ALTER_") {
        return true;
    }
    let same = || {
        let part = context.node.children().find(|part| parts.contains(&part.kind()))?;
        let name = words(part).concat();
        let old = table_before(context)?.attached_object(&name).present()?;
        let new = table_in(after_file(context), context)?.attached_object(&name).present()?;
        let is_same = || old.text == with_old_names(&new.text, &renames_before(context));
        Some((old.text == new.text || is_same()) && !old.text.is_empty())
    };
    !same().unwrap_or(false)
}

/// Whether the values of the enum type `name` are also values of the type of that name after the file, in their order. Types are
/// compared by name and values, not by OID.
pub(super) fn keeps_enum(context: &RuleContext<'_>, name: &str) -> bool {
    let found = |schema: Option<&'_ Schema>| match schema.and_then(|schema| schema.type_named(name)) {
        Some(TypeDef::Enum(values)) => Some(values.clone()),
        _ => None,
    };
    let (Some(old), Some(new)) = (found(before_file(context)), found(after_file(context))) else {
        return false;
    };
    let mut rest = new.iter();
    old.iter().all(|value| rest.any(|other| other == value))
}

/// Whether the file creates the view or routine that the statement drops again: a view with all its columns, a routine with the
/// same header.
pub(in crate::verify) fn is_created_again(context: &RuleContext<'_>, name: &Name) -> bool {
    let kind = context.statement.kind;
    if !is_drop(kind) {
        return false;
    }
    let (Some(before), Some(after)) = (before_file(context), after_file(context)) else { return false };
    if context.node.has_child(&[SyntaxKind::CASCADE]) || !keeps_privileges(context, name) {
        return false;
    }
    let scope = context.scope;
    match kind {
        // Nothing that the running release uses has this name: the file renamed the type.
        SyntaxKind::DROP_TYPE => before.type_def(name, scope).is_absent(),
        SyntaxKind::DROP_VIEW | SyntaxKind::DROP_MATERIALIZED_VIEW => {
            let found = (before.relation(name, scope), after.relation(name, scope));
            let (Found::Present(Relation::View(old)), Found::Present(Relation::View(new))) = found else {
                return false;
            };
            // What the file attached to it first may be dropped again.
            let is_kept = || {
                let drops = [SyntaxKind::DROP_INDEX, SyntaxKind::DROP_TRIGGER, SyntaxKind::DROP_RULE];
                let later =
                    |other: &StatementContext<'_>| other.statement.range.start > context.statement.range.end;
                old.attached.iter().all(|own| new.attached.contains(own))
                    && !context.file.iter().any(|other| later(other) && drops.contains(&other.statement.kind))
            };
            // What follows may rename or move it, or discard its rows.
            let changes = context.file.iter().map(|other| other.statement).any(|other| {
                let kind = format!("{:?}", other.kind);
                let of_view =
                    other.names.iter().any(|own| own.role == NameRole::Target && own.name == name.name);
                let has = |word: &str| words(other.node(context.file_script)).iter().any(|own| own == word);
                other.range.start > context.statement.range.end
                    && of_view
                    && (kind.starts_with("ALTER_") && !has("owner")
                        || kind.starts_with("REFRESH") && has("no"))
            });
            old.materialized == new.materialized
                && !changes
                && old.is_contained_in(new)
                && (old.attached.is_empty() || is_kept())
        }
        SyntaxKind::DROP_FUNCTION | SyntaxKind::DROP_PROCEDURE | SyntaxKind::DROP_ROUTINE => {
            let (Found::Present(old), Found::Present(new)) =
                (before.routines(name, scope), after.routines(name, scope))
            else {
                return false;
            };
            let inputs = signature(name, context.node);
            let is_it = |own: &&Routine| inputs.as_ref().is_none_or(|inputs| may_match(&own.inputs, inputs));
            old.iter().filter(is_it).all(|old| new.iter().any(|new| new.header() == old.header()))
        }
        _ => false,
    }
}

/// Whether no privileges on the object are lost when it is created again.
fn keeps_privileges(context: &RuleContext<'_>, name: &Name) -> bool {
    let grants_again = || {
        context.file.iter().any(|other| {
            let statement = other.statement;
            statement.kind == SyntaxKind::GRANT
                && statement.range.start > context.statement.range.end
                && statement.names.iter().any(|own| own.role == NameRole::Target && own.name == name.name)
        })
    };
    !context.schema.has_privileges(&name.name) || grants_again()
}

/// Whether a foreign key or CHECK that held before refuses the same rows as `new`, a constraint of `column` or of the table.
pub(super) fn is_enforced_before(context: &RuleContext<'_>, new: Node<'_>, column: Option<&str>) -> bool {
    let text = constraint_text(new, column);
    let is_enforced_by = |old: &Constraint, text: &str| match old.kind {
        ConstraintKind::ForeignKey { .. } => {
            let plain = |text: &str| completed(context, without_actions(text));
            let is_enforced = !old.text.contains("not enforced");
            let is_same =
                || without_actions(&old.text) == without_actions(text) || plain(&old.text) == plain(text);
            is_enforced && is_same()
        }
        ConstraintKind::Check => {
            let is_enforced = !old.text.contains("not enforced");
            is_enforced && (old.text == text || allows_more(&old.text, text))
        }
        _ => false,
    };
    let renames = renames_before(context);
    if renames.is_empty() {
        return tables_before(context)
            .flat_map(|table| &table.constraints)
            .any(|old| is_enforced_by(old, &text));
    }
    let old_text = with_old_names(&text, &renames);
    let before = renamed_table(context, &renames);
    before.is_some_and(|table| table.constraints.iter().any(|old| is_enforced_by(old, &old_text)))
}

/// The definition of a foreign key with the columns that it references; if it names none, they are the primary key (manual, CREATE
/// TABLE).
fn completed(context: &RuleContext<'_>, text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let table = words.iter().position(|word| *word == "references").map_or(words.len(), |at| at + 1);
    let has_list = words.get(table + 1).is_some_and(|word| ["(", "."].contains(word));
    let target = context.targets().next().filter(|_| !has_list && table < words.len());
    let columns = target.and_then(|target| {
        let name = Name { name: words[table].to_owned(), ..target.clone() };
        let referenced = context.after.table(&name, context.scope).present()?;
        let key = referenced.constraints.iter().find(|own| own.kind == ConstraintKind::PrimaryKey)?;
        Some(key.columns.join(" , "))
    });
    match columns {
        Some(columns) => {
            let (before, rest) = words.split_at(table + 1);
            [
                &[before.join(" "), format!("( {columns} )")][..],
                &rest.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(),
            ]
            .concat()
            .join(" ")
        }
        None => text.to_owned(),
    }
}

/// The definition of a foreign key up to its actions.
fn without_actions(text: &str) -> &str {
    [" on delete ", " on update ", " deferrable", " not deferrable", " initially "]
        .iter()
        .filter_map(|word| text.find(word))
        .min()
        .map_or(text, |end| &text[..end])
}

/// Whether both are lists of values for one column, and `new` contains all values of `old`.
fn allows_more(old: &str, new: &str) -> bool {
    match (value_list(old), value_list(new)) {
        (Some((column, old)), Some((other, new))) => {
            column == other && !old.is_empty() && old.iter().all(|value| new.contains(value))
        }
        _ => false,
    }
}

/// The column and the values of `check (c in ('a', 'b'))`, or of `c = any (array['a', 'b'])`.
fn value_list(check: &str) -> Option<(String, Vec<String>)> {
    let plain: Vec<&str> = check
        .split(' ')
        .filter(|word| !["(", ")", "check", "array", "[", "]", ",", ":", "::"].contains(word))
        .collect();
    let (column, rest) = plain.split_first()?;
    let (["in", values @ ..] | ["=", "any", values @ ..]) = rest else { return None };
    let values: Vec<&str> = values
        .iter()
        .copied()
        .filter(|word| !["text", "varchar", "character", "varying"].contains(word))
        .collect();
    let is_value = |word: &str| {
        (word.starts_with('\'') && word.ends_with('\'') && word.len() > 1) || word.parse::<i64>().is_ok()
    };
    values
        .iter()
        .all(|word| is_value(word))
        .then(|| ((*column).to_owned(), values.iter().map(|&value| value.to_owned()).collect()))
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{denied_on, ids_on};

    const BASE: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b text DEFAULT 'x', c text DEFAULT 'x', \
        k int, r text, d int, CONSTRAINT t_k_fkey FOREIGN KEY (k) REFERENCES p (id), \
        CONSTRAINT t_d_fkey FOREIGN KEY (d) REFERENCES p (id) ON DELETE CASCADE, CONSTRAINT t_r_check CHECK (r IN ('a', 'b')), \
        CONSTRAINT t_a_key UNIQUE (a)); CREATE UNIQUE INDEX u ON t (b); CREATE INDEX i ON t (k); \
        CREATE VIEW v AS SELECT id, a FROM t WHERE a > 1; CREATE MATERIALIZED VIEW m AS SELECT id FROM t; CREATE UNIQUE INDEX ON m (id); \
        CREATE VIEW w AS WITH o AS (SELECT * FROM t) SELECT o.*, 1 AS n FROM o UNION ALL SELECT o.*, NULL FROM o; \
        CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT x'; \
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
        CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch(); ALTER TABLE t DISABLE TRIGGER USER; ALTER TABLE t ENABLE TRIGGER USER";

    #[test]
    fn what_a_file_drops_and_creates_again_is_not_lost() {
        for sql in [
            "ALTER TABLE t DROP CONSTRAINT t_k_fkey; ALTER TABLE t ADD CONSTRAINT t_k_fkey FOREIGN KEY (k) REFERENCES p (id) ON DELETE CASCADE",
            "ALTER TABLE t DROP CONSTRAINT t_k_fkey, ADD CONSTRAINT other FOREIGN KEY (k) REFERENCES p (id) NOT VALID",
            "ALTER TABLE t DROP CONSTRAINT t_d_fkey; ALTER TABLE t ADD CONSTRAINT o FOREIGN KEY (d) REFERENCES p (id) ON DELETE CASCADE DEFERRABLE",
            "ALTER TABLE t DROP CONSTRAINT t_a_key; ALTER TABLE t ADD CONSTRAINT t_a_key UNIQUE (a)",
            "DROP INDEX u; CREATE UNIQUE INDEX u ON t (b)",
            "CREATE UNIQUE INDEX w ON t (b, k)",
            "ALTER TABLE t ALTER c DROP DEFAULT; ALTER TABLE t ALTER c SET DEFAULT 'y'",
            "ALTER TABLE t ALTER b DROP DEFAULT, ALTER b SET DEFAULT 'x'",
            "ALTER TABLE t DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE t NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE t DISABLE TRIGGER g; ALTER TABLE t ENABLE TRIGGER g",
            "ALTER TABLE t DISABLE TRIGGER ALL; ALTER TABLE t ENABLE TRIGGER ALL",
            "DROP VIEW v; CREATE VIEW v AS SELECT id, a FROM t WHERE a > 1",
            "DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT id, b, a FROM t WHERE a > 1",
            "DROP FUNCTION f(int); CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT x'",
            "DROP FUNCTION f(int); CREATE FUNCTION f(x int) RETURNS int AS 'SELECT x' PARALLEL SAFE COST 5 LANGUAGE sql",
            "ALTER TABLE t ADD n int, ADD CONSTRAINT n_fkey FOREIGN KEY (n) REFERENCES p (id)",
            "ALTER TABLE t ADD n int, ADD o int, ADD CHECK ((n IS NULL) = (o IS NULL)), ADD UNIQUE (n, o)",
            "DROP TRIGGER g ON t; CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch()",
            "DROP TRIGGER g ON t; CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE PROCEDURE touch()",
            "ALTER TABLE t ADD n kind; ALTER TABLE t ALTER n SET NOT NULL, ALTER n SET DEFAULT 'live'",
            "ALTER TABLE t ADD n int; UPDATE t SET n = 1; ALTER TABLE t ALTER n SET DEFAULT 1; ALTER TABLE t ALTER n SET NOT NULL",
            "DROP VIEW w; CREATE VIEW w AS WITH o AS (SELECT * FROM t) SELECT o.*, 1 AS n FROM o UNION ALL SELECT o.*, NULL FROM o",
            "DROP MATERIALIZED VIEW m; CREATE MATERIALIZED VIEW m AS SELECT id FROM t; CREATE UNIQUE INDEX ON m (id)",
            "ALTER TABLE t DROP CONSTRAINT t_d_fkey, ADD CONSTRAINT o FOREIGN KEY (d) REFERENCES p ON UPDATE NO ACTION ON DELETE CASCADE NOT DEFERRABLE",
            "CREATE OR REPLACE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch()",
            "ALTER TABLE t DROP CONSTRAINT t_r_check; ALTER TABLE t ADD CONSTRAINT t_r_check CHECK (r IN ('a', 'b', 'c'))",
            "ALTER TABLE t ADD CONSTRAINT again CHECK (r IN ('a', 'b'))",
            "ALTER TABLE t ADD CONSTRAINT again FOREIGN KEY (k) REFERENCES p (id)",
            "ALTER TABLE t DROP CONSTRAINT t_r_check, ADD CHECK (r = ANY (ARRAY['b'::text, 'a'::text, 'z'::text]))",
        ] {
            assert_eq!(denied_on(BASE, sql), [""; 0], "{sql}");
        }
        let kind = "CREATE TYPE kind AS ENUM ('a', 'b'); CREATE TABLE k (kind kind DEFAULT 'a')";
        let swap = |values: &str| {
            format!(
                "CREATE TYPE kind_new AS ENUM ({values}); ALTER TABLE k ALTER kind DROP DEFAULT; \
                 ALTER TABLE k ALTER kind TYPE kind_new USING (kind::text::kind_new); ALTER TYPE kind RENAME TO kind_old; \
                 ALTER TYPE kind_new RENAME TO kind; DROP TYPE kind_old; ALTER TABLE k ALTER kind SET DEFAULT 'a'"
            )
        };
        assert_eq!(denied_on(kind, &swap("'a', 'c', 'b'")), [""; 0]);
        assert_eq!(denied_on(kind, &swap("'b', 'a'")), ["change-column-type", "rename-object"]);
        let first = "ALTER TYPE kind RENAME TO kind_old; CREATE TYPE kind AS ENUM ('a', 'b', 'c'); \
            ALTER TABLE k ALTER kind DROP DEFAULT, ALTER kind TYPE kind USING kind::text::kind, ALTER kind SET DEFAULT 'a'; DROP TYPE kind_old";
        assert_eq!(denied_on(kind, first), [""; 0]);
        let added = format!("{kind}; ALTER TYPE kind ADD VALUE 'c' BEFORE 'b'");
        assert_eq!(denied_on(&added, &swap("'a', 'b'")), ["change-column-type", "rename-object"]);
        assert_eq!(denied_on(&added, &swap("'a', 'c', 'b'")), [""; 0]);
        let same = "ALTER TABLE t ALTER b DROP DEFAULT, ALTER b SET DEFAULT 'x'";
        assert_eq!(ids_on(BASE, same), [""; 0]);
    }

    #[test]
    fn what_is_other_afterwards_is_denied() {
        for (sql, expected) in [
            (
                "ALTER TABLE t DROP CONSTRAINT t_k_fkey; ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p (id)",
                "add-foreign-key",
            ),
            ("ALTER TABLE t ADD CONSTRAINT o FOREIGN KEY (k) REFERENCES t (id)", "add-foreign-key"),
            (
                "ALTER TABLE t DROP CONSTRAINT t_d_fkey, ADD FOREIGN KEY (d) REFERENCES p (id) DEFERRABLE",
                "drop-action",
            ),
            (
                "ALTER TABLE t DROP CONSTRAINT t_d_fkey, ADD FOREIGN KEY (d) REFERENCES p (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
                "drop-action",
            ),
            ("ALTER TABLE t ADD n int, ADD CONSTRAINT n_key PRIMARY KEY (n)", "add-unique"),
            (
                "ALTER TABLE t ADD n int DEFAULT 1, ADD CONSTRAINT n_fkey FOREIGN KEY (n) REFERENCES p (id)",
                "add-foreign-key",
            ),
            ("ALTER TABLE t ADD n int, ADD UNIQUE (n); ALTER TABLE t ALTER n SET DEFAULT 1", "add-unique"),
            (
                "ALTER TABLE t DROP CONSTRAINT t_a_key; ALTER TABLE t ADD CONSTRAINT t_a_key UNIQUE (k)",
                "add-unique",
            ),
            (
                "ALTER TABLE t DROP CONSTRAINT t_a_key; ALTER TABLE t ADD CONSTRAINT other UNIQUE (a)",
                "drop-unique",
            ),
            ("DROP INDEX u; CREATE UNIQUE INDEX u ON t (b, k)", "drop-unique"),
            ("DROP INDEX u; CREATE UNIQUE INDEX u ON t (b) WHERE a > 1", "drop-unique"),
            ("ALTER TABLE t ALTER b DROP DEFAULT", "drop-default"),
            ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "row-security"),
            (
                "ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t DISABLE ROW LEVEL SECURITY",
                "row-security",
            ),
            ("ALTER TABLE t DISABLE TRIGGER ALL; ALTER TABLE t ENABLE TRIGGER g", "disable-trigger"),
            ("DROP VIEW v; CREATE VIEW v AS SELECT id, a FROM t WHERE a > 2", "drop-view"),
            ("DROP VIEW v; CREATE VIEW v AS SELECT a FROM t WHERE a > 1", "drop-view"),
            (
                "DROP VIEW w; CREATE VIEW w AS SELECT *, 1 AS n FROM t UNION ALL SELECT *, 2 FROM t",
                "drop-view",
            ),
            ("DROP MATERIALIZED VIEW m; CREATE MATERIALIZED VIEW m AS SELECT id FROM t", "drop-view"),
            (
                "DROP MATERIALIZED VIEW m; CREATE MATERIALIZED VIEW m AS SELECT id FROM t; CREATE INDEX ON m (id)",
                "drop-view",
            ),
            (
                "DROP MATERIALIZED VIEW m; CREATE MATERIALIZED VIEW m AS SELECT id FROM t WITH NO DATA; CREATE UNIQUE INDEX ON m (id)",
                "drop-view",
            ),
            ("DROP VIEW v CASCADE; CREATE VIEW v AS SELECT id, a FROM t WHERE a > 1", "drop-view"),
            ("DROP VIEW v; CREATE MATERIALIZED VIEW v AS SELECT id, a FROM t WHERE a > 1", "drop-view"),
            (
                "DROP FUNCTION f(int); CREATE FUNCTION f(x int) RETURNS text LANGUAGE sql AS 'SELECT x::text'",
                "drop-function",
            ),
            (
                "DROP FUNCTION f(int); CREATE FUNCTION f(y int) RETURNS int LANGUAGE sql AS 'SELECT y'",
                "drop-function",
            ),
            (
                "DROP TRIGGER g ON t; CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch()",
                "drop-trigger",
            ),
            (
                "ALTER TABLE t DROP CONSTRAINT t_r_check; ALTER TABLE t ADD CONSTRAINT t_r_check CHECK (r IN ('a', 'c'))",
                "add-check",
            ),
            ("ALTER TABLE t ADD CHECK (k IN ('a', 'b', 'c'))", "add-check"),
        ] {
            assert!(denied_on(BASE, sql).contains(&expected), "{sql}: {:?}", denied_on(BASE, sql));
        }
        for (sql, expected) in [
            (
                "ALTER TABLE t DROP CONSTRAINT t_k_fkey; ALTER TABLE t RENAME k TO kk; ALTER TABLE t RENAME TO s; ALTER TABLE p RENAME TO q; \
                 ALTER TABLE s ADD CONSTRAINT s_kk_fkey FOREIGN KEY (kk) REFERENCES q (id)",
                vec!["rename-column", "rename-table", "rename-table"],
            ),
            (
                "ALTER TABLE t RENAME k TO kk; ALTER TABLE t RENAME a TO k; ALTER TABLE t ADD CONSTRAINT o FOREIGN KEY (k) REFERENCES p (id)",
                vec!["add-foreign-key", "rename-column", "rename-column"],
            ),
            ("ALTER TABLE t ADD n int; ALTER TABLE t ALTER n SET NOT NULL", vec!["set-not-null"]),
            (
                "ALTER TABLE t ALTER r SET DEFAULT 'a'; ALTER TABLE t ALTER r SET NOT NULL",
                vec!["set-not-null"],
            ),
            (
                "ALTER TABLE t RENAME CONSTRAINT t_k_fkey TO o; ALTER TABLE t RENAME CONSTRAINT o TO n",
                vec!["rename-object"],
            ),
            ("ALTER INDEX u RENAME TO o; ALTER INDEX o RENAME TO n", vec!["rename-object"]),
            (
                "ALTER TABLE t RENAME CONSTRAINT t_k_fkey TO o; ALTER TABLE t RENAME TO s; ALTER TABLE s RENAME CONSTRAINT o TO n",
                vec!["rename-object", "rename-table"],
            ),
            (
                "ALTER TABLE p RENAME CONSTRAINT p_pkey TO t_k_fkey; ALTER TABLE t RENAME CONSTRAINT t_k_fkey TO n",
                vec!["rename-object"; 2],
            ),
            ("ALTER TABLE t RENAME b TO s; ALTER TABLE t ALTER s DROP DEFAULT", vec!["rename-column"]),
            (
                "ALTER TABLE t RENAME TO s; ALTER TABLE s ADD n boolean; UPDATE s SET n = false; ALTER TABLE s ALTER n SET NOT NULL, ALTER n SET DEFAULT false",
                vec!["rename-table"],
            ),
            (
                "ALTER TABLE t RENAME TO s; ALTER TABLE s ALTER r SET DEFAULT 'a'; ALTER TABLE s ALTER r SET NOT NULL",
                vec!["rename-table", "set-not-null"],
            ),
            (
                "ALTER TABLE t RENAME TO s; DROP TRIGGER g ON s; CREATE TRIGGER g BEFORE UPDATE ON s FOR EACH ROW EXECUTE FUNCTION touch()",
                vec!["rename-table"],
            ),
            (
                "ALTER TABLE t RENAME TO s; DROP TRIGGER g ON s; CREATE TRIGGER g AFTER UPDATE ON s FOR EACH ROW EXECUTE FUNCTION touch()",
                vec!["create-trigger", "drop-trigger", "rename-table"],
            ),
        ] {
            let mut denied = denied_on(BASE, sql);
            denied.sort_unstable();
            assert_eq!(denied, expected, "{sql}");
        }
        let renamed = format!(
            "{BASE}; ALTER TABLE p RENAME TO q; ALTER TABLE q RENAME id TO no; ALTER TABLE t RENAME d TO dd"
        );
        let again = |table: &str| {
            format!(
                "ALTER TABLE t DROP CONSTRAINT t_d_fkey; ALTER TABLE t ADD FOREIGN KEY (dd) REFERENCES {table} ON DELETE CASCADE"
            )
        };
        assert_eq!(denied_on(&renamed, &again("q (no)")), [""; 0]);
        assert_eq!(denied_on(&renamed, &again("q")), [""; 0]);
        let other = format!("{renamed}; CREATE TABLE p (no int PRIMARY KEY)");
        assert_eq!(denied_on(&other, &again("p (no)")), ["drop-action", "add-foreign-key"]);
        let granted = format!("{BASE}; GRANT SELECT ON v TO app");
        let again = "DROP VIEW v; CREATE VIEW v AS SELECT id, a FROM t WHERE a > 1";
        assert_eq!(denied_on(&granted, again), ["drop-view"]);
        assert_eq!(denied_on(&granted, &format!("{again}; GRANT SELECT ON v TO app")), [""; 0]);
    }
}
