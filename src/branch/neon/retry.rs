//! Decides what follows an attempt: return its answer, retry, verify its effect, or give up. Pure.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How long an unreachable address is retried.
const UNREACHABLE_LIMIT: Duration = Duration::from_secs(15);

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The server answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The pause that the server requests.
        retry_after: Option<Duration>,
    },
    /// The server received nothing.
    NotSent,
    /// The answer was lost; the request may have had an effect.
    Lost,
}

/// Whether a request can be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Idempotency {
    /// A repetition has no further effect.
    Idempotent,
    /// It can be repeated only if it had no effect.
    NotIdempotent,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Return the answer.
    Return,
    /// Repeat the request after this pause.
    Retry(Duration),
    /// It is unknown whether the request had an effect: find out.
    Verify,
    /// The time for retries is over.
    GiveUp,
}

/// Decides after an attempt, when `elapsed` of `budget` has passed; `pause` is the next regular pause.
pub(super) fn next(
    attempt: &Attempt,
    repeat: Idempotency,
    elapsed: Duration,
    budget: Duration,
    pause: Duration,
) -> Next {
    let (pause, budget) = match attempt {
        // The API documents that these had no effect.
        Attempt::Answered { status: 423 | 429 | 503, retry_after } => {
            // Never shorter than the server requests.
            (retry_after.map_or(pause, |asked| asked + pause / 8), budget)
        }
        Attempt::Answered { status: 408 | 500..=599, .. } | Attempt::Lost => match repeat {
            Idempotency::Idempotent => (pause, budget),
            Idempotency::NotIdempotent => return Next::Verify,
        },
        Attempt::NotSent => (pause, budget.min(UNREACHABLE_LIMIT)),
        Attempt::Answered { .. } => return Next::Return,
    };
    match elapsed.checked_add(pause) {
        Some(end) if end <= budget => Next::Retry(pause),
        _ => Next::GiveUp,
    }
}

/// Parses `Retry-After`: seconds or a date.
pub(super) fn retry_after(text: &str, now: OffsetDateTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = http_date(text)?;
    Some(Duration::try_from(date - now).unwrap_or(Duration::ZERO))
}

/// Parses an HTTP date.
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

    fn fresh(attempt: &Attempt, repeat: Idempotency) -> Next {
        next(attempt, repeat, Duration::ZERO, MINUTES, PAUSE)
    }

    #[test]
    fn requests_without_effect_are_retried() {
        for status in [423, 429, 503] {
            for repeat in [Idempotency::Idempotent, Idempotency::NotIdempotent] {
                assert_eq!(fresh(&after(status), repeat), Next::Retry(PAUSE), "{status}");
            }
        }
        assert_eq!(fresh(&Attempt::NotSent, Idempotency::NotIdempotent), Next::Retry(PAUSE));
    }

    #[test]
    fn possible_effects_are_verified_unless_idempotent() {
        for attempt in [after(500), after(502), after(504), after(408), Attempt::Lost] {
            assert_eq!(fresh(&attempt, Idempotency::NotIdempotent), Next::Verify, "{attempt:?}");
            assert_eq!(fresh(&attempt, Idempotency::Idempotent), Next::Retry(PAUSE), "{attempt:?}");
        }
        for status in [200, 201, 204, 301, 400, 401, 403, 404, 409, 412, 422] {
            assert_eq!(fresh(&after(status), Idempotency::NotIdempotent), Next::Return, "{status}");
        }
    }

    #[test]
    fn a_requested_pause_is_kept_or_exceeds_the_budget() {
        let asked =
            |seconds| Attempt::Answered { status: 429, retry_after: Some(Duration::from_secs(seconds)) };
        let Next::Retry(pause) = fresh(&asked(5), Idempotency::Idempotent) else { panic!() };
        assert!(pause >= Duration::from_secs(5) && pause < Duration::from_secs(6), "{pause:?}");
        assert_eq!(fresh(&asked(86_400), Idempotency::Idempotent), Next::GiveUp);
        assert_eq!(fresh(&asked(u64::MAX / 2), Idempotency::Idempotent), Next::GiveUp);
    }

    #[test]
    fn retries_end_with_the_budget() {
        let late = Duration::from_secs(119) + Duration::from_millis(500);
        assert_eq!(next(&after(423), Idempotency::Idempotent, late, MINUTES, PAUSE), Next::GiveUp);
        assert_eq!(next(&after(503), Idempotency::Idempotent, PAUSE, MINUTES, PAUSE), Next::Retry(PAUSE));
        let long = Duration::from_secs(16);
        assert_eq!(next(&Attempt::NotSent, Idempotency::Idempotent, long, MINUTES, PAUSE), Next::GiveUp);
    }

    #[test]
    fn both_forms_of_retry_after_are_parsed() {
        let now = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let read = |text| retry_after(text, now);
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }
}
