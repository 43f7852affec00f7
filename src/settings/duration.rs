//! The time limits, as types that cannot be swapped. Zero means no limit, as it does for
//! the server (manual, chapter 20.11.1).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $default:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(Duration);

        impl $name {
            /// The limit in milliseconds, as the server takes it; 0 is none.
            pub fn milliseconds(self) -> u128 {
                self.0.as_millis()
            }

            /// The limit.
            pub fn duration(self) -> Duration {
                self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self($default)
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                limit(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&humantime::format_duration(self.0), f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

limits! {
    /// How long a statement waits for a lock before its unit gives up; 5 s unless said.
    LockTimeout = Duration::from_secs(5);
    /// How long the command may run that is run after a tenant is made; 30 s unless said.
    HookTimeout = Duration::from_secs(30);
    /// How long a statement may run before its unit gives up; 10 min unless said.
    StatementTimeout = Duration::from_mins(10);
}

/// How long a dropped tenant is kept before `tenant drop --purge` deletes it; 30 days unless said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention(Duration);

impl Retention {
    /// No longer than until now.
    pub const NONE: Self = Self(Duration::ZERO);

    /// In whole seconds.
    pub fn seconds(self) -> u64 {
        self.0.as_secs()
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self(Duration::from_hours(24 * 30))
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&humantime::format_duration(self.0), f)
    }
}

impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let kept = humantime::parse_duration(&text).map_err(|error| {
            serde::de::Error::custom(format!("{text:?} is not a duration such as 30d: {error}"))
        })?;
        // The server counts in days of a calendar that ends.
        if kept > FOR_EVER {
            return Err(serde::de::Error::custom(format!("{text:?} is longer than a hundred years")));
        }
        Ok(Self(kept))
    }
}

/// Longer than anybody keeps anything.
const FOR_EVER: Duration = Duration::from_hours(24 * 365 * 100);

/// The longest limit: the server's settings are 32-bit milliseconds, a little more than 24 days.
const LONGEST: Duration = Duration::from_hours(24 * 24);

fn limit(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{text:?} is not a duration such as 5s: {error}"))?;
    if duration > LONGEST {
        return Err(format!("{text:?} is longer than PostgreSQL can wait (24 days)"));
    }
    // Less than a millisecond would become 0, which means no limit at all.
    if !duration.is_zero() && duration < Duration::from_millis(1) {
        return Err(format!("{text:?} is shorter than a millisecond"));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_kept_for_days() {
        assert_eq!(Retention::default().to_string(), "30days");
        assert_eq!((Retention::default().seconds(), Retention::NONE.seconds()), (2_592_000, 0));
    }

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!("5s".parse::<LockTimeout>().unwrap().milliseconds(), 5_000);
        assert_eq!("1m 30s".parse::<StatementTimeout>().unwrap().milliseconds(), 90_000);
        assert_eq!("0s".parse::<LockTimeout>().unwrap().milliseconds(), 0);
        for wrong in ["", "5", "-1s", "100y", "10us"] {
            assert!(wrong.parse::<LockTimeout>().is_err(), "{wrong}");
        }
    }
}
