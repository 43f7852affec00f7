//! The results of suspend, resume, rename, drop, undrop and purge as text.

use super::in_use::SessionInUse;
use super::{Dropped, Purged};
use crate::output::{Paint, Text, failure, plural};
use crate::postgres::metadata::RunStatus;
use crate::tenant::roles::text::sessions_text;
use crate::tenant::{Changed, LoginChange};

/// The tenant's new state.
pub fn changed(changed: &Changed, paint: Paint) -> Text {
    let head = match changed.outcome {
        RunStatus::Nothing => "nothing to do",
        _ => "done",
    };
    let tenant = &changed.tenant;
    let mut text = Text::of_line(format_args!(
        "{}: {} is {}  {}",
        paint.good(head),
        paint.bold(&tenant.slug),
        tenant.status.as_str(),
        tenant.schema
    ));
    text.append(&in_use(&changed.in_use, tenant.schema.as_str()));
    text
}

/// The sessions that still use the schema, which has the new name `schema`.
fn in_use(sessions: &[SessionInUse], schema: &str) -> Text {
    let mut text = Text::default();
    if sessions.is_empty() {
        return text;
    }
    text.line(format_args!(
        "{} still used the schema, which is {schema} now:",
        plural(sessions.len(), "session")
    ));
    for SessionInUse { pid, application } in sessions {
        let of = application.as_ref().filter(|name| !name.is_empty());
        let of = of.map(|name| format!(" of {name}")).unwrap_or_default();
        text.line(format_args!("  process {pid}{of}"));
    }
    text
}

/// The result of `tenant suspend` and `tenant resume`.
pub fn login_change(login_change: &LoginChange, paint: Paint) -> Text {
    let mut text = changed(&login_change.changed, paint);
    if let Some(sessions) = &login_change.sessions {
        text.append(&sessions_text(sessions));
    }
    text
}

/// The result of `tenant drop`.
pub fn dropped(dropped: &Dropped, paint: Paint) -> Text {
    let Dropped { tenant, former_slug, dependents, .. } = dropped;
    let mut text = Text::of_line(format_args!(
        "{}: {}  {}",
        paint.good("dropped"),
        paint.bold(former_slug),
        tenant.schema.as_str()
    ));
    if !dependents.is_empty() {
        text.line("still in use by");
        for dependent in dependents {
            text.line(format_args!("  {dependent}"));
        }
    }
    if let Some(sessions) = &dropped.sessions {
        text.append(&sessions_text(sessions));
    }
    text.append(&in_use(&dropped.in_use, tenant.schema.as_str()));
    let back = format!("restore it with `tenure tenant undrop {former_slug}`");
    text.line(paint.dim(&back));
    text
}

/// The result of `tenant drop --purge`.
pub fn purged(purged: &Purged, paint: Paint) -> Text {
    let mut text = Text::default();
    for failed in &purged.failures {
        text.append(&failure(&failed.failure, paint));
        text.blank();
    }
    for tenant in &purged.purged {
        text.line(format_args!("{} {}  {}", paint.good("deleted"), paint.bold(&tenant.slug), tenant.schema));
        if let Some(role) = &tenant.kept_role {
            text.line(format_args!("  its role cannot be dropped and is kept without login: {role}"));
        }
    }
    for tenant in &purged.kept {
        text.line(format_args!("kept {}  {}", paint.bold(&tenant.slug), tenant.schema));
    }
    match (purged.purged.len(), purged.failures.len(), purged.kept.len()) {
        (0, 0, 0) => text.line("nothing to do: no tenant was dropped"),
        (0, 0, kept) => {
            let kept = plural(kept, "dropped tenant");
            text.line(format_args!(
                "nothing to do: {kept} within the retention period; `--now` deletes at once"
            ));
        }
        _ => {}
    }
    text
}
