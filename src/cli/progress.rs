//! Prints events to stderr: a progress bar on a terminal, a line every ten seconds elsewhere, one line per event with `-v`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use super::ui::print_error;
use crate::error::Failure;
use crate::event::{Activity, Event, IndexBuild, LockHolder, Sink, UnderWay};
use crate::output::{Paint, Text};

/// Failures of runs with fewer parts are printed only with the result.
const MIN_PARTS_FOR_LINES: usize = 10;

/// The number of failures that are printed when they happen; the result has all.
const MAX_FAILURES: usize = 20;

/// How progress is displayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProgressMode {
    Quiet,
    /// A bar, and failures.
    Bar,
    /// A line for each report of a run that takes long, and failures.
    Periodic,
    /// Every event.
    EveryEvent,
}

#[derive(Debug)]
pub(super) struct Progress {
    mode: ProgressMode,
    paint: Paint,
    bar: Option<ProgressBar>,
    expected: usize,
    done: usize,
    failed: usize,
    began: Instant,
    /// The number of finished parts in the last report.
    reported: usize,
}

impl Progress {
    pub(super) fn new(mode: ProgressMode, paint: Paint) -> Self {
        Self { mode, paint, bar: None, expected: 0, done: 0, failed: 0, began: Instant::now(), reported: 0 }
    }

    fn begin(&mut self, expected: usize) {
        (self.expected, self.done, self.failed) = (expected, 0, 0);
        (self.began, self.reported) = (Instant::now(), 0);
        // Short work needs no bar.
        if self.mode != ProgressMode::Bar || expected < 2 {
            return;
        }
        let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _written = write!(out, "{:.0}/s", state.per_sec());
        };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {rate}  {eta} left{msg}");
        let bar = ProgressBar::new(expected as u64);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("rate", rate));
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bar = Some(bar);
    }

    /// Counts a finished part.
    fn finish_part(&mut self, word: impl Fn(Paint) -> String, rest: &str) {
        self.done += 1;
        if self.mode == ProgressMode::EveryEvent {
            print_error(&Text::of_line(format_args!("{} {rest}", word(self.paint))));
        }
        if let Some(bar) = &self.bar {
            bar.inc(1);
            bar.set_message("");
        }
    }

    /// Shows what a run that takes long waits for.
    fn report(&mut self, oldest: Option<&UnderWay>, delayed: usize, activity: &Activity) {
        let facts = facts(oldest, delayed, activity);
        if let Some(bar) = &self.bar {
            let line = Text::of_line(facts.join("; "));
            // Below the bar, without the end of the line.
            bar.set_message(format!("\n{}", line.as_str().trim_end()));
            return;
        }
        // A unit under way is not done, even if more units than expected are.
        let expected = self.expected.max(self.done + usize::from(oldest.is_some()));
        let mut line = format!("{} of {expected} done", self.done);
        if self.done > self.reported {
            line += &speed(self.done, expected, self.began.elapsed());
        }
        self.reported = self.done;
        let parts = [line].into_iter().chain(facts).collect::<Vec<_>>();
        self.print_line(&parts.join("; "));
    }

    fn finish_failed(&mut self, what: &str, failure: &Failure) {
        let line = Text::of_line(format_args!("{} {what}: {failure}", self.paint.bad("failed")));
        self.failed += 1;
        match (&self.bar, self.mode) {
            _ if self.failed > MAX_FAILURES => {}
            (Some(bar), _) => bar.println(line.as_str().trim_end()),
            (None, ProgressMode::Periodic) if self.expected >= MIN_PARTS_FOR_LINES => print_error(&line),
            (None, _) => {}
        }
        self.finish_part(|paint| paint.bad("failed"), what);
    }

    fn print_detail(&self, line: &str) {
        if self.mode == ProgressMode::EveryEvent {
            print_error(&Text::of_line(self.paint.dim(line)));
        }
    }

    /// Prints a line of another program.
    fn print_line(&self, line: &str) {
        let line = Text::of_line(line);
        match (&self.bar, self.mode) {
            (_, ProgressMode::Quiet) => {}
            (Some(bar), _) => bar.println(line.as_str().trim_end()),
            (None, _) => print_error(&line),
        }
    }

    fn print_retry(&self, what: &str, failure: &Failure, pause: Duration) {
        if self.mode == ProgressMode::EveryEvent {
            let word = self.paint.warn("retry");
            let line = format!("{word} {what}  in {} ms: {failure}", pause.as_millis());
            print_error(&Text::of_line(line));
        }
    }
}

/// `, 340/s, 26 seconds left`
fn speed(done: usize, expected: usize, elapsed: Duration) -> String {
    let (Ok(done), Ok(left)) = (u32::try_from(done), u32::try_from(expected.saturating_sub(done))) else {
        return String::new();
    };
    let time_left = elapsed / done.max(1) * left;
    let rate = f64::from(done) / elapsed.as_secs_f64().max(0.001);
    let mut speed = if rate < 1.0 { format!(", {rate:.1}/s") } else { format!(", {rate:.0}/s") };
    if left > 0 {
        let _written = write!(speed, ", {} left", HumanDuration(time_left));
    }
    speed
}

/// What a run waits for: the oldest message, an index build, the waiting units, and the holder of the lock.
fn facts(oldest: Option<&UnderWay>, delayed: usize, activity: &Activity) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(UnderWay { schema, migration, others, elapsed }) = oldest {
        let others = if *others == 0 { String::new() } else { format!(" and {others} more") };
        facts.push(format!("{schema}{others}: {migration} for {}", HumanDuration(*elapsed)));
    }
    if let Some(IndexBuild { phase, percent }) = &activity.index {
        let percent = percent.map(|percent| format!(", {percent} %")).unwrap_or_default();
        facts.push(format!("index build: {phase}{percent}"));
    }
    if delayed > 0 {
        facts.push(format!("{} for the next attempt", waiting(delayed)));
    }
    if activity.waiting > 0 {
        facts.push(format!("{} for a lock", waiting(activity.waiting)));
    }
    facts.extend(lock_holder(activity));
    facts
}

/// The session that holds the lock, as far as this role may see it.
pub(super) fn lock_holder(activity: &Activity) -> Option<String> {
    activity.holder.as_ref().map(|LockHolder { pid, application, age, query }| {
        let mut fact = match pid {
            Some(pid) => format!("the lock is held by process {pid}"),
            None => "the lock is held by a prepared transaction (see pg_prepared_xacts)".to_owned(),
        };
        if !application.is_empty() {
            let _written = write!(fact, " of {application}");
        }
        if let Some(age) = age {
            let _written = write!(fact, ", in a transaction of {}", HumanDuration(*age));
        }
        match query {
            Some(query) => {
                let _written = write!(fact, ": {query}");
            }
            None if pid.is_some() => fact.push_str(" (pg_read_all_stats lets this role see its query)"),
            None => {}
        }
        fact
    })
}

fn waiting(count: usize) -> String {
    if count == 1 { "1 waits".to_owned() } else { format!("{count} wait") }
}

impl Sink for Progress {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Began { expected, .. } => self.begin(*expected),
            Event::UnitDone { schema, migration, elapsed } => {
                let what = format!("{schema}  {migration}  {} ms", elapsed.as_millis());
                self.finish_part(|paint| paint.good("done"), &what);
            }
            Event::UnitDoneByAnother { schema, migration } => {
                self.finish_part(|paint| paint.dim("done by another run"), &format!("{schema}  {migration}"));
            }
            Event::UnitDelayed { schema, migration, failure, pause } => {
                self.print_retry(&format!("{schema}  {migration}"), failure, *pause);
            }
            Event::TenantDelayed { slug, failure, pause } => self.print_retry(slug, failure, *pause),
            Event::UnitFailed { schema, migration, failure } => {
                self.finish_failed(&format!("{schema}  {migration}"), failure);
            }
            Event::TenantGone { schema, now: Some(now) } => {
                self.print_detail(&format!("renamed {schema}  {now}"));
            }
            Event::TenantGone { schema, now: None } => {
                self.finish_part(|paint| paint.dim("no longer exists"), schema.as_str());
            }
            // Notices are in the result.
            Event::Notice { .. } => {}
            Event::Running { oldest, delayed, activity } => self.report(*oldest, *delayed, activity),
            Event::RunRecordFailed { failure } => {
                self.print_line(&format!("recording the end of the run failed: {failure}"));
            }
            Event::TenantDone { slug } => self.finish_part(|paint| paint.good("done"), slug),
            Event::HookOutput { slug, line } => self.print_line(&format!("{slug}: {line}")),
            Event::TenantFailed { slug, failure } => self.finish_failed(slug, failure),
            Event::Ended => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_contains_rate_and_time_left() {
        let seconds = Duration::from_secs;
        assert_eq!(speed(1_200, 10_000, seconds(6)), ", 200/s, 44 seconds left");
        assert_eq!(speed(2, 3, seconds(20)), ", 0.1/s, 10 seconds left");
        assert_eq!(speed(12, 10, seconds(1)), ", 12/s");
    }

    #[test]
    fn the_facts_name_the_holder_as_far_as_it_is_known() {
        let holder = |pid, application: &str, age, query: Option<&str>| LockHolder {
            pid,
            application: application.to_owned(),
            age,
            query: query.map(str::to_owned),
        };
        for (holder, shown) in [
            (
                holder(Some(7), "psql", Some(Duration::from_mins(2)), Some("LOCK TABLE a")),
                "the lock is held by process 7 of psql, in a transaction of 2 minutes: LOCK TABLE a",
            ),
            (
                holder(Some(7), "", None, None),
                "the lock is held by process 7 (pg_read_all_stats lets this role see its query)",
            ),
            (
                holder(None, "", None, None),
                "the lock is held by a prepared transaction (see pg_prepared_xacts)",
            ),
        ] {
            let index = Some(IndexBuild { phase: "building index".to_owned(), percent: Some(40) });
            let activity = Activity { waiting: 2, holder: Some(holder), index };
            assert_eq!(
                facts(None, 1, &activity),
                [
                    "index build: building index, 40 %",
                    "1 waits for the next attempt",
                    "2 wait for a lock",
                    shown
                ]
            );
        }
    }
}
