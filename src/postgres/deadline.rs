//! The time limit for the answer to a unit. A connection may be lost without an error, for example in a router;
//! the driver sets no keepalive. The statements of a unit have timeouts, so an answer that is later than their
//! sum will not come.

use std::time::Duration;

use crate::settings::StatementTimeout;

/// Added to the statements' timeouts: network latency and the server's work between statements.
const GRACE: Duration = Duration::from_secs(15);

/// The timeout of a message's statements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Limit {
    /// Unknown: the message begins no transaction.
    #[default]
    Unknown,
    /// The limit of each statement.
    Each(Duration),
    /// At least one statement has no limit.
    None,
}

impl Limit {
    /// The limit that `timeout` sets.
    pub(super) fn of(timeout: StatementTimeout) -> Self {
        let each = timeout.duration();
        if each.is_zero() { Self::None } else { Self::Each(each) }
    }

    /// The larger limit.
    pub(super) fn max(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::Each(one), Self::Each(other)) => Self::Each(one.max(other)),
            (Self::Unknown, known) | (known, Self::Unknown) => known,
        }
    }

    /// The limit for `statements` statements together.
    pub(super) fn answer_timeout(self, statements: usize) -> Option<Duration> {
        match self {
            Self::Each(each) => {
                let statements = u32::try_from(statements).unwrap_or(u32::MAX);
                Some(each.saturating_mul(statements).saturating_add(GRACE))
            }
            Self::Unknown | Self::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Limit {
        Limit::of(text.parse().unwrap())
    }

    #[test]
    fn the_limit_of_a_message_is_the_sum_of_its_statements() {
        assert_eq!(of("2s").answer_timeout(4), Some(Duration::from_secs(8) + GRACE));
        assert_eq!(
            of("2s").max(Limit::Unknown).max(of("3s")).answer_timeout(2),
            Some(Duration::from_secs(6) + GRACE)
        );
        assert_eq!(of("0s").answer_timeout(4), None);
        assert_eq!(of("2s").max(of("0s")).answer_timeout(4), None);
        assert_eq!(Limit::Unknown.answer_timeout(4), None);
    }
}
