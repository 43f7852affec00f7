//! The way back to before a run, and what the doctor found, for people.

use std::fmt::Write as _;

use super::{Paint, plural};
use crate::outcome::{Diagnosis, Health, RestorePoint};

/// The way back to just before a run.
pub fn restore_point(point: &RestorePoint, paint: Paint) -> String {
    let mut text = String::new();
    let ended = point.outcome.as_deref().unwrap_or("not ended");
    let _written =
        writeln!(text, "{}  {}  {}  {ended}", paint.bold(&point.run), point.command, point.started_at);
    if let Some(neon) = &point.neon {
        let _written = writeln!(text, "\nat Neon, what is there now is kept as a branch:");
        let _written = writeln!(text, "  {}", neon.command);
        let _written = writeln!(text, "or, of the API:\n  POST {}\n  {}", neon.path, neon.body);
        return text;
    }
    let _written = writeln!(
        text,
        "\nrestore a base backup from before that time, with restore_command set, an empty file recovery.signal, and"
    );
    for setting in &point.recovery {
        let _written = writeln!(text, "  {} = '{}'", setting.name, setting.value);
    }
    if !point.archiving {
        let _written = writeln!(
            text,
            "{}: this server archives nothing; only a provider that keeps the log itself can do that",
            paint.warn("archive_mode is off")
        );
    }
    text
}

/// What the doctor found.
pub fn diagnosis(diagnosis: &Diagnosis, paint: Paint) -> String {
    let mut text = String::new();
    for check in &diagnosis.checks {
        let state = match check.state {
            Health::Ok => paint.good("ok  "),
            Health::Warn => paint.warn("warn"),
            Health::Fail => paint.bad("fail"),
        };
        let _written = writeln!(text, "{state}  {:<14}  {}", check.check, check.message);
        if let Some(help) = check.help {
            let _written = writeln!(text, "      {:<14}  {}", "", paint.dim(help));
        }
    }
    let count = |state| diagnosis.checks.iter().filter(|check| check.state == state).count();
    let _written = match (count(Health::Fail), count(Health::Warn)) {
        (0, 0) => writeln!(text, "\nall is well"),
        (0, warned) => writeln!(text, "\n{}", plural(warned, "warning")),
        (failed, _) => writeln!(text, "\n{} must be mended first", plural(failed, "thing")),
    };
    text
}
