//! A version of the schema: a semantic version without build metadata, since two versions that differ
//! only there have no order.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One node of the chain. A fresh database is at 0.0.0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(semver::Version);

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a version: {why}")]
pub struct VersionError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

/// Which part of a version grows.
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
    /// The version of a database that nobody migrated yet.
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

    /// Reads a version out of one of Tenure's own tables. SQL compares these texts, so only the text that this program
    /// writes is a version there: no leading `v`, no spaces.
    pub fn stored(text: &str) -> Result<Self, VersionError> {
        let version: Self = text.parse()?;
        let written = version.to_string();
        if written == text {
            return Ok(version);
        }
        Err(VersionError { text: text.to_owned(), why: format!("it is written {written} there") })
    }
}

impl FromStr for Version {
    type Err = VersionError;

    /// Reads `1.0.3` or `v1.0.3`.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = |why: &str| VersionError { text: text.to_owned(), why: why.to_owned() };
        let version = semver::Version::parse(text.strip_prefix('v').unwrap_or(text))
            .map_err(|error| wrong(&error.to_string()))?;
        if version.build.is_empty() {
            Ok(Self(version))
        } else {
            Err(wrong("build metadata (+…) has no order"))
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_and_grow() {
        let version: Version = "v1.2.3".parse().unwrap();
        assert_eq!(version.to_string(), "1.2.3");
        assert_eq!(version.bumped(Bump::Minor).to_string(), "1.3.0");
        assert_eq!("1.0.0-rc.1".parse::<Version>().unwrap().bumped(Bump::Patch).to_string(), "1.0.0");
        for wrong in ["1.0", "1.0.0+a", "", "x", "vv1.0.0"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_stored_version_is_the_text_that_is_written() {
        for right in ["1.0.4", "0.0.0", "1.0.0-rc.1", "1.0.0-RC.1", "2.0.0-0a.x-y"] {
            assert_eq!(Version::stored(right).unwrap().to_string(), right);
        }
        for wrong in ["v1.0.4", "V1.0.4", " 1.0.4", "1.0.4 ", "1.0.4\n", "1.0.4+b", "01.0.4", "1.0", ""] {
            assert!(Version::stored(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(
            Version::stored("v1.0.4").unwrap_err().to_string(),
            "\"v1.0.4\" is not a version: it is written 1.0.4 there"
        );
    }
}
