//! The level of each rule in a project: deny, warn or off. An unknown rule id in the settings is an error that suggests the
//! nearest rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::finding::Level;
use super::rule::{Rule, Tool, find};
use super::rule_id::RuleId;
use crate::error::{Code, Failure};

/// The level of each rule, by default the rule's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    settings: BTreeMap<RuleId, Level>,
    /// The levels of the base: for each finding, the stricter level is in effect.
    base: Option<BTreeMap<RuleId, Level>>,
}

/// A setting that makes verification less strict than by default, or than in the base.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Lowered {
    /// Its key in `tenure.toml`, such as `verify.levels.drop-table`.
    pub setting: String,
    /// Its value.
    pub value: String,
    /// The stricter value: that of the base if the setting is not taken, otherwise the default.
    pub instead_of: String,
    /// Whether it is in effect. A value that is less strict than that of the base is not.
    pub taken: bool,
}

impl fmt::Display for Lowered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, value, instead_of, taken } = self;
        if *taken {
            write!(f, "{setting} is {value}, the default is {instead_of}")
        } else {
            write!(f, "{setting} is {value}; not taken, since the base has {instead_of}")
        }
    }
}

/// Why a policy is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages say")]
pub enum PolicyError {
    /// An unknown rule.
    #[error("{} {given:?}", if *tool == Tool::Audit { "the audit has no rule" } else { "there is no rule" })]
    Unknown { tool: Tool, given: String, nearest: Option<&'static str> },
    /// An unknown level.
    #[error("{given:?} is not a level for the rule {rule}")]
    Level { rule: RuleId, given: String },
    /// A rule whose level cannot be changed.
    #[error("the rule {rule} cannot be changed: what cannot be judged is denied")]
    Fixed { rule: RuleId },
}

impl Policy {
    /// The default policy with the `levels` of rules of `tool`: rule id → `deny`, `warn` or `off`.
    pub fn new(tool: Tool, levels: &BTreeMap<String, String>) -> Result<Self, PolicyError> {
        let mut policy = Self::default();
        for (given, level) in levels {
            let Some(rule) = find(given).filter(|rule| rule.tool() == tool) else {
                let nearest = nearest(tool, given);
                return Err(PolicyError::Unknown { tool, given: given.clone(), nearest });
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

    /// The level of the findings of `rule`; `None` if it is off.
    pub fn level(&self, rule: &Rule) -> Option<Level> {
        self.level_or(rule, rule.level)
    }

    /// The level of a finding of `rule` whose default level is `own`; `None` if the rule is off.
    pub fn level_or(&self, rule: &Rule, own: Level) -> Option<Level> {
        let level = |of: &BTreeMap<RuleId, Level>| of.get(&rule.id).copied().unwrap_or(own);
        let given = level(&self.settings);
        let level = self.base.as_ref().map_or(given, |base| given.min(level(base)));
        (level != Level::Off).then_some(level)
    }

    /// The policy with the stricter level of both for each rule.
    #[must_use]
    pub fn with_base(self, base: Self) -> Self {
        Self { settings: self.settings, base: Some(base.settings) }
    }

    /// The levels that are lower than those of the base, which are not in effect, and those in effect that are lower than
    /// by default.
    pub fn lowered(&self) -> Vec<Lowered> {
        let ids: BTreeSet<RuleId> =
            self.settings.keys().chain(self.base.iter().flatten().map(|(id, _)| id)).copied().collect();
        let lowered = |id: RuleId| {
            let rule = id.rule();
            let key = format!("{}.{id}", rule.tool().settings()?);
            let of = |setting: String, value: Level, instead_of: Level, taken: bool| {
                let [value, instead_of] = [value, instead_of].map(|level| level.to_string());
                Lowered { setting, value, instead_of, taken }
            };
            let level = |of: &BTreeMap<RuleId, Level>| of.get(&id).copied().unwrap_or(rule.level);
            let given = level(&self.settings);
            let base = self.base.as_ref().map_or(given, level);
            let effective = given.min(base);
            let not_taken = (given > base).then(|| of(key.clone(), given, base, false));
            let taken = (effective > rule.level).then(|| of(key, effective, rule.level, true));
            Some(not_taken.into_iter().chain(taken).collect::<Vec<_>>())
        };
        ids.into_iter().filter_map(lowered).flatten().collect()
    }
}

impl PolicyError {
    /// The invalid setting.
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
            PolicyError::Unknown { tool: Tool::Audit, .. } => {
                "docs/isolation.md lists the rules of the audit".to_owned()
            }
            PolicyError::Unknown { .. } => "`tenure verify --rules` lists them".to_owned(),
            PolicyError::Level { .. } => "write deny, warn or off".to_owned(),
            PolicyError::Fixed { .. } => "remove the setting".to_owned(),
        };
        Self::new(Code::Settings, error.to_string()).hint(hint)
    }
}

/// The rule of `tool` whose name is most similar to `given`, if one is similar.
pub(super) fn nearest(tool: Tool, given: &str) -> Option<&'static str> {
    crate::error::nearest(given, tool.rules().map(|rule| rule.id.as_str())).into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tests::{ids_under, rule};

    fn policy(id: &str, level: &str) -> Result<Policy, PolicyError> {
        Policy::new(Tool::Verify, &BTreeMap::from([(id.to_owned(), level.to_owned())]))
    }

    #[test]
    fn a_tool_has_its_own_rules_and_a_finding_may_weigh_less_than_its_rule() {
        let audit = |id: &str, level: &str| {
            Policy::new(Tool::Audit, &BTreeMap::from([(id.to_owned(), level.to_owned())]))
        };
        let rule = RuleId::CrossTenantReference.rule();
        assert_eq!(Policy::default().level_or(rule, Level::Warn), Some(Level::Warn));
        assert_eq!(
            audit("cross-tenant-reference", "deny").unwrap().level_or(rule, Level::Warn),
            Some(Level::Deny)
        );
        assert_eq!(audit("cross-tenant-reference", "off").unwrap().level_or(rule, Level::Warn), None);
        let failure = Failure::from(audit("cross-tenant-privileg", "off").unwrap_err());
        assert_eq!(
            (failure.code, failure.message.as_str(), failure.hint.as_deref()),
            (
                Code::Settings,
                "the audit has no rule \"cross-tenant-privileg\"",
                Some("did you mean cross-tenant-privilege?")
            )
        );
        assert_eq!(Failure::from(audit("role-open", "on").unwrap_err()).code, Code::Settings);
        for (tool, id) in
            [(Tool::Audit, "drop-table"), (Tool::Verify, "role-open"), (Tool::Audit, "schema-drift")]
        {
            let levels = BTreeMap::from([(id.to_owned(), "warn".to_owned())]);
            assert!(matches!(Policy::new(tool, &levels), Err(PolicyError::Unknown { .. })), "{id}");
        }
    }

    #[test]
    fn a_base_only_makes_the_levels_stricter() {
        let all = |levels: &[(&str, &str)]| {
            let levels = levels.iter().map(|(id, level)| ((*id).to_owned(), (*level).to_owned())).collect();
            Policy::new(Tool::Verify, &levels).unwrap()
        };
        let base = all(&[("drop-view", "warn"), ("index-locks-writes", "deny"), ("drop-column", "off")]);
        let given = all(&[("drop-table", "off"), ("drop-view", "deny"), ("drop-column", "off")]);
        assert_eq!(given.lowered().len(), 2);
        let both = given.with_base(base);
        for (id, level) in [
            ("drop-table", Some(Level::Deny)),
            ("drop-view", Some(Level::Deny)),
            ("index-locks-writes", Some(Level::Deny)),
            ("drop-column", None),
        ] {
            assert_eq!(both.level(rule(id)), level, "{id}");
        }
        let shown: Vec<_> = both.lowered().iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "verify.levels.drop-table is off; not taken, since the base has deny",
                "verify.levels.drop-column is off, the default is deny",
                "verify.levels.index-locks-writes is warn; not taken, since the base has deny",
            ]
        );
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
            PolicyError::Unknown {
                tool: Tool::Verify,
                given: "drop-colum".to_owned(),
                nearest: Some("drop-column")
            }
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
