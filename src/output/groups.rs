//! Groups of failures that are equal but for the tenant.

use std::collections::HashMap;
use std::hash::Hash;

use super::{Paint, Text, failure, plural};
use crate::error::Failure;

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

/// The failures of tenants. Those with equal keys are shown once, with the message that leaves out the tenant's name and the first
/// tenants.
pub fn equal_failures<'a, K: Eq + Hash + Clone>(
    failed: impl IntoIterator<Item = ((K, String), (&'a str, &'a Failure))>,
    paint: Paint,
) -> Text {
    let mut text = Text::default();
    for ((_, message), members) in grouped(failed) {
        if let [(_, only)] = members.as_slice() {
            text.append(&failure(only, paint));
        } else if let Some((_, first)) = members.first() {
            text.append(&failure(&Failure { message, ..(*first).clone() }, paint));
            let mut names: Vec<_> = members.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            let first = first_names(names.into_iter());
            text.line(format_args!("  the same failure on {}: {first}", plural(members.len(), "tenant")));
        }
        text.blank();
    }
    text
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
