//! A secret that has no way out but the one that is asked for by name.

use std::fmt;

/// What stands where a secret would.
const MASK: &str = "***";

/// A key or a password. Shown, it is three stars.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one who it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` without the secret: what others say may quote it.
    pub fn hidden_in(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        // As it stands in the query of a URL it may look otherwise.
        let encoded: String = url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect();
        text.replace(&self.0, MASK).replace(&encoded, MASK).replace(&encoded.replace('+', "%20"), MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_it_is_stars() {
        let secret = Secret::new("napi_hunter2");
        assert_eq!(format!("{secret} {secret:?} {:#?}", Some(&secret)).matches("hunter2").count(), 0);
        assert_eq!(secret.hidden_in("the key napi_hunter2 is old"), "the key *** is old");
        let odd = Secret::new("a/b c");
        assert_eq!(odd.hidden_in("?a=a%2Fb+c&b=a%2Fb%20c&c=a/b c"), "?a=***&b=***&c=***");
        assert_eq!(Secret::new("").hidden_in("as it is"), "as it is");
        assert_eq!(secret.reveal(), "napi_hunter2");
    }
}
