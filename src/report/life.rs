//! The results of the verbs that put tenants aside and delete them, for people.

use std::fmt::Write as _;

use super::Paint;
use crate::outcome::Dropped;

/// What `tenant drop` did.
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
    let back = format!("`tenure tenant undrop {former_slug}` brings it back");
    let _written = writeln!(text, "{}", paint.dim(&back));
    text
}
