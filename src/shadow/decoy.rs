//! Code of a tenant's step that would reach an object of a shared schema, if there were one: the shadow has only those that the
//! project makes, and a database of the same project may have others. So the code is run once more, and taken back, with objects
//! of the names that it uses.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::beyond::{Beyond, Ran};
use super::database_snapshot::DatabaseSnapshot;
use super::shadow_run::ShadowRun;
use super::watch::LockSample;
use crate::chain::Migration;
use crate::error::Failure;
use crate::ident::{SharedPath, literal};
use crate::postgres::Row;
use crate::postgres::batch::SqlBatch;
use crate::postgres::catalog::Asked;
use crate::sql::{Named, Scope, Statement, TargetKind};

/// Code that uses more names than this is not asked.
const MOST: usize = 500;

/// Before the name of an index: the table that has it.
const INDEXED: &str = "tenure_with_";

/// The bodies of the project's functions that a unit finds.
const BODIES: &str = "SELECT p.proname::text AS name, p.prosrc AS body FROM pg_catalog.pg_proc p \
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
    WHERE n.nspname = ANY (pg_catalog.current_schemas(false)) AND l.lanname NOT IN ('c', 'internal') \
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d \
            WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e')";

/// Whether code of a tenant's part is to be tried.
pub(super) fn is_wanted(migration: &Migration) -> bool {
    migration.part(Scope::Tenant).any(Statement::runs_code)
}

impl ShadowRun<'_> {
    /// What the statement, which is about to run, would do to objects of a shared schema that have names which it uses and the
    /// tenant has not.
    pub(super) async fn decoyed(
        &mut self,
        (migration, statement): (&Migration, &Statement),
        ran: Ran<'_>,
        known: &DatabaseSnapshot,
    ) -> Result<Vec<Beyond>, Failure> {
        let path = self.project.settings.shared_path();
        let Some(shared) =
            path.names().next().filter(|_| statement.runs_code() && ran.scope == Scope::Tenant)
        else {
            return Ok(Vec::new());
        };
        let doing = |refusal: crate::postgres::ServerError| refusal.failure("trying a statement's names");
        let text = migration.script.source.text[statement.range.clone()]
            .replace(crate::sql::ORG_SCHEMA, ran.schema.as_str());
        let (targets, decoys) = self.missing(&text, ran, &path).await?;
        if decoys.is_empty() {
            return Ok(Vec::new());
        }
        self.connection.run("SAVEPOINT tenure_decoys").await.map_err(doing)?;
        let made = decoys.iter().map(|(name, kind)| decoy(*kind, shared, name)).collect::<Vec<_>>().concat();
        self.connection.run(&made).await.map_err(doing)?;
        let before = known.again(self.connection, Asked::Within).await?;
        let question = LockSample::question(&before.schemas().cloned().collect::<Vec<_>>());
        let mut message = SqlBatch::default();
        message.search_path(ran.schema, &path);
        message.push(&question);
        message.push_file(&migration.script, std::iter::once(statement), ran.schema);
        message.push(&question);
        let found = match self.connection.send_within(&message).await {
            Ok(sets) => {
                let moment = |set: Option<&Vec<Row>>| LockSample::read(set.map_or(&[][..], Vec::as_slice));
                let (start, end) = (moment(sets.get(1))?, moment(sets.last())?);
                let uses = end.used_since(&start, |_| true);
                let now = before.again(self.connection, Asked::Within).await?;
                self.beyond(ran, (&before, &now), &uses)
            }
            Err(refusal) if refusal.sqlstate().is_none() => return Err(doing(refusal)),
            // It got as far as an object that is not as it wants it.
            Err(_) => targets.iter().map(|name| ran.meant(shared, name)).collect(),
        };
        self.connection
            .run("ROLLBACK TO SAVEPOINT tenure_decoys; RELEASE SAVEPOINT tenure_decoys")
            .await
            .map_err(doing)?;
        let is_decoy = |word: &String| decoys.contains_key(word.strip_prefix(INDEXED).unwrap_or(word));
        let is_decoys = |beyond: &Beyond| beyond.words.iter().any(is_decoy);
        Ok(found.into_iter().filter(is_decoys).collect())
    }

    /// The names in `text`, and in the functions that it calls, that the unit would not find: those of what it certainly changes,
    /// and all, with what each is to be.
    async fn missing(
        &mut self,
        text: &str,
        ran: Ran<'_>,
        path: &SharedPath,
    ) -> Result<(BTreeSet<String>, BTreeMap<String, TargetKind>), Failure> {
        let doing = |refusal: crate::postgres::ServerError| refusal.failure("finding a statement's names");
        let mut message = SqlBatch::default();
        message.search_path(ran.schema, path);
        message.push(BODIES);
        let sets = self.connection.send_within(&message).await.map_err(doing)?;
        let mut bodies = BTreeMap::new();
        for row in sets.iter().flatten() {
            bodies.entry(row.text("name")?).or_insert_with(Vec::new).push(row.text("body")?);
        }
        let (mut words, mut kinds) = (HashSet::new(), BTreeMap::new());
        let mut texts = vec![text.to_owned()];
        while let Some(text) = texts.pop() {
            let named = Named::of(&text);
            for word in named.words() {
                if words.insert(word.to_owned()) {
                    texts.extend(bodies.remove(word).unwrap_or_default());
                }
            }
            kinds.extend(named.targets().iter().map(|(name, kind)| (name.clone(), *kind)));
        }
        let list = words.iter().map(|word| literal(word)).collect::<Vec<_>>().join(", ");
        let mut message = SqlBatch::default();
        message.search_path(ran.schema, path);
        message.push(&format!(
            "SELECT word FROM unnest(ARRAY[{list}]::pg_catalog.text[]) word \
             WHERE pg_catalog.to_regclass(pg_catalog.quote_ident(word)) IS NULL \
                 AND pg_catalog.to_regtype(pg_catalog.quote_ident(word)) IS NULL \
                 AND pg_catalog.to_regproc(pg_catalog.quote_ident(word)) IS NULL \
                 AND word <> '' AND pg_catalog.octet_length(word) < 64 \
                 AND word NOT IN (SELECT word FROM pg_catalog.pg_get_keywords() WHERE catcode IN ('R', 'T'))"
        ));
        let sets = self.connection.send_within(&message).await.map_err(doing)?;
        let missing =
            sets.iter().flatten().map(|row| row.text("word")).collect::<Result<BTreeSet<_>, _>>()?;
        if missing.len() > MOST {
            return Ok((BTreeSet::new(), BTreeMap::new()));
        }
        let targets = missing.iter().filter(|name| kinds.contains_key(*name)).cloned().collect();
        let kind = |name: &String| kinds.get(name).copied().unwrap_or(TargetKind::Table);
        let decoys = missing.iter().map(|name| (name.clone(), kind(name))).collect();
        Ok((targets, decoys))
    }
}

/// The statements that make it.
fn decoy(kind: TargetKind, schema: &str, name: &str) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
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
        TargetKind::Index => {
            let table = format!("{}.{}", quoted(schema), quoted(&format!("{INDEXED}{name}")));
            format!("CREATE TABLE {table} (a int); CREATE INDEX {} ON {table} (a);", quoted(name))
        }
    }
}
