//! Shared formatting of text and JSON output: escaping, colours, tables, plurals, source snippets, failures, events and
//! Markdown. It returns [`Text`] and values. No I/O or decisions belong here; a feature's own text and result are in its folder.

mod event;
mod failure;
mod given;
mod groups;
mod markdown;
mod plural;
mod secrets;
mod snippet;
mod style;
mod table;
mod text;
mod time;

pub use event::{EventJson, event_json};
pub use failure::{ErrorJson, failure};
pub use given::{GivenCredentials, shown_value};
pub use groups::{equal_failures, first_names, grouped};
pub use markdown::{code, prose, table_head};
pub use plural::{plural, plural_of};
pub use secrets::{without_credentials, without_secrets};
pub use snippet::{Diagnostic, Severity};
pub use style::{Paint, Terminal};
pub use table::{or_dash, table};
pub use text::{Text, escape};
pub use time::elapsed;
