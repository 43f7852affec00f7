//! A secret that is printed as a mask.

use std::fmt;

const MASK: &str = "***";

/// A key or a password. `Display` and `Debug` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Masks the secret in `text`, such as a server's message.
    pub fn redact(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        // Also in the encoding of a URL's query.
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
    fn secrets_are_masked() {
        let secret = Secret::new("napi_hunter2");
        assert_eq!(format!("{secret} {secret:?} {:#?}", Some(&secret)).matches("hunter2").count(), 0);
        assert_eq!(secret.redact("the key napi_hunter2 is old"), "the key *** is old");
        let special = Secret::new("a/b c");
        assert_eq!(special.redact("?a=a%2Fb+c&b=a%2Fb%20c&c=a/b c"), "?a=***&b=***&c=***");
        assert_eq!(Secret::new("").redact("as it is"), "as it is");
        assert_eq!(secret.reveal(), "napi_hunter2");
    }
}
