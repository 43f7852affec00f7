//! The result of `tenure restore-point` as text.

use super::RestorePoint;
use crate::output::{Paint, Text};

/// Formats the run, then the settings or the command that restore the state before it.
pub fn restore_point(point: &RestorePoint, paint: Paint) -> Text {
    let mut text = Text::default();
    let ended = point.outcome.as_deref().unwrap_or("not finished");
    text.line(format_args!("{}  {}  {}  {ended}", paint.bold(&point.run), point.command, point.started_at));
    if let Some(neon) = &point.neon {
        text.blank();
        text.line("on Neon, which keeps the current state as a branch:");
        text.line(format_args!("  {}", neon.command));
        text.line("or with the API:");
        text.line(format_args!("  POST {}", neon.path));
        text.line(format_args!("  {}", neon.body));
        return text;
    }
    text.blank();
    text.line("restore a base backup that is older than this time, set restore_command, create an empty file recovery.signal, and set");
    for setting in &point.recovery {
        text.line(format_args!("  {} = '{}'", setting.name, setting.value));
    }
    if !point.archiving {
        text.line(format_args!(
            "{}: this server archives no WAL; only a provider that keeps the WAL itself can restore",
            paint.warn("archive_mode is off")
        ));
    }
    text
}
