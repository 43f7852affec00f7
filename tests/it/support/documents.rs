//! Documents that are generated from the code.

use std::path::Path;

/// Asserts that a document equals `text`. `cargo xtask bless` writes it, as it does insta's snapshots.
#[track_caller]
pub fn assert_generated(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        std::fs::write(&file, text).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == text, "{path} differs from what the code says: cargo xtask bless");
}
