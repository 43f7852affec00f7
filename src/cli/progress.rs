//! Events on stderr: a bar on a terminal, a line now and then where nobody looks at a bar, a line for each
//! event for who wants to know.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use super::ui::complain;
use crate::error::Failure;
use crate::event::{Event, Sink};
use crate::output::Paint;

/// Work of fewer parts is told by its result.
const A_LOT: usize = 10;

/// Between two lines.
const NOW_AND_THEN: Duration = Duration::from_secs(10);

/// Work that is done by then needs no line.
const SOON: Duration = Duration::from_secs(3);

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Nothing.
    Quiet,
    /// A bar, and what fails.
    Bar,
    /// How far it is, and what fails.
    NowAndThen,
    /// Every event.
    All,
}

/// Shows events.
#[derive(Debug)]
pub(super) struct Progress {
    manner: Manner,
    paint: Paint,
    bar: Option<ProgressBar>,
    expected: usize,
    done: usize,
    began: Instant,
    next_line: Instant,
}

impl Progress {
    pub(super) fn new(manner: Manner, paint: Paint) -> Self {
        let now = Instant::now();
        Self { manner, paint, bar: None, expected: 0, done: 0, began: now, next_line: now + SOON }
    }

    fn begin(&mut self, expected: usize) {
        let now = Instant::now();
        (self.expected, self.done, self.began, self.next_line) = (expected, 0, now, now + SOON);
        // Short work needs no bar.
        if self.manner != Manner::Bar || expected < 2 {
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

    /// One part is done, or will not be.
    fn one(&mut self, word: impl Fn(Paint) -> String, rest: &str) {
        self.done += 1;
        if self.manner == Manner::All {
            complain(&format!("{} {rest}", word(self.paint)));
        }
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        let now = Instant::now();
        if self.manner == Manner::NowAndThen && now >= self.next_line {
            self.next_line = now + NOW_AND_THEN;
            complain(&how_far(self.done, self.expected, now - self.began));
        }
    }

    fn failed(&mut self, what: &str, failure: &Failure) {
        let line = format!("{} {what}: {failure}", self.paint.bad("failed"));
        match (&self.bar, self.manner) {
            (Some(bar), _) => bar.println(line),
            (None, Manner::NowAndThen) if self.expected >= A_LOT => complain(&line),
            (None, _) => {}
        }
        self.one(|paint| paint.bad("failed"), what);
    }

    fn aside(&self, line: &str) {
        if self.manner == Manner::All {
            complain(&self.paint.dim(line));
        }
    }

    /// A line of another program's.
    fn said(&self, line: &str) {
        match (&self.bar, self.manner) {
            (_, Manner::Quiet) => {}
            (Some(bar), _) => bar.println(line),
            (None, _) => complain(line),
        }
    }

    fn delayed(&self, what: &str, failure: &Failure, pause: Duration) {
        if self.manner == Manner::All {
            let word = self.paint.warn("again later");
            complain(&format!("{word} {what}  in {} ms: {failure}", pause.as_millis()));
        }
    }
}

/// `1200 of 10000 done, 340/s, 26 seconds left`
fn how_far(done: usize, expected: usize, elapsed: Duration) -> String {
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
                self.one(|paint| paint.good("done"), &what);
            }
            Event::UnitDoneByAnother { schema, migration } => {
                self.one(|paint| paint.dim("done by another run"), &format!("{schema}  {migration}"));
            }
            Event::UnitDelayed { schema, migration, failure, pause } => {
                self.delayed(&format!("{schema}  {migration}"), failure, *pause);
            }
            Event::TenantDelayed { slug, failure, pause } => self.delayed(slug, failure, *pause),
            Event::UnitFailed { schema, migration, failure } => {
                self.failed(&format!("{schema}  {migration}"), failure);
            }
            Event::TenantGone { schema, now: Some(now) } => self.aside(&format!("renamed {schema}  {now}")),
            Event::TenantGone { schema, now: None } => {
                self.one(|paint| paint.dim("no longer there"), schema.as_str());
            }
            Event::RunRecordFailed { failure } => {
                self.said(&format!("the run's row does not say how it ended: {failure}"));
            }
            Event::TenantDone { slug } => self.one(|paint| paint.good("done"), slug),
            Event::HookOutput { slug, line } => self.said(&format!("{slug}: {line}")),
            Event::TenantFailed { slug, failure } => self.failed(slug, failure),
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
    fn how_far_says_rate_and_time_left() {
        let said = how_far(1_200, 10_000, Duration::from_secs(6));
        assert_eq!(said, "1200 of 10000 done, 200/s, 44 seconds left");
        assert_eq!(how_far(0, 10, Duration::ZERO), "0 of 10 done, 0/s, 0 seconds left");
        assert!(how_far(12, 10, Duration::from_secs(1)).starts_with("12 of 10 done, 12/s"));
    }
}
