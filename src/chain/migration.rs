//! One migration: one file, one edge of the chain, its statements sorted by scope.

use std::sync::Arc;

use super::header::{Header, ScopeLines};
use super::{ChainError, Checksum, FileName, Version};
use crate::error::Place;
use crate::ident::SchemaName;
use crate::sql::{FileKind, MetadataFilter, Scope, ScopeClue, ScopedNames, Script, SqlError, Statement};

/// A migration, read and checked.
#[derive(Debug, Clone)]
pub struct Migration {
    /// The file's name, without its folder.
    pub file: String,
    /// What the name says.
    pub name: FileName,
    /// What the header says it does.
    pub description: String,
    /// Of the text.
    pub checksum: Checksum,
    /// The parsed text.
    pub script: Script,
    /// What is to be run, in order, each with whose it is.
    pub statements: Vec<(Statement, Scope)>,
    /// Whether it runs inside a transaction. If not, each statement runs alone.
    pub transactional: bool,
}

impl Migration {
    /// Reads a migration; what is wrong with it is told all at once. `known` holds what earlier files make,
    /// and learns what this one makes.
    pub fn read(
        name: FileName,
        script: Script,
        checksum: Checksum,
        platform: &SchemaName,
        known: &mut ScopedNames,
    ) -> Result<Self, Vec<ChainError>> {
        if script.statements.iter().all(Statement::is_begin_or_commit) {
            return Err(vec![ChainError::Empty { place: Place::File(script.source.file.clone()) }]);
        }
        let header = Header::read(&script, &name);
        let version = name.to.to_string();
        let body = ScopeLines::read(&script).map_err(|error| vec![error]).and_then(|lines| {
            let filter = MetadataFilter {
                platform: platform.as_str(),
                file: FileKind::Migration { version: &version },
            };
            let whose =
                |statement: &Statement| lines.at(statement.range.start).or_else(|| known.version_table());
            let body = filter.body(&script, whose).map_err(|error| vec![error.into()])?;
            if !body.transactional
                && let Some(index) =
                    body.statements.iter().find(|statement| statement.creates_unnamed_index())
            {
                return Err(vec![SqlError::UnnamedIndex { place: script.place(index) }.into()]);
            }
            let statements = scoped(&script, body.statements, &lines, filter, known)?;
            Ok((statements, body.transactional))
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

    /// The version that it starts from.
    pub fn from(&self) -> &Version {
        &self.name.from
    }

    /// The version that it leads to.
    pub fn to(&self) -> &Version {
        &self.name.to
    }

    /// Its statements, as those whose scope is known.
    pub fn scoped(&self) -> impl Iterator<Item = (&Statement, Option<Scope>)> {
        self.statements.iter().map(|(statement, scope)| (statement, Some(*scope)))
    }

    /// Whether anything in it acts on `scope`.
    pub fn has(&self, scope: Scope) -> bool {
        self.statements.iter().any(|(_, of)| *of == scope)
    }

    /// The statements that act on `scope`.
    pub fn part(&self, scope: Scope) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(move |(_, of)| *of == scope).map(|(statement, _)| statement)
    }
}

/// Gives every statement its scope: by the line above it, by its names, or by its neighbour.
fn scoped(
    script: &Script,
    mut statements: Vec<Statement>,
    lines: &ScopeLines,
    filter: MetadataFilter<'_>,
    known: &mut ScopedNames,
) -> Result<Vec<(Statement, Scope)>, Vec<ChainError>> {
    let mut scopes = Vec::with_capacity(statements.len());
    let (mut wrong, mut unclear) = (Vec::new(), false);
    for statement in &mut statements {
        let clue = lines
            .at(statement.range.start)
            .map_or_else(|| known.scope_clue(statement, filter.platform), ScopeClue::Certain);
        match clue {
            ScopeClue::Certain(Scope::Platform) if statement.has_placeholder => {
                wrong.push(SqlError::PlaceholderOfPlatform { place: script.place(statement) });
            }
            ScopeClue::Certain(scope) => {
                if scope == Scope::Platform {
                    wrong.extend(filter.check_platform_statement(script, statement).err());
                }
                known.apply(statement, scope);
                scopes.push(Some(scope));
            }
            ScopeClue::Inherited => scopes.push(None),
            ScopeClue::Unclear(_) if known.may_depend_on_unreadable(statement) => unclear = true,
            ScopeClue::Unclear(why) => {
                wrong.push(SqlError::ScopeUnclear { why, place: script.place(statement) });
            }
        }
    }
    known.end_of_file();
    if unclear || !wrong.is_empty() {
        return Err(wrong.into_iter().map(ChainError::from).collect());
    }
    // `SET LOCAL …` goes with the statement after it, at the end of a file with the one before it.
    let mut scope_after = scopes.iter().rev().flatten().next().copied().unwrap_or(Scope::Platform);
    for scope in scopes.iter_mut().rev() {
        scope_after = *scope.get_or_insert(scope_after);
    }
    Ok(statements.into_iter().zip(scopes.into_iter().flatten()).collect())
}
