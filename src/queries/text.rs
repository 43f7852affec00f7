//! The text output of `queries capture`.

use std::fmt::Write as _;

use crate::output::{Paint, Text, plural_of};
use crate::queries::capture::{Captured, LeftOut};

/// Formats the captured queries and the counts of those left out.
pub fn captured(captured: &Captured, to: Option<&str>, paint: Paint) -> Text {
    let count = captured.queries.len();
    let mut line = format!("{}: {}", paint.good("captured"), plural_of(count, "query", "queries"));
    if let Some(file) = to {
        let _written = write!(line, " in {file}");
    }
    let mut text = Text::of_line(line);
    let LeftOut { utility, elsewhere, own, migrations, literals, unreadable, forbidden } = captured.left_out;
    let mut left: Vec<String> = Vec::new();
    for (count, what) in [
        (utility, "not queries"),
        (elsewhere, "of other schemas"),
        (own, "of Tenure"),
        (migrations, "of migrations and templates"),
        (literals, "with string constants"),
        (unreadable, "unreadable"),
        (forbidden, "not readable by this role, which is not a member of pg_read_all_stats"),
    ] {
        if count > 0 {
            left.push(format!("{count} {what}"));
        }
    }
    if !left.is_empty() {
        text.line(paint.dim(&format!("left out: {}", left.join(", "))));
    }
    text
}
