//! The text output of `migrate` and `status`.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Migrated, Planned, Status};
use crate::error::Failure;
use crate::event::NoticeLevel;
use crate::executor::{Notices, SlowTenant, UnitFailure};
use crate::output::{
    ErrorJson, Paint, Text, elapsed, equal_failures, first_names, grouped, or_dash, plural, table,
    without_credentials,
};
use crate::postgres::metadata::platform_fingerprint::PlatformDrift;
use crate::postgres::metadata::{HistoryEntry, KeptFailure, MigrationTimes, RunStatus, SCHEMA_MISSING};

/// Whether an unfinished run can be finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// By the same command.
    Resumed,
    /// It was on a branch.
    Left,
}

/// The text of `migrate up`.
pub fn migrated(migrated: &Migrated, unfinished: Unfinished, paint: Paint) -> Text {
    let mut text = Text::default();
    let equal = |failed: &UnitFailure| {
        let Failure { code, sqlstate, message, place, .. } = &failed.failure;
        let place =
            place.as_ref().map(|place| (place.file().to_owned(), place.start().map(|start| start.line)));
        ((*code, sqlstate.clone(), place), failed.schema.hidden_in(message))
    };
    let failed = migrated.failures.iter().map(|it| (equal(it), (it.schema.as_str(), &it.failure)));
    text.append(&equal_failures(failed, paint));
    let head = match migrated.outcome {
        RunStatus::Done => paint.good("done"),
        RunStatus::Nothing => paint.good("nothing to do"),
        RunStatus::Failed => paint.bad("failed, nothing was migrated"),
        RunStatus::Partial => paint.bad("partially done"),
        RunStatus::Interrupted => paint.warn("interrupted"),
    };
    let (change, tenants) = (&migrated.platform, &migrated.tenants);
    let mut line = if change.from == change.to {
        format!("{head}: the platform is at {}", paint.bold(&change.to.to_string()))
    } else {
        format!("{head}: the platform went from {} to {}", change.from, paint.bold(&change.to.to_string()))
    };
    let _written = write!(line, "; {}", plural(tenants.total, "tenant"));
    for (count, word) in
        [(tenants.migrated, "migrated"), (tenants.unchanged, "unchanged"), (tenants.failed, "failed")]
    {
        if count > 0 {
            let _written = write!(line, ", {count} {word}");
        }
    }
    text.line(format_args!(
        "{line}; {} in {}",
        plural(migrated.units, "unit"),
        elapsed(migrated.duration_ms)
    ));
    if !migrated.slowest.is_empty() {
        let slow = |slow: &SlowTenant| format!("{} {}", slow.schema, elapsed(slow.duration_ms));
        let slowest: Vec<_> = migrated.slowest.iter().map(slow).collect();
        text.line(paint.dim(&format!("slowest: {}", slowest.join(", "))));
    }
    if matches!(migrated.outcome, RunStatus::Partial | RunStatus::Failed | RunStatus::Interrupted) {
        let left = match tenants.left {
            Some(left) if left > 0 => format!(": {}", plural(left, "tenant")),
            Some(_) | None => String::new(),
        };
        let word = match unfinished {
            Unfinished::Resumed => "run `tenure migrate up` again to finish",
            Unfinished::Left => "not finished",
        };
        if migrated.stopped_early && unfinished == Unfinished::Resumed && tenants.left > Some(tenants.failed)
        {
            text.line(
                paint.dim("no further tenant was started; `--on-failure continue` migrates the others"),
            );
        }
        text.line(paint.dim(&format!("{word}{left}")));
    }
    text
}

/// The notices of a run, each text once.
pub fn notices(notices: &Notices, paint: Paint) -> Text {
    const MAX_LINES: usize = 20;
    let mut text = Text::default();
    for (notice, tenants) in notices.iter().take(MAX_LINES) {
        let level = match notice.level {
            NoticeLevel::Warning => paint.warn(notice.level.as_str()),
            NoticeLevel::Notice => paint.dim(notice.level.as_str()),
        };
        let whose = tenants.map_or_else(|| "the platform".to_owned(), |tenants| plural(tenants, "tenant"));
        let line = notice.line.map(|line| format!(":{line}")).unwrap_or_default();
        let message = without_credentials(&notice.message);
        text.line(format_args!(
            "{level}: {message} ({whose})  {}",
            paint.dim(&format!("{}{line}", notice.migration))
        ));
    }
    let more = notices.iter().count().saturating_sub(MAX_LINES);
    if more > 0 {
        text.line(format_args!("… {more} more, with --format json"));
    }
    text
}

/// The text of `migrate up --plan`.
pub fn planned(planned: &Planned, paint: Paint) -> Text {
    if planned.steps.is_empty() {
        return Text::of_line(paint.good("nothing to do"));
    }
    let rows: Vec<_> = planned
        .steps
        .iter()
        .map(|step| {
            [
                format!("{} → {}", step.from, step.to),
                if step.platform { "yes".to_owned() } else { "–".to_owned() },
                if step.tenants > 0 { step.tenants.to_string() } else { "–".to_owned() },
                if step.transactional { "yes".to_owned() } else { "no".to_owned() },
                step.migration.clone(),
            ]
        })
        .collect();
    table(["step", "platform", "tenants", "transaction", "migration"], &rows, paint)
}

/// The text of `status`.
pub fn status(status: &Status, paint: Paint) -> Text {
    let (platform, tenants) = (&status.platform, &status.tenants);
    let mut text = Text::default();
    let state = match platform.pending.len() {
        _ if platform.version.is_none() => paint.bad("version cannot be read"),
        0 if platform.version.as_ref() == Some(&platform.latest) => paint.good("up to date"),
        0 if platform.version.as_ref() > Some(&platform.latest) => {
            paint.bad(&format!("ahead of this checkout, whose latest version is {}", platform.latest))
        }
        // No pending file, but not the latest version: the version is not in the chain.
        0 => paint.bad(&format!("not in the chain, whose latest version is {}", platform.latest)),
        behind => paint.warn(&format!("{} behind {}", plural(behind, "migration"), platform.latest)),
    };
    text.line(format_args!(
        "platform  {}  {}  {state}",
        platform.schema,
        paint.bold(&or_dash(platform.version.as_ref()))
    ));
    if let Some(PlatformDrift::Different { since, .. }) = &platform.drift {
        let changed = format!("the schema was changed by something else since the step to {since}");
        text.line(format_args!("          {}: `tenure drift` shows what", paint.bad(&changed)));
    }
    for file in &platform.pending {
        text.line(format_args!("          {}", paint.dim(&format!("pending: {file}"))));
    }
    let mut line = format!("tenants   {}", tenants.total);
    for (count, word) in [
        (tenants.current, "current"),
        (tenants.behind, "behind"),
        (tenants.ahead, "ahead"),
        (tenants.unknown, "unknown"),
    ] {
        if count > 0 {
            let _written = write!(line, ", {count} {word}");
        }
    }
    text.line(line);
    if tenants.versions.len() > 1 {
        for (version, count) in &tenants.versions {
            text.line(format_args!("          {count} at {version}"));
        }
    }
    for (cause, members) in grouped(status.failures.iter().map(|kept| (kept.cause(), kept))) {
        let Some(KeptFailure { message, failed_at, failed_by, run, .. }) = members.first() else { continue };
        let (equal_message, place) = (&cause.message, cause.place());
        let names = first_names(members.iter().map(|kept| kept.schema.as_str()));
        text.line(format_args!("{}    {names}  {place}", paint.bad("failed")));
        text.line(format_args!("          {}", if members.len() == 1 { message } else { equal_message }));
        text.line(format_args!(
            "          {}",
            paint.dim(&format!("{} by {failed_by} in run {run}", paint.time(failed_at)))
        ));
    }
    if let Some(list) = &status.list
        && !list.is_empty()
    {
        let rows: Vec<_> = list
            .iter()
            .map(|line| {
                [
                    line.slug.clone(),
                    line.schema.to_string(),
                    or_dash(line.version.as_ref()),
                    (if line.schema_missing { SCHEMA_MISSING } else { line.status.as_str() }).to_owned(),
                ]
            })
            .collect();
        text.blank();
        text.append(&table(["slug", "schema", "version", "status"], &rows, paint));
    }
    text
}

/// The JSON of `status`.
#[derive(Debug, JsonSchema, Serialize)]
pub struct StatusDocument<'a> {
    #[serde(flatten)]
    status: &'a Status,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trouble: Vec<ErrorJson>,
}

impl<'a> From<&'a Status> for StatusDocument<'a> {
    fn from(status: &'a Status) -> Self {
        Self { status, trouble: status.trouble.iter().map(ErrorJson::from).collect() }
    }
}

/// The lines that differ between the earlier and the current text of a file, without the equal lines before and after them.
pub fn changed_lines(then: &str, now: &str) -> Text {
    const MAX_LINES: usize = 20;
    let (then, now): (Vec<_>, Vec<_>) = (then.lines().collect(), now.lines().collect());
    let start = then.iter().zip(&now).take_while(|(then, now)| then == now).count();
    let (then, now) = (&then[start..], &now[start..]);
    let end = then.iter().rev().zip(now.iter().rev()).take_while(|(then, now)| then == now).count();
    let mut text = Text::of_line(format_args!("  from line {}:", start + 1));
    for (sign, lines) in [('-', &then[..then.len() - end]), ('+', &now[..now.len() - end])] {
        for line in lines.iter().take(MAX_LINES) {
            text.line(format_args!("  {sign} {line}"));
        }
        if lines.len() > MAX_LINES {
            text.line(format_args!("  {sign} … {} more lines", lines.len() - MAX_LINES));
        }
    }
    text
}

/// The text of `migrate history`, with the durations of all units by migration.
pub fn history(entries: &[HistoryEntry], times: &[MigrationTimes], paint: Paint) -> Text {
    if entries.is_empty() {
        return Text::of_line("no history");
    }
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            [
                paint.time(&entry.applied_at),
                format!("{} → {}", entry.from, entry.to),
                entry.kind.clone(),
                elapsed(entry.duration_ms),
                entry.applied_by.clone(),
                entry.name.clone(),
            ]
        })
        .collect();
    let mut text = table(["applied", "step", "kind", "took", "by", "name"], &rows, paint);
    if !times.is_empty() {
        let row = |times: &MigrationTimes| {
            let [p50, p90, p99, max] =
                [times.p50_ms, times.p90_ms, times.p99_ms, times.max_ms].map(|time| format!("{time} ms"));
            let step = format!("{} → {}", times.from, times.to);
            [step, times.scope.clone(), times.units.to_string(), p50, p90, p99, max, times.migration.clone()]
        };
        text.blank();
        let headings = ["step", "scope", "units", "median", "90 %", "99 %", "longest", "migration"];
        text.append(&table(headings, &times.iter().map(row).collect::<Vec<_>>(), paint));
    }
    text
}
