//! Packs units of several tenants into one message, each in its own transaction, to save round trips. The server
//! stops at the first error: earlier units are committed, later ones are sent again.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::ident::SchemaName;
use crate::postgres::Row;
use crate::postgres::batch::{DURATION_COLUMN, SqlBatch};

/// Target duration of a message: long compared with a round trip, short enough to stop and share work quickly.
const TARGET_DURATION: Duration = Duration::from_millis(50);

/// Above this duration a single unit counts as slow work, not as latency, and is sent alone.
const MAX_LATENCY: Duration = Duration::from_millis(250);

/// Maximum number of units in a message.
const MAX_UNITS: usize = 50;

/// Maximum length of a message in characters; a longer unit is sent alone.
const MAX_CHARS: usize = 1 << 20;

/// A tenant that is behind, and its next step.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) schema: SchemaName,
    pub(super) step: usize,
    /// Number of attempts at that step.
    pub(super) attempts: u32,
}

/// Maximum growth factor between two messages.
const GROWTH: usize = 25;

/// Adapts the number of units per message to their duration. All workers share it. The fastest message measures the
/// latency, which does not count as work.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BatchSizer {
    /// Duration of the fastest message: a round trip and at least one unit.
    quickest: Option<Duration>,
    /// Estimated duration of one unit.
    each: Option<Duration>,
    units: usize,
}

impl BatchSizer {
    /// Records that a message of `units` took `elapsed`.
    pub(super) fn record(&mut self, units: usize, elapsed: Duration) {
        let quickest = self.quickest.map_or(elapsed, |before| before.min(elapsed));
        self.quickest = Some(quickest);
        let work = elapsed.saturating_sub(quickest);
        if let Ok(others @ 1..) = u32::try_from(units.saturating_sub(1)) {
            let now = work / others;
            self.each = Some(self.each.map_or(now, |before| (before + now) / 2));
        }
        let grown = self.units().max(units).saturating_mul(GROWTH).min(MAX_UNITS);
        self.units = if work <= TARGET_DURATION / 2
            && elapsed <= quickest + TARGET_DURATION
            && quickest <= MAX_LATENCY
        {
            grown
        } else if work <= TARGET_DURATION {
            self.units().max(units)
        } else {
            let fitting = TARGET_DURATION.as_micros() * units as u128 / work.as_micros().max(1);
            usize::try_from(fitting).unwrap_or(MAX_UNITS).clamp(1, MAX_UNITS)
        };
    }

    /// Whether nothing was recorded.
    pub(super) fn is_new(self) -> bool {
        self.quickest.is_none()
    }

    /// Number of units whose work takes half a round trip: with smaller messages the server waits for the network.
    pub(super) fn min_useful_units(self) -> usize {
        let (Some(way), Some(each)) = (self.quickest, self.each) else { return 1 };
        let units = way.as_micros() / 2 / each.as_micros().max(1);
        usize::try_from(units).unwrap_or(MAX_UNITS).clamp(1, self.units())
    }

    /// Number of units for the next message; starts with 1.
    pub(super) fn units(self) -> usize {
        self.units.max(1)
    }
}

/// A message with several units.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) message: SqlBatch,
    /// The units in order.
    pub(super) units: Vec<BatchedUnit>,
    /// The tasks, with their first steps.
    pub(super) tasks: Vec<Task>,
    /// Remaining steps of the tasks that cannot be sent in this message.
    pub(super) rest: Vec<Task>,
}

/// A unit in a batch: its task, its step, and the number of statements up to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchedUnit {
    pub(super) task: usize,
    pub(super) step: usize,
    pub(super) end: usize,
}

impl Batch {
    /// Whether no more units should be added.
    pub(super) fn is_full(&self, units: usize) -> bool {
        self.units.len() >= units || self.message.chars() >= MAX_CHARS
    }

    /// Adds a unit of the last task.
    pub(super) fn push(&mut self, step: usize, message: &SqlBatch) {
        self.message.append(message);
        self.units.push(BatchedUnit { task: self.tasks.len() - 1, step, end: self.message.statements() });
    }

    /// The number of units contained in the first `completed` statements.
    pub(super) fn done(&self, completed: usize) -> usize {
        self.units.iter().take_while(|unit| unit.end <= completed).count()
    }

    /// The statements of a unit.
    pub(super) fn range(&self, unit: usize) -> Range<usize> {
        unit.checked_sub(1).map_or(0, |before| self.units[before].end)..self.units[unit].end
    }

    /// The duration of a unit from its history row in the result sets; `None` if it has none or took less than 1 ms.
    pub(super) fn duration(&self, unit: usize, sets: &[Vec<Row>]) -> Option<Duration> {
        let answers = sets.get(self.range(unit))?;
        let duration = answers.iter().flatten().find_map(|row| row.integer(DURATION_COLUMN).ok())?;
        u64::try_from(duration).ok().filter(|duration| *duration > 0).map(Duration::from_millis)
    }

    /// The tasks that remain after the first `done` units, in order, each with its next step.
    pub(super) fn left(&self, done: usize) -> VecDeque<Task> {
        let mut left: VecDeque<Task> = VecDeque::new();
        for unit in &self.units[done..] {
            let task = &self.tasks[unit.task];
            if left.back().is_none_or(|last| last.schema != task.schema) {
                let attempts = if unit.step == task.step { task.attempts } else { 0 };
                left.push_back(Task { schema: task.schema.clone(), step: unit.step, attempts });
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(tasks: &[(&str, &[usize])]) -> Batch {
        let mut batch = Batch::default();
        for (schema, steps) in tasks {
            let schema = SchemaName::existing(*schema).unwrap();
            batch.tasks.push(Task { schema, step: steps[0], attempts: 2 });
            for step in *steps {
                let mut message = SqlBatch::default();
                for _statement in 0..3 {
                    message.push("SELECT 1");
                }
                batch.push(*step, &message);
            }
        }
        batch
    }

    #[test]
    fn remaining_tasks_start_with_the_failed_unit() {
        let batch = batch(&[("a", &[1, 2]), ("b", &[2]), ("c", &[1, 2])]);
        assert_eq!(
            (batch.done(0), batch.done(2), batch.done(3), batch.done(8), batch.done(15)),
            (0, 0, 1, 2, 5)
        );
        let left = |done| -> Vec<_> {
            batch.left(done).iter().map(|task| (task.schema.to_string(), task.step, task.attempts)).collect()
        };
        let expected = |tasks: &[(&str, usize, u32)]| -> Vec<_> {
            tasks.iter().map(|(schema, step, attempts)| ((*schema).to_owned(), *step, *attempts)).collect()
        };
        assert_eq!(left(0), expected(&[("a", 1, 2), ("b", 2, 2), ("c", 1, 2)]));
        assert_eq!(left(1), expected(&[("a", 2, 0), ("b", 2, 2), ("c", 1, 2)]));
        assert_eq!(left(2), expected(&[("b", 2, 2), ("c", 1, 2)]));
        assert_eq!(left(4), expected(&[("c", 2, 0)]));
        assert_eq!(left(5), []);
    }

    #[test]
    fn batches_grow_while_they_are_fast() {
        let millis = Duration::from_millis;
        let mut batch_sizer = BatchSizer::default();
        let mut sizes = vec![batch_sizer.units()];
        for elapsed in [1, 2, 6, 12] {
            batch_sizer.record(batch_sizer.units(), millis(elapsed));
            sizes.push(batch_sizer.units());
        }
        assert_eq!(sizes, [1, 25, 50, 50, 50]);
        // A slow message makes the next ones smaller; slow units are sent alone.
        batch_sizer.record(50, millis(501));
        assert_eq!(batch_sizer.units(), 5);
        batch_sizer.record(5, millis(500));
        assert_eq!(batch_sizer.units(), 1);
    }

    #[test]
    fn latency_is_not_slow_work() {
        let mut far = BatchSizer::default();
        for elapsed in [100, 101, 105] {
            far.record(far.units(), Duration::from_millis(elapsed));
        }
        assert_eq!((far.units(), far.min_useful_units()), (MAX_UNITS, MAX_UNITS));
        let mut slow = BatchSizer::default();
        slow.record(1, Duration::from_secs(3));
        assert_eq!(slow.units(), 1);
    }
}
