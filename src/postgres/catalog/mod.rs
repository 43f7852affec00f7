//! What a schema holds, as a value: a photograph. Two photographs have a difference, a list of typed
//! changes, and each change is judged for the release that is still running. The schema's own name and
//! its owner are made neutral, so two tenants compare equal; a fingerprint says of thousands of them in
//! one query which differ. Only `read` asks the server; the rest is values.

mod difference;
mod judge;
mod model;
mod read;
mod schema_difference;
mod show;

pub use difference::{Change, What};
pub use judge::{Conversion, Effect, Hazard};
pub use model::{Kind, Object, ObjectKey, PartKey, PartKind, Properties, Property, SchemaSnapshot};
pub use read::{
    Asked, Fingerprint, Fingerprints, ask, fingerprints, fingerprints_as, server_major, snapshot, snapshot_as,
};
pub use schema_difference::SchemaDifference;
