//! The SQL of a unit: one text in one transaction with a migration's statements for one schema, the update of
//! the version row, and the history's row. `--plan` and the executor use the same encoder.
//!
//! **Invariant:** no state outlives the transaction.

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
use super::metadata::history;
use crate::chain::{Checksum, Version};
use crate::error::{Place, Source};
use crate::ident::{Identifier, SchemaName, SharedPath};
use crate::settings::{Migrate, Settings};
use crate::sql::Rendered;

/// The settings that all units of a run share.
#[derive(Debug, Clone)]
pub struct Run {
    /// The id of the run's row.
    pub id: Uuid,
    /// The platform schema.
    pub platform: SchemaName,
    /// The timeouts.
    pub limits: Migrate,
    /// The schemas after the unit's own in its search path.
    pub path: SharedPath,
}

/// SQL text with a map from positions in it to places in files.
#[derive(Debug, Clone, Default)]
pub struct SqlBatch {
    rendered: Rendered,
    sources: Vec<Arc<Source>>,
    statements: Vec<SentStatement>,
    /// For each COMMIT: its index among the statements, and the file whose statements it ends.
    commits: Vec<(usize, usize)>,
    limit: Limit,
    /// The schema for new extensions, after a search path was set.
    extensions: Option<Identifier>,
}

/// A statement of a batch.
#[derive(Debug, Clone)]
struct SentStatement {
    /// Its file and bytes there, if it is from one.
    place: Option<(usize, Range<usize>)>,
    /// Where its text ends: in bytes and in characters.
    end: (usize, usize),
}

/// A row of the history.
#[derive(Debug, Clone, Copy)]
pub struct HistoryRow<'a> {
    /// The migrated schema.
    pub schema: &'a SchemaName,
    /// The version before.
    pub from: &'a Version,
    /// The version after.
    pub to: &'a Version,
    /// The name of the file or template.
    pub name: &'a str,
    /// The file's checksum; `None` for a baseline.
    pub checksum: Option<&'a Checksum>,
    /// The kind of event.
    pub kind: Kind,
    /// The findings that the file's Allow lines accept, as JSON.
    pub allowed: &'a str,
}

/// The kind of event in a row of the history, as stored in the table. A command that records events of its own defines their kind
/// in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(&'static str);

impl Kind {
    /// A migration was run.
    pub const MIGRATE: Self = Self("migrate");
    /// A schema was created from a template.
    pub const TEMPLATE: Self = Self("template");
    /// A version was declared.
    pub const BASELINE: Self = Self("baseline");
    /// An edited or missing file was accepted.
    pub const REPAIR: Self = Self("repair");
    /// A non-transactional unit was started.
    pub const BEGUN: Self = Self("begun");
    /// The creation of a tenant was reverted.
    pub const UNDONE: Self = Self("undone");

    /// The kind of events that a command records.
    pub const fn of_verb(word: &'static str) -> Self {
        Self(word)
    }

    /// The value in the table.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// The result column with the unit's duration in milliseconds.
pub const DURATION_COLUMN: &str = "tenure_took_ms";

/// The result column with the version of a renamed tenant.
pub const VERSION_COLUMN: &str = "tenure_version";

/// The start of every transaction of Tenure. `READ COMMITTED`, since a run that waited for another one must see its changes. If
/// `default_transaction_read_only` is on, it stays read-only.
pub const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// The search path of Tenure's own queries in sessions that run a project's statements: no schema in which these could create an
/// operator, a function or a table (manual, chapter "Writing SECURITY DEFINER Functions Safely").
pub const OWN_PATH: &str = "pg_catalog, pg_temp";

/// Disables the idle timeout and the transaction timeout in a transaction that spans several messages.
/// `transaction_timeout` exists only from PostgreSQL 17 on, so no statement names it.
pub const NO_IDLE_TIMEOUT: &str = "SELECT pg_catalog.set_config(name, '0', true) FROM pg_catalog.pg_settings \
     WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')";

impl Run {
    /// A run with a new id.
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
    /// Adds one statement of Tenure.
    pub fn push(&mut self, sql: &str) {
        self.rendered.push(sql);
        self.rendered.push(";\n");
        self.end_statement(None);
    }

    /// Records the statement whose text was just added.
    fn end_statement(&mut self, place: Option<(usize, Range<usize>)>) {
        let end = (self.rendered.sql.len(), self.rendered.chars());
        self.statements.push(SentStatement { place, end });
    }

    /// Adds one query of Tenure between the statements of files.
    pub fn push_own_query(&mut self, sql: &str) {
        self.push(&format!("SET LOCAL search_path = {OWN_PATH}"));
        self.push(sql);
    }

    /// Adds several statements.
    pub fn push_each(&mut self, statements: &[impl AsRef<str>]) {
        for statement in statements {
            self.push(statement.as_ref());
        }
    }

    /// Begins a unit's transaction: its timeouts, and `first`, which locks the version row. `first` has no lock
    /// timeout, since it waits for another unit.
    pub fn begin(&mut self, limits: Migrate, first: &str) {
        self.begin_as(BEGIN, limits, &[first]);
    }

    /// The same with several statements that wait so.
    pub fn begin_each(&mut self, limits: Migrate, first: &[impl AsRef<str>]) {
        self.begin_as(BEGIN, limits, first);
    }

    /// Like [`Self::begin`], with one snapshot for the whole transaction.
    pub fn begin_snapshot(&mut self, limits: Migrate, first: &str) {
        self.begin_as("BEGIN ISOLATION LEVEL REPEATABLE READ", limits, &[first]);
    }

    fn begin_as(&mut self, begin: &str, limits: Migrate, first: &[impl AsRef<str>]) {
        self.push(begin);
        self.limit_statements(limits);
        self.push("SET LOCAL lock_timeout = 0");
        self.push_each(first);
        self.push(&format!("SET LOCAL lock_timeout = {}", limits.lock_timeout.milliseconds()));
    }

    fn limit_statements(&mut self, limits: Migrate) {
        self.push(&format!("SET LOCAL statement_timeout = {}", limits.statement_timeout.milliseconds()));
        self.limit = self.limit.max(Limit::of(limits.statement_timeout));
    }

    /// Adds a row of the history.
    pub fn history(&mut self, run: &Run, row: &HistoryRow<'_>) {
        self.push(&history::record(run, row));
    }

    /// Adds a history row for a rename. `schema` is an expression, since the server may choose the name.
    pub fn name_history(&mut self, run: &Run, schema: &str, former: &SchemaName, kind: Kind) {
        self.push(&history::record_name(run, schema, former, kind));
    }

    /// Appends another batch.
    pub fn append(&mut self, other: &Self) {
        let before = self.sources.len();
        let (bytes, chars) = (self.rendered.sql.len(), self.rendered.chars());
        self.rendered.append(&other.rendered, before);
        self.limit = self.limit.max(other.limit);
        self.sources.extend(other.sources.iter().map(Arc::clone));
        let (statements, commits) = (self.statements.len(), &other.commits);
        self.commits.extend(commits.iter().map(|(at, file)| (at + statements, file + before)));
        let shifted = |place: &(usize, Range<usize>)| (place.0 + before, place.1.clone());
        self.statements.extend(other.statements.iter().map(|statement| SentStatement {
            place: statement.place.as_ref().map(shifted),
            end: (statement.end.0 + bytes, statement.end.1 + chars),
        }));
    }

    /// Whether a statement is Tenure's own, not a file's.
    pub fn is_own(&self, statement: usize) -> bool {
        self.statements.get(statement).is_some_and(|statement| statement.place.is_none())
    }

    /// The statements in order: for each its text, the characters before it, and its file with its start, if it is from one.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&str, usize, Option<(&str, usize)>)> {
        let ends = self.statements.iter().map(|statement| statement.end);
        let starts = std::iter::once((0, 0)).chain(ends);
        starts.zip(&self.statements).map(|(start, SentStatement { place, end })| {
            let place = place.as_ref().map(|(file, range)| (self.sources[*file].file.as_str(), range.start));
            (&self.rendered.sql[start.0..end.0], start.1, place)
        })
    }

    /// The number of statements.
    pub fn statements(&self) -> usize {
        self.statements.len()
    }

    /// The time limit for its answer, if there is one.
    pub(super) fn answer_timeout(&self) -> Option<Duration> {
        self.limit.answer_timeout(self.statements.len())
    }

    /// The number of characters.
    pub fn chars(&self) -> usize {
        self.rendered.chars()
    }

    /// The SQL text.
    pub fn sql(&self) -> &str {
        &self.rendered.sql
    }

    /// The place of a statement in its file; `None` for a statement of Tenure's own.
    pub(super) fn place_of(&self, statement: usize) -> Option<Place> {
        let (file, range) = self.statements.get(statement)?.place.as_ref()?;
        Some(Place::at(&self.sources[*file], range.clone()))
    }

    /// The place in a user's file that `server_error` is about: the server's position, else the statement that
    /// failed. It is the whole file if its COMMIT failed, as for a deferred constraint, and `None` for a
    /// statement of Tenure's own.
    pub fn place(&self, server_error: &ServerError) -> Option<Place> {
        let texts: Vec<&str> = self.sources.iter().map(|source| source.text.as_str()).collect();
        let pointed = server_error.position().and_then(|position| self.rendered.origin(position, &texts));
        if let Some((file, offset)) = pointed {
            let source = &self.sources[file];
            return Some(Place::at(source, offset..offset + word_length(&source.text[offset..])));
        }
        if let Some((file, range)) = &self.statements.get(server_error.completed)?.place {
            let source = &self.sources[*file];
            let line = server_error.block_line().and_then(|line| line_of_block(&source.text, range, line));
            return Some(Place::at(source, line.unwrap_or_else(|| range.clone())));
        }
        let (_, file) = self.commits.iter().find(|(commit, _)| *commit == server_error.completed)?;
        Some(Place::File(self.sources[*file].file.clone()))
    }
}

/// The bytes of a line in the body of the DO block at `block`. Its first line is the one on which the body begins.
fn line_of_block(text: &str, block: &Range<usize>, line: usize) -> Option<Range<usize>> {
    let statement = &text[block.clone()];
    let quote = statement.find(['$', '\''])?;
    let opening = match statement[quote..].strip_prefix('$') {
        Some(tag) => tag.find('$')? + 2,
        None => 1,
    };
    let body = block.start + quote + opening;
    let mut start = body;
    for _ in 1..line {
        start += text[start..block.end].find('\n')? + 1;
    }
    let rest = &text[start..block.end];
    let written = rest[..rest.find('\n').unwrap_or(rest.len())].trim_end();
    let indent = written.len() - written.trim_start().len();
    (indent < written.len()).then(|| start + indent..start + written.len())
}

/// The length in bytes of the token at the start of `text`, which a caret underlines.
fn word_length(text: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let word: usize = text.chars().take_while(|c| is_word(*c)).map(char::len_utf8).sum();
    if word > 0 { word } else { text.chars().next().map_or(0, char::len_utf8) }
}

#[cfg(test)]
mod tests;
