//! The header of a file: `-- Key: value` comment lines at its top. Lines with unknown keys are ordinary comments.

use std::ops::Range;

use super::{ChainError, FileName, Version};
use crate::error::Place;
use crate::sql::{Scope, Script};

/// The header of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The description of the migration.
    pub description: String,
}

/// The `-- Scope:` lines of a file: the byte offset from which each scope applies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeLines(Vec<(usize, Scope)>);

/// Whether the text begins like `v1.0.0` or `1.0.0`.
fn begins_with_version(text: &str) -> bool {
    let is_number = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let after_number = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    text.strip_prefix(['v', 'V']).is_some_and(is_number) || (is_number(text) && after_number.starts_with('.'))
}

/// One `-- Key: value` line.
pub(super) struct Line<'a> {
    pub(super) key: String,
    pub(super) value: &'a str,
    pub(super) range: Range<usize>,
}

pub(super) fn lines(script: &Script) -> impl Iterator<Item = Line<'_>> {
    script.comments.iter().filter_map(|comment| {
        let (key, value) = comment.line.as_deref()?.split_once(':')?;
        Some(Line { key: key.trim().to_lowercase(), value: value.trim(), range: comment.range.clone() })
    })
}

impl Header {
    /// Reads the header of the migration `script` with the file name `name`.
    pub fn read(script: &Script, name: &FileName) -> Result<Self, ChainError> {
        let top = script.code_start();
        let mut description = None;
        for line in lines(script).filter(|line| line.range.start < top) {
            let place = Place::at(&script.source, line.range.clone());
            match line.key.as_str() {
                // Others are prose: `-- Migration: add a column`.
                "migration" if begins_with_version(line.value) => {
                    let (from, to) = line.value.split_once(" to ").ok_or_else(|| ChainError::Header {
                        why: "expected `vX to vY`".to_owned(),
                        place: place.clone(),
                    })?;
                    let version = |text: &str| {
                        text.trim().parse::<Version>().map_err(|error| ChainError::Header {
                            why: error.to_string(),
                            place: place.clone(),
                        })
                    };
                    let (from, to) = (version(from)?, version(to)?);
                    if (&from, &to) != (&name.from, &name.to) {
                        return Err(ChainError::HeaderMismatch {
                            header: format!("v{from} to v{to}"),
                            name: format!("v{} to v{}", name.from, name.to),
                            place,
                        });
                    }
                }
                "description" if !line.value.is_empty() => description = Some(line.value.to_owned()),
                _ => {}
            }
        }
        match description {
            Some(description) => Ok(Self { description }),
            None => Err(ChainError::HeaderMissing {
                line: "-- Description: …",
                place: Place::File(script.source.file.clone()),
            }),
        }
    }
}

/// The version in the `-- Template: vX` line, if the file has one. A second line is an error.
pub fn template_line(script: &Script) -> Result<Option<(Version, Range<usize>)>, ChainError> {
    let top = script.code_start();
    let mut found = lines(script).filter(|line| line.key == "template" && line.range.start < top);
    let Some(line) = found.next() else { return Ok(None) };
    let invalid = |why: String, range: Range<usize>| ChainError::Header {
        why,
        place: Place::at(&script.source, range),
    };
    if let Some(second) = found.next() {
        return Err(invalid("a template has only one version line".to_owned(), second.range));
    }
    let version: Version = line
        .value
        .parse()
        .map_err(|error: super::VersionError| invalid(error.to_string(), line.range.clone()))?;
    Ok(Some((version, line.range)))
}

impl Script {
    /// The Django migrations that the file contains, from its lines `-- Django: app.name`.
    pub fn django_migrations(&self) -> impl Iterator<Item = (String, String)> {
        let named = lines(self).filter(|line| line.key == "django");
        named
            .filter_map(|line| line.value.split_once('.'))
            .map(|(app, name)| (app.to_owned(), name.to_owned()))
    }
}

impl ScopeLines {
    /// Reads the `-- Scope:` lines of the whole file.
    pub fn read(script: &Script) -> Result<Self, ChainError> {
        lines(script)
            .filter(|line| line.key == "scope")
            .map(|line| match line.value {
                "platform" => Ok((line.range.start, Scope::Platform)),
                "tenant" => Ok((line.range.start, Scope::Tenant)),
                other => Err(ChainError::Header {
                    why: format!("expected platform or tenant, not {other:?}"),
                    place: Place::at(&script.source, line.range),
                }),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The scope set by the last line above byte `offset`.
    pub fn at(&self, offset: usize) -> Option<Scope> {
        self.0.iter().take_while(|(from, _)| *from < offset).last().map(|(_, scope)| *scope)
    }
}
