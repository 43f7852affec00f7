//! The results of suspend, resume, rename, drop, undrop and purge as text.

use std::fmt::Write as _;

use super::{Dropped, Purged};
use crate::output::{Paint, failure, plural};
use crate::postgres::metadata::RunStatus;
use crate::tenant::roles::text::sessions_text;
use crate::tenant::{Changed, LoginChange};

/// The tenant's new state.
pub fn changed(changed: &Changed, paint: Paint) -> String {
    let head = match changed.outcome {
        RunStatus::Nothing => "nothing to do",
        _ => "done",
    };
    let tenant = &changed.tenant;
    format!(
        "{}: {} is {}  {}\n",
        paint.good(head),
        paint.bold(&tenant.slug),
        tenant.status.as_str(),
        tenant.schema
    )
}

/// The result of `tenant suspend` and `tenant resume`.
pub fn login_change(login_change: &LoginChange, paint: Paint) -> String {
    let mut text = changed(&login_change.changed, paint);
    if let Some(sessions) = &login_change.sessions {
        text.push_str(&sessions_text(sessions));
    }
    text
}

/// The result of `tenant drop`.
pub fn dropped(dropped: &Dropped, paint: Paint) -> String {
    let Dropped { tenant, former_slug, dependents, .. } = dropped;
    let mut text =
        format!("{}: {}  {}\n", paint.good("dropped"), paint.bold(former_slug), tenant.schema.as_str());
    if !dependents.is_empty() {
        let _written = writeln!(text, "still in use by");
        for dependent in dependents {
            let _written = writeln!(text, "  {dependent}");
        }
    }
    if let Some(sessions) = &dropped.sessions {
        text.push_str(&sessions_text(sessions));
    }
    let back = format!("restore it with `tenure tenant undrop {former_slug}`");
    let _written = writeln!(text, "{}", paint.dim(&back));
    text
}

/// The result of `tenant drop --purge`.
pub fn purged(purged: &Purged, paint: Paint) -> String {
    let mut text = String::new();
    for failed in &purged.failures {
        let _written = writeln!(text, "{}\n", failure(&failed.failure, paint));
    }
    for tenant in &purged.purged {
        let _written =
            writeln!(text, "{} {}  {}", paint.good("deleted"), paint.bold(&tenant.slug), tenant.schema);
    }
    for tenant in &purged.kept {
        let _written = writeln!(text, "kept {}  {}", paint.bold(&tenant.slug), tenant.schema);
    }
    match (purged.purged.len(), purged.failures.len(), purged.kept.len()) {
        (0, 0, 0) => text.push_str("nothing to do: no tenant was dropped\n"),
        (0, 0, kept) => {
            let kept = plural(kept, "dropped tenant");
            let _written =
                writeln!(text, "nothing to do: {kept} within the retention period; `--now` deletes at once");
        }
        _ => {}
    }
    text
}
