//! Aligned columns.

use super::Paint;

/// Formats a table. Every column is as wide as its widest cell; trailing spaces are removed.
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]], paint: Paint) -> String {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| plain(cell))).collect();
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
    let mut text = paint.dim(&line(headings));
    text.push('\n');
    for row in &rows {
        text.push_str(&line(std::array::from_fn(|column| row[column].as_str())));
        text.push('\n');
    }
    text
}

/// Escapes control characters in untrusted text, such as a customer's name, so that it cannot control the terminal.
pub fn plain(text: &str) -> String {
    let shown = |letter: char| {
        if is_hidden(letter) { letter.escape_default().to_string() } else { letter.to_string() }
    };
    text.chars().map(shown).collect()
}

/// Whether the character is invisible and changes how others are shown: a control character or a mark of the text direction.
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
