//! Starts other programs. Each gets an environment of its own: an allow list, so that no credential of this process
//! reaches it. Only this file creates a `Command`; `tests/it/layers.rs` checks it.
#![expect(clippy::disallowed_methods, reason = "copies the listed variables to the programs")]

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// What a program needs from the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Only the folders of programs and libraries: for a server, whose functions can read its environment.
    Nothing,
    /// The user, the locale and temporary files.
    User,
    /// Also the connection parameters of libpq that a URL may leave open.
    Connection,
    /// Also the terminal: for `psql`.
    Terminal,
    /// The user's variables and the database URL: for the `after_create` command (docs/provisioning.md).
    Hook,
    /// All variables: for the user's own `manage.py`, which is configured with them (docs/django.md).
    Everything,
}

/// The folders of programs and libraries.
const SEARCH: &[&str] = &["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// The user, the locale and temporary files. All variables that start with `LC_` belong here too.
const USER: &[&str] = &["HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TMPDIR", "TZ"];

/// The parameters of libpq (manual, chapter 34.15) except `PGHOSTADDR`, which would override the host of a URL.
const CONNECTION: &[&str] = &[
    "KRB5CCNAME",
    "PGAPPNAME",
    "PGCHANNELBINDING",
    "PGCONNECT_TIMEOUT",
    "PGDATABASE",
    "PGGSSENCMODE",
    "PGGSSLIB",
    "PGHOST",
    "PGKRBSRVNAME",
    "PGOPTIONS",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGPORT",
    "PGREQUIREAUTH",
    "PGREQUIREPEER",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSSLCERT",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLKEY",
    "PGSSLMAXPROTOCOLVERSION",
    "PGSSLMINPROTOCOLVERSION",
    "PGSSLMODE",
    "PGSSLNEGOTIATION",
    "PGSSLROOTCERT",
    "PGSSLSNI",
    "PGSYSCONFDIR",
    "PGTARGETSESSIONATTRS",
    "PGUSER",
];

/// The terminal, and what `psql` reads (manual, `psql`).
const TERMINAL: &[&str] = &[
    "COLORTERM",
    "COLUMNS",
    "EDITOR",
    "INPUTRC",
    "LESS",
    "LINES",
    "NO_COLOR",
    "PAGER",
    "PG_COLOR",
    "PSQLRC",
    "PSQL_EDITOR",
    "PSQL_EDITOR_LINENUMBER_ARG",
    "PSQL_HISTORY",
    "PSQL_PAGER",
    "PSQL_WATCH_PAGER",
    "SHELL",
    "TERM",
    "VISUAL",
];

/// The database URL.
const HOOK: &[&str] = &["DATABASE_URL"];

impl Needs {
    fn lists(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Nothing => &[SEARCH],
            Self::User => &[SEARCH, USER],
            Self::Connection => &[SEARCH, USER, CONNECTION],
            Self::Terminal => &[SEARCH, USER, TERMINAL],
            Self::Hook => &[SEARCH, USER, HOOK],
            Self::Everything => &[],
        }
    }

    fn includes(self, name: &OsStr) -> bool {
        if self == Self::Everything {
            return true;
        }
        let is_locale = |name: &str| self != Self::Nothing && name.starts_with("LC_");
        name.to_str()
            .is_some_and(|name| is_locale(name) || self.lists().iter().any(|list| list.contains(&name)))
    }
}

/// A command with the variables that it needs, and no other.
pub fn command(program: impl AsRef<OsStr>, needs: Needs) -> Command {
    let mut command = Command::new(program);
    let given = std::env::vars_os().filter(|(name, _)| needs.includes(name));
    command.env_clear().envs(given);
    command
}

/// Replaces this process by the same program with other arguments and more variables. Returns only if that failed.
pub fn restart(arguments: &[OsString], variables: Vec<(String, String)>) -> std::io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let mut command = Command::new(program);
    if let Some(name) = arguments.first() {
        command.arg0(name);
    }
    command.args(arguments.iter().skip(1)).envs(variables).exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_variables_are_passed() {
        let passes = |needs: Needs, name: &str| needs.includes(OsStr::new(name));
        for name in
            ["NEON_API_KEY", "GITHUB_TOKEN", "GH_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGHOSTADDR", "XLC_ALL"]
        {
            for needs in [Needs::Nothing, Needs::User, Needs::Connection, Needs::Terminal, Needs::Hook] {
                assert!(!passes(needs, name), "{needs:?} {name}");
            }
        }
        for (name, expected) in [
            ("PATH", [true, true, true, true, true]),
            ("HOME", [false, true, true, true, true]),
            ("LC_MESSAGES", [false, true, true, true, true]),
            ("PGPASSWORD", [false, false, true, false, false]),
            ("TERM", [false, false, false, true, false]),
            ("DATABASE_URL", [false, false, false, false, true]),
        ] {
            let all = [Needs::Nothing, Needs::User, Needs::Connection, Needs::Terminal, Needs::Hook];
            assert_eq!(all.map(|needs| passes(needs, name)), expected, "{name}");
        }
    }

    #[test]
    fn a_command_inherits_nothing_else() {
        let output = command("env", Needs::Nothing).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let names: Vec<_> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        assert!(names.contains(&"PATH") && names.iter().all(|name| SEARCH.contains(name)), "{names:?}");
    }
}
