//! Tenure moves one platform schema and thousands of tenant schemas through one chain of versioned
//! SQL files, creates tenants from a template, and refuses a migration that would break the release
//! that is still running. The layers, from the bottom up; an arrow only ever points down:
//!
//! - values, pure: [`error`], [`ident`], [`sql`], [`chain`], [`template`], [`settings`], [`event`], [`outcome`]
//! - judging and showing, pure: [`verify`], [`queries`], [`walls`], [`report`]
//! - shell: [`project`], [`postgres`], [`branch`], [`catalog`], [`fleet`], [`tenant`], [`shadow`],
//!   [`drift`], [`dry_run`], [`cli`]

pub mod branch;
pub mod catalog;
pub mod chain;
pub mod cli;
pub mod drift;
pub mod dry_run;
pub mod error;
pub mod event;
pub mod fleet;
pub mod ident;
pub mod outcome;
pub mod postgres;
pub mod project;
pub mod queries;
pub mod report;
pub mod settings;
pub mod shadow;
pub mod sql;
pub mod template;
pub mod tenant;
pub mod verify;
pub mod walls;
