//! PostgreSQL's own programs: what `pg_dump` writes, and how `pg_restore` is called.

mod pg_dump;
mod pg_restore;

pub use pg_dump::dump;
pub use pg_restore::{Archive, Section, pack};
