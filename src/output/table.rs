//! Aligned columns.

use console::{Alignment, measure_text_width, pad_str};

use super::Paint;
use super::text::{Text, escape};

/// The minimum width of a column that is cut.
const MIN_COLUMN: usize = 8;

/// Formats a table. Every column is as wide as its widest cell; trailing spaces are removed. On a terminal that is too narrow,
/// the cells of the widest columns are cut, except those of the first one.
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]], paint: Paint) -> Text {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| escape(cell))).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| measure_text_width(&row[column]));
        cells.chain([measure_text_width(headings[column])]).max().unwrap_or_default()
    };
    let mut widths: [usize; N] = std::array::from_fn(width);
    if let Some(terminal) = paint.terminal {
        fit(&mut widths, terminal.columns);
    }
    let line = |cells: [&str; N]| {
        let mut text = String::new();
        for (cell, width) in cells.into_iter().zip(widths) {
            text.push_str(&pad_str(cell, width, Alignment::Left, Some("…")));
            text.push_str("  ");
        }
        text.trim_end().to_owned()
    };
    let mut text = Text::of_line(paint.dim(&line(headings)));
    for row in &rows {
        text.line(line(std::array::from_fn(|column| row[column].as_str())));
    }
    text
}

/// Makes the widest columns narrower until a line has at most `columns` characters.
fn fit(widths: &mut [usize], columns: usize) {
    let separators = 2 * widths.len().saturating_sub(1);
    // The first column names the row.
    while widths.iter().sum::<usize>() + separators > columns
        && let Some(widest) = widths.iter_mut().skip(1).max().filter(|widest| **widest > MIN_COLUMN)
    {
        *widest -= 1;
    }
}

/// The value as text, or a dash for `None`.
pub fn or_dash(value: Option<&impl ToString>) -> String {
    value.map_or_else(|| "–".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Terminal;

    #[test]
    fn columns_are_aligned() {
        let rows = [["a".to_owned(), "long one".to_owned()], ["äöü".to_owned(), String::new()]];
        insta::assert_snapshot!(table(["slug", "x"], &rows, Paint::PLAIN), @r"
        slug  x
        a     long one
        äöü
        ");
    }

    #[test]
    fn a_table_fits_the_terminal() {
        let now = time::OffsetDateTime::UNIX_EPOCH;
        let narrow = |columns| Paint { is_coloured: false, terminal: Some(Terminal { columns, now }) };
        let rows =
            [["acme".to_owned(), "a long name of a tenant".to_owned(), "漢字漢字漢字漢字漢字".to_owned()]];
        let headings = ["slug", "name", "other"];
        assert_eq!(table(headings, &rows, narrow(80)), table(headings, &rows, Paint::PLAIN));
        insta::assert_snapshot!(table(headings, &rows, narrow(36)), @r"
        slug  name            other
        acme  a long name o…  漢字漢字漢字…
        ");
        // A column keeps a minimum, even if the line is longer than the terminal's.
        insta::assert_snapshot!(table(headings, &rows, narrow(5)), @r"
        slug  name      other
        acme  a long …  漢字漢…
        ");
    }
}
