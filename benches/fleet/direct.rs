//! The direct loop: a hand-written script with the same result in the database. As many connections as Tenure
//! uses take tenants from one list; a tenant is one message; a step is a transaction that advances the version row, changes the
//! table and adds a history row. It reads the list of tenants, records the run, and advances the platform's version at the end.
//! It does not parse, verify, retry or resume, and does not report the failed statement.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::fleet::Step;
use super::server::Server;

/// The platform schema.
const PLATFORM: &str = "datalinx_platform";

/// A message, and the number of rows that it must write.
struct SqlBatch {
    sql: String,
    rows: u64,
}

/// Runs steps on every tenant. Returns the time from the first connection to the last answer.
pub(super) fn migrate(server: &Server, url: &str, jobs: usize, steps: &[Step]) -> Result<Duration> {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Ok(Duration::ZERO) };
    server.runtime().block_on(async {
        let began = Instant::now();
        let mut connection = PgConnection::connect(url).await?;
        let run = begin_run(&mut connection, "migrate").await?;
        let list = format!(
            "SELECT schema_name FROM {PLATFORM}.tenant_version WHERE version = '{}' ORDER BY schema_name DESC",
            first.from
        );
        let rows = sqlx::raw_sql(AssertSqlSafe(list)).fetch_all(&mut connection).await?;
        let tenants: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let messages = tenants.iter().map(|schema| migrate_message(&run, schema, steps)).collect();
        let mut connection = send_all(url, connection, jobs, messages).await?;
        let mut end = format!("BEGIN; UPDATE {PLATFORM}.schema_version SET version = '{}';", last.to);
        for step in steps {
            end.push_str(&history(&run, PLATFORM, (&step.from, &step.to), &step.file, "migrate"));
        }
        end.push_str("COMMIT;");
        send(&mut connection, SqlBatch { sql: end, rows: 1 + steps.len() as u64 }).await?;
        end_run(connection, &run).await?;
        Ok(began.elapsed())
    })
}

/// Creates tenants from a template. Returns the time from the first connection to the last answer.
pub(super) fn provision(
    server: &Server,
    url: &str,
    jobs: usize,
    slugs: &[String],
    template: &str,
) -> Result<Duration> {
    server.runtime().block_on(async {
        let began = Instant::now();
        let mut connection = PgConnection::connect(url).await?;
        let run = begin_run(&mut connection, "provision").await?;
        let messages = slugs.iter().rev().map(|slug| provision_message(&run, slug, template)).collect();
        let connection = send_all(url, connection, jobs, messages).await?;
        end_run(connection, &run).await?;
        Ok(began.elapsed())
    })
}

/// Sends messages, the last one first, over `jobs` connections. Returns the given connection.
async fn send_all(
    url: &str,
    first: PgConnection,
    jobs: usize,
    messages: Vec<SqlBatch>,
) -> Result<PgConnection> {
    // One thread drives all connections, since the server does the work.
    let queue = RefCell::new(messages);
    let work = async |mut connection: PgConnection| -> Result<PgConnection> {
        loop {
            let Some(message) = queue.borrow_mut().pop() else { return Ok(connection) };
            send(&mut connection, message).await?;
        }
    };
    let others = (1..jobs).map(async |_number| {
        let connection = work(PgConnection::connect(url).await?).await?;
        anyhow::Ok(connection.close().await?)
    });
    let (first, _others) = futures_util::future::try_join(work(first), try_join_all(others)).await?;
    Ok(first)
}

async fn send(connection: &mut PgConnection, message: SqlBatch) -> Result<()> {
    let done = sqlx::raw_sql(AssertSqlSafe(message.sql)).execute(connection).await?;
    ensure!(
        done.rows_affected() == message.rows,
        "{} rows instead of {}",
        done.rows_affected(),
        message.rows
    );
    Ok(())
}

/// One transaction per step, as in Tenure: a later failure does not undo earlier steps.
fn migrate_message(run: &str, schema: &str, steps: &[Step]) -> SqlBatch {
    let units = steps.iter().map(|step| {
        format!(
            "BEGIN; UPDATE {PLATFORM}.tenant_version SET version = '{to}', applied_at = clock_timestamp() \
             WHERE schema_name = '{schema}' AND version = '{from}'; {sql}; {history} COMMIT; ",
            to = step.to,
            from = step.from,
            sql = step.sql(&format!("{schema}.items")),
            history = history(run, schema, (&step.from, &step.to), &step.file, "migrate"),
        )
    });
    SqlBatch { sql: units.collect(), rows: 2 * steps.len() as u64 }
}

/// Registry row, schema, template, version row, history.
fn provision_message(run: &str, slug: &str, template: &str) -> SqlBatch {
    let schema = format!("org_{slug}");
    let sql = format!(
        "BEGIN; INSERT INTO {PLATFORM}.organizations (name, slug, schema_name) VALUES ('{slug}', '{slug}', '{schema}'); \
         CREATE SCHEMA {schema}; SET LOCAL search_path = {schema}, public; {template} \
         INSERT INTO {PLATFORM}.tenant_version (schema_name, version, template) VALUES ('{schema}', '1.0.0', 'default'); \
         {history} COMMIT;",
        template = template.replace("{org_schema}", &schema),
        history = history(run, &schema, ("0.0.0", "1.0.0"), "default", "template"),
    );
    SqlBatch { sql, rows: 3 }
}

fn history(run: &str, schema: &str, (from, to): (&str, &str), file: &str, kind: &str) -> String {
    format!(
        "INSERT INTO {PLATFORM}.migration_history \
         (run_id, schema_name, from_version, to_version, name, tool_version, kind) \
         VALUES ('{run}', '{schema}', '{from}', '{to}', '{file}', 'direct', '{kind}');"
    )
}

/// Records the start of a run and returns its id.
async fn begin_run(connection: &mut PgConnection, command: &str) -> Result<String> {
    let sql = format!(
        "INSERT INTO {PLATFORM}.run (id, command, tool_version) VALUES (gen_random_uuid(), '{command}', 'direct') \
         RETURNING id::text"
    );
    Ok(sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await?.try_get(0)?)
}

/// Records the end of the run.
async fn end_run(mut connection: PgConnection, run: &str) -> Result<()> {
    let sql = format!("UPDATE {PLATFORM}.run SET finished_at = now(), outcome = 'done' WHERE id = '{run}'");
    send(&mut connection, SqlBatch { sql, rows: 1 }).await?;
    Ok(connection.close().await?)
}
