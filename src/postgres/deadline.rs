//! How long a unit's answer is waited for. A peer may vanish without a word, as behind a router that forgets its connections;
//! the driver sets no keepalive, so nobody would ever say so. But a unit's statements have limits, which end them at the
//! server; when all of them must have passed, nobody is there.

use std::time::Duration;

use crate::settings::StatementTimeout;

/// Beyond the limits of the statements: the way there and back, and what the server does between them.
const GRACE: Duration = Duration::from_secs(15);

/// What is known of the limits of a message's statements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Limit {
    /// Nothing: it begins no transaction of its own.
    #[default]
    Unsaid,
    /// None takes longer than this.
    Each(Duration),
    /// One may take as long as it likes.
    None,
}

impl Limit {
    /// That of statements for which `timeout` was set.
    pub(super) fn of(timeout: StatementTimeout) -> Self {
        let each = timeout.duration();
        if each.is_zero() { Self::None } else { Self::Each(each) }
    }

    /// That of these statements and others.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::Each(one), Self::Each(other)) => Self::Each(one.max(other)),
            (Self::Unsaid, said) | (said, Self::Unsaid) => said,
        }
    }

    /// When so many statements must have ended.
    pub(super) fn retry_policy(self, statements: usize) -> Option<Duration> {
        match self {
            Self::Each(each) => {
                let statements = u32::try_from(statements).unwrap_or(u32::MAX);
                Some(each.saturating_mul(statements).saturating_add(GRACE))
            }
            Self::Unsaid | Self::None => None,
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
    fn a_message_is_waited_for_as_long_as_all_its_statements_may_take() {
        assert_eq!(of("2s").retry_policy(4), Some(Duration::from_secs(8) + GRACE));
        assert_eq!(
            of("2s").and(Limit::Unsaid).and(of("3s")).retry_policy(2),
            Some(Duration::from_secs(6) + GRACE)
        );
        assert_eq!(of("0s").retry_policy(4), None);
        assert_eq!(of("2s").and(of("0s")).retry_policy(4), None);
        assert_eq!(Limit::Unsaid.retry_policy(4), None);
    }
}
