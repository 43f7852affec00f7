//! `--events FILE`: writes events as JSON lines, in addition to the progress display.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::progress::Progress;
use super::{io, ui};
use crate::error::Failure;
use crate::event::{Event, Sink};
use crate::output;

/// The progress display, and the events file if requested.
pub(super) struct Events {
    progress: Progress,
    file: Option<File>,
}

impl Events {
    /// Opens the file for appending.
    pub(super) fn open(progress: Progress, path: Option<&Path>) -> Result<Self, Failure> {
        // The events name tenants and contain server messages.
        let open = |path: &Path| File::options().create(true).append(true).mode(0o600).open(path);
        let file = path.map(|path| open(path).map_err(|error| io(path, &error))).transpose()?;
        Ok(Self { progress, file })
    }
}

impl Sink for Events {
    fn take(&mut self, event: &Event<'_>) {
        self.progress.take(event);
        let Some(file) = &mut self.file else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let line = output::event_json(event, now);
        // A full disk must not stop a running migration; report it once.
        if let Err(error) = file.write_all(line.as_str().as_bytes()) {
            let line = format!("writing events failed, no more events are written: {error}");
            ui::print_error(&output::Text::of_line(line));
            self.file = None;
        }
    }
}
