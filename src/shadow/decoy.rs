//! Detects code in a tenant step that would change an object of a shared schema if one existed. The shadow contains only the
//! project's own objects; a real database may contain others. So the statement runs once with decoys, which are objects with the
//! names that it uses, and is rolled back.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::beyond::{Execution, OutsideEffect};
use super::database_snapshot::DatabaseSnapshot;
use super::shadow_run::ShadowRun;
use super::statements::limit;
use super::watch::LockSample;
use crate::chain::Migration;
use crate::error::Failure;
use crate::ident::{SharedPath, literal};
use crate::postgres::batch::SqlBatch;
use crate::postgres::catalog::Transaction;
use crate::postgres::{Row, ServerError};
use crate::sql::{Scope, Statement, TablePart, TargetKind, TextNames};

/// Code that uses more names than this is not probed.
const MAX_NAMES: usize = 500;

/// The prefix of the table that an index decoy needs.
const INDEX_TABLE_PREFIX: &str = "tenure_with_";

/// The bodies of the functions on the unit's search path.
const BODIES: &str = "SELECT p.proname::text AS name, p.prosrc AS body FROM pg_catalog.pg_proc p \
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
    WHERE n.nspname = ANY (pg_catalog.current_schemas(false)) AND l.lanname NOT IN ('c', 'internal') \
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d \
            WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e')";

fn doing(server_error: ServerError) -> Failure {
    server_error.failure("running a statement with decoys")
}

/// Whether the tenant part of `migration` runs code.
pub(super) fn is_needed(migration: &Migration) -> bool {
    migration.part(Scope::Tenant).any(Statement::runs_code)
}

impl ShadowRun<'_> {
    /// The effects that the statement, which is about to run, would have on shared objects whose names it uses and the tenant's
    /// schema does not contain.
    pub(super) async fn probe_with_decoys(
        &mut self,
        (migration, statement): (&Migration, &Statement),
        execution: Execution<'_>,
        known: &DatabaseSnapshot,
    ) -> Result<Vec<OutsideEffect>, Failure> {
        if !statement.runs_code() || execution.scope != Scope::Tenant {
            return Ok(Vec::new());
        }
        let path = self.project.settings.shared_path();
        let Some(shared) = self.shared_schema(&path).await? else { return Ok(Vec::new()) };
        let text = migration.script.source.text[statement.range.clone()]
            .replace(crate::sql::ORG_SCHEMA, execution.schema.as_str());
        let Missing { targets, decoys } = self.missing(&text, execution, &path).await?;
        if decoys.is_empty() {
            return Ok(Vec::new());
        }
        self.connection.run("SAVEPOINT tenure_decoys").await.map_err(doing)?;
        let mut made = SqlBatch::default();
        // The types of arguments.
        made.search_path(execution.schema, &path);
        for decoy in &decoys {
            made.push(&decoy.sql(&shared));
        }
        let found = match self.connection.send_in_transaction(&made).await {
            Ok(_) => {
                self.run_with_decoys((migration, statement), execution, (&path, &shared), known, &targets)
                    .await
            }
            Err(server_error) if server_error.sqlstate().is_none() => return Err(doing(server_error)),
            Err(_) => Ok(Vec::new()),
        };
        self.connection
            .run("ROLLBACK TO SAVEPOINT tenure_decoys; RELEASE SAVEPOINT tenure_decoys")
            .await
            .map_err(doing)?;
        // Sequences are not transactional.
        known.rows.reset_sequences(self.connection).await?;
        let names: HashSet<&str> = decoys.iter().map(|decoy| decoy.name.as_str()).collect();
        let is_decoy = |word: &String| names.contains(word.strip_prefix(INDEX_TABLE_PREFIX).unwrap_or(word));
        let is_decoys = |beyond: &OutsideEffect| beyond.words.iter().any(is_decoy);
        Ok(found?.into_iter().filter(is_decoys).collect())
    }

    /// Runs the statement with the decoys in place and returns its effects on them.
    async fn run_with_decoys(
        &mut self,
        (migration, statement): (&Migration, &Statement),
        execution: Execution<'_>,
        (path, shared): (&SharedPath, &str),
        known: &DatabaseSnapshot,
        targets: &BTreeSet<String>,
    ) -> Result<Vec<OutsideEffect>, Failure> {
        let before = known.refreshed(self.connection, Transaction::Current).await?;
        let query = LockSample::query(&before.schemas().cloned().collect::<Vec<_>>());
        let mut message = SqlBatch::default();
        message.push_own_query(&query);
        message.search_path(execution.schema, path);
        let limit = limit(self.project.settings.migrate.statement_timeout);
        message.push(&format!("SET LOCAL statement_timeout = {limit}"));
        message.push_file(&migration.script, std::iter::once(statement), execution.schema);
        message.push("SET LOCAL statement_timeout = 0");
        message.push_own_query(&query);
        match self.connection.send_in_transaction(&message).await {
            Ok(sets) => {
                let sample = |set: Option<&Vec<Row>>| LockSample::read(set.map_or(&[][..], Vec::as_slice));
                let (start, end) = (sample(sets.get(1))?, sample(sets.last())?);
                let uses = end.used_since(&start, |_| true);
                let now = before.refreshed(self.connection, Transaction::Current).await?;
                Ok(self.beyond(execution, (&before, &now), &uses))
            }
            Err(server_error) => match server_error.sqlstate() {
                None => Err(doing(server_error)),
                // It waits for something that the decoys prevent.
                Some("57014") => Ok(Vec::new()),
                // It reached an object that is not of the expected kind or shape.
                Some(_) => Ok(targets.iter().map(|name| execution.possible_target(shared, name)).collect()),
            },
        }
    }

    /// The first existing schema of the path.
    async fn shared_schema(&mut self, path: &SharedPath) -> Result<Option<String>, Failure> {
        for name in path.names() {
            let sql = format!(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {}) AS found",
                literal(name)
            );
            let sets = self.connection.query_on_own_path(&sql).await.map_err(doing)?;
            if sets.iter().flatten().next().map(|row| row.get_bool("found")).transpose()? == Some(true) {
                return Ok(Some(name.to_owned()));
            }
        }
        Ok(None)
    }

    /// The names in `text`, and in the functions that it calls, that the unit would not resolve.
    async fn missing(
        &mut self,
        text: &str,
        execution: Execution<'_>,
        path: &SharedPath,
    ) -> Result<Missing, Failure> {
        let mut message = SqlBatch::default();
        message.search_path(execution.schema, path);
        message.push(BODIES);
        let sets = self.connection.send_in_transaction(&message).await.map_err(doing)?;
        let mut bodies = BTreeMap::new();
        for row in sets.iter().flatten() {
            bodies.entry(row.text("name")?).or_insert_with(Vec::new).push(row.text("body")?);
        }
        let (mut words, mut kinds) = (HashSet::new(), BTreeMap::new());
        let (mut routines, mut parts) = (BTreeSet::new(), BTreeSet::new());
        let mut texts = vec![text.to_owned()];
        while let Some(text) = texts.pop() {
            let named = TextNames::of(&text);
            // A name that is qualified with a schema does not refer to another schema.
            words.extend(named.bare_names().map(str::to_owned));
            for word in named.names() {
                texts.extend(bodies.remove(word).unwrap_or_default());
            }
            kinds.extend(named.targets().iter().map(|(name, kind)| (name.clone(), *kind)));
            routines.extend(named.routines().iter().cloned());
            parts.extend(named.parts().iter().cloned());
        }
        let list = words.iter().map(|word| literal(word)).collect::<Vec<_>>().join(", ");
        let mut message = SqlBatch::default();
        message.search_path(execution.schema, path);
        message.push(&format!(
            "SELECT word FROM unnest(ARRAY[{list}]::pg_catalog.text[]) word \
             WHERE pg_catalog.to_regclass(pg_catalog.quote_ident(word)) IS NULL \
                 AND pg_catalog.to_regtype(pg_catalog.quote_ident(word)) IS NULL \
                 AND pg_catalog.to_regproc(pg_catalog.quote_ident(word)) IS NULL \
                 AND word <> '' AND pg_catalog.octet_length(word) < 64 \
                 AND word NOT IN (SELECT word FROM pg_catalog.pg_get_keywords() WHERE catcode IN ('R', 'T'))"
        ));
        let sets = self.connection.send_in_transaction(&message).await.map_err(doing)?;
        let missing =
            sets.iter().flatten().map(|row| row.text("word")).collect::<Result<BTreeSet<_>, _>>()?;
        if missing.len() + routines.len() > MAX_NAMES {
            return Ok(Missing::default());
        }
        let targets = missing.iter().filter(|name| kinds.contains_key(*name)).cloned().collect();
        let kind = |name: &String| kinds.get(name).copied().unwrap_or(TargetKind::Table);
        let mut decoys: Vec<Decoy> = Vec::new();
        for name in &missing {
            let of_it = parts.iter().filter(|(table, ..)| table == name);
            let parts = of_it.map(|(_, part, name)| (*part, name.clone())).collect();
            decoys.push(Decoy { name: name.clone(), kind: kind(name), arguments: String::new(), parts });
        }
        // The tenant may have other routines of the name.
        decoys.extend(routines.into_iter().map(|(name, arguments)| Decoy {
            kind: kind(&name),
            name,
            arguments,
            parts: Vec::new(),
        }));
        Ok(Missing { targets, decoys })
    }
}

/// The names that a unit would not resolve.
#[derive(Default)]
struct Missing {
    /// Those that are certainly targets.
    targets: BTreeSet<String>,
    /// A decoy for each of them, and for each routine that is named with its arguments.
    decoys: Vec<Decoy>,
}

/// An object to create.
struct Decoy {
    name: String,
    kind: TargetKind,
    /// The arguments of a routine.
    arguments: String,
    /// The parts of a table.
    parts: Vec<(TablePart, String)>,
}

impl Decoy {
    /// The statement that creates it, with its parts. One that cannot be created cannot be changed either, and is left out.
    fn sql(&self, schema: &str) -> String {
        let full = format!("{}.{}", quoted(schema), quoted(&self.name));
        let alternatives = match (self.kind, self.arguments.as_str()) {
            (kind, "") => vec![object(kind, schema, &self.name)],
            // With output arguments, RETURNS void is an error, and without them a function needs it.
            (TargetKind::Function, arguments) => vec![
                format!("CREATE FUNCTION {full}({arguments}) RETURNS void LANGUAGE sql AS '';"),
                format!("CREATE FUNCTION {full}({arguments}) LANGUAGE plpgsql AS 'BEGIN END';"),
            ],
            (TargetKind::Aggregate, "*") => {
                vec![format!("CREATE AGGREGATE {full}(*) (SFUNC = pg_catalog.int8inc, STYPE = bigint);")]
            }
            (TargetKind::Aggregate, arguments) => vec![format!(
                "CREATE FUNCTION {full}(bigint, {arguments}) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'; \
                 CREATE AGGREGATE {full}({arguments}) (SFUNC = {full}, STYPE = bigint);"
            )],
            (_, arguments) => {
                vec![format!("CREATE PROCEDURE {full}({arguments}) LANGUAGE plpgsql AS 'BEGIN END';")]
            }
        };
        let parts = self.parts.iter().map(|(part, name)| vec![part_of(*part, &full, &quoted(name))]);
        let attempts = std::iter::once(alternatives).chain(parts).map(|alternatives| {
            alternatives.iter().rev().fold("NULL;".to_owned(), |otherwise, create| {
                format!("BEGIN {create} EXCEPTION WHEN OTHERS THEN {otherwise} END;")
            })
        });
        format!("DO {}", literal(&format!("BEGIN {} END", attempts.collect::<String>())))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The statement that adds the part to a table.
fn part_of(part: TablePart, table: &str, name: &str) -> String {
    match part {
        TablePart::Column => format!("ALTER TABLE {table} ADD COLUMN {name} int;"),
        TablePart::Constraint => format!("ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (true);"),
        TablePart::Policy => format!("CREATE POLICY {name} ON {table};"),
        TablePart::Rule => format!("CREATE RULE {name} AS ON UPDATE TO {table} DO ALSO NOTHING;"),
        TablePart::Trigger => format!(
            "CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION \
             pg_catalog.suppress_redundant_updates_trigger();"
        ),
    }
}

/// The statements that create an object without arguments and parts.
fn object(kind: TargetKind, schema: &str, name: &str) -> String {
    let full = format!("{}.{}", quoted(schema), quoted(name));
    match kind {
        TargetKind::Table => format!("CREATE TABLE {full} (); INSERT INTO {full} DEFAULT VALUES;"),
        TargetKind::View => format!("CREATE VIEW {full} AS SELECT 1 AS a;"),
        TargetKind::MaterializedView => format!("CREATE MATERIALIZED VIEW {full} AS SELECT 1 AS a;"),
        TargetKind::Sequence => format!("CREATE SEQUENCE {full};"),
        TargetKind::Type => format!("CREATE TYPE {full} AS (a int);"),
        TargetKind::Domain => format!("CREATE DOMAIN {full} AS int;"),
        TargetKind::Function => format!("CREATE FUNCTION {full}() RETURNS void LANGUAGE sql AS '';"),
        TargetKind::Procedure => format!("CREATE PROCEDURE {full}() LANGUAGE sql AS '';"),
        // Its arguments are always named.
        TargetKind::Aggregate => String::new(),
        TargetKind::Index => {
            let table = format!("{}.{}", quoted(schema), quoted(&format!("{INDEX_TABLE_PREFIX}{name}")));
            format!("CREATE TABLE {table} (a int); CREATE INDEX {} ON {table} (a);", quoted(name))
        }
    }
}
