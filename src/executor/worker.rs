//! A worker: sends units and handles their results. After a lost connection it reconnects and reads from the version
//! rows which units were committed.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::batch::{Batch, Task};
use super::tenant_executor::{Next, Server, Shared, TenantExecutor};
use super::unit::UnitOutcome;
use super::worker_pool::ConnectionRecycler;
use super::{non_transactional, renamed_tenants};
use crate::chain::Version;
use crate::error::Failure;
use crate::postgres::metadata::version_rows;
use crate::postgres::{Connection, ServerError};

/// Runs tasks until none are left.
pub(super) async fn work(
    pass: &TenantExecutor<'_>,
    shared: &RefCell<Shared<'_>>,
    connection: &mut Connection,
) {
    let mut recycler = ConnectionRecycler::default();
    loop {
        match pass.next(shared) {
            Next::Batch(batch) => {
                let schemas = batch.tasks.len();
                send(pass, shared, connection, batch).await;
                recycler.add(schemas, connection).await;
            }
            Next::NonTransactional(task) => {
                run_non_transactional(pass, shared, connection, task).await;
                recycler.add(1, connection).await;
            }
            Next::Fetch(cursor) => pass.fetch(shared, connection, &cursor).await,
            Next::Wait(pause) => tokio::time::sleep(pause).await,
            Next::End => break,
        }
    }
}

async fn send(
    pass: &TenantExecutor<'_>,
    shared: &RefCell<Shared<'_>>,
    connection: &mut Connection,
    batch: Batch,
) {
    let began = Instant::now();
    let answer = pass.under_way(shared, &batch.tasks, Box::pin(connection.send(&batch.message))).await;
    let elapsed = began.elapsed();
    let notices = connection.take_notices();
    let (done, sets) = match &answer {
        Ok(sets) => (batch.units.len(), sets),
        Err(server_error) => (batch.done(server_error.completed), &server_error.sets),
    };
    if done > 0 {
        shared.borrow_mut().record(done, elapsed);
    }
    let each = elapsed / u32::try_from(done.max(1)).unwrap_or(1);
    for (number, unit) in batch.units[..done].iter().enumerate() {
        let duration = batch.duration(number, sets).unwrap_or(each);
        pass.unit(unit.step, &batch.tasks[unit.task].schema).report_observations(
            &batch.message,
            batch.range(number),
            sets,
        );
        pass.done(shared, &batch.tasks[unit.task].schema, unit.step, duration);
        let range = batch.range(number);
        let of_unit: Vec<_> =
            notices.iter().filter(|notice| range.contains(&notice.statement)).cloned().collect();
        pass.notices(shared, &batch.tasks[unit.task].schema, unit.step, &of_unit);
    }
    match answer {
        Ok(_sets) => pass.requeue(shared, batch.rest.into_iter()),
        Err(server_error) => handle_failure(pass, shared, connection, batch, done, &server_error).await,
    }
}

async fn handle_failure(
    pass: &TenantExecutor<'_>,
    shared: &RefCell<Shared<'_>>,
    connection: &mut Connection,
    batch: Batch,
    done: usize,
    server_error: &ServerError,
) {
    // Requeue the remaining steps of tasks whose batched units are all done.
    let mut left = batch.left(done);
    let rest = batch.rest.iter().filter(|rest| left.iter().all(|task| task.schema != rest.schema)).cloned();
    pass.requeue(shared, rest.collect::<Vec<_>>().into_iter());
    let Some(first) = left.pop_front() else { return };
    let answer = pass.unit(first.step, &first.schema).interpret(server_error, &batch.message);
    if is_broken(&answer) {
        left.push_front(first.clone());
        recover(pass, shared, connection, left.into(), answer).await;
    } else {
        pass.requeue(shared, left.into_iter());
        handle_failure_or_rename(pass, shared, connection, first, answer).await;
    }
}

/// Handles a failed unit; checks whether the tenant was renamed or dropped.
async fn handle_failure_or_rename(
    pass: &TenantExecutor<'_>,
    shared: &RefCell<Shared<'_>>,
    connection: &mut Connection,
    task: Task,
    answer: UnitOutcome,
) {
    // The unit may have been committed by this run over a lost connection.
    if task.attempts > 0
        && matches!(answer, UnitOutcome::DoneByAnother)
        && let Ok(Some(UnitOutcome::Done(_, duration))) =
            pass.unit(task.step, &task.schema).committed(connection).await
    {
        pass.done(shared, &task.schema, task.step, duration);
        return pass.requeue(shared, std::iter::once(Task { step: task.step + 1, attempts: 0, ..task }));
    }
    match renamed_tenants::find_successor(pass, connection, &task.schema, &answer).await {
        Some(now) => pass.handle_missing(shared, task, now),
        None => pass.handle_failure(shared, task, (answer, Server::Reachable)),
    }
}

async fn run_non_transactional(
    pass: &TenantExecutor<'_>,
    shared: &RefCell<Shared<'_>>,
    connection: &mut Connection,
    task: Task,
) {
    let unit = pass.unit(task.step, &task.schema);
    let send = Box::pin(non_transactional::send(&unit, connection, pass.stop));
    let Some(answer) = pass.under_way(shared, std::slice::from_ref(&task), send).await else {
        return pass.requeue(shared, std::iter::once(task));
    };
    let notices = connection.take_notices();
    match answer {
        UnitOutcome::Done(_, elapsed) => {
            pass.notices(shared, &task.schema, task.step, &notices);
            pass.done(shared, &task.schema, task.step, elapsed);
            let next = Task { step: task.step + 1, attempts: 0, ..task };
            pass.requeue(shared, std::iter::once(next));
        }
        broken if is_broken(&broken) => recover(pass, shared, connection, vec![task], broken).await,
        other => handle_failure_or_rename(pass, shared, connection, task, other).await,
    }
}

fn is_broken(answer: &UnitOutcome) -> bool {
    matches!(answer, UnitOutcome::Failed(failure) if failure.session_ended())
}

/// Reconnects and reads the tasks' versions: a unit may have been committed although its result was lost.
async fn recover(
    pass: &TenantExecutor<'_>,
    shared: &RefCell<Shared<'_>>,
    connection: &mut Connection,
    tasks: Vec<Task>,
    answer: UnitOutcome,
) {
    let (found, server) = match connection.open_another().await {
        Ok(fresh) => {
            *connection = fresh;
            (steps(pass, connection, &tasks).await, Server::Reachable)
        }
        Err(failure) => (Err(failure), Server::Unreachable),
    };
    let mut tasks = tasks.into_iter();
    let Ok(steps) = found else {
        let Some(first) = tasks.next() else { return };
        // The other tasks wait with the first one.
        pass.requeue(shared, tasks);
        return pass.handle_failure(shared, first, (answer, server));
    };
    let mut rest = Vec::new();
    let mut failed = None;
    for (number, task) in tasks.enumerate() {
        let schema = task.schema.as_str();
        let now = steps.iter().find(|(found, _)| found == schema).map_or(task.step, |(_, step)| *step);
        for step in task.step..now {
            pass.done(shared, &task.schema, step, Duration::ZERO);
        }
        if now > task.step {
            rest.push(Task { step: now, attempts: 0, ..task });
        } else if number == 0 {
            failed = Some(task);
        } else {
            // This unit had been sent too; the server may still run it.
            rest.push(Task { attempts: task.attempts.max(1), ..task });
        }
    }
    pass.requeue(shared, rest.into_iter());
    // Its unit was running when the connection was lost.
    if let Some(first) = failed {
        pass.handle_failure(shared, first, (answer, server));
    }
}

async fn steps(
    pass: &TenantExecutor<'_>,
    connection: &mut Connection,
    tasks: &[Task],
) -> Result<Vec<(String, usize)>, Failure> {
    let schemas = tasks.iter().map(|task| &task.schema);
    let versions = version_rows::versions(connection, &pass.run.platform, schemas).await?;
    let step = |text: String| Version::stored(&text).ok().and_then(|version| pass.chain.position(&version));
    Ok(versions.into_iter().map(|(schema, at)| (schema, step(at).unwrap_or_default())).collect())
}
