//! What the tests need of the machine: the PostgreSQL that they run on, and signals to other processes.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};
use tenure::postgres::server::Environment;

/// The folder of PostgreSQL's programs: what `TENURE_PG_BINDIR` names, else what `script/setup --for-tests` unpacked
/// beside the installed release because it is newer. `None` is the installed one.
pub fn postgres_folder() -> Option<PathBuf> {
    let named = std::env::var_os("TENURE_PG_BINDIR").filter(|folder| !folder.is_empty());
    named.map(PathBuf::from).or_else(|| {
        let link = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/postgresql/bin");
        link.canonicalize().ok()
    })
}

/// The surroundings of a server that a test starts itself.
pub fn environment() -> Environment {
    Environment {
        bindir: postgres_folder(),
        path: std::env::var_os("PATH"),
        temp: Some(std::env::temp_dir()),
    }
}

/// The signal of this name, such as `KILL`.
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

/// Sends a signal to every process of a group.
pub fn send_signal_to_group(leader: u32, name: &str) {
    kill_process_group(pid(leader), named(name)).unwrap();
}

/// Whether there is a process of this number.
pub fn is_process(number: u32) -> bool {
    test_kill_process(pid(number)).is_ok()
}
