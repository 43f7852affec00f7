//! What was captured of a release's queries, for people.

use std::fmt::Write as _;

use crate::output::{Paint, plural_of};
use crate::queries::capture::{Captured, LeftOut};

/// What `queries capture` found, and what it left out.
pub fn captured(captured: &Captured, to: Option<&str>, paint: Paint) -> String {
    let count = captured.queries.len();
    let mut text = format!("{}: {}", paint.good("captured"), plural_of(count, "query", "queries"));
    if let Some(file) = to {
        let _written = write!(text, " in {file}");
    }
    text.push('\n');
    let LeftOut { utility, elsewhere, own, migrations, literals, unreadable, forbidden } = captured.left_out;
    let mut left: Vec<String> = Vec::new();
    for (count, what) in [
        (utility, "no query"),
        (elsewhere, "about other schemas"),
        (own, "Tenure's own"),
        (migrations, "of migrations and templates"),
        (literals, "with constants in them"),
        (unreadable, "unreadable"),
        (forbidden, "closed to this role, which is no member of pg_read_all_stats"),
    ] {
        if count > 0 {
            left.push(format!("{count} {what}"));
        }
    }
    if !left.is_empty() {
        let _written = writeln!(text, "{}", paint.dim(&format!("left out: {}", left.join(", "))));
    }
    text
}
