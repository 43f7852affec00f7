//! Whether a server runs in a data folder. After a kill or a reboot `postmaster.pid` may name a process of
//! another program; PostgreSQL then refuses to start.
#![expect(clippy::disallowed_methods, reason = "reads the server's postmaster.pid")]

use std::path::Path;

use super::account::Account;

/// The state of `postmaster.pid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PidFile {
    /// There is no file.
    Missing,
    /// Its process has ended, or the id now belongs to another program.
    Stale,
    /// Its server runs.
    Running,
}

pub(super) fn pid_file(data: &Path, account: &Account) -> PidFile {
    let Ok(text) = std::fs::read_to_string(data.join("postmaster.pid")) else { return PidFile::Missing };
    match text.lines().next().and_then(|line| line.trim().parse::<u32>().ok()) {
        Some(pid) if is_server_of(data, pid, account) => PidFile::Running,
        _ => PidFile::Stale,
    }
}

/// Whether process `pid` is a server of `data`: a server's working folder is its data folder. The check runs as
/// the account, since in a container even root may not inspect another user's process. A process that the
/// account may not inspect is not the account's server.
fn is_server_of(data: &Path, pid: u32, account: &Account) -> bool {
    let output_of = |program: &str, arguments: &[&str]| {
        let output = account.command(program).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if Path::new("/proc/self/cwd").exists() {
        let folder = output_of("readlink", &[&format!("/proc/{pid}/cwd")]);
        return folder.is_some_and(|folder| data.canonicalize().is_ok_and(|data| data == Path::new(&folder)));
    }
    // Without /proc (macOS) only the program's name can be checked.
    output_of("ps", &["-p", &pid.to_string(), "-o", "comm="]).is_some_and(|name| name.ends_with("postgres"))
}

/// Deletes files of a server that was killed which prevent the next start.
pub(super) fn remove_stale_files(data: &Path, server: &Path) {
    for file in [data.join("postmaster.pid"), server.join(".s.PGSQL.5432.lock"), server.join(".s.PGSQL.5432")]
    {
        // If a file remains, the server's own error names it.
        drop(std::fs::remove_file(file));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_id_alone_is_no_proof() {
        let data = tempfile::tempdir().unwrap();
        let account = Account::find().unwrap();
        assert_eq!(pid_file(data.path(), &account), PidFile::Missing);
        for pid in [std::process::id(), 1, u32::MAX] {
            std::fs::write(data.path().join("postmaster.pid"), format!("{pid}\n/data\n")).unwrap();
            assert_eq!(pid_file(data.path(), &account), PidFile::Stale, "{pid}");
        }
    }
}
