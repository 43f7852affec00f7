//! Units of several tenants in one message, each in its own transaction: a database far away costs a
//! round trip a message, not a tenant. The server stops at the first refusal; what stands before it
//! stands, what comes after it is sent again.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::ident::SchemaName;
use crate::postgres::Row;
use crate::postgres::batch::{DURATION_COLUMN, SqlBatch};

/// How long a message should take: long enough for a round trip not to matter, short enough for a stop
/// to be quick and for the work to spread.
const TARGET: Duration = Duration::from_millis(50);

/// One unit that takes longer than this is slow work rather than a long way, and travels alone.
const FAR: Duration = Duration::from_millis(250);

/// The most units of one message.
const MOST: usize = 50;

/// The longest message, in characters; a longer unit travels alone.
const LONGEST: usize = 1 << 20;

/// A tenant that is behind, and the step that it is to run next.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) schema: SchemaName,
    pub(super) step: usize,
    /// How often that step was tried.
    pub(super) attempts: u32,
}

/// The next message holds at most so many times as many units as went well in the last one.
const GROWTH: usize = 10;

/// How many units go into a message, as the workers learn it together. How far away the database is does
/// not count: the quickest message shows that.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BatchSizer {
    /// The quickest message: a round trip, and the work of one unit or more.
    quickest: Option<Duration>,
    /// The work of one unit, from messages of several.
    each: Option<Duration>,
    units: usize,
}

impl BatchSizer {
    /// Learns that a message of `units` took `elapsed`.
    pub(super) fn learn(&mut self, units: usize, elapsed: Duration) {
        let quickest = self.quickest.map_or(elapsed, |before| before.min(elapsed));
        self.quickest = Some(quickest);
        let work = elapsed.saturating_sub(quickest);
        if let Ok(others @ 1..) = u32::try_from(units.saturating_sub(1)) {
            let now = work / others;
            self.each = Some(self.each.map_or(now, |before| (before + now) / 2));
        }
        let grown = self.units().max(units).saturating_mul(GROWTH).min(MOST);
        self.units = if work <= TARGET / 2 && elapsed <= quickest + TARGET && quickest <= FAR {
            grown
        } else if work <= TARGET {
            self.units().max(units)
        } else {
            let fitting = TARGET.as_micros() * units as u128 / work.as_micros().max(1);
            usize::try_from(fitting).unwrap_or(MOST).clamp(1, MOST)
        };
    }

    /// How many units are as much work as the way there and back: fewer only wait for each other.
    pub(super) fn worth_the_way(self) -> usize {
        let (Some(way), Some(each)) = (self.quickest, self.each) else { return 1 };
        let units = way.as_micros() / each.as_micros().max(1);
        usize::try_from(units).unwrap_or(MOST).clamp(1, self.units())
    }

    /// How many units the next message should hold. The first one tries the water.
    pub(super) fn units(self) -> usize {
        self.units.max(1)
    }
}

/// Some units, one after the other, as one message.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) message: SqlBatch,
    /// For each unit: its task, its step, and how many statements of the message are done when it is.
    pub(super) units: Vec<Packed>,
    /// The tasks, each with its first step.
    pub(super) tasks: Vec<Task>,
    /// What tasks have left behind their packed units: steps that cannot travel in company.
    pub(super) rest: Vec<Task>,
}

/// One unit of a pack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed {
    pub(super) task: usize,
    pub(super) step: usize,
    pub(super) end: usize,
}

impl Batch {
    /// Whether nothing more should be added.
    pub(super) fn is_full(&self, units: usize) -> bool {
        self.units.len() >= units || self.message.chars() >= LONGEST
    }

    /// Adds a unit of the last task.
    pub(super) fn push(&mut self, step: usize, message: &SqlBatch) {
        self.message.append(message);
        self.units.push(Packed { task: self.tasks.len() - 1, step, end: self.message.statements() });
    }

    /// After a refusal with `completed` statements done: how many units are done.
    pub(super) fn done(&self, completed: usize) -> usize {
        self.units.iter().take_while(|unit| unit.end <= completed).count()
    }

    /// Which statements of the message are a unit's.
    pub(super) fn range(&self, unit: usize) -> Range<usize> {
        unit.checked_sub(1).map_or(0, |before| self.units[before].end)..self.units[unit].end
    }

    /// How long a unit took, as the row of its history among the message's answers says; nothing where
    /// it has none, or took less than that can say.
    pub(super) fn took(&self, unit: usize, sets: &[Vec<Row>]) -> Option<Duration> {
        let answers = sets.get(self.range(unit))?;
        let took = answers.iter().flatten().find_map(|row| row.integer(DURATION_COLUMN).ok())?;
        u64::try_from(took).ok().filter(|took| *took > 0).map(Duration::from_millis)
    }

    /// The tasks with what is left to each when only the first `done` units are: those that failed or
    /// were not reached, in their order. A task whose units are all done is left out.
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

    fn pack(tasks: &[(&str, &[usize])]) -> Batch {
        let mut pack = Batch::default();
        for (schema, steps) in tasks {
            let schema = SchemaName::existing(*schema).unwrap();
            pack.tasks.push(Task { schema, step: steps[0], attempts: 2 });
            for step in *steps {
                let mut message = SqlBatch::default();
                for _statement in 0..3 {
                    message.push("SELECT 1");
                }
                pack.push(*step, &message);
            }
        }
        pack
    }

    #[test]
    fn what_is_left_after_a_refusal_begins_with_the_unit_that_failed() {
        let pack = pack(&[("a", &[1, 2]), ("b", &[2]), ("c", &[1, 2])]);
        assert_eq!((pack.done(0), pack.done(2), pack.done(3), pack.done(8), pack.done(15)), (0, 0, 1, 2, 5));
        let left = |done| -> Vec<_> {
            pack.left(done).iter().map(|task| (task.schema.to_string(), task.step, task.attempts)).collect()
        };
        let said = |tasks: &[(&str, usize, u32)]| -> Vec<_> {
            tasks.iter().map(|(schema, step, attempts)| ((*schema).to_owned(), *step, *attempts)).collect()
        };
        assert_eq!(left(0), said(&[("a", 1, 2), ("b", 2, 2), ("c", 1, 2)]));
        assert_eq!(left(1), said(&[("a", 2, 0), ("b", 2, 2), ("c", 1, 2)]));
        assert_eq!(left(2), said(&[("b", 2, 2), ("c", 1, 2)]));
        assert_eq!(left(4), said(&[("c", 2, 0)]));
        assert_eq!(left(5), []);
    }

    #[test]
    fn a_pack_grows_while_it_stays_short() {
        let millis = Duration::from_millis;
        let mut batch_sizer = BatchSizer::default();
        let mut sizes = vec![batch_sizer.units()];
        for elapsed in [1, 2, 6, 12] {
            batch_sizer.learn(batch_sizer.units(), millis(elapsed));
            sizes.push(batch_sizer.units());
        }
        assert_eq!(sizes, [1, 10, 50, 50, 50]);
        // One that took long makes the next ones shorter, and slow work travels alone.
        batch_sizer.learn(50, millis(501));
        assert_eq!(batch_sizer.units(), 5);
        batch_sizer.learn(5, millis(500));
        assert_eq!(batch_sizer.units(), 1);
    }

    #[test]
    fn a_long_way_is_not_slow_work() {
        let mut far = BatchSizer::default();
        for elapsed in [100, 101, 105] {
            far.learn(far.units(), Duration::from_millis(elapsed));
        }
        assert_eq!((far.units(), far.worth_the_way()), (MOST, MOST));
        let mut slow = BatchSizer::default();
        slow.learn(1, Duration::from_secs(3));
        assert_eq!(slow.units(), 1);
    }
}
