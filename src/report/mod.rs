//! Values → text for people. Nothing here reads, writes or decides; `cli` chooses what is shown, where,
//! and whether in colour.

mod findings;
mod plural;
mod snippet;

pub use findings::{findings, summary};
pub use plural::{plural, plural_of};
pub use snippet::{Diagnostic, Paint, Tone};
