//! The contents of a schema as a value, the differences of two schemas, and their effects. The schema's own
//! name and owner are replaced with neutral values, so equal tenants compare equal; fingerprints find those
//! that differ in one query. Only `read` and `database` query the server; the other files are pure.

mod database;
mod difference;
mod judge;
mod model;
mod read;
mod schema_difference;
mod show;
mod snapshots;
mod statements;

pub use database::{DatabaseReading, RowEstimate, RowWrite, model_of};
pub use difference::{Change, What};
pub use judge::{Difference, Effect, Hazard};
pub use model::{Kind, Object, ObjectKey, PartKey, PartKind, Properties, Property, SchemaSnapshot, Texts};
pub use read::{
    Fingerprint, Fingerprints, PAGE, Transaction, changed_since, definition_without, fingerprints,
    fingerprints_as, query_with_retry, server_major, snapshot, snapshot_as,
};
pub use schema_difference::SchemaDifference;
pub use snapshots::Snapshots;
