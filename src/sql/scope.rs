//! Whose a statement is: the platform's, run once, or each tenant's. It follows from the names in it;
//! where it does not, that is an error and never a guess.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use squawk_syntax::SyntaxKind;

use super::{Name, Role, Statement};

/// What a statement acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The shared platform schema, once.
    Platform,
    /// Each tenant's schema.
    Tenant,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Platform => "platform",
            Self::Tenant => "tenant",
        })
    }
}

/// What the names in a statement say about its scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeClue {
    /// They say this.
    Says(Scope),
    /// The statement names nothing (`SET LOCAL …`): it goes with its neighbours.
    Follows,
    /// They say nothing, or contradict each other.
    Unclear(String),
}

/// Unqualified names that earlier files make, by whose they are.
#[derive(Debug, Clone, Default)]
pub struct Known {
    platform: HashSet<String>,
    tenant: HashSet<String>,
}

impl Known {
    /// Remembers what `statement`, of scope `scope`, makes.
    pub fn learn(&mut self, statement: &Statement, scope: Scope) {
        let names = match scope {
            Scope::Platform => &mut self.platform,
            Scope::Tenant => &mut self.tenant,
        };
        names.extend(
            statement.names.iter().filter(|name| name.role == Role::Made).map(|name| name.name.clone()),
        );
    }

    fn says(&self, name: &Name, platform: &str) -> Option<Scope> {
        match name.schema.as_deref() {
            Some(_) if name.in_tenant_schema() => Some(Scope::Tenant),
            Some(schema) if schema == platform => Some(Scope::Platform),
            Some(_) => None,
            None => match (self.platform.contains(&name.name), self.tenant.contains(&name.name)) {
                (true, false) => Some(Scope::Platform),
                (false, true) => Some(Scope::Tenant),
                (true, true) | (false, false) => None,
            },
        }
    }

    /// What the names in `statement` say about its scope, in a project whose platform schema is
    /// `platform`.
    pub fn clue(&self, statement: &Statement, platform: &str) -> ScopeClue {
        if GLOBAL.contains(&statement.kind) {
            return ScopeClue::Says(Scope::Platform);
        }
        if matches!(statement.kind, SyntaxKind::SET | SyntaxKind::RESET | SyntaxKind::SET_CONSTRAINTS) {
            return ScopeClue::Follows;
        }
        // The name of an index, a trigger or a policy says nothing: it belongs to the table's schema.
        let acts_on = |name: &&Name| name.role != Role::Mentioned && name.kind != SyntaxKind::INDEX;
        let said = |name: &Name| self.says(name, platform);
        let targets: Vec<_> = statement.names.iter().filter(acts_on).collect();
        let of_targets: HashSet<Scope> = targets.iter().filter_map(|name| said(name)).collect();
        let of_mentions: HashSet<Scope> =
            statement.names.iter().filter(|name| name.role == Role::Mentioned).filter_map(said).collect();
        let reads_tenant = of_mentions.contains(&Scope::Tenant);
        match (of_targets.contains(&Scope::Platform), of_targets.contains(&Scope::Tenant)) {
            (true, true) => ScopeClue::Unclear("it acts on both".to_owned()),
            (true, false) if reads_tenant => {
                ScopeClue::Unclear("it acts on the platform and reads tables of a tenant".to_owned())
            }
            (true, false) => ScopeClue::Says(Scope::Platform),
            (false, true) => ScopeClue::Says(Scope::Tenant),
            (false, false) if reads_tenant => ScopeClue::Says(Scope::Tenant),
            (false, false) if !targets.is_empty() => ScopeClue::Unclear(self.unknown(&targets)),
            (false, false) if of_mentions.contains(&Scope::Platform) => ScopeClue::Says(Scope::Platform),
            (false, false) => {
                ScopeClue::Unclear("it names nothing that the platform or a tenant has".to_owned())
            }
        }
    }

    fn unknown(&self, targets: &[&Name]) -> String {
        let both = |name: &&&Name| {
            name.schema.is_none() && self.platform.contains(&name.name) && self.tenant.contains(&name.name)
        };
        if let Some(name) = targets.iter().find(both) {
            return format!("both have a {:?}", name.name);
        }
        let shown = targets.first().map(|name| match &name.schema {
            Some(schema) => format!("{schema}.{}", name.name),
            None => name.name.clone(),
        });
        format!("nothing says whose {:?} is", shown.unwrap_or_default())
    }
}

/// Statements on things that no schema holds: they concern the database, so they run once.
const GLOBAL: &[SyntaxKind] = &[
    SyntaxKind::ALTER_DATABASE,
    SyntaxKind::ALTER_EVENT_TRIGGER,
    SyntaxKind::ALTER_EXTENSION,
    SyntaxKind::ALTER_ROLE,
    SyntaxKind::ALTER_SYSTEM,
    SyntaxKind::ALTER_USER,
    SyntaxKind::CREATE_DATABASE,
    SyntaxKind::CREATE_EVENT_TRIGGER,
    SyntaxKind::CREATE_EXTENSION,
    SyntaxKind::CREATE_FOREIGN_DATA_WRAPPER,
    SyntaxKind::CREATE_LANGUAGE,
    SyntaxKind::CREATE_PUBLICATION,
    SyntaxKind::CREATE_ROLE,
    SyntaxKind::CREATE_SERVER,
    SyntaxKind::CREATE_SUBSCRIPTION,
    SyntaxKind::CREATE_TABLESPACE,
    SyntaxKind::CREATE_USER,
    SyntaxKind::DROP_DATABASE,
    SyntaxKind::DROP_EVENT_TRIGGER,
    SyntaxKind::DROP_EXTENSION,
    SyntaxKind::DROP_OWNED,
    SyntaxKind::DROP_PUBLICATION,
    SyntaxKind::DROP_ROLE,
    SyntaxKind::DROP_SUBSCRIPTION,
    SyntaxKind::DROP_TABLESPACE,
    SyntaxKind::DROP_USER,
    SyntaxKind::REASSIGN,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;
    use crate::sql::Script;

    fn clue(sql: &str) -> ScopeClue {
        let made = |sql: &str| Script::parse(Source::new("t.sql", sql)).unwrap().statements;
        let mut known = Known::default();
        for statement in made("CREATE TABLE users (id int); CREATE TABLE shared (id int)") {
            known.learn(&statement, Scope::Platform);
        }
        for statement in made(
            "CREATE TABLE workspaces (id int); CREATE TABLE shared (id int); CREATE INDEX i ON workspaces (id)",
        ) {
            known.learn(&statement, Scope::Tenant);
        }
        known.clue(&made(sql)[0], "datalinx_platform")
    }

    #[test]
    fn names_decide() {
        let platform = ScopeClue::Says(Scope::Platform);
        let tenant = ScopeClue::Says(Scope::Tenant);
        assert_eq!(clue("ALTER TABLE workspaces ADD c int"), tenant);
        assert_eq!(clue("ALTER TABLE users ADD c int"), platform);
        assert_eq!(clue("ALTER TABLE datalinx_platform.x ADD c int"), platform);
        assert_eq!(
            clue("CREATE TABLE {org_schema}.x (u uuid REFERENCES datalinx_platform.users(id))"),
            tenant
        );
        assert_eq!(clue("CREATE TABLE x (w uuid REFERENCES workspaces(id))"), tenant);
        assert_eq!(clue("CREATE INDEX i ON users (id)"), platform);
        assert_eq!(clue("DROP INDEX i"), tenant);
        assert_eq!(clue("CREATE EXTENSION citext"), platform);
        assert_eq!(clue("GRANT USAGE ON SCHEMA {org_schema} TO app"), tenant);
        assert_eq!(clue("SELECT datalinx_platform.refresh()"), platform);
        assert_eq!(clue("SET LOCAL work_mem = '1GB'"), ScopeClue::Follows);
    }

    #[test]
    fn what_names_do_not_decide_is_unclear() {
        for sql in [
            "CREATE TABLE x (id int)",
            "CREATE TABLE x (u uuid REFERENCES users(id))",
            "ALTER TABLE shared ADD c int",
            "ALTER TABLE org_acme.workspaces ADD c int",
            "DO $$ BEGIN NULL; END $$",
            "INSERT INTO users SELECT * FROM workspaces",
            "SELECT 1",
        ] {
            assert!(matches!(clue(sql), ScopeClue::Unclear(_)), "{sql}");
        }
    }
}
