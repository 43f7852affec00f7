//! What to do after an attempt: nothing, wait and try again, look what became of it, or give up. Pure.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How long an address that cannot be reached at all is tried.
const UNREACHABLE: Duration = Duration::from_secs(15);

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The server answered with this status.
    Answered {
        /// The status.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// Nothing reached the server.
    NotSent,
    /// The request may have had its effect, and the answer did not come.
    Lost,
}

/// Whether a request may be sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Twice is the same as once.
    Freely,
    /// Only if the first one had no effect.
    IfWithoutEffect,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The answer is what there is to know.
    Take,
    /// The same again after this pause.
    Again(Duration),
    /// Nobody knows whether it had its effect: look.
    Look,
    /// It would be tried again, and the time for that is over.
    GiveUp,
}

/// What to do after an attempt, where `spent` of the `budget` is gone and the pause would be `pause`.
pub(super) fn next(
    attempt: &Attempt,
    repeat: Repeat,
    spent: Duration,
    budget: Duration,
    pause: Duration,
) -> Next {
    let (pause, budget) = match attempt {
        // The API promises that these had no effect.
        Attempt::Answered { status: 423 | 429 | 503, retry_after } => {
            // A pause that the server asks for is never made shorter.
            (retry_after.map_or(pause, |asked| asked + pause / 8), budget)
        }
        Attempt::Answered { status: 408 | 500..=599, .. } | Attempt::Lost => match repeat {
            Repeat::Freely => (pause, budget),
            Repeat::IfWithoutEffect => return Next::Look,
        },
        Attempt::NotSent => (pause, budget.min(UNREACHABLE)),
        Attempt::Answered { .. } => return Next::Take,
    };
    match spent.checked_add(pause) {
        Some(end) if end <= budget => Next::Again(pause),
        _ => Next::GiveUp,
    }
}

/// A number of seconds, or a date.
pub(super) fn retry_after(text: &str, now: OffsetDateTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = http_date(text)?;
    Some(Duration::try_from(date - now).unwrap_or(Duration::ZERO))
}

/// A date as HTTP writes it.
pub(super) fn http_date(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.trim(), &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTES: Duration = Duration::from_mins(2);
    const PAUSE: Duration = Duration::from_secs(1);

    fn after(status: u16) -> Attempt {
        Attempt::Answered { status, retry_after: None }
    }

    fn fresh(attempt: &Attempt, repeat: Repeat) -> Next {
        next(attempt, repeat, Duration::ZERO, MINUTES, PAUSE)
    }

    #[test]
    fn what_had_no_effect_is_tried_again_whatever_it_is() {
        for status in [423, 429, 503] {
            for repeat in [Repeat::Freely, Repeat::IfWithoutEffect] {
                assert_eq!(fresh(&after(status), repeat), Next::Again(PAUSE), "{status}");
            }
        }
        assert_eq!(fresh(&Attempt::NotSent, Repeat::IfWithoutEffect), Next::Again(PAUSE));
    }

    #[test]
    fn what_may_have_had_its_effect_is_looked_at_unless_twice_is_once() {
        for attempt in [after(500), after(502), after(504), after(408), Attempt::Lost] {
            assert_eq!(fresh(&attempt, Repeat::IfWithoutEffect), Next::Look, "{attempt:?}");
            assert_eq!(fresh(&attempt, Repeat::Freely), Next::Again(PAUSE), "{attempt:?}");
        }
        for status in [200, 201, 204, 301, 400, 401, 403, 404, 409, 412, 422] {
            assert_eq!(fresh(&after(status), Repeat::IfWithoutEffect), Next::Take, "{status}");
        }
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept_or_given_up() {
        let asked =
            |seconds| Attempt::Answered { status: 429, retry_after: Some(Duration::from_secs(seconds)) };
        let Next::Again(pause) = fresh(&asked(5), Repeat::Freely) else { panic!() };
        assert!(pause >= Duration::from_secs(5) && pause < Duration::from_secs(6), "{pause:?}");
        assert_eq!(fresh(&asked(86_400), Repeat::Freely), Next::GiveUp);
        assert_eq!(fresh(&asked(u64::MAX / 2), Repeat::Freely), Next::GiveUp);
    }

    #[test]
    fn the_budget_ends_it() {
        let late = Duration::from_secs(119) + Duration::from_millis(500);
        assert_eq!(next(&after(423), Repeat::Freely, late, MINUTES, PAUSE), Next::GiveUp);
        assert_eq!(next(&after(503), Repeat::Freely, PAUSE, MINUTES, PAUSE), Next::Again(PAUSE));
        let long = Duration::from_secs(16);
        assert_eq!(next(&Attempt::NotSent, Repeat::Freely, long, MINUTES, PAUSE), Next::GiveUp);
    }

    #[test]
    fn both_forms_of_a_pause_are_read() {
        let now = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let read = |text| retry_after(text, now);
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }
}
