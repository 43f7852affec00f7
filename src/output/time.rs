//! Times and durations in text.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::Paint;

/// A duration, with at most three digits of its largest unit.
pub fn elapsed(milliseconds: impl TryInto<u64>) -> String {
    let milliseconds = milliseconds.try_into().unwrap_or(u64::MAX);
    let (minutes, seconds) = (milliseconds / 60_000, milliseconds % 60_000 / 1_000);
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{seconds}.{} s", milliseconds % 1_000 / 100),
        60_000..3_600_000 => format!("{minutes} min {seconds} s"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// A `timestamptz` as text, with the style `ISO` (manual, chapter 8.5.2).
const SERVER: &[BorrowedFormatItem<'_>] = format_description!(
    version = 2,
    "[year]-[month]-[day] [hour]:[minute]:[second][optional [.[subsecond]]][offset_hour sign:mandatory][optional [:[offset_minute]]]"
);

impl Paint {
    /// A time of the server: on a terminal relative to now, else without fractions of a second. Another text is returned as it is.
    pub fn time(self, text: &str) -> String {
        let parsed = OffsetDateTime::parse(text, SERVER).or_else(|_| OffsetDateTime::parse(text, &Rfc3339));
        let Ok(time) = parsed else { return text.to_owned() };
        match self.terminal {
            Some(terminal) => ago(terminal.now - time).unwrap_or_else(|| time.date().to_string()),
            None => match text.split_once('.') {
                Some((seconds, rest)) => {
                    format!("{seconds}{}", rest.trim_start_matches(|digit: char| digit.is_ascii_digit()))
                }
                None => text.to_owned(),
            },
        }
    }
}

/// A past time of at most four weeks.
fn ago(age: time::Duration) -> Option<String> {
    let ago =
        |count: i64, unit: &str| Some(format!("{} ago", super::plural(usize::try_from(count).ok()?, unit)));
    match age.whole_seconds() {
        // The clocks of the server and of this machine differ.
        -60..5 => Some("just now".to_owned()),
        seconds @ 5..60 => ago(seconds, "second"),
        seconds @ 60..3_600 => ago(seconds / 60, "minute"),
        seconds @ 3_600..86_400 => ago(seconds / 3_600, "hour"),
        seconds @ 86_400..2_419_200 => ago(seconds / 86_400, "day"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Terminal;

    #[test]
    fn durations_have_a_fitting_unit() {
        for (milliseconds, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (3_109, "3.1 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min 0 s"),
            (754_321, "12 min 34 s"),
            (7_380_000, "2 h 3 min"),
        ] {
            assert_eq!(elapsed(milliseconds), text);
        }
    }

    #[test]
    fn times_are_relative_on_a_terminal() {
        let now = OffsetDateTime::parse("2026-11-30 12:00:00+00", SERVER).unwrap();
        let terminal = Paint { is_coloured: false, terminal: Some(Terminal { columns: 80, now }) };
        for (text, relative, absolute) in [
            ("2026-11-30 11:59:58.123456+00", "just now", "2026-11-30 11:59:58+00"),
            ("2026-11-30 12:00:20+00", "just now", "2026-11-30 12:00:20+00"),
            ("2026-11-30 12:59:00+01", "1 minute ago", "2026-11-30 12:59:00+01"),
            ("2026-11-30 07:30:00+05:30", "10 hours ago", "2026-11-30 07:30:00+05:30"),
            ("2026-11-27 12:00:00-03:30", "2 days ago", "2026-11-27 12:00:00-03:30"),
            ("2026-10-01 12:00:00+00", "2026-10-01", "2026-10-01 12:00:00+00"),
            ("2026-11-30T11:30:00.123456Z", "29 minutes ago", "2026-11-30T11:30:00Z"),
            ("infinity", "infinity", "infinity"),
            ("30/11/2026 12:00:00 CET", "30/11/2026 12:00:00 CET", "30/11/2026 12:00:00 CET"),
        ] {
            assert_eq!(
                (terminal.time(text), Paint::PLAIN.time(text)),
                (relative.to_owned(), absolute.to_owned())
            );
        }
    }
}
