//! The levels of the audit's rules: `[audit.levels]`.

use std::collections::BTreeMap;

use super::rule::{RULES, Rule};
use crate::error::{Code, Failure, nearest};
use crate::verify::Level;

/// The level of each rule; the default is the rule's own level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    settings: BTreeMap<&'static str, Level>,
}

impl Policy {
    /// The default, changed by `levels`: rule id → `deny`, `warn` or `off`.
    pub fn new(levels: &BTreeMap<String, String>) -> Result<Self, Failure> {
        let mut policy = Self::default();
        for (given, level) in levels {
            let Some(rule) = RULES.iter().find(|rule| rule.id == given) else {
                let near = nearest(given, RULES.iter().map(|rule| rule.id)).into_iter().next();
                let hint = near.map_or_else(
                    || "docs/isolation.md lists the rules of the audit".to_owned(),
                    |near| format!("did you mean {near}?"),
                );
                return Err(
                    Failure::new(Code::Settings, format!("the audit has no rule {given:?}")).hint(hint)
                );
            };
            let level = match level.as_str() {
                "deny" => Level::Deny,
                "warn" => Level::Warn,
                "off" => Level::Off,
                _ => {
                    let message = format!("{level:?} is not a level for the rule {given}");
                    return Err(Failure::new(Code::Settings, message).hint("use deny, warn or off"));
                }
            };
            policy.settings.insert(rule.id, level);
        }
        Ok(policy)
    }

    /// The level of a finding of `rule`, `own` by default; `None` if the rule is off.
    pub(super) fn level(&self, rule: &Rule, own: Level) -> Option<Level> {
        let level = self.settings.get(rule.id).copied().unwrap_or(own);
        (level != Level::Off).then_some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(id: &str, level: &str) -> Result<Policy, Failure> {
        Policy::new(&BTreeMap::from([(id.to_owned(), level.to_owned())]))
    }

    #[test]
    fn an_unknown_rule_or_level_is_an_error() {
        let rule = &RULES[0];
        assert_eq!(policy(rule.id, "off").unwrap().level(rule, rule.level), None);
        assert_eq!(policy(rule.id, "warn").unwrap().level(rule, rule.level), Some(Level::Warn));
        assert_eq!(Policy::default().level(rule, rule.level), Some(Level::Deny));
        let failure = policy("cross-tenant-privileg", "off").unwrap_err();
        assert_eq!(
            (failure.code, failure.hint.as_deref()),
            (Code::Settings, Some("did you mean cross-tenant-privilege?"))
        );
        assert_eq!(policy(rule.id, "on").unwrap_err().code, Code::Settings);
    }
}
