//! The environment of the tests: the PostgreSQL programs, folders, and signals to other processes.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rustix::fs::StatVfsMountFlags;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};
use tenure::postgres::server::Environment;

/// The folder of PostgreSQL's programs: `TENURE_PG_BINDIR`, else the newer release that `script/setup --for-tests` unpacked.
/// `None` is the installed release.
pub fn postgres_folder() -> Option<PathBuf> {
    let named = std::env::var_os("TENURE_PG_BINDIR").filter(|folder| !folder.is_empty());
    named.map(PathBuf::from).or_else(|| {
        let link = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/postgresql/bin");
        link.canonicalize().ok()
    })
}

/// The folder for projects and for the data of servers: `TMPDIR`, else a folder in memory if it has enough space, which halves
/// the duration of the tests, else the default.
pub fn temporary_folder() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let memory = PathBuf::from("/dev/shm");
        let is_chosen = std::env::var_os("TMPDIR").is_some_and(|folder| !folder.is_empty());
        if is_chosen || !has_room_in_memory(&memory) { std::env::temp_dir() } else { memory }
    });
    &FOLDER
}

/// Whether a folder in memory has space for the tests' databases and leaves most of the memory free.
fn has_room_in_memory(folder: &Path) -> bool {
    const NEEDED: u64 = 4 << 30;
    let Ok(file_system) = rustix::fs::statvfs(folder) else { return false };
    // Tests execute scripts that they write.
    if file_system.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return false;
    }
    let free = file_system.f_bavail * file_system.f_frsize;
    let facts = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = facts.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = available.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    free >= NEEDED && kilobytes.is_some_and(|kilobytes| kilobytes << 10 >= 2 * NEEDED)
}

/// The environment of a server that a test starts.
pub fn environment() -> Environment {
    Environment {
        bindir: postgres_folder(),
        path: std::env::var_os("PATH"),
        temp: Some(temporary_folder().to_owned()),
    }
}

/// The signal with this name, such as `KILL`.
fn named(name: &str) -> Signal {
    match name {
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "KILL" => Signal::KILL,
        "TERM" => Signal::TERM,
        "STOP" => Signal::STOP,
        "CONT" => Signal::CONT,
        _ => panic!("no test sends the signal {name}"),
    }
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

/// Sends a signal to a process.
pub fn send_signal(process: u32, name: &str) {
    kill_process(pid(process), named(name)).unwrap();
}

/// Sends a signal to every process of a process group.
pub fn send_signal_to_group(leader: u32, name: &str) {
    kill_process_group(pid(leader), named(name)).unwrap();
}

/// Whether a process with this id exists.
pub fn is_process(number: u32) -> bool {
    test_kill_process(pid(number)).is_ok()
}
