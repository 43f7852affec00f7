//! Values → text for people, and the few values that become JSON by hand. Nothing here reads, writes or
//! decides; `cli` chooses what is shown, where, and whether in colour.

mod branch;
mod copies;
mod drift;
mod event;
mod failure;
mod findings;
mod github;
mod holdings;
mod life;
mod markdown;
mod outcome;
mod plural;
mod pool;
mod queries;
mod rules;
mod sarif;
mod snippet;
mod style;
mod table;
mod template;
mod tenant;
mod verified;
mod walls;

pub use branch::{branch_deleted, branch_list, branch_made, branches_collected};
pub use copies::{adopted, cloned, differences, exported, imported};
pub use drift::drifted;
pub use event::event_json;
pub use failure::{failure, failure_json};
pub use findings::{findings, summary};
pub use github::{github, github_mask};
pub use holdings::holdings;
pub use life::{dropped, purged};
pub use markdown::markdown;
pub use outcome::{history, migrated, planned, status};
pub use plural::{plural, plural_of};
pub use pool::{pool_drained, pool_filled, pool_list};
pub use queries::captured;
pub use rules::{Levelled, code_json, explained_code, explained_rule, rule_json, rules};
pub use sarif::sarif;
pub use snippet::{Diagnostic, Paint, Tone};
pub use table::table;
pub use template::{checked, squashed};
pub use tenant::{Asked, changed, created, tenant, tenant_list};
pub use verified::Verified;
pub use walls::{audited, explained_wall, granted, logged_in, turned};
