//! The command lines of `initdb` and `postgres`. Every setting of a private server is on the command line,
//! which overrides the files in the data folder (manual, chapter Setting Parameters).

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::address::PORT;
use super::{Binaries, ROLE};

/// The mode of a private server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// The data outlive processes and reboots.
    Persistent,
    /// The data are deleted when the process ends.
    Throwaway,
}

/// `max_connections`: many workers, and tests in parallel. `max_locks_per_transaction`: a transaction may touch
/// the tables of many schemas.
const COMMON_SETTINGS: &[&str] = &[
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

/// Settings that are acceptable only for data that may be lost.
const THROWAWAY_SETTINGS: &[&str] = &[
    "fsync=off",
    "full_page_writes=off",
    "autovacuum=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "log_min_error_statement=panic",
];

/// The command that creates the data folder. The locale C exists on every system and sorts the same on all.
pub(super) fn initdb(binaries: &Binaries, data: &Path, lifetime: Lifetime) -> Vec<OsString> {
    let mut command =
        vec![binaries.initdb().into_os_string(), "-D".into(), data.into(), "-U".into(), ROLE.into()];
    command
        .extend(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"].map(OsString::from));
    if lifetime == Lifetime::Throwaway {
        command.push("--no-sync".into());
    }
    command
}

/// The command that runs the server.
pub(super) fn postgres(binaries: &Binaries, data: &Path, socket: &Path, lifetime: Lifetime) -> Vec<OsString> {
    let mut command = vec![binaries.postgres().into_os_string(), "-D".into(), data.into()];
    command.extend(["-k".into(), socket.into(), "-p".into(), PORT.to_string().into()]);
    let throwaway = if lifetime == Lifetime::Throwaway { THROWAWAY_SETTINGS } else { &[] };
    command.extend(
        COMMON_SETTINGS.iter().chain(throwaway).flat_map(|setting| ["-c".into(), OsString::from(setting)]),
    );
    command
}

/// The arguments that load `libraries` at server start.
pub(super) fn preload_options(libraries: &[&str]) -> Vec<OsString> {
    if libraries.is_empty() {
        return Vec::new();
    }
    vec!["-c".into(), format!("shared_preload_libraries={}", libraries.join(",")).into()]
}

/// The command as text for `sh`, with each word in single quotes.
pub(super) fn to_shell(command: &[OsString]) -> OsString {
    let mut text = OsString::new();
    for word in command {
        if !text.is_empty() {
            text.push(" ");
        }
        text.push(quoted(word));
    }
    text
}

/// Quotes a word for a POSIX shell: `'` becomes `'\''`.
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
    fn a_shell_restores_the_words() {
        let words =
            ["printf", "%s|", "a b", "it's", "$HOME", "", "\\", "`x`", "-c", "ü\n"].map(OsString::from);
        let output = Command::new("sh").arg("-c").arg(to_shell(&words)).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "a b|it's|$HOME||\\|`x`|-c|ü\n|");
    }
}
