//! The explanations of the error codes: `explanations.toml`, one table per code in the order of [`Code::ALL`]. `tenure explain`
//! prints them, and `docs/errors.md` contains them. A test runs the examples.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Code;

static EXPLANATIONS: LazyLock<Vec<Explanation>> = LazyLock::new(|| {
    let document: Document = toml::from_str(include_str!("explanations.toml")).unwrap_or_default();
    document.explanation
});

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    explanation: Vec<Explanation>,
}

/// Why an error occurs and how to continue.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    code: String,
    /// When the error occurs.
    pub cause: String,
    /// A command and the lines that it prints, where `…` replaces omitted text.
    pub example: String,
    /// How to continue.
    pub next_step: String,
}

impl Code {
    /// Its explanation. A test asserts that every code has one.
    pub fn explanation(self) -> Option<&'static Explanation> {
        EXPLANATIONS.iter().find(|explanation| explanation.code == self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(text: &str) -> usize {
        text.split_inclusive(". ").count()
    }

    #[test]
    fn every_code_has_an_explanation_in_the_order_of_the_codes() {
        let _valid: Document = toml::from_str(include_str!("explanations.toml")).unwrap();
        let found: Vec<_> = EXPLANATIONS.iter().map(|explanation| explanation.code.as_str()).collect();
        let expected: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn explanations_are_short_sentences() {
        for explanation in &*EXPLANATIONS {
            let code = &explanation.code;
            for text in [&explanation.cause, &explanation.next_step] {
                assert!(text.ends_with('.') && !text.contains('\n'), "{code}: {text}");
                assert!((1..=3).contains(&sentences(text)), "{code}: {text}");
                assert!(text.len() <= 500, "{code}: {} bytes: {text}", text.len());
            }
            assert!((2..=10).contains(&explanation.example.lines().count()), "{code}: its example");
        }
    }

    #[test]
    fn an_example_is_a_command_and_its_error() {
        for explanation in &*EXPLANATIONS {
            let Explanation { code, example, .. } = explanation;
            assert!(example.starts_with("$ "), "{code}: {example}");
            assert!(example.contains("tenure "), "{code}: {example}");
            // The argument parser prints no code, and text output prints the findings instead of one.
            let error = match code.as_str() {
                "usage" => "error: ".to_owned(),
                "finding-denied" => format!("\"code\":\"{code}\""),
                _ => format!("error[{code}]: "),
            };
            assert!(example.contains(&error), "{code}: {example}");
            assert!(example.lines().all(|line| line.chars().count() <= 160), "{code}: {example}");
        }
    }
}
