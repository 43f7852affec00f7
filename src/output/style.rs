//! The colours of text output, and the terminal that shows it. The text is complete without colours.

use time::OffsetDateTime;

use super::text::styled;

/// How text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    /// Whether the text contains escape codes for colours.
    pub is_coloured: bool,
    /// The terminal; `None` for a file or a pipe, whose tables are not cut and whose times are absolute.
    pub terminal: Option<Terminal>,
}

/// A terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Characters per line.
    pub columns: usize,
    /// The current time.
    pub now: OffsetDateTime,
}

impl Paint {
    /// Without colours, for a file or a pipe.
    pub const PLAIN: Self = Self { is_coloured: false, terminal: None };
    /// With colours, for a file or a pipe.
    pub const COLOURED: Self = Self { is_coloured: true, terminal: None };

    fn wrap(self, code: &str, text: &str) -> String {
        if self.is_coloured { styled(code, text) } else { text.to_owned() }
    }

    /// Success.
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// An error.
    pub fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// A warning.
    pub fn warn(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// Emphasis.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Secondary text.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }
}
