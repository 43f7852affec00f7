//! Time limits as distinct types. Zero means no limit, as for the server (manual, chapter 20.11.1).

use std::time::Duration;

/// Defines duration types, each with a default and a validation function.
macro_rules! durations {
    ($($(#[$doc:meta])* $name:ident = $default:expr, $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(std::time::Duration);

        impl $name {
            /// The duration.
            pub fn duration(self) -> std::time::Duration {
                self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self($default)
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let duration = humantime::parse_duration(text)
                    .map_err(|error| format!("{text:?} is not a duration such as 1h or 5s: {error}"))?;
                $check(duration).map_err(|reason: String| format!("{text:?} is {reason}"))?;
                Ok(Self(duration))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&humantime::format_duration(self.0), f)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(super) use durations;

durations! {
    /// How long a statement waits for a lock before its unit fails; by default 5 s.
    LockTimeout = Duration::from_secs(5), check_limit;
    /// How long the `after_create` command may run; by default 30 s.
    HookTimeout = Duration::from_secs(30), check_limit;
    /// How long a statement may run before its unit fails; by default 10 min.
    StatementTimeout = Duration::from_mins(10), check_limit;
    /// How long `tenure wait` waits; by default 5 min. Zero means one try.
    WaitTimeout = Duration::from_mins(5), check_limit;
    /// How long a dropped tenant is kept before `tenant drop --purge` deletes it; by default 30 days.
    Retention = Duration::from_hours(24 * 30), check_retention;
}

impl LockTimeout {
    /// The value of the server's setting; 0 means no limit.
    pub fn milliseconds(self) -> u128 {
        self.0.as_millis()
    }
}

impl StatementTimeout {
    /// The value of the server's setting; 0 means no limit.
    pub fn milliseconds(self) -> u128 {
        self.0.as_millis()
    }
}

impl Retention {
    /// No retention.
    pub const NONE: Self = Self(Duration::ZERO);

    /// The duration in whole seconds.
    pub fn seconds(self) -> u64 {
        self.0.as_secs()
    }
}

/// The maximum retention, within the range of the server's timestamps.
const MAX_RETENTION: Duration = Duration::from_hours(24 * 365 * 100);

/// The maximum limit: the server's settings are 32-bit milliseconds, a little more than 24 days.
const MAX_LIMIT: Duration = Duration::from_hours(24 * 24);

fn check_retention(duration: Duration) -> Result<(), String> {
    if duration > MAX_RETENTION { Err("longer than a hundred years".to_owned()) } else { Ok(()) }
}

fn check_limit(duration: Duration) -> Result<(), String> {
    if duration > MAX_LIMIT {
        return Err("longer than PostgreSQL can wait (24 days)".to_owned());
    }
    // Less than a millisecond would be rounded to 0, which means no limit.
    if !duration.is_zero() && duration < Duration::from_millis(1) {
        return Err("shorter than a millisecond".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_has_a_maximum() {
        assert_eq!(Retention::default().to_string(), "30days");
        assert_eq!((Retention::default().seconds(), Retention::NONE.seconds()), (2_592_000, 0));
    }

    #[test]
    fn durations_are_parsed() {
        assert_eq!("5s".parse::<LockTimeout>().unwrap().milliseconds(), 5_000);
        assert_eq!("1m 30s".parse::<StatementTimeout>().unwrap().milliseconds(), 90_000);
        assert_eq!("0s".parse::<LockTimeout>().unwrap().milliseconds(), 0);
        for wrong in ["", "5", "-1s", "100y", "10us"] {
            assert!(wrong.parse::<LockTimeout>().is_err(), "{wrong}");
        }
    }
}
