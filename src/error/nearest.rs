//! "Did you mean": existing names that are similar to an unknown one.

/// Returns the names that are similar to `given`, the most similar first.
pub fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    // The threshold that clap uses.
    const MIN_SIMILARITY: f64 = 0.7;
    // Names that are much less similar than the best are not suggested.
    const MAX_DISTANCE: f64 = 0.05;
    const MAX_NAMES: usize = 3;
    let mut near: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (strsim::jaro(given, name), name))
        .filter(|(similarity, _)| *similarity > MIN_SIMILARITY)
        .collect();
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let best = near.first().map_or(0.0, |(similarity, _)| *similarity);
    let as_good = near.into_iter().take_while(|(similarity, _)| best - similarity < MAX_DISTANCE);
    as_good.take(MAX_NAMES).map(|(_, name)| name).collect()
}

/// The hint with the names that are similar to `given`, if any.
pub fn did_you_mean<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = nearest(given, names);
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_similar_names_are_suggested() {
        let names = ["drop-table", "drop-column", "rename-column", "truncate"];
        assert_eq!(nearest("drop-colum", names)[0], "drop-column");
        assert_eq!(nearest("trunkate", names), ["truncate"]);
        assert!(nearest("xyzzy", names).is_empty());
        assert!(nearest("", names).is_empty());
    }
}
