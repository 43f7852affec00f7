//! Formats the findings of every verb as text, SARIF, workflow commands of GitHub, Markdown, `JUnit` XML and GitLab's Code Quality,
//! and explains rules and error codes.

mod codequality;
mod explain;
mod fingerprint;
mod github;
mod human;
mod junit;
mod markdown;
mod report;
mod sarif;
mod verified;

pub use codequality::codequality;
pub use explain::{CodeJson, Levelled, RuleJson, explained_code, explained_rule, rules};
pub use github::{github, github_mask};
pub use human::findings;
pub use junit::junit;
pub use markdown::{lowered_table, markdown};
pub use report::{Findings, Report};
pub use sarif::sarif;
pub use verified::{Verified, VerifiedJson};
