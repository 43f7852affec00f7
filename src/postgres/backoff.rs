//! Pauses between tries, each about twice as long as the one before, up to a longest one.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The pauses; there is always a next one.
#[derive(Debug)]
pub struct Backoff {
    pauses: ExponentialBackoff,
    longest: Duration,
}

impl Backoff {
    /// With up to as much again by chance, so that those who met once do not meet at the next try.
    pub fn jittered(first: Duration, longest: Duration) -> Self {
        Self::of(ExponentialBuilder::default().with_jitter(), first, longest)
    }

    /// Without chance: for questions that nobody else is in the way of.
    pub fn steady(first: Duration, longest: Duration) -> Self {
        Self::of(ExponentialBuilder::default(), first, longest)
    }

    fn of(builder: ExponentialBuilder, first: Duration, longest: Duration) -> Self {
        let builder = builder.with_min_delay(first).with_max_delay(longest).without_max_times();
        Self { pauses: builder.build(), longest }
    }

    /// The next pause.
    pub fn next_pause(&mut self) -> Duration {
        self.pauses.next().unwrap_or(self.longest)
    }

    /// Makes the next pause.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.next_pause()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(10);

    #[test]
    fn pauses_grow_and_end() {
        let mut steady = Backoff::steady(FIRST, LONGEST);
        let pauses: Vec<_> = (0..60).map(|_| steady.next_pause()).collect();
        assert_eq!([pauses[0], pauses[1], pauses[5], pauses[59]], [FIRST, FIRST * 2, FIRST * 32, LONGEST]);
    }

    #[test]
    fn two_that_met_do_not_wait_equally_long() {
        let pause = || Backoff::jittered(FIRST, LONGEST).next_pause();
        let pauses: Vec<_> = (0..10).map(|_| pause()).collect();
        assert!(pauses.iter().all(|pause| (FIRST..=FIRST * 2).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    }
}
