//! The results of `tenant pool` as text.

use super::{PoolDrained, PoolFailure, PoolFilled, PoolList};
use crate::output::{Paint, Text, failure, table};
use crate::postgres::metadata::RunStatus;

/// The result of `tenant pool fill`.
pub fn pool_filled(filled: &PoolFilled, paint: Paint) -> Text {
    let mut text = failures(&filled.failures, paint);
    let PoolFilled { template, version, there, made, removed, .. } = filled;
    let head = paint.good(if filled.outcome == RunStatus::Nothing { "nothing to do" } else { "done" });
    let head = if filled.failures.is_empty() { head } else { paint.bad(filled.outcome.as_str()) };
    text.line(format_args!(
        "{head}: {} of the template {} at {version}; {made} created, {removed} removed",
        crate::output::plural(there + made, "schema"),
        paint.bold(template)
    ));
    text
}

/// The result of `tenant pool drain`.
pub fn pool_drained(drained: &PoolDrained, paint: Paint) -> Text {
    let mut text = failures(&drained.failures, paint);
    let head = match drained.outcome {
        RunStatus::Nothing => paint.good("nothing to do"),
        RunStatus::Done => paint.good("done"),
        other => paint.bad(other.as_str()),
    };
    text.line(format_args!("{head}: {} removed", crate::output::plural(drained.removed, "schema")));
    text
}

/// The result of `tenant pool list`.
pub fn pool_list(list: &PoolList, paint: Paint) -> Text {
    if list.pool.is_empty() {
        return Text::of_line("no schemas; create some in advance with `tenure tenant pool fill N`");
    }
    let rows: Vec<_> = list
        .pool
        .iter()
        .map(|row| {
            [
                row.schema.to_string(),
                row.template.clone(),
                row.version.to_string(),
                row.state.as_str().to_owned(),
                paint.time(&row.created_at),
            ]
        })
        .collect();
    table(["schema", "template", "version", "state", "created"], &rows, paint)
}

fn failures(failed: &[PoolFailure], paint: Paint) -> Text {
    failed.iter().fold(Text::default(), |mut text, one| {
        text.append(&failure(&one.0, paint));
        text.blank();
        text
    })
}
