//! Names the session that holds a lock while a command waits for it. Verbs that migrate or create many tenants have reports of
//! their own.

use std::time::Duration;

use super::Command;
use super::progress::lock_holder;
use super::tenant::Tenant;
use super::ui::Ui;
use crate::executor::Watch;
use crate::postgres::Connector;

/// The time before the first question.
const FIRST: Duration = Duration::from_secs(2);

/// Prints a note after two seconds, and every ten seconds, while a session of this command waits for a lock. Ends with the command.
pub(super) fn report(ui: Ui, connector: Connector) {
    let _task = tokio::spawn(async move {
        let mut watch = Watch::first_after(connector, FIRST);
        loop {
            let activity = watch.next_report(|| false).await;
            if let Some(fact) = lock_holder(&activity) {
                ui.note(&format!("waiting: {fact}"));
            }
        }
    });
}

/// Whether the command reports by itself what it waits for.
pub(super) fn has_reports(command: &Command) -> bool {
    matches!(command, Command::Migrate(_) | Command::Tenant(Tenant::Create(_) | Tenant::Pool(_)))
}
