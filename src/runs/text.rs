//! The text of `run list` and `run show`.

use super::{FailureGroup, RunDetails, RunList};
use crate::output::{Paint, Text, elapsed, first_names, or_dash, plural, table};
use crate::postgres::metadata::{RecordedRun, RecordedUnit};

/// Up to this number, the units of a run are listed.
const LISTED_UNITS: usize = 20;

/// The text of `run list`.
pub fn list(list: &RunList, paint: Paint) -> Text {
    if list.runs.is_empty() {
        return Text::of_line("no runs");
    }
    let rows: Vec<_> = list
        .runs
        .iter()
        .map(|run| {
            [
                run.id.clone(),
                paint.time(&run.started_at),
                run.duration_ms.map_or_else(|| "–".to_owned(), elapsed),
                outcome(run).to_owned(),
                run.units.to_string(),
                run.failed.to_string(),
                run.started_by.clone(),
                run.command.clone(),
            ]
        })
        .collect();
    table(["run", "started", "took", "outcome", "units", "failed", "by", "command"], &rows, paint)
}

/// The text of `run show`.
pub fn details(details: &RunDetails, paint: Paint) -> Text {
    let run = &details.run;
    let state = match run.outcome.as_deref() {
        Some("done" | "nothing") => paint.good(outcome(run)),
        Some(_) => paint.bad(outcome(run)),
        None => paint.warn(outcome(run)),
    };
    let mut text = Text::of_line(format_args!("run       {}  {state}", paint.bold(&run.id)));
    text.line(format_args!(
        "command   {}, by {} with Tenure {}",
        run.command, run.started_by, run.tool_version
    ));
    let finished = run.finished_at.as_deref().map(|time| paint.time(time));
    text.line(format_args!(
        "started   {}, finished {}",
        paint.time(&run.started_at),
        or_dash(finished.as_ref())
    ));
    if let Some(duration) = run.duration_ms {
        text.line(format_args!("took      {}", elapsed(duration)));
    }
    text.line(format_args!("units     {}, {} failed", run.units, run.failed));
    if !details.steps.is_empty() {
        let rows: Vec<_> = details
            .steps
            .iter()
            .map(|step| {
                [
                    format!("{} → {}", step.from, step.to),
                    step.kind.clone(),
                    step.units.to_string(),
                    elapsed(step.p50_ms),
                    elapsed(step.p90_ms),
                    elapsed(step.max_ms),
                    step.migration.clone(),
                ]
            })
            .collect();
        text.blank();
        text.append(&table(["step", "kind", "units", "median", "90 %", "longest", "name"], &rows, paint));
    }
    for group in &details.failures {
        text.blank();
        failures(&mut text, group, paint);
    }
    if details.slowest.len() > 1 {
        let slowest = details.slowest.iter().take(5);
        let slowest = slowest.map(|slow| format!("{} {} ms", slow.schema, slow.duration_ms));
        text.blank();
        text.line(format_args!("slowest   {}", slowest.collect::<Vec<_>>().join(", ")));
    }
    let listed = details.units.len();
    if (1..=LISTED_UNITS).contains(&listed) {
        text.blank();
        text.append(&units(&details.units, paint));
    } else if listed > LISTED_UNITS {
        let more = format!("{}: --output csv or json lists them", plural(listed, "unit"));
        text.line(paint.dim(&more));
    }
    text
}

fn failures(text: &mut Text, group: &FailureGroup, paint: Paint) {
    let FailureGroup { cause, schemas, attempts } = group;
    let names = first_names(schemas.iter().map(String::as_str));
    text.line(format_args!(
        "{}    {}: {names}  {}",
        paint.bad("failed"),
        plural(schemas.len(), "schema"),
        cause.place()
    ));
    let state = cause.sqlstate.as_ref().map(|state| format!(" (SQLSTATE {state})")).unwrap_or_default();
    text.line(format_args!("          {}{state}", cause.message));
    let attempts = plural(usize::try_from(*attempts).unwrap_or_default(), "attempt");
    text.line(format_args!("          {}", paint.dim(&format!("[{}] after {attempts}", cause.code))));
}

fn units(units: &[RecordedUnit], paint: Paint) -> Text {
    let row = |unit: &RecordedUnit| {
        [
            paint.time(&unit.applied_at),
            unit.schema.clone(),
            format!("{} → {}", unit.from, unit.to),
            elapsed(unit.duration_ms),
            unit.migration.clone(),
        ]
    };
    let rows: Vec<_> = units.iter().map(row).collect();
    table(["applied", "schema", "step", "took", "name"], &rows, paint)
}

fn outcome(run: &RecordedRun) -> &str {
    run.outcome.as_deref().unwrap_or("not ended")
}
