//! Aligned columns.

use super::Paint;
use super::text::{Text, escape};

/// Formats a table. Every column is as wide as its widest cell; trailing spaces are removed.
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]], paint: Paint) -> Text {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| escape(cell))).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let mut text = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let fill = widths[column] - cell.chars().count();
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', fill + 2));
        }
        text.trim_end().to_owned()
    };
    let mut text = Text::of_line(paint.dim(&line(headings)));
    for row in &rows {
        text.line(line(std::array::from_fn(|column| row[column].as_str())));
    }
    text
}

/// The value as text, or a dash for `None`.
pub fn or_dash(value: Option<&impl ToString>) -> String {
    value.map_or_else(|| "–".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["a".to_owned(), "long one".to_owned()], ["äöü".to_owned(), String::new()]];
        insta::assert_snapshot!(table(["slug", "x"], &rows, Paint::Plain), @r"
        slug  x
        a     long one
        äöü
        ");
    }
}
