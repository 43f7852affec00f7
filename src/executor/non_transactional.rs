//! Runs units whose statements cannot run in a transaction (`CREATE INDEX CONCURRENTLY`, `VACUUM`, …). Each
//! statement is a message of its own with qualified names, since `SET LOCAL` has no effect outside of a transaction.
//! The history records the start. A later attempt drops an invalid index of an earlier one (manual, CREATE INDEX,
//! "Building Indexes Concurrently") and skips completed statements. The version row moves last.
//!
//! No transaction locks the version row meanwhile, so the lock of another row serializes the runs.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::unit::{Unit, UnitOutcome};
use crate::chain::Checksum;
use crate::error::{Code, Failure};
use crate::ident::literal;
use crate::postgres::batch::{BEGIN, Kind, NO_IDLE_TIMEOUT, ResolvedIndex, SqlBatch};
use crate::postgres::metadata::{history, version_rows};
use crate::postgres::{Connection, ServerError};
use crate::sql::{IndexAction, Statement};

/// Pause between two attempts to get the lock.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs the unit while holding the schema's lock. Returns `None` if stopped before that.
pub(crate) async fn send(
    unit: &Unit<'_>,
    connection: &mut Connection,
    stop: &CancellationToken,
) -> Option<UnitOutcome> {
    let lock = match SchemaLock::acquire(unit, connection, stop).await {
        Ok(lock) => lock?,
        Err(failure) => return Some(UnitOutcome::Failed(failure)),
    };
    let answer = run(unit, connection).await;
    lock.release().await;
    Some(answer)
}

/// The lock of one schema's row, held by an idle transaction of another connection. It is polled, since a session that waits for a
/// lock holds a snapshot, and `CREATE INDEX CONCURRENTLY` waits for all snapshots.
struct SchemaLock(Connection);

impl SchemaLock {
    async fn acquire(
        unit: &Unit<'_>,
        connection: &Connection,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, Failure> {
        let mut own = connection.open_another().await?;
        let doing = "waiting for another run";
        let platform = &unit.run.platform;
        let row = version_rows::make_lock(platform, unit.schema);
        let sql = format!("{BEGIN}; {NO_IDLE_TIMEOUT}; {}", version_rows::try_alone(platform, unit.schema));
        let (began, limit) = (Instant::now(), unit.run.limits.statement_timeout.milliseconds());
        loop {
            own.run(&row).await.map_err(|server_error| server_error.failure(doing))?;
            let sets = own.query_batch(&sql).await.map_err(|server_error| server_error.failure(doing))?;
            if let Some(row) = sets.last().and_then(|rows| rows.first())
                && row.get_bool("taken")?
            {
                return Ok(Some(Self(own)));
            }
            own.run("ROLLBACK").await.map_err(|server_error| server_error.failure(doing))?;
            if stop.is_cancelled() {
                own.close().await;
                return Ok(None);
            }
            if limit > 0 && began.elapsed().as_millis() >= limit {
                own.close().await;
                return Err(still_running(unit));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn release(mut self) {
        // A broken connection has released the lock.
        let _released = self.0.run("ROLLBACK").await;
        self.0.close().await;
    }
}

/// The failure of a unit whose turn did not come within the statement timeout.
fn still_running(unit: &Unit<'_>) -> Failure {
    let message = format!(
        "{} on {}: another run executes a statement outside of a transaction on this schema",
        unit.migration.file, unit.schema
    );
    let failure = Failure::new(Code::UnitFailed, message);
    let hint = "run the command again when that run has ended (`tenure run list`); --statement-timeout limits the wait";
    Failure { schema: Some(unit.schema.as_str().to_owned()), ..failure.hint(hint) }
}

async fn run(unit: &Unit<'_>, connection: &mut Connection) -> UnitOutcome {
    let began = Instant::now();
    let earlier = match find_earlier_attempt(unit, connection).await {
        Ok(earlier) => earlier,
        Err(server_error) => return unit.interpret(&server_error, &SqlBatch::default()),
    };
    let message = start_message(unit, earlier);
    if let Err(server_error) = connection.run(message.sql()).await {
        return unit.interpret(&server_error, &message);
    }
    for statement in unit.migration.part(unit.scope()) {
        if let Err(answer) = run_statement(unit, statement, earlier, connection).await {
            return answer;
        }
    }
    let mut message = SqlBatch::default();
    unit.open(&mut message);
    unit.finish(&mut message);
    match connection.send(&message).await {
        Ok(sets) => UnitOutcome::Done(unit.moved(sets.iter().flatten()), began.elapsed()),
        Err(server_error) => unit.interpret(&server_error, &message),
    }
}

/// Runs one statement unless an earlier attempt completed it. That attempt may still be running in the server during
/// the check, so the check is repeated once if the statement conflicts with its effect.
async fn run_statement(
    unit: &Unit<'_>,
    statement: &Statement,
    earlier: EarlierAttempt,
    connection: &mut Connection,
) -> Result<(), UnitOutcome> {
    let explained = |server_error: ServerError| unit.interpret(&server_error, &SqlBatch::default());
    let mut may_recheck = earlier != EarlierAttempt::None;
    loop {
        let leftover = match earlier {
            EarlierAttempt::None => Leftover::None,
            EarlierAttempt::SameText | EarlierAttempt::OtherText => {
                leftover(unit, statement, earlier, connection).await.map_err(explained)?
            }
        };
        let mut began = Instant::now();
        let sent = match leftover {
            Leftover::Done => return Ok(()),
            Leftover::Invalid(drop) => connection.run(&drop).await,
            Leftover::None => Ok(()),
        };
        let mut message = SqlBatch::default();
        let sent = match sent {
            Ok(()) => match resolve_names(unit, statement, connection).await {
                Ok(text) => {
                    message = text;
                    began = Instant::now();
                    let sent = connection.run(message.sql()).await;
                    connection.keep_notices(&message);
                    sent
                }
                Err(answer) => return Err(answer),
            },
            Err(server_error) => Err(server_error),
        };
        match sent {
            Ok(()) => {}
            Err(server_error) if may_recheck && conflicts_with_effect(&server_error) => {
                may_recheck = false;
                continue;
            }
            Err(server_error) => return Err(with_own_limits(unit.interpret(&server_error, &message))),
        }
        if !is_invalid(unit, statement, connection).await.map_err(explained)? {
            unit.report_duration(statement, began.elapsed());
            return Ok(());
        }
        if !may_recheck {
            return Err(UnitOutcome::Failed(invalid_index(unit, statement)));
        }
        may_recheck = false;
    }
}

/// The result of a statement that ran alone: the limits of the role or the database ended it, not those of Tenure.
fn with_own_limits(mut outcome: UnitOutcome) -> UnitOutcome {
    if let UnitOutcome::Failed(failure) = &mut outcome
        && let Some(hint) = &mut failure.hint
    {
        for (flag, setting) in
            [("--lock-timeout", "lock_timeout"), ("--statement-timeout", "statement_timeout")]
        {
            if hint.contains(flag) {
                *hint = format!(
                    "{setting} of the role or the database ended it, since Tenure sets no limit for a statement that runs alone: \
                     raise it there, such as with ALTER ROLE … SET {setting}, or run the command again"
                );
            }
        }
    }
    outcome
}

/// Whether the object to create exists or the object to drop does not (manual, appendix A).
fn conflicts_with_effect(server_error: &ServerError) -> bool {
    matches!(server_error.sqlstate(), Some("42P07" | "42704" | "42P01"))
}

/// The statement with qualified names. The names in an index definition are resolved along the unit's search path
/// beforehand.
async fn resolve_names(
    unit: &Unit<'_>,
    statement: &Statement,
    connection: &mut Connection,
) -> Result<SqlBatch, UnitOutcome> {
    let script = &unit.migration.script;
    let mut message = SqlBatch::default();
    let Some(parts) = statement.index_parts(script) else {
        message.push_non_transactional(script, statement, unit.schema);
        return Ok(message);
    };
    let (index, mut trial) = ((statement, &parts), SqlBatch::default());
    trial.push_trial(unit.run.limits, script, index, (unit.schema, &unit.run.path));
    let sets = connection
        .query_batch(trial.sql())
        .await
        .map_err(|server_error| unit.interpret(&server_error, &trial))?;
    match ResolvedIndex::of(&sets) {
        Ok(Some(found)) => message.push_resolved(script, index, &found, unit.schema),
        Ok(None) => message.push_non_transactional(script, statement, unit.schema),
        Err(failure) => return Err(UnitOutcome::Failed(failure)),
    }
    Ok(message)
}

/// Whether an earlier attempt started the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EarlierAttempt {
    None,
    /// Yes, with the current file.
    SameText,
    /// Yes, with another text of the file: existing objects may differ.
    OtherText,
}

/// Checks that the schema is at FROM. Returns whether an earlier attempt started the unit.
async fn find_earlier_attempt(
    unit: &Unit<'_>,
    connection: &mut Connection,
) -> Result<EarlierAttempt, ServerError> {
    let mut message = SqlBatch::default();
    message.push(BEGIN);
    message.push("SET LOCAL lock_timeout = 0");
    message.push(&unit.advance());
    message.push("ROLLBACK");
    message.push(&history::begun(&unit.run.platform, unit.schema, file_of(unit)));
    let sets = connection.query_batch(message.sql()).await?;
    let row = sets.last().and_then(|rows| rows.first());
    Ok(match row.map(|row| row.get_bool("same")) {
        Some(Ok(true)) => EarlierAttempt::SameText,
        Some(Ok(false) | Err(_)) => EarlierAttempt::OtherText,
        None => EarlierAttempt::None,
    })
}

/// The file name in the history, and its checksum.
fn file_of<'a>(unit: &Unit<'a>) -> (&'a str, &'a Checksum) {
    (&unit.migration.file, &unit.migration.checksum)
}

/// Records the start of the unit. At the first attempt, an index to drop must exist; later attempts treat a missing
/// index as dropped.
fn start_message(unit: &Unit<'_>, earlier: EarlierAttempt) -> SqlBatch {
    let mut message = SqlBatch::default();
    let script = &unit.migration.script;
    let mut made = Vec::new();
    for statement in unit.migration.part(unit.scope()) {
        match statement.index() {
            Some((IndexAction::Create, index)) => made.push(&index.name),
            Some((IndexAction::Drop, index))
                if earlier == EarlierAttempt::None
                    && !made.contains(&&index.name)
                    && !statement.only_if_exists(script) =>
            {
                let quoted = format!("{}.{}", unit.schema.quoted(), quote(&index.name));
                message.push_for_statement(
                    &format!("SELECT {}::regclass", literal(&quoted)),
                    script,
                    statement,
                );
            }
            Some(_) | None => {}
        }
    }
    message.push(BEGIN);
    message.history(unit.run, &unit.history_row(Kind::BEGUN));
    message.push("COMMIT");
    message
}

/// Quotes an identifier.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The effect of an earlier attempt at a statement.
enum Leftover {
    None,
    /// The statement is completed.
    Done,
    /// An invalid index; contains the statement that drops it.
    Invalid(String),
}

async fn leftover(
    unit: &Unit<'_>,
    statement: &Statement,
    earlier: EarlierAttempt,
    connection: &mut Connection,
) -> Result<Leftover, ServerError> {
    let Some((work, index)) = statement.index() else { return Ok(Leftover::None) };
    // An index older than the first attempt is not ours, and one older than the first attempt with this text may
    // differ: keep the server's error.
    let (platform, index_name) = (&unit.run.platform, index.name.as_str());
    let sql = history::index_of_attempt(platform, (unit.schema, index_name), file_of(unit));
    let sets = connection.query_batch(&sql).await?;
    let row = sets.first().and_then(|rows| rows.first());
    let is = |column: &str| row.is_some_and(|row| row.get_bool(column).unwrap_or(false));
    Ok(match work {
        IndexAction::Create if is("of_this_text") && is("valid") && earlier == EarlierAttempt::SameText => {
            Leftover::Done
        }
        IndexAction::Drop if row.is_none() && earlier == EarlierAttempt::SameText => Leftover::Done,
        IndexAction::Create if is("ours") && !is("valid") => {
            let quoted = quote(&index.name);
            Leftover::Invalid(format!("DROP INDEX CONCURRENTLY {}.{quoted}", unit.schema.quoted()))
        }
        IndexAction::Create | IndexAction::Drop => Leftover::None,
    })
}

/// Whether the index that the statement builds exists but is invalid: `IF NOT EXISTS` skips an invalid index.
async fn is_invalid(
    unit: &Unit<'_>,
    statement: &Statement,
    connection: &mut Connection,
) -> Result<bool, ServerError> {
    let Some((IndexAction::Create, index)) = statement.index() else { return Ok(false) };
    if statement.concurrently.is_none() {
        return Ok(false);
    }
    let sql = format!(
        "SELECT i.indisvalid AS valid FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} AND c.relname = {}",
        literal(unit.schema.as_str()),
        literal(&index.name),
    );
    let sets = connection.query_batch(&sql).await?;
    Ok(sets.iter().flatten().any(|row| !row.get_bool("valid").unwrap_or(true)))
}

fn invalid_index(unit: &Unit<'_>, statement: &Statement) -> Failure {
    let name = statement.index().map(|(_, index)| index.name.clone()).unwrap_or_default();
    let (file, schema) = (&unit.migration.file, unit.schema);
    let mut failure = Failure::new(
        Code::UnitFailed,
        format!("{file} on {schema}: the index {name} already exists and is invalid after an earlier build"),
    )
    .hint(format!("DROP INDEX CONCURRENTLY {}.{}; then run the command again", schema.quoted(), quote(&name)))
    .at(unit.migration.script.place(statement));
    failure.schema = Some(schema.as_str().to_owned());
    failure
}
