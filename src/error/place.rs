//! Positions in a user's files. Lines and columns are counted from 1, columns in characters, as PostgreSQL and editors do.
//! Offsets are bytes of the file's text.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A file's name, relative to the project, and its text: UTF-8, without a BOM, with unchanged line endings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path for output, with `/`.
    pub file: String,
    /// The whole text.
    pub text: String,
    /// The byte offsets of its lines, computed once since thousands of findings may be shown.
    lines: Vec<usize>,
}

impl Source {
    /// Creates a source.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        Arc::new(Self { file: file.into(), lines: line_starts(&text), text })
    }

    /// The line and column of a byte offset. An offset inside a character counts as that character's
    /// start, an offset past the end as the end.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        Position { line, column: self.text[start..offset].chars().count() + 1 }
    }

    /// The bytes of the complete lines that contain `range`.
    pub fn lines_around(&self, range: &Range<usize>) -> Range<usize> {
        let (first, last) = (self.position(range.start).line, self.position(range.end).line);
        let start = |line: usize| self.lines.get(line - 1).copied().unwrap_or(self.text.len());
        start(first)..start(last + 1)
    }
}

/// The start offset of each line. Lines end with LF, CR LF or a single CR, as in editors and in the server's comments.
fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let ends = |at: &usize| match bytes[*at] {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    std::iter::once(0).chain((0..bytes.len()).filter(ends).map(|at| at + 1)).collect()
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

    /// The position of the span's start; `None` for a whole file.
    pub fn start(&self) -> Option<Position> {
        match self {
            Self::File(_) => None,
            Self::Span(source, range) => Some(source.position(range.start)),
        }
    }

    /// The bytes of the span; `None` for a whole file.
    pub fn bytes(&self) -> Option<&Range<usize>> {
        match self {
            Self::File(_) => None,
            Self::Span(_, range) => Some(range),
        }
    }

    /// The position after the span's last character; `None` for a whole file.
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
    fn every_line_ending_ends_one_line() {
        let source = Source::new("a.sql", "a\rb\r\nc\n\r\rd");
        let at = |letter: char| source.position(source.text.find(letter).unwrap()).line;
        assert_eq!(['a', 'b', 'c', 'd'].map(at), [1, 2, 3, 6]);
        assert_eq!(source.lines_around(&(2..6)), 2..7);
        assert_eq!(source.lines_around(&(0..99)), 0..source.text.len());
    }
}
