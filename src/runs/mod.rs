//! `run list`, `run show`: the recorded runs, their units, failures by cause and slowest tenants. Only reads.

mod result;
pub mod text;

pub use result::{FailureGroup, RunDetails, RunList, StepTimes};

use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::metadata::run_details::{self, Runs};

/// The minimum length of a shortened id.
const MIN_ID: usize = 4;

/// The start of a run's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunId(String);

impl std::str::FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = text.to_ascii_lowercase();
        let is_id = id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if is_id && (MIN_ID..=36).contains(&id.len()) {
            Ok(Self(id))
        } else if is_id && id.len() < MIN_ID {
            Err(format!("{text:?} is too short: give at least {MIN_ID} characters of the run ID"))
        } else {
            Err(format!("{text:?} is not a run ID or the start of one; `tenure run list` shows them"))
        }
    }
}

/// The newest runs, newest first. `has_tables` tells whether Tenure's own tables exist.
pub async fn list(
    connection: &mut Connection,
    platform: &SchemaName,
    limit: u32,
    has_tables: bool,
) -> Result<RunList, Failure> {
    let runs = if has_tables {
        run_details::runs(connection, platform, Runs::Newest(limit)).await?
    } else {
        Vec::new()
    };
    Ok(RunList { runs })
}

/// The run whose id begins with `id`.
pub async fn show(
    connection: &mut Connection,
    platform: &SchemaName,
    id: &RunId,
    has_tables: bool,
) -> Result<RunDetails, Failure> {
    let found =
        if has_tables { run_details::runs(connection, platform, Runs::Id(&id.0)).await? } else { Vec::new() };
    let unknown = |message: String, hint| Err(Failure::new(Code::RunUnknown, message).hint(hint));
    match <[_; 1]>::try_from(found) {
        Ok([run]) => {
            let (units, failures) = run_details::details(connection, platform, &run).await?;
            Ok(RunDetails::of(run, units, &failures))
        }
        Err(none) if none.is_empty() => {
            unknown(format!("no run has the id {}", id.0), "`tenure run list` shows the runs")
        }
        Err(_several) => {
            unknown(format!("several runs have an id that begins with {}", id.0), "pass more of it")
        }
    }
}
