//! What must hold of any text that `tenure verify FILE` is given. The fuzz target and the properties in
//! `tests/it/fuzz.rs` share it.

use tenure::error::{Place, Source};
use tenure::project::Review;
use tenure::settings::Settings;
use tenure::verify::{Finding, Policy};

/// The findings in a file with that text on the schema that `base` makes, or nothing where one of them is
/// refused before anything is judged.
pub fn findings(base: Option<&str>, text: &str) -> Option<Vec<Finding>> {
    let base: Vec<_> = base.map(|base| Source::new("base.sql", base)).into_iter().collect();
    let source = Source::new("fuzz.sql", text);
    Some(Review::of_text(source, &base, &Policy::default(), &Settings::default()).ok()?.findings)
}

/// It is judged or refused without a panic, also one that was caught, and each finding points at text. It may
/// also make the schema that another file is judged on.
pub fn sound(text: &str) {
    for (base, text) in [(None, text), (Some(text), "DROP TABLE orders")] {
        for finding in findings(base, text).unwrap_or_default() {
            assert_ne!(finding.rule.as_str(), "unverifiable", "{text}");
            assert!(!finding.message.is_empty() && !finding.help.is_empty(), "{text}");
            if let Some(Place::Span(source, range)) = finding.place() {
                let shown = source.text.get(range.clone());
                assert!(shown.is_some_and(|shown| !shown.is_empty()), "{range:?} of {text}");
            }
        }
    }
}
