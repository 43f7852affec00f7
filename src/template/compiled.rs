//! Compiles a template and the later tenant steps into one script. A foreign key to a shared table locks the table in
//! `SHARE ROW EXCLUSIVE` mode until COMMIT, which blocks writers and other new tenants (manual, chapter 13.3.1), so its
//! statement is moved to the end if the dependencies allow it.

use super::Template;
use crate::chain::{Chain, Migration, Version};
use crate::error::Place;
use crate::sql::{Name, ParameterKind, Scope, Script, Statement};

/// The statements that create a tenant's schema at one version.
#[derive(Debug, Clone)]
pub struct Compiled<'a> {
    /// The template.
    pub template: &'a Template,
    /// The migrations after the template's version whose tenant parts are among the statements.
    pub steps: &'a [Migration],
    /// The remaining migrations, whose tenant parts need separate transactions, as in a migrated tenant.
    pub later: &'a [Migration],
    /// The statements, in the order in which they are sent.
    pub statements: Vec<(&'a Script, &'a Statement)>,
    /// The foreign keys to shared tables, in that order.
    pub shared_keys: Vec<SharedKey>,
}

/// A foreign key to a table that other tenants share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedKey {
    /// The schema of the table; `None` if the search path resolves it.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// The position of the key.
    pub place: Place,
    /// The number of statements that run while the table is locked, including its own.
    pub under_lock: usize,
}

impl SharedKey {
    /// The table for messages, qualified if the statement qualifies it.
    pub fn shown(&self) -> String {
        self.schema.iter().chain([&self.table]).map(String::as_str).collect::<Vec<_>>().join(".")
    }
}

impl Template {
    /// Compiles the script that creates a tenant at `version`; `None` if the template is ahead of it.
    pub fn compile<'a>(&'a self, chain: &'a Chain, version: &Version) -> Option<Compiled<'a>> {
        let all = self.steps_to(chain, version)?;
        let own = || {
            let statements = |(script, body): &'a (Script, Vec<Statement>)| {
                body.iter().map(move |statement| (script, statement))
            };
            self.files.iter().flat_map(statements)
        };
        let of_steps = || all.iter().flat_map(new_tenant_statements);
        // Template and steps run in one transaction if there are no steps, or if each statement has the same effect in it as
        // in a transaction of its own.
        let is_same = |(_, statement): (&Script, &Statement)| statement.same_in_one_transaction;
        let needs_one = of_steps().next().is_none() || own().chain(of_steps()).all(is_same);
        let (steps, later) = all.split_at(if needs_one { all.len() } else { 0 });
        let mut order = Order::default();
        for (script, statement) in own().chain(steps.iter().flat_map(new_tenant_statements)) {
            order.add(script, statement);
        }
        let (statements, shared_keys) = order.end();
        Some(Compiled { template: self, steps, later, statements, shared_keys })
    }
}

impl Compiled<'_> {
    /// The numbers of statements and transactions for a new tenant. If steps run in separate transactions, the first transaction
    /// precedes them and one that activates the tenant follows.
    pub fn counts(&self) -> (usize, usize) {
        let of_steps =
            self.later.iter().map(|step| new_tenant_statements(step).count()).filter(|count| *count > 0);
        let (statements, steps) = of_steps.fold((0, 0), |(all, steps), count| (all + count, steps + 1));
        (self.statements.len() + statements, if steps == 0 { 1 } else { steps + 2 })
    }
}

/// The tenant statements of a step that are needed in a new schema.
fn new_tenant_statements(step: &Migration) -> impl Iterator<Item = (&Script, &Statement)> {
    let needed = step.part(Scope::Tenant).filter(|statement| statement.applies_to_new_schema());
    needed.map(move |statement| (&step.script, statement))
}

/// Orders statements: those that run first, and those that are moved to the end.
#[derive(Default)]
struct Order<'a> {
    first: Vec<(&'a Script, &'a Statement)>,
    last: Vec<(&'a Script, &'a Statement)>,
    /// The texts of the statements in `last`, in lower case.
    waiting: Vec<String>,
    /// Each key, with the index of its statement in `last`.
    keys: Vec<(SharedKey, usize)>,
    /// Whether `last` contains a statement with unknown effects.
    has_opaque: bool,
    /// Whether a table may have rows.
    has_rows: bool,
}

impl<'a> Order<'a> {
    /// Adds a statement to `first`, or to `last` if it has a key to a shared table or may depend on a statement in `last`.
    fn add(&mut self, script: &'a Script, statement: &'a Statement) {
        let text = script.text(statement).to_lowercase();
        let keys = Self::shared_keys(script, statement);
        // The name that a parameter stands for is not known yet.
        let has_unknown_name = script.uses_in(statement).any(|one| one.kind == ParameterKind::Identifier);
        let runs_no_user_code = statement.runs_no_user_code(self.has_rows) && !has_unknown_name;
        self.has_rows |= !statement.runs_no_user_code(false);
        if keys.is_empty()
            && (self.last.is_empty() || (runs_no_user_code && self.is_independent(statement, &text)))
        {
            self.first.push((script, statement));
            return;
        }
        let at = self.last.len();
        self.keys.extend(keys.into_iter().map(|key| (key, at)));
        self.last.push((script, statement));
        self.waiting.push(text);
        self.has_opaque |= !runs_no_user_code;
    }

    /// Whether `statement` is independent of all statements in `last`.
    fn is_independent(&self, statement: &Statement, text: &str) -> bool {
        !self.has_opaque
            && !self.waiting.iter().any(|waits| statement.is_named_in(waits))
            && !self.last.iter().any(|(_, waits)| waits.is_named_in(text))
    }

    /// The foreign keys of `statement` to tables of other schemas. An unqualified name is the tenant's own table.
    fn shared_keys(script: &Script, statement: &Statement) -> Vec<SharedKey> {
        let is_shared = |name: &&Name| name.schema.is_some() && !name.in_tenant_schema();
        let targets = statement.foreign_key_targets(script).into_iter().filter(is_shared);
        targets
            .map(|name| SharedKey {
                schema: name.schema.clone(),
                table: name.name.clone(),
                place: Place::at(&script.source, name.range.clone()),
                under_lock: 0,
            })
            .collect()
    }

    /// The statements in their final order, and the keys with the number of statements that run while their table is locked.
    fn end(self) -> (Vec<(&'a Script, &'a Statement)>, Vec<SharedKey>) {
        let Self { mut first, last, keys, .. } = self;
        let waiting = last.len();
        first.extend(last);
        let keys = keys.into_iter().map(|(key, at)| SharedKey { under_lock: waiting - at, ..key }).collect();
        (first, keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;
    use crate::ident::SchemaName;
    use crate::sql::ScopedNames;

    /// The compiled statements, each up to its first bracket, and the keys.
    fn compiled(sql: &str) -> (Vec<String>, Vec<String>) {
        let platform = SchemaName::existing("p").unwrap();
        let text = format!("-- Template: v0.0.0\n{sql}");
        let sources = vec![Source::new("t.sql", text)];
        let mut known = ScopedNames::default();
        let template = Template::read("default", "t", sources, &platform, &mut known).unwrap();
        let chain = Chain::assemble(Vec::new(), &platform, known).unwrap();
        let compiled = template.compile(&chain, &Version::ZERO).unwrap();
        let short = |(script, statement): &(&Script, &Statement)| {
            let text = script.text(statement);
            text.split(" (").next().unwrap().trim_start_matches("CREATE TABLE ").to_owned()
        };
        let keys = compiled.shared_keys.iter().map(|key| format!("{} {}", key.table, key.under_lock));
        (compiled.statements.iter().map(short).collect(), keys.collect())
    }

    #[test]
    fn keys_to_shared_tables_are_last() {
        let (order, keys) = compiled(
            "CREATE TABLE jobs (id int, by int REFERENCES p.users(id));
             CREATE TABLE notes (id int PRIMARY KEY, parent int REFERENCES notes(id));
             CREATE INDEX jobs_id ON jobs (id);
             CREATE INDEX notes_id ON notes (id);
             CREATE TABLE other (id int REFERENCES {org_schema}.notes (id));",
        );
        assert_eq!(
            order,
            ["notes", "CREATE INDEX notes_id ON notes", "other", "jobs", "CREATE INDEX jobs_id ON jobs"]
        );
        assert_eq!(keys, ["users 2"]);
    }

    #[test]
    fn dependent_statements_keep_their_order() {
        for second in [
            "CREATE TABLE b (job int REFERENCES jobs(id))",
            "CREATE VIEW v AS SELECT * FROM jobs",
            "CREATE TABLE b (n int DEFAULT nextval('jobs_id_seq'))",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT id FROM JOBS$$",
            "ALTER TABLE kind ADD c int",
            "COMMENT ON COLUMN {org_schema}.\"jobs\".id IS 'x'",
            "INSERT INTO b VALUES (1)",
            "DO $$BEGIN END$$",
        ] {
            let sql = format!(
                "CREATE TABLE kind (id int PRIMARY KEY);
                 CREATE TABLE jobs (id serial, by int REFERENCES p.users, k int REFERENCES kind);
                 {second};"
            );
            let (order, keys) = compiled(&sql);
            assert_eq!(order[..2], ["kind", "jobs"], "{second}");
            assert_eq!(keys, ["users 2"], "{second}");
        }
    }

    #[test]
    fn statements_with_unknown_effects_keep_their_order() {
        let key = "CREATE TABLE jobs (by int REFERENCES p.users)";
        let (order, keys) = compiled(&format!("{key}; DO $$BEGIN END$$; CREATE TABLE b (id int);"));
        assert_eq!((order[2].as_str(), keys), ("b", vec!["users 3".to_owned()]));
        // Building an index evaluates its expression on existing rows.
        let rows = "CREATE TABLE old (id int); INSERT INTO old VALUES (1)";
        let (order, _) = compiled(&format!(
            "{rows}; {key}; CREATE INDEX old_f ON old (f(id)); CREATE TABLE new (id int);"
        ));
        assert_eq!(order[2..], ["jobs", "CREATE INDEX old_f ON old", "new"]);
    }

    #[test]
    fn a_key_is_shared_if_its_table_is_in_another_schema() {
        let keys = |sql: &str| compiled(sql).1;
        // An unqualified name is the tenant's own table, even if no file creates it.
        assert_eq!(keys("CREATE TABLE a (b int REFERENCES countries)"), Vec::<String>::new());
        assert_eq!(keys("CREATE TABLE a (b int REFERENCES public.countries)"), ["countries 1"]);
        assert_eq!(
            keys("CREATE TABLE a (id int); ALTER TABLE a ADD FOREIGN KEY (id) REFERENCES p.a"),
            ["a 1"]
        );
        assert_eq!(keys("CREATE TABLE a (id int UNIQUE, b int REFERENCES a(id))"), Vec::<String>::new());
        let two = "CREATE TABLE a (b int REFERENCES p.x, c int, FOREIGN KEY (c) REFERENCES q.y)";
        assert_eq!(keys(two), ["x 1", "y 1"]);
    }
}
