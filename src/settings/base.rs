//! The settings of the base of a change, such as the target branch of a pull request.

use super::{Contract, Settings};
use crate::ident::Identifier;

/// A setting that is less strict than in the base and was replaced by that of the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Its key.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// The value of the base.
    pub base: String,
}

impl Settings {
    /// Replaces the settings that would make verification less strict by those of `base`, except the levels of rules. The
    /// settings that say which schemas are the platform's, a tenant's and shared are replaced if they differ.
    pub fn with_base(mut self, base: &Self) -> (Self, Vec<Replaced>) {
        let mut replaced = Vec::new();
        let mut replace = |key, value: String, base: String| replaced.push(Replaced { key, value, base });
        if self.verify.contract == Contract::Queries && base.verify.contract == Contract::Allow {
            self.verify.contract = base.verify.contract;
            replace("verify.contract", "queries".to_owned(), "allow".to_owned());
        }
        if self.platform != base.platform {
            let [value, of_base] = [&self, base].map(|of| of.platform_schema().to_string());
            replace("platform.schema", value, of_base);
            self.platform = base.platform.clone();
        }
        if self.extensions != base.extensions {
            let [value, of_base] = [&self, base].map(|of| of.extensions.schema.to_string());
            replace("extensions.schema", value, of_base);
            self.extensions = base.extensions.clone();
        }
        let (tenants, of_base) = (&mut self.tenants, &base.tenants);
        if tenants.schema_prefix != of_base.schema_prefix {
            let value = std::mem::replace(&mut tenants.schema_prefix, of_base.schema_prefix.clone());
            replace("tenants.schema_prefix", value, of_base.schema_prefix.clone());
        }
        if tenants.registry != of_base.registry {
            replace("tenants.registry", tenants.registry.to_string(), of_base.registry.to_string());
            tenants.registry = of_base.registry.clone();
        }
        if tenants.condition != of_base.condition {
            let [value, of_base_text] = [&tenants.condition, &of_base.condition]
                .map(|condition| condition.as_ref().map(ToString::to_string).unwrap_or_default());
            replace("tenants.where", value, of_base_text);
            tenants.condition = of_base.condition.clone();
        }
        // A schema that is no longer shared is stricter.
        if tenants.search_path.iter().any(|schema| !of_base.search_path.contains(schema)) {
            let [value, of_base_names] = [&*tenants, of_base].map(|tenants| {
                let names: Vec<&str> = tenants.search_path.iter().map(Identifier::as_str).collect();
                format!("[{}]", names.join(", "))
            });
            replace("tenants.search_path", value, of_base_names);
            tenants.search_path = of_base.search_path.clone();
        }
        if !tenants.roles && of_base.roles {
            replace("tenants.roles", "false".to_owned(), "true".to_owned());
            tenants.roles = true;
        }
        // 0 is no limit.
        let is_longer = |value: u128, base: u128| base != 0 && (value == 0 || value > base);
        let (limits, of_base) = (&mut self.migrate, base.migrate);
        if is_longer(limits.lock_timeout.milliseconds(), of_base.lock_timeout.milliseconds()) {
            replace(
                "migrate.lock_timeout",
                limits.lock_timeout.to_string(),
                of_base.lock_timeout.to_string(),
            );
            limits.lock_timeout = of_base.lock_timeout;
        }
        if is_longer(limits.statement_timeout.milliseconds(), of_base.statement_timeout.milliseconds()) {
            let [value, of_base] =
                [limits.statement_timeout, of_base.statement_timeout].map(|it| it.to_string());
            replace("migrate.statement_timeout", value, of_base);
            limits.statement_timeout = base.migrate.statement_timeout;
        }
        (self, replaced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;

    fn read(text: &str) -> Settings {
        Settings::read(&Source::new("tenure.toml", text)).unwrap()
    }

    #[test]
    fn what_is_less_strict_is_replaced() {
        let base =
            read("[tenants]\nroles = true\nsearch_path = [\"a\", \"b\"]\n[migrate]\nlock_timeout = \"2s\"");
        for (text, keys) in [
            (
                "[verify]\ncontract = \"queries\"\n[tenants]\nroles = true",
                vec!["verify.contract", "migrate.lock_timeout"],
            ),
            (
                "[platform]\nschema = \"p\"\n[tenants]\nroles = true\n[migrate]\nlock_timeout = \"1s\"",
                vec!["platform.schema"],
            ),
            (
                "[tenants]\nschema_prefix = \"t_\"\nregistry = \"r\"\nsearch_path = [\"b\", \"c\"]\n[migrate]\nlock_timeout = \"0s\"\nstatement_timeout = \"11m\"\n[extensions]\nschema = \"e\"",
                vec![
                    "extensions.schema",
                    "tenants.schema_prefix",
                    "tenants.registry",
                    "tenants.search_path",
                    "tenants.roles",
                    "migrate.lock_timeout",
                    "migrate.statement_timeout",
                ],
            ),
            ("[tenants]\nroles = true\nsearch_path = [\"b\"]\n[migrate]\nlock_timeout = \"2s\"", vec![]),
        ] {
            let (settings, replaced) = read(text).with_base(&base);
            assert_eq!(replaced.iter().map(|it| it.key).collect::<Vec<_>>(), keys, "{text}");
            assert_eq!(settings.with_base(&base).1, [], "{text}");
        }
    }
}
