//! Handles Ctrl-C and SIGTERM from the first connection on; before that, they end the process by default. A run over many
//! tenants stops after the units in flight; work that can be abandoned is dropped. Otherwise, or after a second signal during
//! a run, the command's statements on the server are cancelled and the command ends.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::ui::Ui;
use crate::error::{Code, Failure};
use crate::postgres::{self, CancelledSession, Connector, SessionOutcome};

tokio::task_local! {
    /// The signals of the current command. The demo runs nested commands.
    static SIGNALS: Rc<Signals>;
}

#[derive(Debug, Default)]
struct Signals {
    /// Notified when signals must be handled.
    wanted: Notify,
    claims: RefCell<Claims>,
}

#[derive(Debug, Default)]
struct Claims {
    /// Stops the current run; the note is printed to the `Ui`.
    stop: Option<(CancellationToken, Ui)>,
    /// Work that can be abandoned; the innermost last.
    work: Vec<Rc<Notify>>,
    /// Number of received signals.
    heard: usize,
    /// Connectors to the databases in which statements may be running.
    connectors: Vec<Connector>,
}

/// The effect of a signal.
enum Meaning {
    /// The work or the run handles it, or it is ignored.
    Passed,
    /// The command ends, and its statements on the server are cancelled.
    Ends,
}

/// Runs a command. A signal that no work or run handles ends it.
pub(super) async fn heeding<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let signals = Rc::new(Signals::default());
    let heard = Rc::clone(&signals);
    SIGNALS.scope(signals, listen(command, heard)).await
}

async fn listen<T>(
    command: impl Future<Output = Result<T, Failure>>,
    signals: Rc<Signals>,
) -> Result<T, Failure> {
    let mut command = std::pin::pin!(command);
    tokio::select! {
        biased;
        done = &mut command => return done,
        () = signals.wanted.notified() => {}
    }
    // Without handlers, signals end the process by default.
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return command.await;
    };
    loop {
        tokio::select! {
            biased;
            done = &mut command => return done,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        match signals.meaning() {
            Meaning::Passed => {}
            Meaning::Ends => break,
        }
    }
    // Do not drop the command yet: while its connections are open, no other client gets its sessions.
    let connectors = signals.claims.borrow().connectors.clone();
    let mut given_up = std::pin::pin!(give_up(&connectors));
    loop {
        tokio::select! {
            biased;
            failure = &mut given_up => return Err(failure),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // A system may send both signals in succession.
        let mut claims = signals.claims.borrow_mut();
        claims.heard += 1;
        if claims.heard > 2 {
            breaks_off();
        }
    }
}

/// Cancels the command's statements on the server. The failure contains their outcomes.
async fn give_up(connectors: &[Connector]) -> Failure {
    let mut told = Vec::new();
    let mut hint = None;
    for connector in connectors {
        match postgres::cancel(connector).await {
            Ok(ended) => {
                for CancelledSession { pid, outcome } in ended {
                    told.push(match outcome {
                        SessionOutcome::RolledBack => format!("server process {pid} was cancelled and rolls back its last transaction"),
                        SessionOutcome::Committed => format!("server process {pid} had already committed its last transaction"),
                        SessionOutcome::Ended => format!("server process {pid} was cancelled or had just finished"),
                        SessionOutcome::Runs => format!("server process {pid} is still running"),
                        SessionOutcome::Unverified => {
                            format!("server process {pid} may still be running: it could not be identified as this command's, so it was not cancelled")
                        }
                    });
                    if outcome == SessionOutcome::Runs {
                        hint = Some(format!("SELECT pg_terminate_backend({pid}) ends it"));
                    }
                }
            }
            Err(failure) => {
                hint = Some(format!(
                    "the last statement may still be running or may be committed: {}",
                    failure.message
                ));
            }
        }
    }
    let mut failure = interrupted();
    if !told.is_empty() {
        failure.message = format!("{}: {}", failure.message, told.join("; "));
    }
    failure.hint = hint;
    failure
}

/// Registers a database in which the statements of this process are cancelled when a signal ends the command.
pub(super) fn cancel_when_given_up(connector: Connector) {
    // Outside of a command, signals are not handled.
    let _known = SIGNALS.try_with(|signals| {
        signals.claims.borrow_mut().connectors.push(connector);
        signals.wanted.notify_one();
    });
}

impl Signals {
    fn meaning(&self) -> Meaning {
        let mut claims = self.claims.borrow_mut();
        claims.heard += 1;
        if let Some(work) = claims.work.last() {
            work.notify_one();
            return Meaning::Passed;
        }
        match (&claims.stop, claims.heard) {
            (Some((stop, ui)), 1) => {
                stop.cancel();
                ui.note("interrupted: finishing work in progress; press Ctrl-C again to abort");
                Meaning::Passed
            }
            (Some((stop, _)), _) if !stop.is_cancelled() => {
                stop.cancel();
                Meaning::Passed
            }
            // A system may send both signals in succession: the second must not interrupt the cleanup after the first.
            (None, 2) => Meaning::Passed,
            _ => Meaning::Ends,
        }
    }
}

/// Registers work that can be abandoned, until dropped.
struct Claim(Rc<Signals>, Rc<Notify>);

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.claims.borrow_mut().work.retain(|work| !Rc::ptr_eq(work, &self.1));
    }
}

/// Returns a token that Ctrl-C or SIGTERM cancels: units in flight finish and no others start. A second signal aborts.
pub(super) fn stop_on_signals(ui: Ui) -> CancellationToken {
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let claimed = SIGNALS.try_with(|signals| {
        signals.claims.borrow_mut().stop = Some((asked, ui));
        signals.wanted.notify_one();
    });
    debug_assert!(claimed.is_ok(), "outside of a command");
    stop
}

/// Runs work that can be abandoned at any time; Ctrl-C or SIGTERM drops it.
pub(super) async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let Ok(signals) = SIGNALS.try_with(Rc::clone) else { return work.await };
    let given_up = Rc::new(Notify::new());
    signals.claims.borrow_mut().work.push(Rc::clone(&given_up));
    signals.wanted.notify_one();
    let claim = Claim(signals, given_up);
    tokio::select! {
        done = work => done,
        () = claim.1.notified() => Err(interrupted()),
    }
}

fn interrupted() -> Failure {
    Failure::new(Code::Interrupted, "the command was interrupted")
}

#[expect(clippy::exit, reason = "asked three times, the process ends whatever the server does")]
fn breaks_off() -> ! {
    std::process::exit(i32::from(Code::Interrupted.class().exit_code()))
}
