//! Groups of failures that are equal but for the tenant.

use std::collections::HashMap;
use std::hash::Hash;

/// The number of names that stand for a group.
const MAX_NAMES: usize = 3;

/// Groups items by key, in the order of the first item of each group.
pub fn grouped<K: Eq + Hash + Clone, T>(items: impl IntoIterator<Item = (K, T)>) -> Vec<(K, Vec<T>)> {
    let mut groups: Vec<(K, Vec<T>)> = Vec::new();
    let mut found: HashMap<K, usize> = HashMap::new();
    for (key, item) in items {
        let at = *found.entry(key.clone()).or_insert(groups.len());
        match groups.get_mut(at) {
            Some((_, members)) => members.push(item),
            None => groups.push((key, vec![item])),
        }
    }
    groups
}

/// `org_a, org_b, org_c and 97 more`
pub fn first_names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(MAX_NAMES);
    let first = names.take(MAX_NAMES).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_keep_the_order() {
        let groups = grouped([(1, 'a'), (2, 'b'), (1, 'c')]);
        assert_eq!(groups, [(1, vec!['a', 'c']), (2, vec!['b'])]);
        assert_eq!(first_names(["a", "b", "c", "d"].into_iter()), "a, b, c and 1 more");
        assert_eq!(first_names(["a", "b"].into_iter()), "a, b");
    }
}
