//! Shared setup of the tests: one private server for the whole binary, a database and a project per test, and the program, run as
//! a child process.

mod database;
mod documents;
mod fleet;
mod machine;
mod neon;
mod pooler;
mod process;
mod project;
mod schemas;
mod wire;

pub use database::{Database, OwnServer, within};
pub use documents::assert_generated;
pub use fleet::{Session, csv, wait_until};
pub use machine::{
    environment, is_process, postgres_folder, send_signal, send_signal_to_group, temporary_folder,
};
pub use neon::{ALWAYS, Fault, Neon, PROJECT, SchemaReplay, Settings, Verb};
pub use pooler::{POOL, Pooler, is_pooled, needs_the_server_itself};
pub use process::{Finish, LIMIT, Running, reset_signals};
pub use project::{Folder, Output, Project};
pub use schemas::{check_document, check_event, is_valid_document};
pub use wire::Wire;
