//! The server's log file. This process opens it and passes a descriptor, so that a server of another account
//! needs no access to its folder. The end of the log is part of the error when a start fails; readiness does
//! not depend on it.
#![expect(clippy::disallowed_methods, reason = "reads the log that it quotes")]

use std::fs::File;
use std::path::{Path, PathBuf};

use super::{io_failure, no_link};
use crate::error::Failure;

/// A longer log is renamed when the server starts.
const MAX_BYTES: u64 = 4 << 20;

const QUOTED_LINES: usize = 8;

/// An open log.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    path: PathBuf,
    /// The length of the file when it was opened: the begin of this start's part.
    begin: u64,
}

impl Log {
    /// Opens `path` for appending. A log above [`MAX_BYTES`] is first renamed to `….old`; an older `….old` is
    /// overwritten.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        if path.metadata().is_ok_and(|log| log.len() > MAX_BYTES) {
            std::fs::rename(path, path.with_extension("log.old"))
                .map_err(|error| io_failure("renaming", path, &error))?;
        }
        let open = || {
            let file = no_link().create(true).append(true).open(path)?;
            let begin = file.metadata()?.len();
            Ok(Self { file, path: path.to_owned(), begin })
        };
        open().map_err(|error| io_failure("opening the server's log", path, &error))
    }

    /// A duplicate of the descriptor, for a child process.
    pub(super) fn try_clone(&self) -> Result<File, Failure> {
        self.file.try_clone().map_err(|error| io_failure("sharing the server's log", &self.path, &error))
    }

    /// The last lines since the log was opened, each on a new indented line.
    pub(super) fn tail(&self) -> String {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        let begin = usize::try_from(self.begin).unwrap_or(0).min(bytes.len());
        last_lines(&String::from_utf8_lossy(&bytes[begin..]))
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(QUOTED_LINES)..];
    last.iter().flat_map(|line| ["\n  ", line]).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_tail_contains_this_start_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        std::fs::write(&path, "yesterday\n").unwrap();
        let log = Log::open(&path).unwrap();
        assert_eq!(log.tail(), "");
        writeln!(log.try_clone().unwrap(), "FATAL: today\n").unwrap();
        assert_eq!(log.tail(), "\n  FATAL: today");
    }

    #[test]
    fn a_long_log_is_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert_eq!(Log::open(&path).unwrap().begin, 0);
        assert_eq!(folder.path().join("server.log.old").metadata().unwrap().len(), MAX_BYTES + 1);
    }

    #[test]
    fn only_the_last_lines_are_quoted() {
        let text = (0..20).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        let quoted = last_lines(&text);
        assert!(quoted.starts_with("\n  line 12\n") && quoted.ends_with("line 19"), "{quoted}");
    }
}
