//! The server's notices. The driver passes them to `tracing`, without their position; a message that is being read takes those
//! that arrive meanwhile.

use std::cell::RefCell;

use crate::error::Place;
use crate::event::NoticeLevel;

/// The target of the driver's log of the server's notices.
pub const NOTICES: &str = "sqlx::postgres::notice";

/// The maximum number of notices that a connection keeps.
pub(super) const MAX_KEPT: usize = 1_000;

tokio::task_local! {
    /// The notices that arrived while the current task read a message.
    static RECEIVED: RefCell<Vec<(NoticeLevel, String)>>;
}

/// A notice about a statement of a file.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The index of the statement in its message.
    pub statement: usize,
    /// The statement.
    pub place: Place,
    /// How serious it is.
    pub level: NoticeLevel,
    /// The server's text, which may contain values.
    pub message: String,
}

/// Takes a notice of the driver. Outside of a message it is ignored.
pub fn receive_notice(level: NoticeLevel, message: String) {
    let _outside = RECEIVED.try_with(|received| received.borrow_mut().push((level, message)));
}

/// Runs `work`, which reads a message.
pub(super) async fn receiving<T>(work: impl Future<Output = T>) -> T {
    RECEIVED.scope(RefCell::default(), work).await
}

/// Moves the notices that arrived since the last call to `notices`, as those of a statement.
pub(super) fn take_received(statement: usize, notices: &mut Vec<(usize, NoticeLevel, String)>) {
    RECEIVED.with(|received| {
        let room = MAX_KEPT.saturating_sub(notices.len());
        let mut received = received.borrow_mut();
        notices.extend(received.drain(..).take(room).map(|(level, text)| (statement, level, text)));
    });
}
