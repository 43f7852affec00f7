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
    /// Where its lines begin: found once, since thousands of findings may be shown.
    lines: Vec<usize>,
}

impl Source {
    /// A source to point into.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        Arc::new(Self { file: file.into(), lines: line_starts(&text), text })
    }

    /// Line and column of a byte offset. An offset inside a character counts as that character's
    /// start; one past the end as the end.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        Position { line, column: self.text[start..offset].chars().count() + 1 }
    }

    /// The bytes of the whole lines that `range` touches.
    pub fn lines_around(&self, range: &Range<usize>) -> Range<usize> {
        let (first, last) = (self.position(range.start).line, self.position(range.end).line);
        let start = |line: usize| self.lines.get(line - 1).copied().unwrap_or(self.text.len());
        start(first)..start(last + 1)
    }
}

/// Where each line begins. A line ends as editors and the server's comments have it: with LF, CR LF, or a
/// CR of its own.
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

    /// Where the span begins, if the place is one.
    pub fn start(&self) -> Option<Position> {
        match self {
            Self::File(_) => None,
            Self::Span(source, range) => Some(source.position(range.start)),
        }
    }

    /// The bytes of the file, if it is not a whole one.
    pub fn bytes(&self) -> Option<&Range<usize>> {
        match self {
            Self::File(_) => None,
            Self::Span(_, range) => Some(range),
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
        assert_eq!(source.lines_around(&(2..6)), 2..7);
        assert_eq!(source.lines_around(&(0..99)), 0..source.text.len());
    }
}
