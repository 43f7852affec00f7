//! One worker of a pass: takes units, sends them, makes sense of the answer. A connection that broke is
//! opened anew, and the version rows say what was committed before it did.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::batch::{Batch, Task};
use super::tenant_executor::{Next, Server, Shared, TenantExecutor};
use super::unit::Answer;
use super::worker_pool::ConnectionRecycler;
use super::{non_transactional, renamed_tenants};
use crate::chain::Version;
use crate::error::Failure;
use crate::ident::literal;
use crate::postgres::{Connection, ServerError};

/// Works until nothing is left.
pub(super) async fn work(
    pass: &TenantExecutor<'_>,
    shared: &RefCell<Shared<'_>>,
    connection: &mut Connection,
) {
    let mut recycler = ConnectionRecycler::default();
    loop {
        match pass.next(shared) {
            Next::Batch(pack) => {
                let schemas = pack.tasks.len();
                send(pass, shared, connection, pack).await;
                recycler.add(schemas, connection).await;
            }
            Next::Alone(task) => {
                step_alone(pass, shared, connection, task).await;
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
    pack: Batch,
) {
    let began = Instant::now();
    let answer = connection.send(&pack.message).await;
    let elapsed = began.elapsed();
    let (done, sets) = match &answer {
        Ok(sets) => (pack.units.len(), sets),
        Err(server_error) => (pack.done(server_error.completed), &server_error.sets),
    };
    if done > 0 {
        shared.borrow_mut().learn(done, elapsed);
    }
    let each = elapsed / u32::try_from(done.max(1)).unwrap_or(1);
    for (number, unit) in pack.units[..done].iter().enumerate() {
        let took = pack.took(number, sets).unwrap_or(each);
        pass.unit(unit.step, &pack.tasks[unit.task].schema).tell(&pack.message, pack.range(number), sets);
        pass.done(shared, &pack.tasks[unit.task].schema, unit.step, took);
    }
    match answer {
        Ok(_sets) => pass.give_back(shared, pack.rest.into_iter()),
        Err(server_error) => refused(pass, shared, connection, pack, done, &server_error).await,
    }
}

async fn refused(
    pass: &TenantExecutor<'_>,
    shared: &RefCell<Shared<'_>>,
    connection: &mut Connection,
    pack: Batch,
    done: usize,
    server_error: &ServerError,
) {
    // What a task has left after its packed units is still to come where all of those are done.
    let mut left = pack.left(done);
    let rest = pack.rest.iter().filter(|rest| left.iter().all(|task| task.schema != rest.schema)).cloned();
    pass.give_back(shared, rest.collect::<Vec<_>>().into_iter());
    let Some(first) = left.pop_front() else { return };
    let answer = pass.unit(first.step, &first.schema).explain(server_error, &pack.message);
    if is_broken(&answer) {
        left.push_front(first.clone());
        recover(pass, shared, connection, left.into(), answer).await;
    } else {
        pass.give_back(shared, left.into_iter());
        refused_or_gone(pass, shared, connection, first, answer).await;
    }
}

/// A unit that finds no tenant may have met one that was renamed or dropped meanwhile.
async fn refused_or_gone(
    pass: &TenantExecutor<'_>,
    shared: &RefCell<Shared<'_>>,
    connection: &mut Connection,
    task: Task,
    answer: Answer,
) {
    // What a connection that broke had sent may be what was done.
    if task.attempts > 0
        && matches!(answer, Answer::DoneByAnother)
        && let Ok(Some(Answer::Done(_, took))) =
            pass.unit(task.step, &task.schema).committed(connection).await
    {
        pass.done(shared, &task.schema, task.step, took);
        return pass.give_back(shared, std::iter::once(Task { step: task.step + 1, attempts: 0, ..task }));
    }
    match renamed_tenants::look(pass, connection, &task.schema, &answer).await {
        Some(now) => pass.gone(shared, task, now),
        None => pass.refused(shared, task, (answer, Server::There)),
    }
}

async fn step_alone(
    pass: &TenantExecutor<'_>,
    shared: &RefCell<Shared<'_>>,
    connection: &mut Connection,
    task: Task,
) {
    let unit = pass.unit(task.step, &task.schema);
    let Some(answer) = non_transactional::send(&unit, connection, pass.stop).await else {
        return pass.give_back(shared, std::iter::once(task));
    };
    match answer {
        Answer::Done(_, elapsed) => {
            pass.done(shared, &task.schema, task.step, elapsed);
            let next = Task { step: task.step + 1, attempts: 0, ..task };
            pass.give_back(shared, std::iter::once(next));
        }
        broken if is_broken(&broken) => recover(pass, shared, connection, vec![task], broken).await,
        other => refused_or_gone(pass, shared, connection, task, other).await,
    }
}

fn is_broken(answer: &Answer) -> bool {
    matches!(answer, Answer::Failed(failure) if failure.ended_the_session())
}

/// Opens the connection anew and asks the version rows where the tasks are: a COMMIT may have been
/// done whose answer was lost.
async fn recover(
    pass: &TenantExecutor<'_>,
    shared: &RefCell<Shared<'_>>,
    connection: &mut Connection,
    tasks: Vec<Task>,
    answer: Answer,
) {
    let (found, server) = match connection.open_another().await {
        Ok(fresh) => {
            *connection = fresh;
            (steps(pass, connection, &tasks).await, Server::There)
        }
        Err(failure) => (Err(failure), Server::Away),
    };
    let mut tasks = tasks.into_iter();
    let Ok(steps) = found else {
        let Some(first) = tasks.next() else { return };
        // Everything waits as the first task does.
        pass.give_back(shared, tasks);
        return pass.refused(shared, first, (answer, server));
    };
    let mut rest = Vec::new();
    let mut refused = None;
    for (number, task) in tasks.enumerate() {
        let schema = task.schema.as_str();
        let now = steps.iter().find(|(found, _)| found == schema).map_or(task.step, |(_, step)| *step);
        for step in task.step..now {
            pass.done(shared, &task.schema, step, Duration::ZERO);
        }
        if now > task.step {
            rest.push(Task { step: now, attempts: 0, ..task });
        } else if number == 0 {
            refused = Some(task);
        } else {
            // It had been sent too, and the server may go on with it.
            rest.push(Task { attempts: task.attempts.max(1), ..task });
        }
    }
    pass.give_back(shared, rest.into_iter());
    // It was its unit that was under way.
    if let Some(first) = refused {
        pass.refused(shared, first, (answer, server));
    }
}

async fn steps(
    pass: &TenantExecutor<'_>,
    connection: &mut Connection,
    tasks: &[Task],
) -> Result<Vec<(String, usize)>, Failure> {
    let schemas: Vec<String> = tasks.iter().map(|task| literal(task.schema.as_str())).collect();
    let sql = format!(
        "SELECT schema_name, version FROM {}.tenant_version WHERE schema_name IN ({})",
        pass.run.platform.quoted(),
        schemas.join(", ")
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading versions"))?;
    let step = |text: String| Version::stored(&text).ok().and_then(|version| pass.chain.position(&version));
    sets.iter()
        .flatten()
        .map(|row| Ok((row.text("schema_name")?, step(row.text("version")?).unwrap_or_default())))
        .collect()
}
