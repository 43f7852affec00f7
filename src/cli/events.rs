//! `--events FILE`: writes events as JSON lines, in addition to the progress display. `-` is stdout.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::progress::Progress;
use super::{io, ui};
use crate::error::Failure;
use crate::event::{Event, Sink};
use crate::output::{self, Text};

/// The path that means stdout.
pub(super) const STDOUT: &str = "-";

/// How long the end of a run waits for a program that reads stdout too slowly.
const READER_TIMEOUT: Duration = Duration::from_secs(10);

/// The progress display, and the events file if requested.
pub(super) struct Events {
    progress: Progress,
    target: Option<Target>,
}

enum Target {
    File(File),
    /// Written by a thread, so that a run does not wait for the program that reads them.
    Stdout {
        lines: mpsc::Sender<Text>,
        written: mpsc::Receiver<()>,
    },
}

impl Events {
    /// Opens the file for appending.
    pub(super) fn open(progress: Progress, path: Option<&Path>) -> Result<Self, Failure> {
        // The events name tenants and contain server messages.
        let open = |path: &Path| File::options().create(true).append(true).mode(0o600).open(path);
        let target = match path {
            Some(path) if path == Path::new(STDOUT) => Some(stdout()),
            Some(path) => Some(Target::File(open(path).map_err(|error| io(path, &error))?)),
            None => None,
        };
        Ok(Self { progress, target })
    }
}

fn stdout() -> Target {
    let (lines, received) = mpsc::channel::<Text>();
    let (done, written) = mpsc::channel();
    std::thread::spawn(move || {
        for line in received {
            if let Err(error) = ui::print_event(&line) {
                tell_of(&error);
                break;
            }
        }
        // Nobody waits for it after the time limit.
        let _told = done.send(());
    });
    Target::Stdout { lines, written }
}

impl Drop for Events {
    /// Writes what is left, so that the result is the last line.
    fn drop(&mut self) {
        let Some(Target::Stdout { lines, written }) = self.target.take() else { return };
        drop(lines);
        if written.recv_timeout(READER_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            ui::give_up_stdout();
            ui::print_error(&Text::of_line(
                "stdout is not read: the last events and the result are left out",
            ));
        }
    }
}

impl Sink for Events {
    fn take(&mut self, event: &Event<'_>) {
        self.progress.take(event);
        let Some(target) = &mut self.target else { return };
        let line = match output::event_json(event, now_ms()) {
            Ok(line) => line,
            Err(error) => return tell_of(&error.into()),
        };
        match target {
            Target::File(file) => {
                // A full disk must not stop a running migration; report it once.
                if let Err(error) = file.write_all(line.as_str().as_bytes()) {
                    tell_of(&error);
                    self.target = None;
                }
            }
            // The thread has ended, and said why.
            Target::Stdout { lines, .. } => {
                let _sent = lines.send(line);
            }
        }
    }
}

fn tell_of(error: &std::io::Error) {
    let line = format!("writing events failed, no more events are written: {error}");
    ui::print_error(&Text::of_line(line));
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}
