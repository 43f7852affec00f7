//! Numbers with nouns, in singular or plural.

/// `1 file`, `2 files`.
pub fn plural(count: usize, noun: &str) -> String {
    plural_of(count, noun, &format!("{noun}s"))
}

/// `1 entry`, `2 entries`: for irregular plurals.
pub fn plural_of(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        let shown = [0, 1, 2].map(|count| plural(count, "file"));
        assert_eq!(shown, ["0 files", "1 file", "2 files"]);
        assert_eq!(plural_of(2, "query", "queries"), "2 queries");
    }
}
