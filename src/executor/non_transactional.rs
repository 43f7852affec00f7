//! A unit whose statements cannot run in a transaction (`CREATE INDEX CONCURRENTLY`, `VACUUM`, …). Each
//! is sent alone in its message, with all its names qualified, since no `SET LOCAL` can hold a search path
//! for it. The unit is noted as begun first; an attempt after a failed one removes the invalid index
//! that was left (manual, chapter on CREATE INDEX, "Building Indexes Concurrently") and passes over what
//! is there already. The version row moves last.
//!
//! No transaction holds the version row meanwhile, so runners take turns by a lock of their own.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::unit::{Answer, Unit};
use crate::error::{Code, Failure};
use crate::ident::literal;
use crate::postgres::batch::{BEGIN, Kind, NO_IDLE_TIMEOUT, ResolvedIndex, SqlBatch};
use crate::postgres::{Connection, ServerError};
use crate::sql::{IndexWork, Statement};

/// How long a runner waits before it asks again whether it is its turn.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs the unit, when no other runner is at one of the same schema; `None` if the run was asked to stop before that.
pub(crate) async fn send(
    unit: &Unit<'_>,
    connection: &mut Connection,
    stop: &CancellationToken,
) -> Option<Answer> {
    let turn = match Turn::take(unit, connection, stop).await {
        Ok(turn) => turn?,
        Err(failure) => return Some(Answer::Failed(failure)),
    };
    let answer = run(unit, connection).await;
    turn.end().await;
    Some(answer)
}

/// The right to run such units of one schema. It is an advisory lock of a transaction on a connection
/// of its own: behind a pooler the lock of a session would stay with a connection that others get. It
/// is asked for again and again, since who waits for a lock holds a snapshot, and `CREATE INDEX
/// CONCURRENTLY` waits for every snapshot. The idle transaction holds none.
struct Turn(Connection);

impl Turn {
    async fn take(
        unit: &Unit<'_>,
        connection: &Connection,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, Failure> {
        let mut own = connection.another().await?;
        let doing = "waiting for another runner";
        let sql = format!(
            "{BEGIN}; {NO_IDLE_TIMEOUT}; \
             SELECT pg_try_advisory_xact_lock(hashtext('tenure alone'), hashtext({})) AS taken",
            literal(unit.schema.as_str()),
        );
        loop {
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
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn end(mut self) {
        // A connection that broke has given the lock back.
        let _given_back = self.0.run("ROLLBACK").await;
        self.0.close().await;
    }
}

async fn run(unit: &Unit<'_>, connection: &mut Connection) -> Answer {
    let began = Instant::now();
    let tried = match look(unit, connection).await {
        Ok(tried) => tried,
        Err(server_error) => return unit.explain(&server_error, &SqlBatch::default()),
    };
    let message = begin(unit, tried);
    if let Err(server_error) = connection.run(message.sql()).await {
        return unit.explain(&server_error, &message);
    }
    for statement in unit.migration.part(unit.scope()) {
        if let Err(answer) = run_statement(unit, statement, tried, connection).await {
            return answer;
        }
    }
    let mut message = SqlBatch::default();
    unit.open(&mut message);
    unit.finish(&mut message);
    match connection.send(&message).await {
        Ok(sets) => Answer::Done(unit.moved(&sets), began.elapsed()),
        Err(server_error) => unit.explain(&server_error, &message),
    }
}

/// Runs one statement, unless an earlier attempt did. The server may still be at work on that attempt, waiting for a lock, when its
/// effect is looked for: so where the statement meets an effect that was not there, it is looked for once more.
async fn run_statement(
    unit: &Unit<'_>,
    statement: &Statement,
    tried: Tried,
    connection: &mut Connection,
) -> Result<(), Answer> {
    let explained = |server_error: ServerError| unit.explain(&server_error, &SqlBatch::default());
    let mut may_look_again = tried != Tried::Never;
    loop {
        let leftover = match tried {
            Tried::Never => Leftover::None,
            Tried::AsItIs | Tried::OtherText => {
                leftover(unit, statement, tried, connection).await.map_err(explained)?
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
            Ok(()) => match resolved(unit, statement, connection).await {
                Ok(resolved) => {
                    message = resolved;
                    began = Instant::now();
                    connection.run(message.sql()).await
                }
                Err(answer) => return Err(answer),
            },
            Err(server_error) => Err(server_error),
        };
        match sent {
            Ok(()) => {}
            Err(server_error) if may_look_again && met_an_effect(&server_error) => {
                may_look_again = false;
                continue;
            }
            Err(server_error) => return Err(unit.explain(&server_error, &message)),
        }
        if !is_invalid(unit, statement, connection).await.map_err(explained)? {
            unit.tell_alone(statement, began.elapsed());
            return Ok(());
        }
        if !may_look_again {
            return Err(Answer::Failed(invalid(unit, statement)));
        }
        may_look_again = false;
    }
}

/// Whether what the statement makes is there already, or what it drops is not (manual, appendix A).
fn met_an_effect(server_error: &ServerError) -> bool {
    matches!(server_error.sqlstate(), Some("42P07" | "42704" | "42P01"))
}

/// The statement as it is sent. No search path can be set for it, so the names in an index's definition are looked up
/// before, along the unit's.
async fn resolved(
    unit: &Unit<'_>,
    statement: &Statement,
    connection: &mut Connection,
) -> Result<SqlBatch, Answer> {
    let script = &unit.migration.script;
    let mut message = SqlBatch::default();
    let Some(parts) = statement.index_parts(script) else {
        message.push_alone(script, statement, unit.schema);
        return Ok(message);
    };
    let (index, mut trial) = ((statement, &parts), SqlBatch::default());
    trial.push_trial(unit.run.limits, script, index, (unit.schema, &unit.run.path));
    let sets = connection
        .query_batch(trial.sql())
        .await
        .map_err(|server_error| unit.explain(&server_error, &trial))?;
    match ResolvedIndex::of(&sets) {
        Ok(Some(found)) => message.push_resolved(script, index, &found, unit.schema),
        Ok(None) => message.push_alone(script, statement, unit.schema),
        Err(failure) => return Err(Answer::Failed(failure)),
    }
    Ok(message)
}

/// Whether the unit had begun before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tried {
    /// No.
    Never,
    /// Yes, with the file as it is now.
    AsItIs,
    /// Yes, but the file said something else then: what is there may not be what it makes now.
    OtherText,
}

/// Makes sure that the schema is at FROM. Says whether the unit had begun before.
async fn look(unit: &Unit<'_>, connection: &mut Connection) -> Result<Tried, ServerError> {
    let mut message = SqlBatch::default();
    message.push(BEGIN);
    message.push(&unit.advance());
    message.push("ROLLBACK");
    message.push(&format!(
        "SELECT coalesce(checksum = {}, false) AS same FROM {}.migration_history \
         WHERE schema_name = {} AND name = {} AND kind = '{}' ORDER BY id DESC LIMIT 1",
        literal(unit.migration.checksum.as_str()),
        unit.run.platform.quoted(),
        literal(unit.schema.as_str()),
        literal(&unit.migration.file),
        Kind::BEGUN.as_str(),
    ));
    let sets = connection.query_batch(message.sql()).await?;
    let row = sets.get(3).and_then(|rows| rows.first());
    Ok(match row.map(|row| row.get_bool("same")) {
        Some(Ok(true)) => Tried::AsItIs,
        Some(Ok(false) | Err(_)) => Tried::OtherText,
        None => Tried::Never,
    })
}

/// Notes that the unit begins. An index that it drops must be there at the first attempt: later ones
/// take it for done where it is gone.
fn begin(unit: &Unit<'_>, tried: Tried) -> SqlBatch {
    let mut message = SqlBatch::default();
    let script = &unit.migration.script;
    let mut made = Vec::new();
    for statement in unit.migration.part(unit.scope()) {
        match statement.index() {
            Some((IndexWork::Makes, index)) => made.push(&index.name),
            Some((IndexWork::Drops, index))
                if tried == Tried::Never
                    && !made.contains(&&index.name)
                    && !statement.only_if_exists(script) =>
            {
                let quoted = format!("{}.{}", unit.schema.quoted(), quote(&index.name));
                message.push_about(&format!("SELECT {}::regclass", literal(&quoted)), script, statement);
            }
            Some(_) | None => {}
        }
    }
    message.push(BEGIN);
    message.history(unit.run, &unit.history_row(Kind::BEGUN));
    message.push("COMMIT");
    message
}

/// A name as it came from a file, as an identifier.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What an earlier attempt at a statement left.
enum Leftover {
    /// Nothing.
    None,
    /// What the statement makes.
    Done,
    /// An invalid index; the statement that removes it.
    Invalid(String),
}

async fn leftover(
    unit: &Unit<'_>,
    statement: &Statement,
    tried: Tried,
    connection: &mut Connection,
) -> Result<Leftover, ServerError> {
    let Some((work, index)) = statement.index() else { return Ok(Leftover::None) };
    // An index that is older than the first attempt was made by others, and one that is older than the first with this text
    // may be another: the server's answer stands.
    let attempts = format!(
        "FROM {}.migration_history h WHERE h.schema_name = n.nspname AND h.name = {} AND h.kind = '{}'",
        unit.run.platform.quoted(),
        literal(&unit.migration.file),
        Kind::BEGUN.as_str(),
    );
    let other_text = format!("h.checksum IS DISTINCT FROM {}", literal(unit.migration.checksum.as_str()));
    let sql = format!(
        "SELECT i.indisvalid AS valid, age(i.xmin) < (SELECT age(h.xmin) {attempts} ORDER BY h.id LIMIT 1) AS ours, \
         age(i.xmin) < (SELECT age(h.xmin) {attempts} \
             AND h.id > coalesce((SELECT max(h.id) {attempts} AND {other_text}), 0) ORDER BY h.id LIMIT 1) AS of_this_text \
         FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} AND c.relname = {}",
        literal(unit.schema.as_str()),
        literal(&index.name),
    );
    let sets = connection.query_batch(&sql).await?;
    let row = sets.first().and_then(|rows| rows.first());
    let is = |column: &str| row.is_some_and(|row| row.get_bool(column).unwrap_or(false));
    Ok(match work {
        IndexWork::Makes if is("of_this_text") && is("valid") && tried == Tried::AsItIs => Leftover::Done,
        IndexWork::Drops if row.is_none() && tried == Tried::AsItIs => Leftover::Done,
        IndexWork::Makes if is("ours") && !is("valid") => {
            let quoted = quote(&index.name);
            Leftover::Invalid(format!("DROP INDEX CONCURRENTLY {}.{quoted}", unit.schema.quoted()))
        }
        IndexWork::Makes | IndexWork::Drops => Leftover::None,
    })
}

/// Whether the index that the statement builds is there and not to be used: `IF NOT EXISTS` passes over one that an earlier
/// build left so.
async fn is_invalid(
    unit: &Unit<'_>,
    statement: &Statement,
    connection: &mut Connection,
) -> Result<bool, ServerError> {
    let Some((IndexWork::Makes, index)) = statement.index() else { return Ok(false) };
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

fn invalid(unit: &Unit<'_>, statement: &Statement) -> Failure {
    let name = statement.index().map(|(_, index)| index.name.clone()).unwrap_or_default();
    let (file, schema) = (&unit.migration.file, unit.schema);
    let mut failure = Failure::new(
        Code::UnitFailed,
        format!(
            "{file} on {schema}: the index {name} is there already, and an earlier build left it invalid"
        ),
    )
    .hint(format!("DROP INDEX CONCURRENTLY {}.{}; then run the command again", schema.quoted(), quote(&name)))
    .at(unit.migration.script.place(statement));
    failure.schema = Some(schema.as_str().to_owned());
    failure
}
