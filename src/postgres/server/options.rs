//! The command lines of `initdb` and `postgres`: every setting of a private server stands here, on
//! the command line, which beats what anybody wrote into the data folder's own files.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::address::PORT;
use super::{Binaries, ROLE};

/// How long the server's data are meant to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Across processes and reboots.
    Kept,
    /// Until the process ends.
    Thrown,
}

/// Settings of every private server. `max_connections`: many workers, and tests in parallel.
/// `max_locks_per_transaction`: a transaction may touch the tables of many schemas.
const ALWAYS: &[&str] = &[
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "max_connections=300",
    "max_locks_per_transaction=256",
    "synchronous_commit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_destination=stderr",
    "logging_collector=off",
    "log_statement=none",
    "log_checkpoints=off",
];

/// What only data that nobody will miss can afford.
const THROWN: &[&str] = &[
    "fsync=off",
    "full_page_writes=off",
    "autovacuum=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "log_min_error_statement=panic",
];

/// The command that makes the data folder. The locale C is everywhere and sorts the same everywhere.
pub(super) fn initdb(binaries: &Binaries, data: &Path, lifetime: Lifetime) -> Vec<OsString> {
    let mut command =
        vec![binaries.initdb().into_os_string(), "-D".into(), data.into(), "-U".into(), ROLE.into()];
    command
        .extend(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"].map(OsString::from));
    if lifetime == Lifetime::Thrown {
        command.push("--no-sync".into());
    }
    command
}

/// The command that is the server.
pub(super) fn postgres(binaries: &Binaries, data: &Path, socket: &Path, lifetime: Lifetime) -> Vec<OsString> {
    let mut command = vec![binaries.postgres().into_os_string(), "-D".into(), data.into()];
    command.extend(["-k".into(), socket.into(), "-p".into(), PORT.to_string().into()]);
    let thrown = if lifetime == Lifetime::Thrown { THROWN } else { &[] };
    command.extend(ALWAYS.iter().chain(thrown).flat_map(|setting| ["-c".into(), OsString::from(setting)]));
    command
}

/// The words that load libraries when the server starts.
pub(super) fn preloading(libraries: &[&str]) -> Vec<OsString> {
    if libraries.is_empty() {
        return Vec::new();
    }
    vec!["-c".into(), format!("shared_preload_libraries={}", libraries.join(",")).into()]
}

/// A command as text for `sh`: each word in single quotes.
pub(super) fn for_shell(command: &[OsString]) -> OsString {
    let mut text = OsString::new();
    for word in command {
        if !text.is_empty() {
            text.push(" ");
        }
        text.push(quoted(word));
    }
    text
}

/// One word in single quotes. A quote in it is `'\''`, as POSIX has it.
fn quoted(word: &OsStr) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut bytes = vec![b'\''];
    for &byte in word.as_bytes() {
        match byte {
            b'\'' => bytes.extend_from_slice(b"'\\''"),
            _ => bytes.push(byte),
        }
    }
    bytes.push(b'\'');
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_the_words_back() {
        let words =
            ["printf", "%s|", "a b", "it's", "$HOME", "", "\\", "`x`", "-c", "ü\n"].map(OsString::from);
        let output = Command::new("sh").arg("-c").arg(for_shell(&words)).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "a b|it's|$HOME||\\|`x`|-c|ü\n|");
    }
}
