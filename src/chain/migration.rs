//! A migration: one file, one edge of the chain, with the scope of each statement.

use std::sync::Arc;

use super::header::{Header, ScopeLines};
use super::{ChainError, Checksum, FileName, Version};
use crate::error::Place;
use crate::ident::SchemaName;
use crate::sql::{FileKind, MetadataFilter, Scope, ScopeClue, ScopedNames, Script, SqlError, Statement};

/// A parsed and checked migration.
#[derive(Debug, Clone)]
pub struct Migration {
    /// The file's name, without its folder.
    pub file: String,
    /// The parts of the file name.
    pub name: FileName,
    /// The description in the header.
    pub description: String,
    /// The checksum of the text.
    pub checksum: Checksum,
    /// The parsed text.
    pub script: Script,
    /// The statements to run, in order, with their scopes.
    pub statements: Vec<(Statement, Scope)>,
    /// Whether it runs inside a transaction. If not, each statement runs separately.
    pub transactional: bool,
}

impl Migration {
    /// Reads a migration and returns all its errors. `known` contains the names that earlier files create; those of this
    /// file are added.
    pub fn read(
        name: FileName,
        script: Script,
        checksum: Checksum,
        platform: &SchemaName,
        known: &mut ScopedNames,
    ) -> Result<Self, Vec<ChainError>> {
        // A file of comments, with a description, is a step without statements.
        if script.comments.is_empty() && script.statements.iter().all(Statement::is_begin_or_commit) {
            return Err(vec![ChainError::Empty { place: Place::File(script.source.file.clone()) }]);
        }
        let header = Header::read(&script, &name);
        let version = name.to.to_string();
        let body = ScopeLines::read(&script).map_err(|error| vec![error]).and_then(|lines| {
            let filter = MetadataFilter {
                platform: platform.as_str(),
                file: FileKind::Migration { version: &version },
            };
            let version_table_scope =
                |statement: &Statement| lines.at(statement.range.start).or_else(|| known.version_table());
            let (body, mut errors) = filter.body_with_errors(&script, version_table_scope);
            if !body.transactional
                && let Some(index) =
                    body.statements.iter().find(|statement| statement.creates_unnamed_index())
            {
                errors.push(SqlError::UnnamedIndex { place: script.place(index) });
            }
            let resolved = resolve_scopes(&script, body.statements, &lines, filter, known);
            match resolved {
                Ok(statements) if errors.is_empty() => Ok((statements, body.transactional)),
                Ok(_) => Err(errors.into_iter().map(ChainError::from).collect()),
                Err(more) => Err(errors.into_iter().map(ChainError::from).chain(more).collect()),
            }
        });
        if body.is_err() {
            known.add_unreadable(Some(Arc::clone(&script.source)));
        }
        match (header, body) {
            (Ok(Header { description }), Ok((statements, transactional))) => {
                let file = name.to_string();
                Ok(Self { file, name, description, checksum, script, statements, transactional })
            }
            (header, body) => Err(header.err().into_iter().chain(body.err().into_iter().flatten()).collect()),
        }
    }

    /// The version before it.
    pub fn from(&self) -> &Version {
        &self.name.from
    }

    /// The version after it.
    pub fn to(&self) -> &Version {
        &self.name.to
    }

    /// Its statements with `Some` scope, for callers that accept unknown scopes.
    pub fn scoped(&self) -> impl Iterator<Item = (&Statement, Option<Scope>)> {
        self.statements.iter().map(|(statement, scope)| (statement, Some(*scope)))
    }

    /// Whether it has a statement of `scope`.
    pub fn has(&self, scope: Scope) -> bool {
        self.statements.iter().any(|(_, of)| *of == scope)
    }

    /// The statements of `scope`.
    pub fn part(&self, scope: Scope) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(move |(_, of)| *of == scope).map(|(statement, _)| statement)
    }
}

/// Determines the scope of every statement: from the `Scope` line above it, its names, or its neighbour.
fn resolve_scopes(
    script: &Script,
    mut statements: Vec<Statement>,
    lines: &ScopeLines,
    filter: MetadataFilter<'_>,
    known: &mut ScopedNames,
) -> Result<Vec<(Statement, Scope)>, Vec<ChainError>> {
    let mut scopes = Vec::with_capacity(statements.len());
    let (mut errors, mut unclear) = (Vec::new(), false);
    for statement in &mut statements {
        let clue = lines
            .at(statement.range.start)
            .map_or_else(|| known.scope_clue(statement, filter.platform), ScopeClue::Certain);
        match clue {
            ScopeClue::Certain(Scope::Platform) if statement.has_placeholder => {
                errors.push(SqlError::PlaceholderOfPlatform { place: script.place(statement) });
            }
            ScopeClue::Certain(scope) => {
                if scope == Scope::Platform {
                    errors.extend(filter.check_platform_statement(script, statement).err());
                }
                known.apply(statement, scope);
                scopes.push(Some(scope));
            }
            ScopeClue::Inherited => scopes.push(None),
            ScopeClue::Unclear(_) if known.may_depend_on_unreadable(statement) => unclear = true,
            ScopeClue::Unclear(why) => {
                errors.push(SqlError::ScopeUnclear { why, place: script.place(statement) });
            }
        }
    }
    known.end_of_file();
    if unclear || !errors.is_empty() {
        return Err(errors.into_iter().map(ChainError::from).collect());
    }
    // `SET LOCAL …` gets the scope of the statement after it; at the end of a file, of the one before it.
    let mut scope_after = scopes.iter().rev().flatten().next().copied().unwrap_or(Scope::Platform);
    for scope in scopes.iter_mut().rev() {
        scope_after = *scope.get_or_insert(scope_after);
    }
    Ok(statements.into_iter().zip(scopes.into_iter().flatten()).collect())
}
