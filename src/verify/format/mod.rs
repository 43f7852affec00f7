//! Findings as text for people, JSON, SARIF, workflow commands of GitHub and Markdown; rules and codes explained.

mod explain;
mod github;
mod human;
mod markdown;
mod sarif;
mod verified;

pub use explain::{Levelled, code_json, explained_code, explained_rule, rule_json, rules};
pub use github::{github, github_mask};
pub use human::{findings, summary};
pub use markdown::markdown;
pub use sarif::sarif;
pub use verified::Verified;
