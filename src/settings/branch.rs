//! `[branch]`: how copies of a database are made. Which project and with which key is not said in a file
//! that is everybody's.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::duration::durations;

/// `[branch]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BranchSettings {
    /// What a branch is a copy of, by name; the provider's default where nobody says.
    pub parent: Option<String>,
    /// The database, where a branch has several.
    pub database: Option<String>,
    /// The role that connects; the database's owner where nobody says.
    pub role: Option<String>,
    /// How a branch is connected to, where it is not what the provider says.
    pub sslmode: Option<BranchSslMode>,
    /// How long a branch lives when nobody deletes it.
    pub expires: Expiry,
    /// How long a provider that is busy is asked again.
    pub retry_timeout: RetryPolicy,
    /// How long a branch may take until it answers.
    pub ready_timeout: ReadyWithin,
}

/// How a branch is connected to: never without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BranchSslMode {
    /// As libpq's `require`.
    Require,
    /// As libpq's `verify-ca`.
    VerifyCa,
    /// As libpq's `verify-full`.
    VerifyFull,
}

impl BranchSslMode {
    /// As a URL has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl FromStr for BranchSslMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Require, Self::VerifyCa, Self::VerifyFull];
        all.into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not one of require, verify-ca, verify-full"))
    }
}

durations! {
    /// How long a branch lives when nobody deletes it; 2 h unless said, as the longest CI job.
    Expiry = Duration::from_hours(2), |end| between(end, MIN_EXPIRY, MAX_EXPIRY);
    /// How long a provider that is busy is asked again; 2 min unless said.
    RetryPolicy = Duration::from_mins(2), |wait| between(wait, Duration::ZERO, MAX_WAIT);
    /// How long a branch may take until it answers; 5 min unless said.
    ReadyWithin = Duration::from_mins(5), |wait| between(wait, Duration::from_secs(1), MAX_WAIT);
}

/// Neon takes no later end.
const MAX_EXPIRY: Duration = Duration::from_hours(24 * 30);
/// A branch that ends sooner ends under the hands of who made it.
const MIN_EXPIRY: Duration = Duration::from_mins(1);
/// Nobody waits longer for a program.
const MAX_WAIT: Duration = Duration::from_hours(6);

fn between(duration: Duration, least: Duration, most: Duration) -> Result<(), String> {
    if (least..=most).contains(&duration) {
        return Ok(());
    }
    let [least, most] = [least, most].map(humantime::format_duration);
    Err(format!("not between {least} and {most}"))
}

/// How old a branch is that may go: any duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age(Duration);

impl Age {
    /// So long.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|error| format!("{text:?} is not a duration such as 1d: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_has_its_bounds() {
        assert_eq!("1h".parse::<Expiry>().unwrap().duration(), Duration::from_hours(1));
        assert_eq!("30d".parse::<Expiry>().unwrap().duration(), MAX_EXPIRY);
        for wrong in ["31d", "59s", "0s", "soon", ""] {
            assert!(wrong.parse::<Expiry>().is_err(), "{wrong}");
        }
        assert!("0s".parse::<RetryPolicy>().is_ok() && "7h".parse::<RetryPolicy>().is_err());
        assert!("1s".parse::<ReadyWithin>().is_ok() && "0s".parse::<ReadyWithin>().is_err());
        assert_eq!("0s".parse::<Age>().unwrap().duration(), Duration::ZERO);
        assert_eq!(BranchSettings::default().expires.to_string(), "2h");
    }
}
