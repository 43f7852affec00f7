//! The way back to before a run, and what the doctor found, for people.

use std::fmt::Write as _;

use super::RestorePoint;
use crate::output::Paint;

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
