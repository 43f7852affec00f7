//! What all text and JSON output shares: colours, tables, counted nouns, snippets of files, failures and events, Markdown.
//!
//! Pure: nothing here reads, writes or decides. A feature's own text and result live in the feature's folder.

mod event;
mod failure;
mod markdown;
mod plural;
mod secrets;
mod snippet;
mod style;
mod table;

pub use event::event_json;
pub use failure::{failure, failure_json};
pub use markdown::{code, prose};
pub use plural::{plural, plural_of};
pub use secrets::{without_credentials, without_secrets};
pub use snippet::{Diagnostic, Paint, Severity};
pub use table::{or_dash, plain, table};
