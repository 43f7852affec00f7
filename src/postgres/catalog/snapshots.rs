//! Snapshots of many schemas: schemas with equal fingerprints share one snapshot.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::model::{ObjectKey, SchemaSnapshot};
use super::read::{Fingerprint, Transaction, snapshot_as};
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::Connection;

/// One snapshot for each fingerprint, taken when it is first requested.
#[derive(Debug, Clone)]
pub struct Snapshots {
    transaction: Transaction,
    ignores: fn(&ObjectKey) -> bool,
    taken: BTreeMap<Fingerprint, Rc<SchemaSnapshot>>,
}

impl Snapshots {
    /// An empty set. Snapshots are taken in `transaction`, without the objects for which `ignores` returns true.
    pub fn new(transaction: Transaction, ignores: fn(&ObjectKey) -> bool) -> Self {
        Self { transaction, ignores, taken: BTreeMap::new() }
    }

    /// Adds an earlier snapshot.
    pub fn add(&mut self, print: &Fingerprint, snapshot: &Rc<SchemaSnapshot>) {
        self.taken.entry(print.clone()).or_insert_with(|| Rc::clone(snapshot));
    }

    /// All snapshots.
    pub fn all(&self) -> impl Iterator<Item = &SchemaSnapshot> {
        self.taken.values().map(Rc::as_ref)
    }

    /// The snapshot with that fingerprint, if it was taken.
    pub fn get(&self, print: &Fingerprint) -> Option<&SchemaSnapshot> {
        self.taken.get(print).map(Rc::as_ref)
    }

    /// The snapshot of `schema`, whose fingerprint is `print`; `None` if the schema does not exist.
    pub async fn of(
        &mut self,
        connection: &mut Connection,
        schema: &SchemaName,
        print: Option<&Fingerprint>,
    ) -> Result<Rc<SchemaSnapshot>, Failure> {
        if let Some(taken) = print.and_then(|print| self.taken.get(print)) {
            return Ok(Rc::clone(taken));
        }
        let snapshot = snapshot_as(connection, schema, self.transaction).await?.without(self.ignores);
        let snapshot = Rc::new(snapshot);
        if let Some(print) = print {
            self.taken.insert(print.clone(), Rc::clone(&snapshot));
        }
        Ok(snapshot)
    }
}
