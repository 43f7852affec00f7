//! The few colours that the text for people has. All of it can be understood without them.

use super::Paint;

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }

    /// What went well.
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// What went wrong.
    pub fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// What wants to be looked at.
    pub fn warn(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// What stands out.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// What steps back.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }
}
