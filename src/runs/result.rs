//! The results of `run list` and `run show`, and their CSV.

use std::collections::HashMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{Code, Failure};
use crate::executor::SlowTenant;
use crate::output::grouped;
use crate::postgres::metadata::{Cause, KeptFailure, RecordedRun, RecordedUnit};

/// The number of slowest tenants.
const SLOWEST: usize = 10;

/// The result of `run list`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct RunList {
    /// The runs, newest first.
    pub runs: Vec<RecordedRun>,
}

/// The result of `run show`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct RunDetails {
    /// The run.
    pub run: RecordedRun,
    /// The durations of its steps.
    pub steps: Vec<StepTimes>,
    /// Its failures, by cause.
    pub failures: Vec<FailureGroup>,
    /// The slowest schemas, slowest first.
    pub slowest: Vec<SlowTenant>,
    /// Its units, in order.
    pub units: Vec<RecordedUnit>,
}

/// The units of one step.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct StepTimes {
    /// The name of the migration file or template.
    pub migration: String,
    /// The version before.
    pub from: String,
    /// The version after.
    pub to: String,
    /// The kind of the history's rows.
    pub kind: String,
    /// The number of units.
    pub units: usize,
    /// The median in milliseconds.
    pub p50_ms: i64,
    /// The 90th percentile.
    pub p90_ms: i64,
    /// The longest unit.
    pub max_ms: i64,
}

/// Failures that are equal but for the tenant.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct FailureGroup {
    /// What they have in common.
    #[serde(flatten)]
    pub cause: Cause,
    /// The highest number of attempts.
    pub attempts: i64,
    /// Their schemas.
    pub schemas: Vec<String>,
}

impl FailureGroup {
    /// Groups failures by cause, the most frequent first.
    pub fn of(failures: &[KeptFailure]) -> Vec<Self> {
        let groups = grouped(failures.iter().map(|kept| (kept.cause(), kept)));
        let mut groups: Vec<_> = groups
            .into_iter()
            .map(|(cause, members)| Self {
                cause,
                attempts: members.iter().map(|kept| kept.attempts).max().unwrap_or_default(),
                schemas: members.into_iter().map(|kept| kept.schema.clone()).collect(),
            })
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.schemas.len()));
        groups
    }
}

impl RunDetails {
    pub(super) fn of(run: RecordedRun, units: Vec<RecordedUnit>, failures: &[KeptFailure]) -> Self {
        let key = |unit: &RecordedUnit| {
            (unit.migration.clone(), unit.from.clone(), unit.to.clone(), unit.kind.clone())
        };
        let steps = grouped(units.iter().map(|unit| (key(unit), unit.duration_ms)));
        let steps = steps.into_iter().map(|((migration, from, to, kind), mut times)| {
            times.sort_unstable();
            // The nearest rank: the smallest time that this share of the units does not exceed.
            let at = |share: usize| times[(times.len() * share).div_ceil(100).max(1) - 1];
            StepTimes {
                migration,
                from,
                to,
                kind,
                units: times.len(),
                p50_ms: at(50),
                p90_ms: at(90),
                max_ms: at(100),
            }
        });
        let steps = steps.collect();
        let mut by_schema: HashMap<String, Duration> = HashMap::new();
        for unit in &units {
            let elapsed = Duration::from_millis(u64::try_from(unit.duration_ms).unwrap_or_default());
            *by_schema.entry(unit.schema.clone()).or_default() += elapsed;
        }
        Self {
            run,
            steps,
            failures: FailureGroup::of(failures),
            slowest: SlowTenant::longest(&by_schema, SLOWEST),
            units,
        }
    }

    /// One row for each unit, and one for each failed unit.
    pub fn csv(&self) -> Result<String, Failure> {
        let mut rows = vec![to_strings([
            "run",
            "schema",
            "migration",
            "from",
            "to",
            "kind",
            "outcome",
            "applied_at",
            "applied_by",
            "duration_ms",
            "code",
            "sqlstate",
            "line",
            "message",
        ])];
        for unit in &self.units {
            let duration = unit.duration_ms.to_string();
            rows.push(to_strings([
                &self.run.id,
                &unit.schema,
                &unit.migration,
                &unit.from,
                &unit.to,
                &unit.kind,
                "done",
                &unit.applied_at,
                &unit.applied_by,
                &duration,
                "",
                "",
                "",
                "",
            ]));
        }
        for FailureGroup { cause, schemas, .. } in &self.failures {
            let line = cause.line.map(|line| line.to_string()).unwrap_or_default();
            for schema in schemas {
                rows.push(to_strings([
                    &self.run.id,
                    schema,
                    &cause.migration,
                    "",
                    "",
                    "",
                    "failed",
                    "",
                    "",
                    "",
                    &cause.code,
                    cause.sqlstate.as_deref().unwrap_or_default(),
                    &line,
                    &cause.message,
                ]));
            }
        }
        csv(&rows)
    }
}

impl RunList {
    /// One row for each run.
    pub fn csv(&self) -> Result<String, Failure> {
        let mut rows = vec![to_strings([
            "run",
            "command",
            "outcome",
            "started_at",
            "finished_at",
            "duration_ms",
            "started_by",
            "tool_version",
            "units",
            "failed",
        ])];
        for run in &self.runs {
            let duration = run.duration_ms.map(|duration| duration.to_string()).unwrap_or_default();
            rows.push(to_strings([
                &run.id,
                &run.command,
                run.outcome.as_deref().unwrap_or_default(),
                &run.started_at,
                run.finished_at.as_deref().unwrap_or_default(),
                &duration,
                &run.started_by,
                &run.tool_version,
                &run.units.to_string(),
                &run.failed.to_string(),
            ]));
        }
        csv(&rows)
    }
}

fn to_strings<const N: usize>(fields: [&str; N]) -> Vec<String> {
    fields.map(str::to_owned).into()
}

fn csv(rows: &[Vec<String>]) -> Result<String, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Code::Io, format!("writing CSV: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        // A spreadsheet would run a field that begins like a formula.
        let fields = row.iter().map(|field| {
            if field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
                format!("'{field}")
            } else {
                field.clone()
            }
        });
        writer.write_record(fields).map_err(|error| failed(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|error| failed(&error))
}
