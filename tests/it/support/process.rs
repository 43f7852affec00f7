//! Programs that tests start. Each has a limit, after which it is killed and the test fails with what it printed.

use std::fmt::Write as _;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, Once};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::{Output, send_signal};

/// How long a program, a query or an answer may take. Only what hangs takes as long.
pub const LIMIT: Duration = Duration::from_mins(3);

/// Runs a command to its end, within [`LIMIT`].
pub trait Finish {
    /// Like [`Command::output`], with nothing to read on stdin.
    #[track_caller]
    fn finish(&mut self) -> std::process::Output;
}

impl Finish for Command {
    fn finish(&mut self) -> std::process::Output {
        self.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(self).finish()
    }
}

/// A program under way.
#[derive(Debug)]
pub struct Running {
    pub(super) child: Child,
    command: String,
    stdout: Option<Pipe>,
    stderr: Option<Pipe>,
    /// How much of stderr [`Self::says`] has read.
    heard: usize,
}

impl Running {
    /// Starts a command that reads nothing, and keeps what it prints.
    pub fn spawn(mut command: Command) -> Self {
        Self::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// Starts a command with the files that it was given, and keeps what it writes to pipes.
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

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `INT`, `KILL`.
    pub fn signal(&self, name: &str) {
        send_signal(self.id(), name);
    }

    /// Waits until a line with `words` is on its stderr.
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

    /// Waits for its end.
    #[track_caller]
    pub fn end(self) -> Output {
        Output::of(&self.finish())
    }

    /// Waits for its end; what it left. [`Self::says`] keeps what it has read.
    #[track_caller]
    pub fn finish(self) -> std::process::Output {
        self.try_finish().unwrap_or_else(|why| panic!("{why}"))
    }

    /// The same; why it had to be killed.
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

    /// How it ended, once nobody writes to its pipes any more.
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

/// What was written to a pipe, read as it comes.
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

    /// Whether nobody can write to it any more.
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

/// Signals that this process ignores, as under `nohup` or in the background of a shell, are ignored by the programs that it
/// starts too. A signal that has a handler is not: so those get one. It stays, so a signal that is not ignored gets none.
pub fn reset_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Linux only; elsewhere there is no such file.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        let ignored: Vec<SignalKind> = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit()]
            .into_iter()
            .filter(|kind| mask & (1 << (kind.as_raw_value() - 1)) != 0)
            .collect();
        // A thread of its own: a test may be inside of a runtime already.
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
