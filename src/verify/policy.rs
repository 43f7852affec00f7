//! What a project makes of each rule: deny, warn or off. Settings name rules by id; a name that is no
//! rule is an error with the nearest one, never a setting without effect.

use std::collections::BTreeMap;

use super::finding::{Level, RuleId};
use super::rule::{RULES, Rule, find};
use crate::error::{Code, Failure};

/// The level of each rule. The default is what each rule says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    settings: BTreeMap<RuleId, Level>,
}

/// A policy that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages say")]
pub enum PolicyError {
    /// No such rule.
    #[error("there is no rule {given:?}")]
    Unknown { given: String, nearest: Option<&'static str> },
    /// No such level.
    #[error("{given:?} is no level for the rule {rule}")]
    Level { rule: RuleId, given: String },
    /// A rule that must stay as it is.
    #[error("the rule {rule} cannot be changed: what cannot be judged is denied")]
    Fixed { rule: RuleId },
}

impl Policy {
    /// The default, changed by `levels`: rule id → `deny`, `warn` or `off`.
    pub fn new(levels: &BTreeMap<String, String>) -> Result<Self, PolicyError> {
        let mut policy = Self::default();
        for (given, level) in levels {
            let Some(rule) = find(given) else {
                return Err(PolicyError::Unknown { given: given.clone(), nearest: nearest(given) });
            };
            if rule.is_fixed() {
                return Err(PolicyError::Fixed { rule: rule.id });
            }
            let setting = match level.as_str() {
                "deny" => Level::Deny,
                "warn" => Level::Warn,
                "off" => Level::Off,
                _ => return Err(PolicyError::Level { rule: rule.id, given: level.clone() }),
            };
            policy.settings.insert(rule.id, setting);
        }
        Ok(policy)
    }

    /// The level of `rule`'s findings; `None` where it is off.
    pub fn level(&self, rule: &Rule) -> Option<Level> {
        let level = self.settings.get(&rule.id).copied().unwrap_or(rule.level);
        (level != Level::Off).then_some(level)
    }
}

impl PolicyError {
    /// The setting that it is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { given, .. } => given,
            Self::Level { rule, .. } | Self::Fixed { rule } => rule.as_str(),
        }
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        let hint = match &error {
            PolicyError::Unknown { nearest: Some(nearest), .. } => format!("did you mean {nearest}?"),
            PolicyError::Unknown { nearest: None, .. } => "`tenure verify --rules` lists them".to_owned(),
            PolicyError::Level { .. } => "write deny, warn or off".to_owned(),
            PolicyError::Fixed { .. } => "remove the setting".to_owned(),
        };
        Self::new(Code::Settings, error.to_string()).hint(hint)
    }
}

/// The rule whose name is most like `given`, if one is like it.
pub(super) fn nearest(given: &str) -> Option<&'static str> {
    crate::error::nearest(given, RULES.iter().map(|rule| rule.id.as_str())).into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tests::{ids_under, rule};

    fn policy(id: &str, level: &str) -> Result<Policy, PolicyError> {
        Policy::new(&BTreeMap::from([(id.to_owned(), level.to_owned())]))
    }

    #[test]
    fn settings_change_levels() {
        let sql = "DROP TABLE users";
        assert!(ids_under(sql, &policy("drop-table", "off").unwrap()).is_empty());
        let warned = policy("drop-table", "warn").unwrap();
        assert_eq!(warned.level(rule("drop-table")), Some(Level::Warn));
        assert_eq!(warned.level(rule("drop-view")), Some(Level::Deny));
    }

    #[test]
    fn a_name_that_is_no_rule_is_an_error() {
        let error = policy("drop-colum", "off").unwrap_err();
        assert_eq!(
            error,
            PolicyError::Unknown { given: "drop-colum".to_owned(), nearest: Some("drop-column") }
        );
        let failure = Failure::from(error);
        assert_eq!(
            (failure.code, failure.hint.as_deref()),
            (Code::Settings, Some("did you mean drop-column?"))
        );
        assert!(matches!(policy("drop-table", "on"), Err(PolicyError::Level { .. })));
        assert!(matches!(policy("unverifiable", "off"), Err(PolicyError::Fixed { .. })));
    }
}
