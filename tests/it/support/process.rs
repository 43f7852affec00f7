//! Child processes of tests. A process that exceeds its time limit is killed, and the test fails with its output.

use std::fmt::Write as _;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, Once};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::{Output, send_signal};

/// The time limit of a program, a query or a response. Only a hang reaches it.
pub const LIMIT: Duration = Duration::from_mins(3);

/// Runs a command until it ends. Fails after [`LIMIT`].
pub trait Finish {
    /// Like [`Command::output`], with an empty stdin.
    #[track_caller]
    fn finish(&mut self) -> std::process::Output;
}

impl Finish for Command {
    fn finish(&mut self) -> std::process::Output {
        self.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(self).finish()
    }
}

/// A running program.
#[derive(Debug)]
pub struct Running {
    pub(super) child: Child,
    command: String,
    stdout: Option<Pipe>,
    stderr: Option<Pipe>,
    /// The length of stderr that [`Self::says`] has read.
    heard: usize,
}

impl Running {
    /// Starts a command with an empty stdin, and captures its output.
    pub fn spawn(mut command: Command) -> Self {
        Self::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// Starts a command with its configured files, and captures its pipes.
    pub fn start(command: &mut Command) -> Self {
        reset_signals();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            stdout: child.stdout.take().map(Pipe::of),
            stderr: child.stderr.take().map(Pipe::of),
            command: format!("{command:?}"),
            child,
            heard: 0,
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `INT` or `KILL`.
    pub fn signal(&self, name: &str) {
        send_signal(self.id(), name);
    }

    /// Waits until stderr contains a line with `words`.
    #[track_caller]
    pub fn says(&mut self, words: &str) {
        let pipe = self.stderr.as_ref().unwrap();
        let began = Instant::now();
        loop {
            let has_ended = pipe.has_ended();
            let text = pipe.text();
            let rest = &text[self.heard..];
            let line = rest.find(words).and_then(|at| Some(at + rest[at..].find('\n')? + 1));
            if let Some(end) = line {
                self.heard += end;
                return;
            }
            assert!(!has_ended && began.elapsed() < LIMIT, "it never said {words:?}: {text}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub fn end(self) -> Output {
        Output::of(&self.finish())
    }

    /// Waits for the end of the process and returns its output, without the part that [`Self::says`] has read.
    #[track_caller]
    pub fn finish(self) -> std::process::Output {
        self.try_finish().unwrap_or_else(|why| panic!("{why}"))
    }

    /// Like [`Self::finish`], but returns why the process was killed.
    pub fn try_finish(mut self) -> Result<std::process::Output, String> {
        let began = Instant::now();
        let mut pause = Duration::from_micros(200);
        let status = loop {
            if let Some(status) = self.ended() {
                break status;
            }
            if began.elapsed() > LIMIT {
                return Err(self.kill());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        };
        let bytes = |pipe: Option<Pipe>| pipe.map(|pipe| pipe.bytes()).unwrap_or_default();
        let stderr = bytes(self.stderr).split_off(self.heard);
        Ok(std::process::Output { status, stdout: bytes(self.stdout), stderr })
    }

    /// The exit status, after all writers have closed the pipes.
    fn ended(&mut self) -> Option<ExitStatus> {
        let is_open = |pipe: &Option<Pipe>| pipe.as_ref().is_some_and(|pipe| !pipe.has_ended());
        if is_open(&self.stdout) || is_open(&self.stderr) { None } else { self.child.try_wait().unwrap() }
    }

    fn kill(&mut self) -> String {
        let _ended_meanwhile = self.child.kill();
        let mut told = format!("{} did not end within {LIMIT:?}", self.command);
        for (name, pipe) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let text = pipe.as_ref().map(Pipe::text).unwrap_or_default();
            let _ = write!(told, "\n----- {name} -----\n{text}");
        }
        told
    }
}

/// The content of a pipe, read in the background.
#[derive(Debug)]
struct Pipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Pipe {
    fn of(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 8 << 10];
            while let Ok(count @ 1..) = from.read(&mut chunk) {
                kept.lock().unwrap().extend_from_slice(&chunk[..count]);
            }
        });
        Self { bytes, reader }
    }

    /// Whether all writers have closed the pipe.
    fn has_ended(&self) -> bool {
        self.reader.is_finished()
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// Child processes inherit ignored signals, as under `nohup` or in a shell's background, but not signals with a handler. So each
/// ignored signal gets a handler. Handlers are permanent, so other signals get none.
pub fn reset_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // This file exists only on Linux.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        let ignored: Vec<SignalKind> = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit()]
            .into_iter()
            .filter(|kind| mask & (1 << (kind.as_raw_value() - 1)) != 0)
            .collect();
        // A separate thread, since the test may run inside of a runtime.
        let install = move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let _inside = runtime.enter();
            for kind in ignored {
                drop(signal(kind).unwrap());
            }
        };
        std::thread::spawn(install).join().unwrap();
    });
}
