//! The next step after a failure.

use crate::ident::Slug;
use crate::postgres::metadata::Cause;

/// What to do about a failure, and the command that goes on. `slug` is the tenant, if the failure is of one only.
pub(super) fn next_step(cause: &Cause, slug: Option<&str>) -> (&'static str, String) {
    // Other slugs could be words of a shell.
    let slug = slug.filter(|slug| Slug::new(slug).is_ok());
    let only = slug.map(|slug| format!(" --tenant {slug}")).unwrap_or_default();
    let up = |flags: &str| format!("tenure migrate up{flags}");
    match cause.sqlstate.as_deref().unwrap_or_default() {
        "55P03" | "40001" | "40P01" => {
            ("Another session held a lock.", up(" --lock-timeout 30s --retries 20"))
        }
        "57014" => ("A statement took too long.", up(" --statement-timeout 1h")),
        "42501" => ("Grant the missing privilege to the role first.", up(&only)),
        state if state.starts_with("08") || state.starts_with("57P") => {
            ("The connection was lost.", up(&only))
        }
        state if state.starts_with("53") => ("Free resources of the server first.", up(" --jobs 1")),
        state if state.starts_with("22") || state.starts_with("23") => ("Correct the rows first.", up(&only)),
        state if state.starts_with("42") || state.starts_with("3F") => match slug {
            Some(slug) => (
                "The schema differs from the files: compare it first.",
                format!("tenure drift --tenant {slug}"),
            ),
            None => ("The schemas differ from the files: compare them first.", "tenure drift".to_owned()),
        },
        _ => ("Correct the cause first.", up(&only)),
    }
}
