//! What is in the shadow at one moment: every schema's photograph, the sample rows, and what lies outside of
//! schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::data::Rows;
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::catalog::{
    Change, Effect, Fingerprints, Kind, ObjectKey, SchemaSnapshot, Transaction, fingerprints_as, snapshot_as,
};
use crate::postgres::{Connection, Row};
use crate::sql::OWN_TABLES;

const OUTSIDE: &str = include_str!("outside.sql");

/// A look at all of it.
#[derive(Debug, Clone, Default)]
pub(super) struct DatabaseSnapshot {
    prints: Fingerprints,
    snapshots: BTreeMap<SchemaName, Rc<SchemaSnapshot>>,
    pub(super) rows: Rows,
    outside: BTreeMap<String, Thing>,
}

/// A thing that no schema holds.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    /// What it is.
    pub(super) what: String,
    /// The names that a file calls it by.
    pub(super) names: Vec<String>,
    /// The schema that it is about; of an extension, where it is.
    pub(super) schema: Option<String>,
}

impl DatabaseSnapshot {
    /// Looks again. Only what has another fingerprint than in `self` is photographed.
    pub(super) async fn again(
        &self,
        connection: &mut Connection,
        asked: Transaction,
    ) -> Result<Self, Failure> {
        let (schemas, outside) = here(connection).await?;
        let prints = fingerprints_as(connection, &schemas, asked).await?;
        let mut snapshots: BTreeMap<SchemaName, Rc<SchemaSnapshot>> = BTreeMap::new();
        for (schema, print) in &prints {
            let known = self.snapshots.get(schema).filter(|_| self.prints.get(schema) == Some(print));
            // Two tenants that are alike have one photograph.
            let twin = || {
                let twin = snapshots.keys().find(|other| prints.get(*other) == Some(print))?;
                snapshots.get(twin)
            };
            let snapshot = match known.or_else(twin) {
                Some(known) => Rc::clone(known),
                None => Rc::new(snapshot_as(connection, schema, asked).await?.without(is_own)),
            };
            snapshots.insert(schema.clone(), snapshot);
        }
        let rows = Rows::read(connection, &schemas).await?;
        Ok(Self { prints, snapshots, rows, outside })
    }

    /// The same with the rows of now, where nothing else can have changed.
    pub(super) async fn with_rows(&self, connection: &mut Connection) -> Result<Self, Failure> {
        let schemas: Vec<SchemaName> = self.prints.keys().cloned().collect();
        Ok(Self { rows: Rows::read(connection, &schemas).await?, ..self.clone() })
    }

    /// Whether anything is different in `after`.
    pub(super) fn differs(&self, after: &Self) -> bool {
        self.prints != after.prints || !self.rows.lost(&after.rows).is_empty() || self.is_left(after)
    }

    /// Whether `after` is different where no photograph shows what that does to anybody. An extension that is new
    /// takes nothing away.
    pub(super) fn is_left(&self, after: &Self) -> bool {
        self.changed_outside(after)
            .any(|(line, thing)| thing.what != "extension" || self.outside.contains_key(line))
    }

    /// What lies outside of schemas and is only here, or only in `after`.
    fn changed_outside<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = (&'a String, &'a Thing)> {
        let gone = self.outside.iter().filter(|(line, _)| !after.outside.contains_key(*line));
        gone.chain(after.outside.iter().filter(|(line, _)| !self.outside.contains_key(*line)))
    }

    /// The same, but for what is about `schema`.
    pub(super) fn outside_of<'a>(
        &'a self,
        schema: &'a SchemaName,
        after: &'a Self,
    ) -> impl Iterator<Item = &'a Thing> {
        let is_others =
            |thing: &&Thing| thing.what == "extension" || thing.schema.as_deref() != Some(schema.as_str());
        self.changed_outside(after).map(|(_, thing)| thing).filter(is_others)
    }

    /// The extensions that `after` has and this has not, or has elsewhere.
    pub(super) fn new_extensions<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = &'a Thing> {
        let new = after.outside.iter().filter(|(line, _)| !self.outside.contains_key(*line));
        new.map(|(_, thing)| thing).filter(|thing| thing.what == "extension")
    }

    /// The schemas that only one of the two has.
    pub(super) fn other_schemas<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = &'a SchemaName> {
        let gone = self.prints.keys().filter(|schema| !after.prints.contains_key(*schema));
        gone.chain(after.prints.keys().filter(|schema| !self.prints.contains_key(*schema)))
    }

    /// All schemas.
    pub(super) fn schemas(&self) -> impl Iterator<Item = &SchemaName> {
        self.prints.keys()
    }

    /// Whether `after` differs in anything but these schemas.
    pub(super) fn differs_beyond(&self, after: &Self, own: &[SchemaName]) -> bool {
        self.changed_outside(after).next().is_some()
            || self.other_schemas(after).next().is_some()
            || self.changes(after).iter().any(|(schema, _)| !own.contains(schema))
    }

    /// What of the server `after` shows changed: roles, and settings that are not only this database's.
    pub(super) fn of_server(&self, after: &Self) -> BTreeSet<String> {
        let changed = self.changed_outside(after).map(|(line, _)| line);
        changed.filter(|line| is_servers(line)).cloned().collect()
    }

    /// Takes what belongs to the server as `other` sees it, who sees what others have done meanwhile, and not what the
    /// shadow's own transaction has.
    pub(super) async fn catch_up(&mut self, other: &mut Connection) -> Result<(), Failure> {
        let (_, outside) = here(other).await?;
        self.outside.retain(|line, _| !is_servers(line));
        self.outside.extend(outside.into_iter().filter(|(line, _)| is_servers(line)));
        Ok(())
    }

    /// Whether somebody is harmed by what is different in `after`.
    pub(super) fn is_harmed(&self, after: &Self) -> bool {
        let harms = |changes: &Vec<Change>| {
            changes.iter().any(|change| Effect::of(change, changes).level().is_some())
        };
        let changes = self.changes(after);
        changes.iter().any(|(_, changes)| harms(changes))
            || !self.rows.lost(&after.rows).is_empty()
            || self.is_left(after)
    }

    /// What is different in `after`, schema by schema. A schema that is new is no change of an old one.
    pub(super) fn changes(&self, after: &Self) -> Vec<(SchemaName, Vec<Change>)> {
        let gone = Rc::new(SchemaSnapshot::default());
        let changed = self.snapshots.iter().filter_map(|(schema, before)| {
            let now = after.snapshots.get(schema).unwrap_or(&gone);
            if Rc::ptr_eq(before, now) {
                return None;
            }
            let changes = Change::between(before, now);
            (!changes.is_empty()).then(|| (schema.clone(), changes))
        });
        changed.collect()
    }
}

/// Whether a line is about the server, not about the database.
fn is_servers(line: &str) -> bool {
    ["role ", "member ", "setting "].iter().any(|of| line.starts_with(of))
}

/// All schemas but the server's own, and the lines of what lies outside of them.
async fn here(connection: &mut Connection) -> Result<(Vec<SchemaName>, BTreeMap<String, Thing>), Failure> {
    let sql = format!(
        "SELECT nspname::text AS schema FROM pg_catalog.pg_namespace \
         WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname; {OUTSIDE}"
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("looking at the shadow"))?;
    let of = |at: usize| sets.get(at).map(Vec::as_slice).unwrap_or_default().iter();
    let schemas =
        of(0).map(|row| Ok(SchemaName::existing(row.text("schema")?)?)).collect::<Result<_, Failure>>()?;
    let thing = |row: &Row| {
        let names = row.text("names")?.lines().map(str::to_owned).collect();
        let thing = Thing { what: row.text("what")?, names, schema: row.optional_text("home")? };
        Ok((row.text("line")?, thing))
    };
    let outside = of(1).map(thing).collect::<Result<_, Failure>>()?;
    Ok((schemas, outside))
}

/// Whether it is Tenure's own, in the platform's schema.
pub fn is_own(object: &ObjectKey) -> bool {
    match object.kind {
        Kind::Table | Kind::Sequence => {
            OWN_TABLES.iter().any(|own| object.name == *own) || object.name == "migration_history_id_seq"
        }
        Kind::Function => object.name.starts_with("tenure_"),
        _ => false,
    }
}
