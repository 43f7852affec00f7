//! Ctrl-C and SIGTERM, heard in one place from the first connection on; before that they end the process, as they do by
//! default. What is under way says what they mean for it: a fleet stops after the units in flight, what may be given up is
//! given up; and where nobody says anything, or a fleet is told twice, what the server is doing is cancelled and the command ends.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::ui::Ui;
use crate::error::{Code, Failure};
use crate::postgres::{self, CancelledSession, Connector, SessionOutcome};

tokio::task_local! {
    /// Those of the command that is run. The demo runs several, one in the other.
    static SIGNALS: Rc<Signals>;
}

#[derive(Debug, Default)]
struct Signals {
    /// Somebody has something to say about them.
    wanted: Notify,
    claims: RefCell<Claims>,
}

#[derive(Debug, Default)]
struct Claims {
    /// The fleet that is to stop, and where that is told.
    stop: Option<(CancellationToken, Ui)>,
    /// Work that may be given up; the innermost last.
    work: Vec<Rc<Notify>>,
    /// How many were heard.
    heard: usize,
    /// The ways to the databases where something may be under way.
    connectors: Vec<Connector>,
}

/// What one of them means.
enum Meaning {
    /// Somebody else sees to it.
    Passed,
    /// The command ends, and with it what the server is doing for it.
    Ends,
}

/// Runs a command. Where nobody has claimed them, a signal ends it.
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
    // Without them the default stays: they end the process.
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
    // The command is not dropped yet: its connections stay open, so that nobody else gets its sessions.
    let connectors = signals.claims.borrow().connectors.clone();
    let mut given_up = std::pin::pin!(give_up(&connectors));
    loop {
        tokio::select! {
            biased;
            failure = &mut given_up => return Err(failure),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // Systems send one after the other.
        let mut claims = signals.claims.borrow_mut();
        claims.heard += 1;
        if claims.heard > 2 {
            breaks_off();
        }
    }
}

/// Cancels what the server is doing for the command; the failure says what became of it.
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

/// What the sessions of this process do in the database behind `connector` is cancelled when the command is given up.
pub(super) fn cancel_when_given_up(connector: Connector) {
    // Outside of a command nothing is given up.
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
            // Systems send one after the other: what clears up behind the first is left in peace once.
            (None, 2) => Meaning::Passed,
            _ => Meaning::Ends,
        }
    }
}

/// Work that may be given up, until it is dropped.
struct Claim(Rc<Signals>, Rc<Notify>);

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.claims.borrow_mut().work.retain(|work| !Rc::ptr_eq(work, &self.1));
    }
}

/// Ctrl-C and SIGTERM let the unit in flight end and begin no other; a second one breaks off.
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

/// Does the work, unless Ctrl-C or SIGTERM ends it: for what may be given up at any time.
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
