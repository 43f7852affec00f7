//! The process that holds a data folder. `postmaster.pid` names one, but after a kill or a reboot
//! the number may belong to anybody; PostgreSQL would then refuse to start for ever.
#![expect(clippy::disallowed_methods, reason = "reads the server's postmaster.pid")]

use std::path::Path;

use super::account::Account;

/// Who holds a data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// Nobody: there is no `postmaster.pid`.
    Nobody,
    /// A process that is gone, or whose number now belongs to another program.
    Gone,
    /// A server that runs.
    Running,
}

/// Who holds `data`.
pub(super) fn holder(data: &Path, account: &Account) -> Holder {
    let Ok(text) = std::fs::read_to_string(data.join("postmaster.pid")) else { return Holder::Nobody };
    match text.lines().next().and_then(|line| line.trim().parse::<u32>().ok()) {
        Some(pid) if is_server_of(data, pid, account) => Holder::Running,
        _ => Holder::Gone,
    }
}

/// Whether process `pid` is a server of `data`: each of a server's processes has the data folder as
/// its working folder. Asked as the account, since even root may not look into the process of
/// another user in a container; a process that the account may not look into is not its own.
fn is_server_of(data: &Path, pid: u32, account: &Account) -> bool {
    let print = |program: &str, arguments: &[&str]| {
        let output = account.command(program).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if Path::new("/proc/self/cwd").exists() {
        let folder = print("readlink", &[&format!("/proc/{pid}/cwd")]);
        return folder.is_some_and(|folder| data.canonicalize().is_ok_and(|data| data == Path::new(&folder)));
    }
    // Without /proc (macOS) the program's name has to do.
    print("ps", &["-p", &pid.to_string(), "-o", "comm="]).is_some_and(|name| name.ends_with("postgres"))
}

/// Deletes what a server that is gone left behind and that would keep the next one from starting.
pub(super) fn clear(data: &Path, server: &Path) {
    for file in [data.join("postmaster.pid"), server.join(".s.PGSQL.5432.lock"), server.join(".s.PGSQL.5432")]
    {
        // What cannot be deleted, the next server will complain of by name.
        drop(std::fs::remove_file(file));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_alone_proves_nothing() {
        let data = tempfile::tempdir().unwrap();
        let account = Account::find().unwrap();
        assert_eq!(holder(data.path(), &account), Holder::Nobody);
        for pid in [std::process::id(), 1, u32::MAX] {
            std::fs::write(data.path().join("postmaster.pid"), format!("{pid}\n/data\n")).unwrap();
            assert_eq!(holder(data.path(), &account), Holder::Gone, "{pid}");
        }
    }
}
