//! A schema version: a semantic version without build metadata, since versions that differ only there have no order.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A version in the chain. A new database is at 0.0.0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version(semver::Version);

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a version: {why}")]
pub struct VersionError {
    /// The given text.
    pub text: String,
    /// The reason.
    pub why: String,
}

/// The part of a version to increment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bump {
    /// 1.2.3 → 2.0.0
    Major,
    /// 1.2.3 → 1.3.0
    Minor,
    /// 1.2.3 → 1.2.4
    Patch,
}

impl Version {
    /// The version of a database without migrations.
    pub const ZERO: Self = Self(semver::Version::new(0, 0, 0));

    /// The next version.
    #[must_use]
    pub fn bumped(&self, bump: Bump) -> Self {
        let now = &self.0;
        Self(match bump {
            Bump::Major => semver::Version::new(now.major + 1, 0, 0),
            Bump::Minor => semver::Version::new(now.major, now.minor + 1, 0),
            // 1.2.3-rc.1 comes before 1.2.3.
            Bump::Patch if !now.pre.is_empty() => semver::Version::new(now.major, now.minor, now.patch),
            Bump::Patch => semver::Version::new(now.major, now.minor, now.patch + 1),
        })
    }

    /// Parses a version from one of Tenure's own tables. SQL compares these texts, so only the exact form that Tenure
    /// writes is valid: no leading `v`, no spaces.
    pub fn stored(text: &str) -> Result<Self, VersionError> {
        let version: Self = text.parse()?;
        let written = version.to_string();
        if written == text {
            return Ok(version);
        }
        Err(VersionError { text: text.to_owned(), why: format!("it must be stored as {written}") })
    }
}

impl FromStr for Version {
    type Err = VersionError;

    /// Parses `1.0.3` or `v1.0.3`.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let invalid = |why: &str| VersionError { text: text.to_owned(), why: why.to_owned() };
        let version = semver::Version::parse(text.strip_prefix('v').unwrap_or(text))
            .map_err(|error| invalid(&error.to_string()))?;
        if version.build.is_empty() {
            Ok(Self(version))
        } else {
            Err(invalid("build metadata (+…) has no order"))
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_parsed_and_incremented() {
        let version: Version = "v1.2.3".parse().unwrap();
        assert_eq!(version.to_string(), "1.2.3");
        assert_eq!(version.bumped(Bump::Minor).to_string(), "1.3.0");
        assert_eq!("1.0.0-rc.1".parse::<Version>().unwrap().bumped(Bump::Patch).to_string(), "1.0.0");
        for invalid in ["1.0", "1.0.0+a", "", "x", "vv1.0.0"] {
            assert!(invalid.parse::<Version>().is_err(), "{invalid}");
        }
    }

    #[test]
    fn a_stored_version_has_one_spelling() {
        for right in ["1.0.4", "0.0.0", "1.0.0-rc.1", "1.0.0-RC.1", "2.0.0-0a.x-y"] {
            assert_eq!(Version::stored(right).unwrap().to_string(), right);
        }
        for invalid in ["v1.0.4", "V1.0.4", " 1.0.4", "1.0.4 ", "1.0.4\n", "1.0.4+b", "01.0.4", "1.0", ""] {
            assert!(Version::stored(invalid).is_err(), "{invalid:?}");
        }
        assert_eq!(
            Version::stored("v1.0.4").unwrap_err().to_string(),
            "\"v1.0.4\" is not a version: it must be stored as 1.0.4"
        );
    }
}
