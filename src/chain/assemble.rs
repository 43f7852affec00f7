//! Assembles files into a chain: one path without gaps and forks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{ChainError, Checksum, FileName, Migration, Version};
use crate::error::Source;
use crate::ident::SchemaName;
use crate::sql::{Scope, ScopedNames, Script, SqlError, TenantObjects};

/// One file of `migrations/`.
#[derive(Debug, Clone)]
pub struct MigrationFile {
    /// Its name without the folder.
    pub name: String,
    /// Its content.
    pub content: Content,
}

/// The content of a file before the chain is checked.
#[derive(Debug, Clone)]
pub enum Content {
    /// Parsed SQL and its checksum.
    Parsed(Script, Checksum),
    /// Text with SQL errors, and the script of the rest if that can be parsed.
    Invalid(Arc<Source>, Vec<SqlError>, Option<Script>),
    /// The file could not be read; the reader reports the failure.
    Unreadable,
}

impl Content {
    /// Parses `source`.
    pub fn of(source: Arc<Source>) -> Self {
        match Script::parse(Arc::clone(&source)) {
            Ok(script) => Self::Parsed(script, Checksum::of(&source.text)),
            Err(error) => {
                let (errors, rest) = Script::refusals(&source, error);
                Self::Invalid(source, errors, rest)
            }
        }
    }
}

/// All migrations, in order.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    ups: Vec<Migration>,
    downs: Vec<Migration>,
}

impl Chain {
    /// Assembles `files`, or returns the first error.
    #[cfg(test)]
    pub(crate) fn assemble(
        files: Vec<MigrationFile>,
        platform: &SchemaName,
        known: ScopedNames,
    ) -> Result<Self, ChainError> {
        let (chain, errors) = Self::assemble_with_errors(files, platform, known);
        errors.into_iter().next().map_or(Ok(chain), Err)
    }

    /// Returns the valid migrations and all errors: in names, in the chain, then in each file in order. `known` contains
    /// the names that the templates create. The caller reports template errors and files that are [`Content::Unreadable`].
    pub fn assemble_with_errors(
        files: Vec<MigrationFile>,
        platform: &SchemaName,
        mut known: ScopedNames,
    ) -> (Self, Vec<ChainError>) {
        let mut errors = Vec::new();
        let mut named = Vec::with_capacity(files.len());
        for file in files {
            match FileName::parse(&file.name) {
                Ok(name) => named.push((name, file.content)),
                Err(error) => {
                    errors.push(error);
                    let source = match file.content {
                        Content::Parsed(script, _) => Some(script.source),
                        Content::Invalid(source, found, _) => {
                            errors.extend(found.into_iter().map(ChainError::from));
                            Some(source)
                        }
                        Content::Unreadable => None,
                    };
                    known.add_unreadable(source);
                }
            }
        }
        named.sort_by(|(a, _), (b, _)| (&a.from, &a.to, &a.name).cmp(&(&b.from, &b.to, &b.name)));
        let (ups, downs): (Vec<_>, Vec<_>) = named.into_iter().partition(|(name, _)| name.from < name.to);
        for (name, _) in &downs {
            let is_down = ups.iter().any(|(up, _)| (&up.from, &up.to) == (&name.to, &name.from));
            if !is_down {
                let (from, to) = (name.from.clone(), name.to.clone());
                errors.push(ChainError::Order { file: name.to_string(), from, to });
            }
        }
        forks(ups.iter().map(|(name, _)| name), &mut errors);
        forks(downs.iter().map(|(name, _)| name), &mut errors);
        gaps(&ups, &mut errors);
        let mut read = |named: Vec<(FileName, Content)>| {
            let mut migrations = Vec::with_capacity(named.len());
            for (name, content) in named {
                match content {
                    Content::Parsed(script, checksum) => {
                        match Migration::read(name, script, checksum, platform, &mut known) {
                            Ok(migration) => migrations.push(migration),
                            Err(more) => errors.extend(more),
                        }
                    }
                    Content::Invalid(source, found, rest) => {
                        errors.extend(found.into_iter().map(ChainError::from));
                        let checksum = Checksum::of(&source.text);
                        match rest.map(|rest| Migration::read(name, rest, checksum, platform, &mut known)) {
                            Some(Err(more)) => errors.extend(more),
                            Some(Ok(_)) => {}
                            None => known.add_unreadable(Some(source)),
                        }
                    }
                    Content::Unreadable => known.add_unreadable(None),
                }
            }
            migrations
        };
        let ups = read(ups);
        // The names that a reverse file drops are known to those of earlier steps.
        let mut downs = read(downs.into_iter().rev().collect());
        downs.reverse();
        (Self { ups, downs }, errors)
    }

    /// Marks the names in tenant statements that must resolve to objects of the tenants: of those created from a template,
    /// and of those migrated along the whole chain. `templates` are the templates' versions and objects.
    pub fn expect(&mut self, templates: &[(&Version, TenantObjects)]) {
        let mut by_chain = TenantObjects::default();
        let (mut by_template, mut waiting) = (Vec::new(), templates.iter().collect::<Vec<_>>());
        for migration in &mut self.ups {
            let Migration { name, script, statements, .. } = migration;
            waiting.retain(|(version, objects)| {
                let arrives = *version <= &name.from;
                by_template.extend(arrives.then(|| objects.clone()));
                !arrives
            });
            let mut new = TenantObjects::default();
            for (statement, _) in statements.iter_mut().filter(|(_, scope)| *scope == Scope::Tenant) {
                let of_chain = (by_template.is_empty() || !waiting.is_empty()).then_some(&by_chain);
                let tenants: Vec<_> = by_template.iter().chain(of_chain).collect();
                statement.expect_existing(&tenants, &new);
                let text = script.text(statement);
                let all = by_template.iter_mut().chain([&mut by_chain, &mut new]);
                all.for_each(|objects| objects.apply(statement, text));
            }
        }
    }

    /// The up migrations, in order.
    pub fn migrations(&self) -> &[Migration] {
        &self.ups
    }

    /// The down migrations.
    pub fn downs(&self) -> &[Migration] {
        &self.downs
    }

    /// The scripts of all files, to change them.
    pub fn scripts_mut(&mut self) -> impl Iterator<Item = &mut Script> {
        self.ups.iter_mut().chain(&mut self.downs).map(|migration| &mut migration.script)
    }

    /// The version that the first migration starts from; 0.0.0 for an empty chain.
    pub fn first(&self) -> Version {
        self.ups.first().map_or(Version::ZERO, |migration| migration.from().clone())
    }

    /// Checks that the chain can migrate an empty database. A chain for a database that was created by other means may
    /// start at a later version.
    pub fn check_starts_at_zero(&self) -> Result<(), ChainError> {
        match self.ups.first() {
            Some(first) if *first.from() != Version::ZERO => {
                Err(ChainError::StartsLate { file: first.file.clone(), from: first.from().clone() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The version that the last migration leads to; 0.0.0 for an empty chain.
    pub fn latest(&self) -> Version {
        self.ups.last().map_or(Version::ZERO, |migration| migration.to().clone())
    }

    /// The number of migrations up to `version`, or `None` if it is not in the chain.
    pub fn position(&self, version: &Version) -> Option<usize> {
        if *version == self.first() {
            return Some(0);
        }
        self.ups.iter().position(|migration| migration.to() == version).map(|index| index + 1)
    }
}

fn forks<'a>(names: impl Iterator<Item = &'a FileName>, errors: &mut Vec<ChainError>) {
    let (mut from, mut to) = (HashMap::new(), HashMap::new());
    for name in names {
        let second = name.to_string();
        let (first_from, first_to) = (from.insert(&name.from, name), to.insert(&name.to, name));
        let (version, first) = match (first_from, first_to) {
            (Some(first), _) => (&name.from, first),
            (None, Some(first)) => (&name.to, first),
            (None, None) => continue,
        };
        let (version, first): (_, &FileName) = (version.clone(), first);
        errors.push(if first_from.is_some() {
            ChainError::ForkFrom { version, first: first.to_string(), second }
        } else {
            ChainError::ForkTo { version, first: first.to_string(), second }
        });
    }
}

/// Finds files, except the first, that start from a version to which no other file leads.
fn gaps(sorted: &[(FileName, Content)], errors: &mut Vec<ChainError>) {
    let reached: HashSet<&Version> = sorted.iter().map(|(name, _)| &name.to).collect();
    for pair in sorted.windows(2) {
        let (before, after) = (&pair[0].0, &pair[1].0);
        // Two files that start from the same version are a fork, not a gap.
        if before.to != after.from && before.from != after.from && !reached.contains(&after.from) {
            errors.push(ChainError::Gap {
                file: after.to_string(),
                from: after.from.clone(),
                before: before.to_string(),
                reached: before.to.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sql::Scope::{Platform, Tenant};

    pub(crate) fn file(name: &str, sql: &str) -> MigrationFile {
        let source = Source::new(format!("migrations/{name}"), sql);
        MigrationFile { name: name.to_owned(), content: Content::of(source) }
    }

    fn chain(files: &[(&str, &str)]) -> Result<Chain, ChainError> {
        let platform = SchemaName::existing("datalinx_platform").unwrap();
        let files =
            files.iter().map(|(name, sql)| file(name, &format!("-- Description: x\n{sql}"))).collect();
        Chain::assemble(files, &platform, ScopedNames::default())
    }

    const P: &str = "ALTER TABLE datalinx_platform.t ADD c int";

    #[test]
    fn files_in_any_order_are_one_path() {
        let chain = chain(&[
            ("v1.0.0_to_v1.0.10_b.sql", P),
            ("v0.0.0_to_v1.0.0_a.sql", P),
            ("v1.0.10_to_v1.1.0_c.sql", P),
        ])
        .unwrap();
        let names: Vec<_> = chain.migrations().iter().map(|m| m.name.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(chain.latest().to_string(), "1.1.0");
        assert_eq!(chain.position(&"1.0.10".parse().unwrap()), Some(2));
        assert_eq!(chain.position(&"1.0.5".parse().unwrap()), None);
    }

    #[test]
    fn gaps_forks_and_empty_files_are_errors() {
        let err = |files: &[(&str, &str)]| chain(files).unwrap_err();
        assert!(matches!(
            err(&[("v1.0.0_to_v1.0.1_a.sql", P), ("v1.0.0_to_v1.0.2_b.sql", P)]),
            ChainError::ForkFrom { first, second, .. } if first.contains("_a") && second.contains("_b")
        ));
        assert!(matches!(
            err(&[("v1.0.0_to_v1.0.2_a.sql", P), ("v1.0.1_to_v1.0.2_b.sql", P)]),
            ChainError::ForkTo { .. }
        ));
        assert!(matches!(
            err(&[("v1.0.0_to_v1.0.1_a.sql", P), ("v1.0.2_to_v1.0.3_b.sql", P)]),
            ChainError::Gap { .. }
        ));
        assert!(matches!(err(&[("v1.0.0_to_v1.0.0_a.sql", P)]), ChainError::Order { .. }));
        assert!(matches!(err(&[("v1.0.1_to_v1.0.0_a.sql", P)]), ChainError::Order { .. }));
        // A file of comments is a step without statements.
        assert!(chain(&[("v1.0.0_to_v1.0.1_a.sql", "")]).is_ok());
    }

    #[test]
    fn a_reverse_edge_beside_its_migration_is_a_down() {
        let chain = chain(&[("v1.0.0_to_v1.0.1_a.sql", P), ("v1.0.1_to_v1.0.0_undo.sql", P)]).unwrap();
        assert_eq!((chain.migrations().len(), chain.downs().len()), (1, 1));
    }

    #[test]
    fn scope_lines_apply_to_the_statements_below() {
        let chain = chain(&[(
            "v1.0.0_to_v1.0.1_a.sql",
            "SET LOCAL work_mem = '1MB';\nCREATE TABLE datalinx_platform.a (id int);\n-- Scope: tenant\nSELECT 1;\nCREATE TABLE b (id int);\n-- Scope: platform\nSELECT 2;\nSET LOCAL x.y = 1",
        )])
        .unwrap();
        let scopes: Vec<_> = chain.migrations()[0].statements.iter().map(|(_, scope)| *scope).collect();
        assert_eq!(scopes, [Platform, Platform, Tenant, Tenant, Platform, Platform]);
    }

    #[test]
    fn headers_are_checked() {
        let read = |header: &str| {
            let platform = SchemaName::existing("datalinx_platform").unwrap();
            Chain::assemble(
                vec![file("v1.0.0_to_v1.0.1_a.sql", &format!("{header}\n{P}"))],
                &platform,
                ScopedNames::default(),
            )
        };
        assert!(read("-- Migration: v1.0.0 to v1.0.1\n--  description:  x").is_ok());
        assert!(matches!(
            read("-- Migration: v1.0.0 to v1.0.2\n-- Description: x"),
            Err(ChainError::HeaderMismatch { .. })
        ));
        for value in ["v1 to v2", "1.0.0", "v1.0.0 and v1.0.1"] {
            let header = format!("-- Migration: {value}\n-- Description: x");
            assert!(matches!(read(&header), Err(ChainError::Header { .. })), "{value}");
        }
        for prose in ["add a column", "3 tables get an index", "very old: v1.0.0"] {
            assert!(read(&format!("-- Migration: {prose}\n-- Description: x")).is_ok(), "{prose}");
        }
        assert!(matches!(read("-- Migration: v1.0.0 to v1.0.1"), Err(ChainError::HeaderMissing { .. })));
        assert!(matches!(read("-- Description:"), Err(ChainError::HeaderMissing { .. })));
        assert!(matches!(read("-- Description: x\n-- Scope: world"), Err(ChainError::Header { .. })));
    }

    proptest! {
        #[test]
        fn a_path_in_any_order_assembles_and_without_one_file_does_not(
            length in 3usize..12, missing in 1usize..10, seed in any::<u64>(),
        ) {
            let mut names: Vec<String> = (0..length).map(|n| format!("v1.0.{n}_to_v1.0.{}_s.sql", n + 1)).collect();
            // A deterministic shuffle.
            names.sort_by_key(|name| Checksum::of(&format!("{seed}{name}")).to_string());
            let pairs: Vec<_> = names.iter().map(|name| (name.as_str(), P)).collect();
            let whole = chain(&pairs).unwrap();
            prop_assert!(whole.migrations().windows(2).all(|pair| pair[0].to() == pair[1].from()));
            prop_assert_eq!(whole.migrations().len(), length);
            let gone = format!("v1.0.{}_to_", missing.min(length - 2));
            let rest: Vec<_> = pairs.iter().copied().filter(|(name, _)| !name.starts_with(&gone)).collect();
            let is_gap = matches!(chain(&rest), Err(ChainError::Gap { .. }));
            prop_assert!(is_gap);
        }
    }
}
