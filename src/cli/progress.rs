//! Prints events to stderr: a progress bar on a terminal, periodic lines elsewhere, one line per event with `-v`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use super::ui::print_error;
use crate::error::Failure;
use crate::event::{Event, Sink};
use crate::output::{Paint, Text};

/// Failures of runs with fewer parts are printed only with the result.
const MIN_PARTS_FOR_LINES: usize = 10;

/// Interval between periodic lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Delay of the first periodic line.
const FIRST_LINE_DELAY: Duration = Duration::from_secs(3);

/// How progress is displayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProgressMode {
    Quiet,
    /// A bar, and failures.
    Bar,
    /// Periodic lines, and failures.
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
    began: Instant,
    next_line: Instant,
}

impl Progress {
    pub(super) fn new(mode: ProgressMode, paint: Paint) -> Self {
        let now = Instant::now();
        Self { mode, paint, bar: None, expected: 0, done: 0, began: now, next_line: now + FIRST_LINE_DELAY }
    }

    fn begin(&mut self, expected: usize) {
        let now = Instant::now();
        (self.expected, self.done, self.began, self.next_line) = (expected, 0, now, now + FIRST_LINE_DELAY);
        // Short work needs no bar.
        if self.mode != ProgressMode::Bar || expected < 2 {
            return;
        }
        let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _written = write!(out, "{:.0}/s", state.per_sec());
        };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {rate}  {eta} left");
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
        }
        let now = Instant::now();
        if self.mode == ProgressMode::Periodic && now >= self.next_line {
            self.next_line = now + LINE_INTERVAL;
            print_error(&Text::of_line(progress_line(self.done, self.expected, now - self.began)));
        }
    }

    fn finish_failed(&mut self, what: &str, failure: &Failure) {
        let line = Text::of_line(format_args!("{} {what}: {failure}", self.paint.bad("failed")));
        match (&self.bar, self.mode) {
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

/// `1200 of 10000 done, 340/s, 26 seconds left`
fn progress_line(done: usize, expected: usize, elapsed: Duration) -> String {
    let mut line = format!("{done} of {expected} done");
    let (Ok(done), Ok(left)) = (u32::try_from(done), u32::try_from(expected.saturating_sub(done))) else {
        return line;
    };
    let left = elapsed / done.max(1) * left;
    let rate = f64::from(done) / elapsed.as_secs_f64().max(0.001);
    let _written = write!(line, ", {rate:.0}/s, {} left", HumanDuration(left));
    line
}

impl Sink for Progress {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Began { expected } => self.begin(*expected),
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
    fn progress_line_contains_rate_and_time_left() {
        let line = progress_line(1_200, 10_000, Duration::from_secs(6));
        assert_eq!(line, "1200 of 10000 done, 200/s, 44 seconds left");
        assert_eq!(progress_line(0, 10, Duration::ZERO), "0 of 10 done, 0/s, 0 seconds left");
        assert!(progress_line(12, 10, Duration::from_secs(1)).starts_with("12 of 10 done, 12/s"));
    }
}
