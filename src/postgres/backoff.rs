//! Exponential backoff: each pause is about twice as long as the one before, up to a maximum.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The pauses between attempts, without an end.
#[derive(Debug)]
pub struct Backoff {
    pauses: ExponentialBackoff,
    max: Duration,
}

impl Backoff {
    /// Each pause is extended by up to its length at random, so that clients do not retry at the same time.
    pub fn jittered(first: Duration, max: Duration) -> Self {
        Self::of(ExponentialBuilder::default().with_jitter(), first, max)
    }

    /// Without jitter, for polls that do not compete with other clients.
    pub fn steady(first: Duration, max: Duration) -> Self {
        Self::of(ExponentialBuilder::default(), first, max)
    }

    fn of(builder: ExponentialBuilder, first: Duration, max: Duration) -> Self {
        let builder = builder.with_min_delay(first).with_max_delay(max).without_max_times();
        Self { pauses: builder.build(), max }
    }

    /// The next pause.
    pub fn next_pause(&mut self) -> Duration {
        self.pauses.next().unwrap_or(self.max)
    }

    /// Waits for the next pause.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.next_pause()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(250);
    const MAX: Duration = Duration::from_secs(10);

    #[test]
    fn pauses_grow_to_a_limit() {
        let mut steady = Backoff::steady(FIRST, MAX);
        let pauses: Vec<_> = (0..60).map(|_| steady.next_pause()).collect();
        assert_eq!([pauses[0], pauses[1], pauses[5], pauses[59]], [FIRST, FIRST * 2, FIRST * 32, MAX]);
    }

    #[test]
    fn jitter_makes_pauses_differ() {
        let pause = || Backoff::jittered(FIRST, MAX).next_pause();
        let pauses: Vec<_> = (0..10).map(|_| pause()).collect();
        assert!(pauses.iter().all(|pause| (FIRST..=FIRST * 2).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    }
}
