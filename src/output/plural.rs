//! A number and its noun, in one place, so that nothing ever says "1 files".

/// `1 file`, `2 files`.
pub fn plural(count: usize, noun: &str) -> String {
    plural_of(count, noun, &format!("{noun}s"))
}

/// `1 entry`, `2 entries`: for nouns that do not take an s.
pub fn plural_of(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_one() {
        let shown = [0, 1, 2].map(|count| plural(count, "file"));
        assert_eq!(shown, ["0 files", "1 file", "2 files"]);
        assert_eq!(plural_of(2, "query", "queries"), "2 queries");
    }
}
