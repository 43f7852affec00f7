//! A unit whose statements cannot run in a transaction (`CREATE INDEX CONCURRENTLY`, `VACUUM`, …). Each
//! is sent alone in its message, its table's name qualified, since no `SET LOCAL` can hold a search path
//! for it. The unit is noted as begun first; an attempt after a failed one removes the invalid index
//! that was left (manual, chapter on CREATE INDEX, "Building Indexes Concurrently") and passes over what
//! is there already. The version row moves last.

use std::time::Instant;

use super::unit::{Answer, Unit};
use crate::ident::literal;
use crate::postgres::message::{Kind, Message};
use crate::postgres::{Connection, Refusal};
use crate::sql::{IndexWork, Statement};

/// Runs the unit.
pub(super) async fn send(unit: &Unit<'_>, connection: &mut Connection) -> Answer {
    let began = Instant::now();
    let tried_before = match begin(unit, connection).await {
        Ok(tried_before) => tried_before,
        Err(refusal) => return unit.explain(&refusal, &Message::default()),
    };
    for statement in unit.migration.part(unit.scope()) {
        let leftover =
            if tried_before { leftover(unit, statement, connection).await } else { Ok(Leftover::None) };
        match leftover {
            Ok(Leftover::None) => {}
            Ok(Leftover::Done) => continue,
            Ok(Leftover::Invalid(drop)) => {
                if let Err(refusal) = connection.run(&drop).await {
                    return unit.explain(&refusal, &Message::default());
                }
            }
            Err(refusal) => return unit.explain(&refusal, &Message::default()),
        }
        let mut message = Message::default();
        message.push_alone(&unit.migration.script, statement, unit.schema);
        if let Err(refusal) = connection.run(message.sql()).await {
            return unit.explain(&refusal, &message);
        }
    }
    let mut message = Message::default();
    unit.open(&mut message);
    unit.finish(&mut message);
    match connection.run(message.sql()).await {
        Ok(()) => Answer::Done(Vec::new(), began.elapsed()),
        Err(refusal) => unit.explain(&refusal, &message),
    }
}

/// Makes sure that the schema is at FROM, and notes that the unit begins. Says whether it had begun
/// before.
async fn begin(unit: &Unit<'_>, connection: &mut Connection) -> Result<bool, Refusal> {
    let mut message = Message::default();
    message.push("BEGIN");
    message.push(&unit.advance());
    message.push("ROLLBACK");
    message.push(&format!(
        "SELECT 1 FROM {}.migration_history WHERE schema_name = {} AND name = {} AND kind = '{}' LIMIT 1",
        unit.run.platform.quoted(),
        literal(unit.schema.as_str()),
        literal(&unit.migration.file),
        Kind::Begun.as_str(),
    ));
    message.history(unit.run, &unit.history_row(Kind::Begun));
    let sets = connection.sets(message.sql()).await?;
    Ok(sets.get(3).is_some_and(|rows| !rows.is_empty()))
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
    connection: &mut Connection,
) -> Result<Leftover, Refusal> {
    let Some((work, index)) = statement.index() else { return Ok(Leftover::None) };
    let sql = format!(
        "SELECT i.indisvalid AS valid FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} AND c.relname = {}",
        literal(unit.schema.as_str()),
        literal(&index.name),
    );
    let sets = connection.sets(&sql).await?;
    let valid = sets.first().and_then(|rows| rows.first()).and_then(|row| row.truth("valid").ok());
    Ok(match (work, valid) {
        (IndexWork::Makes, Some(true)) | (IndexWork::Drops, None) => Leftover::Done,
        (IndexWork::Makes, Some(false)) => {
            let quoted = format!("\"{}\"", index.name.replace('"', "\"\""));
            Leftover::Invalid(format!("DROP INDEX CONCURRENTLY {}.{quoted}", unit.schema.quoted()))
        }
        (IndexWork::Makes, None) | (IndexWork::Drops, Some(_)) => Leftover::None,
    })
}
