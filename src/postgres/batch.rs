//! The one message of a unit: everything that a migration does to one schema, with the move of the
//! version row and the history's row, as one text in one transaction. `--plan` and the runner read
//! from this one encoder. **Invariant:** nothing here outlives the transaction.

mod end;
mod extensions;
mod statements;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

pub use end::SessionState;
pub use statements::ResolvedIndex;

use super::ServerError;
use super::deadline::Limit;
use crate::chain::{Checksum, Version};
use crate::error::{Place, Source};
use crate::ident::{Identifier, SchemaName, SharedPath, literal};
use crate::settings::{Migrate, Settings};
use crate::sql::Rendered;

/// What all units of a run share.
#[derive(Debug, Clone)]
pub struct Run {
    /// The run's row.
    pub id: Uuid,
    /// The platform schema.
    pub platform: SchemaName,
    /// The limits.
    pub limits: Migrate,
    /// What a unit's search path names behind its own schema.
    pub path: SharedPath,
}

/// A text to send, with the way back from a server's error to a place in a file.
#[derive(Debug, Clone, Default)]
pub struct SqlBatch {
    rendered: Rendered,
    sources: Vec<Arc<Source>>,
    /// For each statement of the message, in order, the place it came from, if from a file.
    statements: Vec<Option<(usize, Range<usize>)>>,
    /// For each COMMIT: which statement it is, and the file that it ends.
    commits: Vec<(usize, usize)>,
    limit: Limit,
    /// Where extensions are made, once a search path was set.
    extensions: Option<Identifier>,
}

/// One row of the history.
#[derive(Debug, Clone, Copy)]
pub struct HistoryRow<'a> {
    /// The schema that the unit moved.
    pub schema: &'a SchemaName,
    /// Its version before.
    pub from: &'a Version,
    /// Its version after.
    pub to: &'a Version,
    /// The file's or template's name.
    pub name: &'a str,
    /// Of the file; `None` for a baseline.
    pub checksum: Option<&'a Checksum>,
    /// What the row records.
    pub kind: Kind,
    /// The findings that the file's own Allow lines accepted, as JSON.
    pub allowed: &'a str,
}

/// What a row of the history records, as a word of the table. A verb that writes rows of its own kind defines it in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(&'static str);

impl Kind {
    /// A migration was run.
    pub const MIGRATE: Self = Self("migrate");
    /// A schema was made from a template.
    pub const TEMPLATE: Self = Self("template");
    /// A version was declared.
    pub const BASELINE: Self = Self("baseline");
    /// An edited or missing file was accepted.
    pub const REPAIR: Self = Self("repair");
    /// A unit that runs outside a transaction was begun.
    pub const BEGUN: Self = Self("begun");

    /// The kind of rows that a verb writes.
    pub const fn of_verb(word: &'static str) -> Self {
        Self(word)
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// The column in which a unit's row of the history says how long the unit took, in milliseconds.
pub const TOOK: &str = "tenure_took_ms";

/// The column in which a change of name says the version of the tenant.
pub const VERSION: &str = "tenure_version";

/// How every transaction of ours begins, whatever the database's defaults are: a runner that waited for
/// another must see what that one did.
pub const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// For a transaction that waits for us between its messages: the server ends it for no idleness and no age (a setting of 17 and
/// later, so that no statement may name it).
pub const NO_IDLE_TIMEOUT: &str = "SELECT pg_catalog.set_config(name, '0', true) FROM pg_catalog.pg_settings \
     WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')";

impl Run {
    /// A new one, by these settings and limits.
    pub fn new(settings: &Settings, limits: Migrate) -> Self {
        Self {
            id: Uuid::new_v4(),
            platform: settings.platform_schema(),
            limits,
            path: settings.shared_path(),
        }
    }
}

impl SqlBatch {
    /// Adds one statement of Tenure's own.
    pub fn push(&mut self, sql: &str) {
        self.rendered.push(sql);
        self.rendered.push(";\n");
        self.statements.push(None);
    }

    /// Begins a unit's transaction: its limits, and `first`, the statement that takes the version row.
    /// That one waits without a lock limit, since it waits for a unit like itself.
    pub fn begin(&mut self, limits: Migrate, first: &str) {
        self.begin_as(BEGIN, limits, first);
    }

    /// The same in a transaction that sees the database until its end as it was at its first statement.
    pub fn begin_snapshot(&mut self, limits: Migrate, first: &str) {
        self.begin_as("BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE", limits, first);
    }

    fn begin_as(&mut self, begin: &str, limits: Migrate, first: &str) {
        self.push(begin);
        self.limit_statements(limits);
        self.push("SET LOCAL lock_timeout = 0");
        self.push(first);
        self.push(&format!("SET LOCAL lock_timeout = {}", limits.lock_timeout.milliseconds()));
    }

    /// Begins a tenant's unit: `advance` takes the version row, then sets the lock timeout.
    pub fn begin_tenant(&mut self, limits: Migrate, advance: &str) {
        self.push(BEGIN);
        self.limit_statements(limits);
        self.push(advance);
    }

    fn limit_statements(&mut self, limits: Migrate) {
        self.push(&format!("SET LOCAL statement_timeout = {}", limits.statement_timeout.milliseconds()));
        self.limit = self.limit.and(Limit::of(limits.statement_timeout));
    }

    /// Adds a row of the history.
    pub fn history(&mut self, run: &Run, row: &HistoryRow<'_>) {
        let platform = run.platform.quoted();
        let checksum = row.checksum.map_or_else(|| "NULL".to_owned(), |checksum| literal(checksum.as_str()));
        self.push(&format!(
            "SELECT {platform}.tenure_record('{}', {}, '{}', '{}', {}, {checksum}, '{}', {}, '{}') AS {TOOK}",
            run.id,
            literal(row.schema.as_str()),
            row.from,
            row.to,
            literal(row.name),
            env!("CARGO_PKG_VERSION"),
            literal(row.allowed),
            row.kind.as_str(),
        ));
    }

    /// Adds a row of the history that says that a schema got another name. `schema` is an expression, since it may
    /// be the server that chose it.
    pub fn name_history(&mut self, run: &Run, schema: &str, former: &SchemaName, kind: Kind) {
        self.push(&format!(
            "SELECT {}.tenure_record_name('{}', {schema}, {}, '{}', '{}') AS {VERSION}",
            run.platform.quoted(),
            run.id,
            literal(former.as_str()),
            env!("CARGO_PKG_VERSION"),
            kind.as_str(),
        ));
    }

    /// Adds another message behind this one.
    pub fn append(&mut self, other: &Self) {
        let before = self.sources.len();
        self.rendered.append(&other.rendered, before);
        self.limit = self.limit.and(other.limit);
        self.sources.extend(other.sources.iter().map(Arc::clone));
        let (statements, commits) = (self.statements.len(), &other.commits);
        self.commits.extend(commits.iter().map(|(at, file)| (at + statements, file + before)));
        let shifted = |place: &(usize, Range<usize>)| (place.0 + before, place.1.clone());
        self.statements.extend(other.statements.iter().map(|place| place.as_ref().map(shifted)));
    }

    /// Whether a statement is Tenure's own.
    pub fn is_own(&self, statement: usize) -> bool {
        self.statements.get(statement).is_some_and(Option::is_none)
    }

    /// How many statements it has.
    pub fn statements(&self) -> usize {
        self.statements.len()
    }

    /// How long its answer is waited for, if there is an end to that.
    pub(super) fn retry_policy(&self) -> Option<Duration> {
        self.limit.retry_policy(self.statements.len())
    }

    /// How many characters it has.
    pub fn chars(&self) -> usize {
        self.rendered.chars()
    }

    /// The text.
    pub fn sql(&self) -> &str {
        &self.rendered.sql
    }

    /// The place in a user's file that `server_error` is about: where the server points, or else the
    /// statement that it had come to; the file, where only the COMMIT behind it failed, as it does for a
    /// deferred constraint. `None` where that is Tenure's own statement.
    pub fn place(&self, server_error: &ServerError) -> Option<Place> {
        let texts: Vec<&str> = self.sources.iter().map(|source| source.text.as_str()).collect();
        let pointed = server_error.position().and_then(|position| self.rendered.origin(position, &texts));
        if let Some((file, offset)) = pointed {
            let source = &self.sources[file];
            return Some(Place::at(source, offset..offset + word_length(&source.text[offset..])));
        }
        if let Some((file, range)) = self.statements.get(server_error.completed)? {
            return Some(Place::at(&self.sources[*file], range.clone()));
        }
        let (_, file) = self.commits.iter().find(|(commit, _)| *commit == server_error.completed)?;
        Some(Place::File(self.sources[*file].file.clone()))
    }
}

/// The bytes of the word, string or sign at the start of `text`: what a caret is drawn under.
fn word_length(text: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let word: usize = text.chars().take_while(|c| is_word(*c)).map(char::len_utf8).sum();
    if word > 0 { word } else { text.chars().next().map_or(0, char::len_utf8) }
}

#[cfg(test)]
mod tests;
