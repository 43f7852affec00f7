//! A migration file's name: `vFROM_to_vTO_name.sql`.

use std::fmt;

use super::{ChainError, Version};

/// The parts of a migration's file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// The version that it starts from.
    pub from: Version,
    /// The version that it leads to.
    pub to: Version,
    /// A short description, with words joined by `_`.
    pub name: String,
}

impl FileName {
    /// Parses a file name without its folder.
    pub fn parse(file: &str) -> Result<Self, ChainError> {
        let invalid = |why: &str| ChainError::Name { file: file.to_owned(), why: why.to_owned() };
        let stem = file.strip_suffix(".sql").ok_or_else(|| invalid("it does not end in .sql"))?;
        let (from, rest) = stem
            .strip_prefix('v')
            .and_then(|rest| rest.split_once("_to_v"))
            .ok_or_else(|| invalid("it does not start with v, a version and _to_v"))?;
        let (to, name) =
            rest.split_once('_').ok_or_else(|| invalid("a name is missing after the second version"))?;
        let version = |text: &str| text.parse::<Version>().map_err(|error| invalid(&error.to_string()));
        let (from, to) = (version(from)?, version(to)?);
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(invalid(
                "the name after the second version may only contain letters, digits, _ and -",
            ));
        }
        Ok(Self { from, to, name: name.to_owned() })
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}_to_v{}_{}.sql", self.from, self.to, self.name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn invalid_names_are_errors() {
        for invalid in [
            "v1.0.0_to_v1.0.1.sql",
            "v1.0.0_to_v1.0.1_.sql",
            "1.0.0_to_1.0.1_x.sql",
            "v1.0_to_v1.1_x.sql",
            "v1.0.0-v1.0.1_x.sql",
            "V1.0.0_to_v1.0.1_x.sql",
            "v1.0.0_to_v1.0.1_x.SQL",
            "v1.0.0_to_v1.0.1_a b.sql",
            "notes.sql",
            ".sql",
        ] {
            assert!(matches!(FileName::parse(invalid), Err(ChainError::Name { .. })), "{invalid}");
        }
    }

    proptest! {
        #[test]
        fn a_name_reads_back(
            a in (0u64..50, 0u64..50, 0u64..50),
            b in (0u64..50, 0u64..50, 0u64..50),
            pre in prop::option::of("[a-z]{1,4}\\.[1-9]"),
            name in "[a-z0-9][a-z0-9_-]{0,20}",
        ) {
            let pre = pre.map(|pre| format!("-{pre}")).unwrap_or_default();
            let file = format!("v{}.{}.{}{pre}_to_v{}.{}.{}_{name}.sql", a.0, a.1, a.2, b.0, b.1, b.2);
            let parsed = FileName::parse(&file).unwrap();
            prop_assert_eq!(parsed.to_string(), file);
            prop_assert_eq!(parsed.name, name);
        }

        #[test]
        fn any_text_is_a_name_or_an_error(file in "\\PC{0,40}") {
            if let Ok(parsed) = FileName::parse(&file) {
                prop_assert_eq!(parsed.to_string(), file);
            }
        }
    }
}
