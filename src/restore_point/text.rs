//! The result of `tenure restore-point` as text.

use std::fmt::Write as _;

use super::RestorePoint;
use crate::output::Paint;

/// Formats the run, then the settings or the command that restore the state before it.
pub fn restore_point(point: &RestorePoint, paint: Paint) -> String {
    let mut text = String::new();
    let ended = point.outcome.as_deref().unwrap_or("not finished");
    let _written =
        writeln!(text, "{}  {}  {}  {ended}", paint.bold(&point.run), point.command, point.started_at);
    if let Some(neon) = &point.neon {
        let _written = writeln!(text, "\non Neon, which keeps the current state as a branch:");
        let _written = writeln!(text, "  {}", neon.command);
        let _written = writeln!(text, "or with the API:\n  POST {}\n  {}", neon.path, neon.body);
        return text;
    }
    let _written = writeln!(
        text,
        "\nrestore a base backup that is older than this time, set restore_command, create an empty file recovery.signal, and set"
    );
    for setting in &point.recovery {
        let _written = writeln!(text, "  {} = '{}'", setting.name, setting.value);
    }
    if !point.archiving {
        let _written = writeln!(
            text,
            "{}: this server archives no WAL; only a provider that keeps the WAL itself can restore",
            paint.warn("archive_mode is off")
        );
    }
    text
}
