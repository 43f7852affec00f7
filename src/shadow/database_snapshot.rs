//! A snapshot of the shadow: the objects of every schema, the sample rows, and the objects outside of schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::attributed::JudgedChange;
use super::data::{KnownRows, Rows};
use super::watch::Table;
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::catalog::{
    self, Change, Difference, Effect, Fingerprints, Kind, ObjectKey, Property, SchemaSnapshot, Transaction,
};
use crate::postgres::{Connection, Row};
use crate::sql::{OWN_SEQUENCE, OWN_TABLES, normalized};

const OUTSIDE: &str = include_str!("outside.sql");

/// The state of the shadow at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct DatabaseSnapshot {
    fingerprints: Fingerprints,
    snapshots: BTreeMap<SchemaName, Rc<SchemaSnapshot>>,
    pub(super) rows: Rows,
    outside: BTreeMap<String, OutsideObject>,
}

/// An object outside of schemas.
#[derive(Debug, Clone)]
pub(super) struct OutsideObject {
    /// Its kind, in words.
    pub(super) what: String,
    /// The names by which a file refers to it.
    pub(super) names: Vec<String>,
    /// The schema that it concerns; for an extension, the schema that contains it.
    pub(super) schema: Option<String>,
}

impl DatabaseSnapshot {
    /// Takes a new snapshot. Reads only schemas whose fingerprint differs from that in `self`, and in the transaction that began
    /// after `self`, only the rows of tables that it may have changed.
    pub(super) async fn refreshed(
        &self,
        connection: &mut Connection,
        asked: Transaction,
    ) -> Result<Self, Failure> {
        let known: Option<KnownRows<'_>> =
            (asked == Transaction::Current).then_some((&self.rows, &|_| false));
        self.refreshed_knowing(connection, asked, known).await
    }

    /// The same; `known` are rows that may still be valid.
    pub(super) async fn refreshed_knowing(
        &self,
        connection: &mut Connection,
        asked: Transaction,
        known: Option<KnownRows<'_>>,
    ) -> Result<Self, Failure> {
        let (schemas, outside) = contents(connection).await?;
        let (fingerprints, mut changed) =
            catalog::changed_since(connection, &schemas, &self.fingerprints, asked).await?;
        let mut snapshots: BTreeMap<SchemaName, Rc<SchemaSnapshot>> = BTreeMap::new();
        for schema in fingerprints.keys() {
            let taken = match (changed.remove(schema), self.snapshots.get(schema)) {
                (None, Some(known)) => Rc::clone(known),
                (changed, _) => Rc::new(changed.unwrap_or_default().without(is_own)),
            };
            snapshots.insert(schema.clone(), taken);
        }
        let rows = Rows::read(connection, &schemas, known).await?;
        Ok(Self { fingerprints, snapshots, rows, outside })
    }

    /// Reads only the rows of the tables `changed` again, for when nothing else can have changed.
    pub(super) async fn with_rows(
        &self,
        connection: &mut Connection,
        changed: &BTreeSet<Table>,
    ) -> Result<Self, Failure> {
        if changed.is_empty() {
            return Ok(self.clone());
        }
        let schemas: Vec<SchemaName> = self.fingerprints.keys().cloned().collect();
        let known: KnownRows<'_> = (&self.rows, &|table| changed.contains(table));
        Ok(Self { rows: Rows::read(connection, &schemas, Some(known)).await?, ..self.clone() })
    }

    /// Whether `after` differs.
    pub(super) fn differs(&self, after: &Self) -> bool {
        self.fingerprints != after.fingerprints
            || !self.rows.lost(&after.rows).is_empty()
            || self.differs_outside(after)
    }

    /// Whether `after` differs outside of schemas, where no effect can be judged. A new extension removes nothing and does not
    /// count.
    pub(super) fn differs_outside(&self, after: &Self) -> bool {
        self.changed_outside(after)
            .any(|(line, thing)| thing.what != "extension" || self.outside.contains_key(line))
    }

    /// The objects outside of schemas that only one of the two snapshots has.
    fn changed_outside<'a>(
        &'a self,
        after: &'a Self,
    ) -> impl Iterator<Item = (&'a String, &'a OutsideObject)> {
        let dropped = self.outside.iter().filter(|(line, _)| !after.outside.contains_key(*line));
        dropped.chain(after.outside.iter().filter(|(line, _)| !self.outside.contains_key(*line)))
    }

    /// The same, without the objects that concern one of `schemas`.
    pub(super) fn changed_outside_except<'a>(
        &'a self,
        schemas: &'a [SchemaName],
        after: &'a Self,
    ) -> impl Iterator<Item = &'a OutsideObject> {
        let is_others = |thing: &&OutsideObject| {
            let concerns = |schema: &SchemaName| thing.schema.as_deref() == Some(schema.as_str());
            thing.what == "extension" || !schemas.iter().any(concerns)
        };
        self.changed_outside(after).map(|(_, thing)| thing).filter(is_others)
    }

    /// The extensions, each with its schema.
    pub(super) fn extensions(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.outside.values().filter(|thing| thing.what == "extension");
        all.filter_map(|thing| Some((thing.names.first()?.as_str(), thing.schema.as_deref()?)))
    }

    /// The schemas that only one of the two has.
    pub(super) fn created_or_dropped_schemas<'a>(
        &'a self,
        after: &'a Self,
    ) -> impl Iterator<Item = &'a SchemaName> {
        let dropped = self.fingerprints.keys().filter(|schema| !after.fingerprints.contains_key(*schema));
        dropped.chain(after.fingerprints.keys().filter(|schema| !self.fingerprints.contains_key(*schema)))
    }

    /// All schemas.
    pub(super) fn schemas(&self) -> impl Iterator<Item = &SchemaName> {
        self.fingerprints.keys()
    }

    /// Whether `after` differs outside of these schemas.
    pub(super) fn differs_beyond(&self, after: &Self, own: &[SchemaName]) -> bool {
        self.changed_outside(after).next().is_some()
            || self.created_or_dropped_schemas(after).next().is_some()
            || self.changes(after).iter().any(|(schema, _)| !own.contains(schema))
    }

    /// The changes that concern the server: roles, and settings that are not of this database only.
    pub(super) fn server_changes(&self, after: &Self) -> BTreeSet<String> {
        let changed = self.changed_outside(after).map(|(line, _)| line);
        changed.filter(|line| is_server_line(line)).cloned().collect()
    }

    /// Replaces the server's lines with those that `other` reads: it sees what other sessions committed and not what the shadow's
    /// open transaction changed.
    pub(super) async fn refresh_server_lines(&mut self, other: &mut Connection) -> Result<(), Failure> {
        let (_, outside) = contents(other).await?;
        self.outside.retain(|line, _| !is_server_line(line));
        self.outside.extend(outside.into_iter().filter(|(line, _)| is_server_line(line)));
        Ok(())
    }

    /// Whether a difference in `after` harms a reader, a writer or data.
    pub(super) fn has_hazards(&self, after: &Self) -> bool {
        let is_hazard = |changes: &Vec<JudgedChange>| changes.iter().any(|it| it.effect.level().is_some());
        self.judged_changes(after).iter().any(|(_, changes)| is_hazard(changes))
            || !self.rows.lost(&after.rows).is_empty()
            || self.differs_outside(after)
    }

    /// The differences in `after`, by schema. A new schema is not a difference.
    pub(super) fn changes(&self, after: &Self) -> Vec<(SchemaName, Vec<Change>)> {
        self.compare(after, |_, _, changes| changes)
    }

    /// The same, each with its effect on the running release.
    pub(super) fn judged_changes(&self, after: &Self) -> Vec<(SchemaName, Vec<JudgedChange>)> {
        self.compare(after, |before, after, changes| {
            let all = Difference { before, after, changes: &changes };
            let judge = |change: &Change| JudgedChange {
                change: change.clone(),
                effect: Effect::of(change, &all),
                parents: parents(before, &change.object),
            };
            changes.iter().map(judge).collect()
        })
    }

    fn compare<T>(
        &self,
        after: &Self,
        judge: impl Fn(&SchemaSnapshot, &SchemaSnapshot, Vec<Change>) -> Vec<T>,
    ) -> Vec<(SchemaName, Vec<T>)> {
        let dropped = Rc::new(SchemaSnapshot::default());
        let changed = self.snapshots.iter().filter_map(|(schema, before)| {
            let now = after.snapshots.get(schema).unwrap_or(&dropped);
            if Rc::ptr_eq(before, now) {
                return None;
            }
            let mut changes = Change::between(before, now);
            // A snapshot of a schema contains the extensions of the whole database.
            changes.retain(|change| {
                change.object.kind != Kind::Extension || after.snapshots.contains_key(schema)
            });
            (!changes.is_empty()).then(|| (schema.clone(), judge(before, now, changes)))
        });
        changed.collect()
    }
}

/// The tables that `object` is a partition or a child of.
fn parents(before: &SchemaSnapshot, object: &ObjectKey) -> Vec<String> {
    let Some(object) = before.objects.get(object) else { return Vec::new() };
    let of =
        [Property::PartitionOf, Property::Inherits].into_iter().flat_map(|it| object.properties.list(it));
    of.map(|name| normalized(name.rsplit('.').next().unwrap_or(name))).collect()
}

/// Whether a line concerns the server, not the database.
fn is_server_line(line: &str) -> bool {
    ["role ", "member ", "setting "].iter().any(|of| line.starts_with(of))
}

/// All schemas except the server's own, and the lines of the objects outside of schemas.
async fn contents(
    connection: &mut Connection,
) -> Result<(Vec<SchemaName>, BTreeMap<String, OutsideObject>), Failure> {
    let sql = format!(
        "SELECT nspname::text AS schema FROM pg_catalog.pg_namespace \
         WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname; {OUTSIDE}"
    );
    let sets = connection
        .query_on_own_path(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading the shadow"))?;
    let of = |at: usize| sets.get(at).map(Vec::as_slice).unwrap_or_default().iter();
    let schemas =
        of(0).map(|row| Ok(SchemaName::existing(row.text("schema")?)?)).collect::<Result<_, Failure>>()?;
    let thing = |row: &Row| {
        let names = row.text("names")?.lines().map(str::to_owned).collect();
        let thing = OutsideObject { what: row.text("what")?, names, schema: row.optional_text("home")? };
        Ok((row.text("line")?, thing))
    };
    let outside = of(1).map(thing).collect::<Result<_, Failure>>()?;
    Ok((schemas, outside))
}

/// Whether the object is one of Tenure's own, in the platform schema.
pub fn is_own(object: &ObjectKey) -> bool {
    match object.kind {
        Kind::Table | Kind::Sequence => {
            OWN_TABLES.iter().any(|own| object.name == *own) || object.name == OWN_SEQUENCE
        }
        Kind::Function => object.name.starts_with("tenure_"),
        _ => false,
    }
}
