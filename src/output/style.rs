//! The colours of text output. The text is complete without them.

use super::Paint;
use super::text::styled;

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Coloured => styled(code, text),
            Self::Plain => text.to_owned(),
        }
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
