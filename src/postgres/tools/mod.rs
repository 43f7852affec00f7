//! Runs PostgreSQL's client programs `pg_dump` and `pg_restore`. Files are exchanged as text and descriptors;
//! no shell is used. What an export contains is decided in `tenant/copy`.

mod pg_dump;
mod pg_restore;

pub use pg_dump::dump;
pub use pg_restore::{Archive, ForeignKey, Keys, Section, dump_archive};
