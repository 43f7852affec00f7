//! Where in a user's file something stands. Lines and columns count from 1, columns in characters,
//! as PostgreSQL and editors count them. Offsets are bytes of the file's text.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A file's name, relative to the project, and its text: UTF-8, no BOM, line endings as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as it is shown to people and programs, with `/`.
    pub file: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// A source to point into.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { file: file.into(), text: text.into() })
    }

    /// Line and column of a byte offset. An offset inside a character counts as that character's
    /// start; one past the end as the end. A line ends as editors and the server's comments have it: with
    /// LF, CR LF, or a CR of its own.
    pub fn position(&self, offset: usize) -> Position {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let (mut line, mut line_start) = (1, 0);
        for (at, byte) in before.bytes().enumerate() {
            let ends = match byte {
                b'\n' => true,
                b'\r' => self.text.as_bytes().get(at + 1) != Some(&b'\n'),
                _ => false,
            };
            if ends {
                (line, line_start) = (line + 1, at + 1);
            }
        }
        Position { line, column: before[line_start..].chars().count() + 1 }
    }

    /// The text with LF for each CR of its own: as long, for those who know no such line end.
    pub fn shown(&self) -> String {
        let mut shown = String::with_capacity(self.text.len());
        let mut letters = self.text.chars().peekable();
        while let Some(letter) = letters.next() {
            let alone = letter == '\r' && letters.peek() != Some(&'\n');
            shown.push(if alone { '\n' } else { letter });
        }
        shown
    }
}

/// A line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A file, or a span of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File(String),
    /// A span of bytes of its text.
    Span(Arc<Source>, Range<usize>),
}

impl Place {
    /// The span `range` of `source`.
    pub fn at(source: &Arc<Source>, range: Range<usize>) -> Self {
        Self::Span(Arc::clone(source), range)
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        match self {
            Self::File(file) => file,
            Self::Span(source, _) => &source.file,
        }
    }

    /// Where the span begins, if the place is one.
    pub fn start(&self) -> Option<Position> {
        match self {
            Self::File(_) => None,
            Self::Span(source, range) => Some(source.position(range.start)),
        }
    }

    /// The position just after the span's last character.
    pub fn end(&self) -> Option<Position> {
        match self {
            Self::File(_) => None,
            Self::Span(source, range) => Some(source.position(range.end)),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file())?;
        match self.start() {
            Some(Position { line, column }) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new("a.sql", "-- äöü\r\nß x\n");
        let x = source.text.find('x').unwrap();
        assert_eq!(source.position(x), Position { line: 2, column: 3 });
        assert_eq!(Place::at(&source, x..x + 1).to_string(), "a.sql:2:3");
        assert_eq!(source.position(usize::MAX), Position { line: 3, column: 1 });
    }

    #[test]
    fn every_line_end_is_one() {
        let source = Source::new("a.sql", "a\rb\r\nc\n\r\rd");
        let at = |letter: char| source.position(source.text.find(letter).unwrap()).line;
        assert_eq!(['a', 'b', 'c', 'd'].map(at), [1, 2, 3, 6]);
        assert_eq!(source.shown(), "a\nb\r\nc\n\n\nd");
    }
}
