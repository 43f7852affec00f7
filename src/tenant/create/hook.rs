//! The command that is run after a tenant is made, while no transaction is open: it gets one JSON document on its
//! stdin, and what it says on stderr is told.

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
use crate::settings::Tenants;

/// How long it has to end by itself when it is told to.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// When it has ended, what it started may hold its stderr open; so long is listened to that.
const ECHO: Duration = Duration::from_millis(200);

/// A longer line is told in pieces.
const LONGEST_LINE: usize = 4 << 10;

/// A command to run.
#[derive(Debug, Clone)]
pub struct Hook {
    program: String,
    arguments: Vec<String>,
    folder: PathBuf,
    limit: Duration,
}

/// How it ended.
enum End {
    Itself(std::io::Result<ExitStatus>),
    TimedOut,
    Stopped,
}

impl Hook {
    /// The command of the settings, run in `folder`.
    pub fn of(settings: &Tenants, folder: &Path) -> Option<Self> {
        let (program, arguments) = settings.after_create.split_first()?;
        Some(Self {
            program: program.clone(),
            arguments: arguments.to_vec(),
            folder: folder.to_owned(),
            limit: settings.after_create_timeout.duration(),
        })
    }

    /// How long it may run.
    pub(in crate::tenant) fn limit(&self) -> Duration {
        self.limit
    }

    /// Runs it; `tell` gets the lines of its stderr.
    pub(in crate::tenant) async fn run(
        &self,
        document: &str,
        stop: &CancellationToken,
        mut tell: impl FnMut(&str),
    ) -> Result<(), Failure> {
        let failed = |why: String| Failure::new(Code::HookFailed, format!("{} {why}", self.program));
        let mut child = self.start().map_err(|error| {
            failed(format!("cannot be started: {error}"))
                .hint("tenants.after_create names a program, relative to the project's folder or on the PATH")
        })?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let mut last = String::new();
        let listen = listen(stderr, |line| {
            line.clone_into(&mut last);
            tell(line);
        });
        let end = {
            let mut talk = pin!(async { tokio::join!(feed(stdin, document), listen) });
            let mut end = pin!(self.end(&mut child, stop));
            tokio::select! {
                end = &mut end => {
                    // What it said last; a program that it left behind is not waited for.
                    let _all_said = tokio::time::timeout(ECHO, talk).await;
                    end
                }
                ((), ()) = &mut talk => end.await,
            }
        };
        let said = if last.is_empty() { String::new() } else { format!(": {last}") };
        match end {
            End::Itself(Ok(status)) if status.success() => Ok(()),
            End::Itself(Ok(status)) => Err(match (status.code(), status.signal()) {
                (Some(code), _) => failed(format!("ended with exit code {code}{said}")),
                (None, Some(signal)) => failed(format!("was ended by signal {signal}{said}")),
                (None, None) => failed(format!("ended without success{said}")),
            }),
            End::Itself(Err(error)) => Err(failed(format!("cannot be waited for: {error}"))),
            End::TimedOut => Err(failed(format!("took longer than {:?} and was ended{said}", self.limit))
                .hint("tenants.after_create_timeout gives it more time")),
            End::Stopped => Err(Failure::new(
                Code::Interrupted,
                format!("interrupted while {} ran, which was ended", self.program),
            )),
        }
    }

    fn start(&self) -> std::io::Result<Child> {
        // A path is the project's; a bare name is looked up on the PATH.
        let program = if self.program.contains('/') {
            self.folder.join(&self.program).into_os_string()
        } else {
            self.program.clone().into()
        };
        Command::new(program)
            .args(&self.arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A group of its own: the terminal's Ctrl-C is for us, and what it starts can be ended with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Waits for its end, and ends it where its time is over or somebody asks to stop.
    async fn end(&self, child: &mut Child, stop: &CancellationToken) -> End {
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let end = tokio::select! {
            status = child.wait() => {
                // What it started is of no use where it failed.
                if let (Some(group), false) = (group, status.as_ref().is_ok_and(ExitStatus::success)) {
                    let _sent = kill_process_group(group, Signal::KILL);
                }
                return End::Itself(status);
            }
            () = tokio::time::sleep(self.limit) => End::TimedOut,
            () = stop.cancelled() => End::Stopped,
        };
        for signal in [Signal::TERM, Signal::KILL] {
            if let Some(group) = group {
                // One that has ended meanwhile needs no signal.
                let _sent = kill_process_group(group, signal);
            }
            if signal == Signal::TERM {
                // Its children too may need that time, so all of it is only cut short by its own end.
                let _ended = tokio::time::timeout(LAST_WORDS, child.wait()).await;
            }
        }
        let _ended = child.wait().await;
        end
    }
}

/// Writes the document. A command that does not read it has its reasons.
async fn feed(stdin: Option<ChildStdin>, document: &str) {
    if let Some(mut stdin) = stdin {
        let _written = stdin.write_all(document.as_bytes()).await;
    }
}

/// Tells what it says, line by line, without what would move a terminal's cursor.
async fn listen(stderr: Option<ChildStderr>, mut tell: impl FnMut(&str)) {
    let Some(mut stderr) = stderr else { return };
    let mut line: Vec<u8> = Vec::new();
    let mut tell = |line: &[u8]| {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end().replace(|letter: char| letter.is_control() && letter != '\t', "\u{fffd}");
        if !text.is_empty() {
            tell(&text);
        }
    };
    let mut bytes = [0; LONGEST_LINE];
    while let Ok(read @ 1..) = stderr.read(&mut bytes).await {
        for part in bytes[..read].split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if part.ends_with(b"\n") || line.len() >= LONGEST_LINE {
                tell(&line);
                line.clear();
            }
        }
    }
    tell(&line);
}
