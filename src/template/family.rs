//! The versions of one template: `default`, and `default_v1.0.4`, which `template squash` creates. Each has its own
//! folder, and all create the same tenant.

use super::Template;
use crate::chain::Version;

impl Template {
    /// The common name of all versions of a template: the name without `_vX.Y.Z` at its end.
    pub fn family(&self) -> &str {
        family(&self.name)
    }
}

/// The name of a template without the version at its end.
fn family(name: &str) -> &str {
    match name.rsplit_once("_v") {
        Some((family, version)) if !family.is_empty() && version.parse::<Version>().is_ok() => family,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_version_at_the_end_is_removed() {
        let names = ["default", "default_v1.0.4", "small_vat", "_v1.0.0", "a_v1.0.0_v2.0.0"];
        assert_eq!(names.map(family), ["default", "default", "small_vat", "_v1.0.0", "a_v1.0.0"]);
    }
}
