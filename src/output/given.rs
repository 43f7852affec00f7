//! The credentials on the command line and in the environment: no output repeats them, whatever message contains them.

use std::borrow::Cow;

use super::secrets::{decoded, has_password, without_credentials};

/// A shorter password is only masked as a part of its URL, since it may be a part of other words.
const MIN_CHARS: usize = 6;

/// The given texts that contain a password, each with its replacement.
#[derive(Debug, Default)]
pub struct GivenCredentials(Vec<(String, String)>);

impl GivenCredentials {
    /// Finds the texts in the words of a command line and the values of variables.
    pub fn of(words: impl IntoIterator<Item = String>) -> Self {
        let mut found = Self::default();
        for word in words {
            found.add(&word);
            found.add(word.trim());
            // Messages repeat the value of a flag without the flag, and a key without its value.
            if let Some((_, value)) = word.split_once('=') {
                found.add(value);
            }
            if let Some((key, _)) = word.rsplit_once('=') {
                found.add(key);
            }
            if let Some(value) = word.strip_prefix('-').and_then(|flag| flag.get(1..)) {
                found.add(value);
            }
        }
        // A text may contain a shorter one.
        found.0.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        found
    }

    fn add(&mut self, text: &str) {
        let Some(masked) = masked(text) else { return };
        // Messages quote a text as in Rust, and JSON quotes the message. A path joins its parts with single slashes.
        let inner =
            |quoted: String| quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
        let debug = |text: &str| inner(format!("{text:?}"));
        let json = |text: &str| inner(serde_json::to_string(text).unwrap_or_default());
        let forms = [text.to_owned(), text.replace("://", ":/"), debug(text)];
        let in_json: Vec<_> = forms.iter().map(|form| json(form)).collect();
        self.0.extend(forms.into_iter().chain(in_json).map(|form| (form, masked.clone())));
        for password in passwords(text) {
            self.0.push((password, "***".to_owned()));
        }
    }

    /// The text without the credentials.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut shown = Cow::Borrowed(text);
        for (given, masked) in &self.0 {
            if shown.contains(given.as_str()) {
                shown = Cow::Owned(shown.replace(given.as_str(), masked));
            }
        }
        shown
    }
}

/// A value that the user gave, such as a cell of a list, without its password.
pub fn shown_value(text: &str) -> Cow<'_, str> {
    masked(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The text as it may be shown; `None` if it contains no password.
fn masked(text: &str) -> Option<String> {
    if let Some(at) = text.find("://") {
        return has_password(&text[at..]).then(|| format!("{}://***", &text[..at]));
    }
    // In quotes, spaces belong to a password.
    let quoted = without_credentials(&format!("`{text}`"));
    let shown = quoted.trim_matches('`').to_owned();
    (shown != text.trim_matches('`')).then_some(shown)
}

/// The password of a URL, as given and decoded.
fn passwords(text: &str) -> Vec<String> {
    let user = text.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(user, _)| user);
    let Some((_, password)) = user.and_then(|user| user.split_once(':')) else { return Vec::new() };
    let is_distinct = |password: &String| {
        password.chars().count() >= MIN_CHARS && password.contains(|sign: char| !sign.is_ascii_lowercase())
    };
    [password.to_owned(), decoded(password)].into_iter().filter(is_distinct).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_a_password_is_shown() {
        for word in [
            "postgres://u:hunter2@h/d",
            " postgres://u:hunter2@h/d\n",
            "postgres://u:hunter2 x'\"|@h/d",
            "postgres://u:hunter%32@h/d",
            "--to=postgres://u:hunter2@h/d",
            "-Cpostgres://u:hunter2 x@h/d",
            "postgres://h/d?password=hunter2",
            "u:hunter2@h",
            "u:a hunter2@h",
            "host=h password='hunter2 x' user=u",
        ] {
            let given = GivenCredentials::of([word.to_owned()]);
            let value = word.trim_start_matches("--to=").trim_start_matches("-C");
            for message in [
                format!("{word} is wrong"),
                format!("/p/{value}: no such file"),
                format!("{value:?} is wrong"),
                serde_json::to_string(value).unwrap(),
                format!("in {}", value.trim()),
            ] {
                let shown = given.mask(&message);
                assert!(!shown.contains("hunter") && shown.contains("***"), "{word}: {shown}");
            }
        }
    }

    #[test]
    fn other_words_are_unchanged() {
        let words =
            ["migrate", "up", "--to", "1.0.1", "postgres://tenure:tenure@h/d", "me@example.com", "a=b"];
        let given = GivenCredentials::of(words.map(str::to_owned));
        let text = "tenure migrate up --to 1.0.1: me@example.com a=b";
        assert_eq!(given.mask(text), text);
        assert_eq!(given.mask("postgres://tenure:tenure@h/d"), "postgres://***");
    }
}
