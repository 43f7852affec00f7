//! Tenure moves one platform schema and thousands of tenant schemas through one chain of versioned
//! SQL files, creates tenants from a template, and refuses a migration that would break the release
//! that is still running. The layers, from the bottom up; an arrow only ever points down:
//!
//! - values, pure: [`error`], [`ident`], [`sql`]
//! - judging, pure: [`verify`]
//! - showing, pure: [`report`]

pub mod error;
pub mod ident;
pub mod report;
pub mod sql;
pub mod verify;
