//! `[branch]`: how copies of a database are created. The provider's project and API key are not settings, since this file
//! is shared.

use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::duration::durations;

/// `[branch]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BranchSettings {
    /// The name of the parent branch; by default the provider's default branch.
    pub parent: Option<String>,
    /// The database, if a branch has several.
    pub database: Option<String>,
    /// The role that connects; by default the database's owner.
    pub role: Option<String>,
    /// The TLS mode of connections to a branch; by default the provider's.
    pub sslmode: Option<BranchSslMode>,
    /// The lifetime of a branch that is not deleted.
    #[schemars(with = "String")]
    pub expires: Expiry,
    /// How long requests to a busy provider are retried.
    #[schemars(with = "String")]
    pub retry_timeout: RetryPolicy,
    /// How long a branch may take to become ready.
    #[schemars(with = "String")]
    pub ready_timeout: ReadyWithin,
}

/// The TLS mode of connections to a branch. TLS is always required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BranchSslMode {
    /// libpq's `require`.
    Require,
    /// libpq's `verify-ca`.
    VerifyCa,
    /// libpq's `verify-full`.
    VerifyFull,
}

impl BranchSslMode {
    /// The value of the URL parameter.
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
    /// The lifetime of a branch that is not deleted; by default 2 h.
    Expiry = Duration::from_hours(2), |end| between(end, MIN_EXPIRY, MAX_EXPIRY);
    /// How long requests to a busy provider are retried; by default 2 min.
    RetryPolicy = Duration::from_mins(2), |wait| between(wait, Duration::ZERO, MAX_WAIT);
    /// How long a branch may take to become ready; by default 5 min.
    ReadyWithin = Duration::from_mins(5), |wait| between(wait, Duration::from_secs(1), MAX_WAIT);
}

/// The maximum that Neon accepts.
const MAX_EXPIRY: Duration = Duration::from_hours(24 * 30);
/// A shorter lifetime could end before the branch is used.
const MIN_EXPIRY: Duration = Duration::from_mins(1);
/// The maximum for all waits.
const MAX_WAIT: Duration = Duration::from_hours(6);

fn between(duration: Duration, least: Duration, most: Duration) -> Result<(), String> {
    if (least..=most).contains(&duration) {
        return Ok(());
    }
    let [least, most] = [least, most].map(humantime::format_duration);
    Err(format!("not between {least} and {most}"))
}

/// The minimum age of branches to delete: any duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age(Duration);

impl Age {
    /// The duration.
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
    fn every_duration_has_bounds() {
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
