//! Tenure moves one platform schema and thousands of tenant schemas through one chain of versioned
//! SQL files, creates tenants from a template, and refuses a migration that would break the release
//! that is still running. The layers, from the bottom up; an arrow only ever points down:
//!
//! - language, pure: [`error`], [`ident`], [`sql`], [`chain`], [`settings`], [`event`], [`output`], [`queries`], [`verify`],
//!   [`template`]
//! - machinery: [`program`], [`postgres`], [`project`], [`executor`]
//! - features: [`isolation`], [`branch`], [`restore_point`], [`doctor`], [`migrate`], [`wait`], [`runs`], [`diagram`], [`tenant`], [`shadow`], [`drift`], [`init`], [`django`], [`report`], [`dry_run`],
//!   and [`cli`], which calls them

pub mod branch;
pub mod chain;
pub mod cli;
pub mod diagram;
pub mod django;
pub mod doctor;
pub mod drift;
pub mod dry_run;
pub mod error;
pub mod event;
pub mod executor;
pub mod ident;
pub mod init;
pub mod isolation;
pub mod migrate;
pub mod output;
pub mod postgres;
pub mod program;
pub mod project;
pub mod queries;
pub mod report;
pub mod restore_point;
pub mod runs;
pub mod settings;
pub mod shadow;
pub mod sql;
pub mod template;
pub mod tenant;
pub mod verify;
pub mod wait;
