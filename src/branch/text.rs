//! The text output of the `branch` commands.

use super::{BranchCreated, BranchDeleted, BranchList, BranchesCollected, delete_command};
use crate::output::{Paint, Text, failure, table};

/// The result of `branch create`. Each URL has its own line, for scripts.
pub fn branch_created(created: &BranchCreated, paint: Paint) -> Text {
    let BranchCreated { name, provider, origin, database_url, pooled_url, expires_at, .. } = created;
    let end = expires_at.as_deref().map_or("until it is deleted".to_owned(), |end| format!("until {end}"));
    let mut text =
        Text::of_line(format_args!("{}: {} at {provider}, {end}", paint.good(origin), paint.bold(name)));
    text.line(database_url);
    if let Some(pooled) = pooled_url {
        text.line(pooled);
    }
    text.line(paint.dim(&format!("delete it with `{}`", delete_command(name, provider))));
    text
}

/// The result of `branch list`.
pub fn branch_list(list: &BranchList, paint: Paint) -> Text {
    if list.branches.is_empty() {
        return Text::of_line("no branches of Tenure");
    }
    let rows: Vec<_> = list
        .branches
        .iter()
        .map(|row| {
            let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            [
                row.name.clone(),
                row.provider.to_owned(),
                row.id.clone(),
                or_dash(&row.created_at.as_deref().map(|time| paint.time(time))),
                or_dash(&row.expires_at),
            ]
        })
        .collect();
    table(["name", "provider", "id", "created", "expires"], &rows, paint)
}

/// The result of `branch delete`.
pub fn branch_deleted(deleted: &BranchDeleted, paint: Paint) -> Text {
    let head = if deleted.deleted { "deleted" } else { "already deleted" };
    Text::of_line(format_args!("{}: {}", paint.good(head), paint.bold(&deleted.name)))
}

/// The result of `branch gc`.
pub fn branches_collected(collected: &BranchesCollected, paint: Paint) -> Text {
    let mut text = Text::default();
    for failed in &collected.failures {
        text.line(paint.bold(&failed.name));
        text.append(&failure(&failed.failure, paint));
        text.blank();
    }
    for row in &collected.deleted {
        text.line(format_args!("{} {}", paint.good("deleted"), paint.bold(&row.name)));
    }
    let kept = crate::output::plural_of(collected.kept, "branch", "branches");
    match collected.deleted.len() {
        0 if collected.failures.is_empty() => {
            text.line(format_args!("nothing to delete: {kept}, none is due"));
        }
        _ => text.line(format_args!("{kept} kept")),
    }
    text
}
