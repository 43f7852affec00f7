//! The `after_create` command: it runs after a tenant is created, without an open transaction. It reads one JSON document on
//! standard input; its standard error is reported.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio_util::sync::CancellationToken;

use crate::error::{Code, Failure};
use crate::program::{self, Needs};
use crate::settings::Tenants;

/// The time between SIGTERM and SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(2);

/// How long standard error is read after the command has ended: a child process may keep it open.
const DRAIN_TIME: Duration = Duration::from_millis(200);

/// A longer line is split.
const LONGEST_LINE: usize = 4 << 10;

/// A command.
#[derive(Debug, Clone)]
pub struct Hook {
    program: String,
    arguments: Vec<String>,
    folder: PathBuf,
    limit: Duration,
}

/// How a command ended.
enum End {
    Exited(std::io::Result<ExitStatus>),
    TimedOut,
    Stopped,
}

impl Hook {
    /// The command of the settings, to be run in `folder`.
    pub fn of(settings: &Tenants, folder: &Path) -> Option<Self> {
        let (program, arguments) = settings.after_create.split_first()?;
        Some(Self {
            program: program.clone(),
            arguments: arguments.to_vec(),
            folder: folder.to_owned(),
            limit: settings.after_create_timeout.duration(),
        })
    }

    /// The time limit.
    pub(in crate::tenant) fn limit(&self) -> Duration {
        self.limit
    }

    /// Runs the command; `tell` receives the lines of its standard error.
    pub(in crate::tenant) async fn run(
        &self,
        document: &str,
        stop: &CancellationToken,
        mut report: impl FnMut(&str),
    ) -> Result<(), Failure> {
        let failed = |why: String| Failure::new(Code::HookFailed, format!("{} {why}", self.program));
        let mut child = self.start().map_err(|error| {
            failed(format!("cannot be started: {error}")).hint(
                "tenants.after_create must name a program, relative to the project's folder or on the PATH",
            )
        })?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let mut last = String::new();
        let listen = listen(stderr, |line| {
            line.clone_into(&mut last);
            report(line);
        });
        let end = {
            let mut talk = pin!(async { tokio::join!(feed(stdin, document), listen) });
            let mut end = pin!(self.end(&mut child, stop));
            tokio::select! {
                end = &mut end => {
                    // Reads the last output, but does not wait for a child process.
                    let _drained = tokio::time::timeout(DRAIN_TIME, talk).await;
                    end
                }
                ((), ()) = &mut talk => end.await,
            }
        };
        let last_line = if last.is_empty() { String::new() } else { format!(": {last}") };
        match end {
            End::Exited(Ok(status)) if status.success() => Ok(()),
            End::Exited(Ok(status)) => Err(match (status.code(), status.signal()) {
                (Some(code), _) => failed(format!("ended with exit code {code}{last_line}")),
                (None, Some(signal)) => failed(format!("was terminated by signal {signal}{last_line}")),
                (None, None) => failed(format!("ended without success{last_line}")),
            }),
            End::Exited(Err(error)) => Err(failed(format!("cannot be waited for: {error}"))),
            End::TimedOut => {
                Err(failed(format!("took longer than {:?} and was terminated{last_line}", self.limit))
                    .hint("raise tenants.after_create_timeout to give it more time"))
            }
            End::Stopped => Err(Failure::new(
                Code::Interrupted,
                format!("interrupted while {} ran, which was terminated", self.program),
            )),
        }
    }

    fn start(&self) -> std::io::Result<Child> {
        // A path is relative to the project; a bare name is looked up on the PATH.
        let program = if self.program.contains('/') {
            self.folder.join(&self.program).into_os_string()
        } else {
            self.program.clone().into()
        };
        Command::from(program::command(program, Needs::Hook))
            .args(&self.arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A process group of its own: Ctrl-C does not reach it, and its children can be terminated with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Waits for the end of the command, and terminates it after the time limit or on cancellation.
    async fn end(&self, child: &mut Child, stop: &CancellationToken) -> End {
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let end = tokio::select! {
            status = child.wait() => {
                // After a failure its children are terminated.
                if let (Some(group), false) = (group, status.as_ref().is_ok_and(ExitStatus::success)) {
                    let _sent = kill_process_group(group, Signal::KILL);
                }
                return End::Exited(status);
            }
            () = tokio::time::sleep(self.limit) => End::TimedOut,
            () = stop.cancelled() => End::Stopped,
        };
        for signal in [Signal::TERM, Signal::KILL] {
            if let Some(group) = group {
                // The process may have ended meanwhile.
                let _sent = kill_process_group(group, signal);
            }
            if signal == Signal::TERM {
                // Its children may need that time too.
                let _ended = tokio::time::timeout(TERM_GRACE, child.wait()).await;
            }
        }
        let _ended = child.wait().await;
        end
    }
}

/// Writes the document. A command need not read it.
async fn feed(stdin: Option<ChildStdin>, document: &str) {
    if let Some(mut stdin) = stdin {
        let _written = stdin.write_all(document.as_bytes()).await;
    }
}

/// Reports the output line by line, without control characters.
async fn listen(stderr: Option<ChildStderr>, mut report: impl FnMut(&str)) {
    let Some(mut stderr) = stderr else { return };
    let mut line: Vec<u8> = Vec::new();
    let mut report = |line: &[u8]| {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end().replace(|letter: char| letter.is_control() && letter != '\t', "\u{fffd}");
        if !text.is_empty() {
            report(&text);
        }
    };
    let mut bytes = [0; LONGEST_LINE];
    while let Ok(read @ 1..) = stderr.read(&mut bytes).await {
        for part in bytes[..read].split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if part.ends_with(b"\n") || line.len() >= LONGEST_LINE {
                report(&line);
                line.clear();
            }
        }
    }
    report(&line);
}
