//! What a tenant holds, for people.

use std::fmt::Write as _;

use super::{Paint, plural};
use crate::outcome::Holdings;

/// So many tables are named, the largest first.
const LARGEST: usize = 20;

/// Size, role, and the largest tables.
pub fn holdings(holdings: &Holdings, paint: Paint) -> String {
    let mut text = String::new();
    let role = holdings.role.as_ref().map_or_else(
        || "–".to_owned(),
        |role| format!("{}, {}", role.name, if role.login { "may log in" } else { "may not log in" }),
    );
    let tables = plural(holdings.tables.len(), "table");
    let size = format!("{} in {tables}", bytes(holdings.size_bytes));
    for (key, value) in [("size", size), ("role", role)] {
        let _written = writeln!(text, "{}{value}", paint.dim(&format!("{key:<10}")));
    }
    if holdings.tables.is_empty() {
        return text;
    }
    let mut largest: Vec<_> = holdings.tables.iter().collect();
    largest.sort_by_key(|table| std::cmp::Reverse(table.bytes));
    let about = if holdings.counted { "" } else { "~" };
    let rows: Vec<_> = largest
        .iter()
        .take(LARGEST)
        .map(|table| {
            let rows = table.rows.map_or_else(|| "–".to_owned(), |rows| format!("{about}{rows}"));
            [table.name.clone(), rows, bytes(table.bytes)]
        })
        .collect();
    text.push('\n');
    text.push_str(&super::table(["table", "rows", "size"], &rows, paint));
    if largest.len() > LARGEST {
        let _written = writeln!(text, "{}", paint.dim(&format!("and {} smaller", largest.len() - LARGEST)));
    }
    text
}

/// `0 bytes`, `8 KiB`, `1.5 GiB`
fn bytes(bytes: u64) -> String {
    let (mut unit, mut shift) = ("bytes", 0);
    for (name, bits) in [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)] {
        if bytes >> bits > 0 {
            (unit, shift) = (name, bits);
        }
    }
    let (whole, tenths) = (bytes >> shift, ((bytes % (1 << shift)) * 10) >> shift);
    if tenths == 0 || whole >= 100 { format!("{whole} {unit}") } else { format!("{whole}.{tenths} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        let said: Vec<_> = [0, 1_023, 8_192, 1_610_612_736, 200 << 20, u64::MAX].map(bytes).into();
        assert_eq!(said, ["0 bytes", "1023 bytes", "8 KiB", "1.5 GiB", "200 MiB", "16777215 TiB"]);
    }
}
