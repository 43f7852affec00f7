//! The text output of the `branch` commands.

use std::fmt::Write as _;

use super::{BranchCreated, BranchDeleted, BranchList, BranchesCollected, delete_command};
use crate::output::{Paint, failure, table};

/// The result of `branch create`. Each URL has its own line, for scripts.
pub fn branch_created(created: &BranchCreated, paint: Paint) -> String {
    let BranchCreated { name, provider, origin, database_url, pooled_url, expires_at, .. } = created;
    let end = expires_at.as_deref().map_or("until it is deleted".to_owned(), |end| format!("until {end}"));
    let mut text = format!("{}: {} at {provider}, {end}\n", paint.good(origin), paint.bold(name));
    let _written = writeln!(text, "{database_url}");
    if let Some(pooled) = pooled_url {
        let _written = writeln!(text, "{pooled}");
    }
    let _written =
        writeln!(text, "{}", paint.dim(&format!("delete it with `{}`", delete_command(name, provider))));
    text
}

/// The result of `branch list`.
pub fn branch_list(list: &BranchList, paint: Paint) -> String {
    if list.branches.is_empty() {
        return "no branches of Tenure\n".to_owned();
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
                or_dash(&row.created_at),
                or_dash(&row.expires_at),
            ]
        })
        .collect();
    table(["name", "provider", "id", "created", "expires"], &rows, paint)
}

/// The result of `branch delete`.
pub fn branch_deleted(deleted: &BranchDeleted, paint: Paint) -> String {
    let head = if deleted.deleted { "deleted" } else { "already deleted" };
    format!("{}: {}\n", paint.good(head), paint.bold(&deleted.name))
}

/// The result of `branch gc`.
pub fn branches_collected(collected: &BranchesCollected, paint: Paint) -> String {
    let mut text = String::new();
    for failed in &collected.failures {
        let _written = writeln!(text, "{}\n{}\n", paint.bold(&failed.name), failure(&failed.failure, paint));
    }
    for row in &collected.deleted {
        let _written = writeln!(text, "{} {}", paint.good("deleted"), paint.bold(&row.name));
    }
    let kept = crate::output::plural_of(collected.kept, "branch", "branches");
    let _written = match collected.deleted.len() {
        0 if collected.failures.is_empty() => {
            writeln!(text, "nothing to delete: {kept}, none is due")
        }
        _ => writeln!(text, "{kept} kept"),
    };
    text
}
