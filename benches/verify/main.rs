//! Measures `tenure verify` on 1,000 files of 20 statements, as a chain and each file alone, and the `squawk` program on the same
//! files. The variable `SQUAWK` contains the path of that program, or it is searched on the PATH; without it only the limit is
//! checked. Run with `cargo bench --bench verify`; with `-- --bless` the numbers are written to `benches/RESULTS.md`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a benchmark uses the disk and the clock, prints, and panics on failure"
)]

mod files;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const FILES: usize = 1_000;
const ROUNDS: usize = 5;
const LIMIT: Duration = Duration::from_secs(1);

/// A program with its arguments, and its durations.
struct Contender {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
    took: Vec<Duration>,
}

impl Contender {
    fn new(name: &'static str, program: &Path, first: &str, paths: &[PathBuf]) -> Self {
        let words = first.split_whitespace().map(PathBuf::from);
        let arguments = words.chain(paths.iter().cloned()).collect();
        Self { name, program: program.to_owned(), arguments, took: Vec::new() }
    }

    /// Runs the program once in `folder`. It must report on the files, since a program that stops early is not fast.
    fn run(&mut self, folder: &Path, judged: impl Fn(&str) -> bool) {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(folder).stdin(Stdio::null());
        let began = Instant::now();
        let output = command.output().unwrap();
        self.took.push(began.elapsed());
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let end = said.len().saturating_sub(2_000);
        assert!(judged(&said), "{}: {}", self.name, said.get(end..).unwrap_or(&said));
    }

    fn median(&self) -> Duration {
        let mut took = self.took.clone();
        took.sort();
        took[took.len() / 2]
    }
}

fn main() -> ExitCode {
    // `cargo test --benches` runs this too, without measuring.
    if !std::env::args().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    let chain = tempfile::tempdir().unwrap();
    let loose = tempfile::tempdir().unwrap();
    let paths = files::write(chain.path(), FILES);
    // Outside of a project each file is verified alone.
    let names: Vec<PathBuf> = paths.iter().map(|path| PathBuf::from(path.file_name().unwrap())).collect();
    for (path, name) in paths.iter().zip(&names) {
        std::fs::copy(path, loose.path().join(name)).unwrap();
    }
    let tenure = Path::new(env!("CARGO_BIN_EXE_tenure"));
    let squawk = squawk();
    let mut as_chain = Contender::new("tenure verify, as a chain", tenure, "verify", &[]);
    let mut as_files = Contender::new("tenure verify FILE…, each on its own", tenure, "verify", &names);
    let mut theirs = squawk
        .as_ref()
        .map(|program| Contender::new("squawk FILE…", program, "--no-error-on-unmatched-pattern", &names));
    let counted = format!("{FILES} files, {} statements", FILES * files::STATEMENTS);
    for _ in 0..ROUNDS {
        as_chain.run(chain.path(), |said| said.contains(&counted));
        as_files.run(loose.path(), |said| said.contains(&counted));
        if let Some(theirs) = &mut theirs {
            theirs.run(loose.path(), |said| said.contains(&format!("{FILES} file")));
        }
    }
    let rows: Vec<&Contender> = [&as_chain, &as_files].into_iter().chain(&theirs).collect();
    let mut text = String::new();
    let _ = writeln!(
        text,
        "| {FILES} files of {} statements, median of {ROUNDS} | ms |\n| --- | --- |",
        files::STATEMENTS
    );
    for row in &rows {
        let _ = writeln!(text, "| {} | {} |", row.name, row.median().as_millis());
    }
    let mut good = as_chain.median().max(as_files.median()) <= LIMIT;
    if let Some(theirs) = &theirs {
        let ratio = |ours: &Contender| ours.median().as_secs_f64() / theirs.median().as_secs_f64();
        let _ = writeln!(
            text,
            "\nEach file on its own, as squawk looks at them: {:.2} times what squawk takes ({}). As a chain, whose \
             whole history is followed and kept: {:.2} times.",
            ratio(&as_files),
            version(squawk.as_deref()),
            ratio(&as_chain),
        );
        good &= ratio(&as_files) <= 1.0;
    } else {
        let _ = writeln!(
            text,
            "\nsquawk was not found (`SQUAWK`, or the path): only the limit of {} ms is judged.",
            LIMIT.as_millis()
        );
    }
    println!("{text}");
    if std::env::args().any(|word| word == "--bless") {
        bless(&text);
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn squawk() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os("SQUAWK").map(PathBuf::from);
    named.or_else(|| {
        std::env::split_paths(&path).map(|folder| folder.join("squawk")).find(|file| file.is_file())
    })
}

fn version(squawk: Option<&Path>) -> String {
    let output = squawk.and_then(|program| Command::new(program).arg("--version").output().ok());
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// Writes the numbers into their section of the results, without changing other sections.
fn bless(text: &str) {
    const BEGIN: &str = "<!-- verify: begin -->";
    const END: &str = "<!-- verify: end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/RESULTS.md");
    let old = std::fs::read_to_string(&path).unwrap_or_else(|_| "# Measured\n".to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let part = format!(
        "{BEGIN}\n## Verification\n\n`cargo bench --bench verify -- --bless`, on {cores} cores; the programs take turns.\n\n{text}{END}\n"
    );
    let new = match (old.find(BEGIN), old.find(END)) {
        (Some(begin), Some(end)) => {
            format!("{}{part}{}", &old[..begin], old[end + END.len()..].trim_start_matches('\n'))
        }
        _ => format!("{}\n\n{part}", old.trim_end()),
    };
    std::fs::write(path, new).unwrap();
}
