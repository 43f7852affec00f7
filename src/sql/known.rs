//! Whose the unqualified names of a project are, learnt file by file from what is made and dropped, and
//! what the names in a statement then say of its scope. Where they do not say it, that is an error and
//! never a guess.

use std::collections::HashSet;

use squawk_syntax::SyntaxKind;

use super::error::OTHER_SCHEMA;
use super::own::VERSION_TABLE;
use super::scope::Home;
use super::unread::Unread;
use super::{Lookup, Name, ORG_SCHEMA, Role, Scope, ScopeClue, Statement};

/// Unqualified names that earlier files make, by whose they are.
#[derive(Debug, Clone)]
pub struct Known {
    platform: Names,
    tenant: Names,
    /// Of this file only, and found before all others: relations and types by their names.
    temporary: HashSet<(Scope, String)>,
    pub(super) unread: Unread,
}

/// Names of one scope.
#[derive(Debug, Clone, Default)]
struct Names {
    there: HashSet<(Space, String)>,
    /// Dropped since. A file that undoes a step may still mean it, if nobody else has such a name now.
    gone: HashSet<(Space, String)>,
}

/// Names of different spaces do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Space {
    /// Tables, views, indexes, sequences, and types, since each table is one.
    Relation,
    Routine,
    Other,
}

impl Space {
    fn of(kind: SyntaxKind) -> Self {
        let kind = format!("{kind:?}");
        let begins = |words: &[&str]| words.iter().any(|word| kind.starts_with(word));
        if begins(&["AGGREGATE", "CALL_EXPR", "FUNCTION", "PROCEDURE", "ROUTINE"]) {
            Self::Routine
        } else if begins(&["COLLATION", "CONVERSION", "OP", "STATISTICS", "TEXT_SEARCH"]) {
            Self::Other
        } else {
            Self::Relation
        }
    }
}

impl Default for Known {
    /// Nothing yet but the one table of Tenure's own that files name bare.
    fn default() -> Self {
        let mut platform = Names::default();
        platform.add((Space::Relation, VERSION_TABLE.to_owned()));
        Self { platform, tenant: Names::default(), temporary: HashSet::new(), unread: Unread::default() }
    }
}

impl Names {
    fn add(&mut self, key: (Space, String)) {
        self.gone.remove(&key);
        self.there.insert(key);
    }

    fn forget(&mut self, key: &(Space, String)) {
        if let Some(key) = self.there.take(key) {
            self.gone.insert(key);
        }
    }
}

impl Known {
    /// Remembers what `statement`, of scope `scope`, makes, and forgets what it drops or renames. A bare name that
    /// means something temporary of the file stays bare in it.
    pub fn learn(&mut self, statement: &mut Statement, scope: Scope) {
        let kind = format!("{:?}", statement.kind);
        let is_new_name = |name: &Name| (name.role, name.lookup) == (Role::Made, Lookup::Path);
        let renames = kind.starts_with("ALTER_") && statement.names.iter().any(is_new_name);
        let is_temporary = self.settle(statement, scope);
        let made = || statement.names.iter().filter(|name| name.role == Role::Made && !is_schema(name));
        if kind.starts_with("DROP_") || renames {
            for name in statement.names.iter().filter(|name| name.role == Role::Target) {
                // After DROP of a temporary table its name means the other one again.
                if !self.forget_temporary(name, scope) {
                    self.names(scope).forget(&(Space::of(name.kind), name.name.clone()));
                }
            }
        }
        for name in made() {
            let key = (Space::of(name.kind), name.name.clone());
            match key.0 {
                Space::Relation if is_temporary => {
                    self.temporary.insert((scope, key.1));
                }
                _ if is_temporary => {}
                _ => self.names(scope).add(key),
            }
        }
        if statement.kind == SyntaxKind::DISCARD {
            self.temporary.retain(|(of, _)| *of != scope);
        }
    }

    fn names(&mut self, scope: Scope) -> &mut Names {
        match scope {
            Scope::Platform => &mut self.platform,
            Scope::Tenant => &mut self.tenant,
        }
    }

    fn forget_temporary(&mut self, name: &Name, scope: Scope) -> bool {
        let is_bare = name.schema.is_none() && name.lookup == Lookup::Path;
        let known = self.temporary.take(&(scope, name.name.clone()));
        match known {
            Some(_) if is_bare || is_temporary_schema(name) => true,
            Some(known) => {
                self.temporary.insert(known);
                false
            }
            None => is_temporary_schema(name),
        }
    }

    /// Leaves the bare names in `statement` that mean something temporary, which is in no schema of a scope. Says
    /// whether what it makes is temporary.
    fn settle(&self, statement: &mut Statement, scope: Scope) -> bool {
        if !self.temporary.is_empty() {
            for name in &mut statement.names {
                if name.schema.is_none()
                    && name.role != Role::Made
                    && Space::of(name.kind) == Space::Relation
                    && self.temporary.contains(&(scope, name.name.clone()))
                {
                    name.lookup = Lookup::Path;
                }
            }
        }
        // A view of something temporary is temporary itself (manual, CREATE VIEW), as is an index on it.
        let by_mention = statement.kind == SyntaxKind::CREATE_VIEW;
        let means_temporary = |name: &Name| match name.role {
            Role::Made => is_temporary_schema(name),
            Role::Mentioned if !by_mention => false,
            Role::Target | Role::Mentioned => {
                is_temporary_schema(name)
                    || (name.schema.is_none()
                        && Space::of(name.kind) == Space::Relation
                        && self.temporary.contains(&(scope, name.name.clone())))
            }
        };
        let is_temporary = statement.home == Home::Session || statement.names.iter().any(means_temporary);
        if is_temporary {
            let made = statement.names.iter_mut().filter(|name| name.role == Role::Made);
            made.for_each(|name| name.lookup = Lookup::Path);
        }
        is_temporary
    }

    /// Forgets what does not outlive a file.
    pub fn end_of_file(&mut self) {
        self.temporary.clear();
    }

    /// Whose `schema_version` is without a schema, if only one has it.
    pub fn version_table(&self) -> Option<Scope> {
        let tenants = self.tenant.there.contains(&(Space::Relation, VERSION_TABLE.to_owned()));
        (!tenants).then_some(Scope::Platform)
    }

    pub(super) fn says(&self, name: &Name, platform: &str) -> Option<Scope> {
        match name.schema.as_deref() {
            Some(_) if name.in_tenant_schema() => Some(Scope::Tenant),
            Some(schema) if schema == platform => Some(Scope::Platform),
            Some(_) => None,
            None => {
                let key = (Space::of(name.kind), name.name.clone());
                let one_of = |platform: bool, tenant: bool| match (platform, tenant) {
                    (true, false) => Some(Scope::Platform),
                    (false, true) => Some(Scope::Tenant),
                    (true, true) | (false, false) => None,
                };
                if key.0 == Space::Relation {
                    let temporary = |scope| self.temporary.contains(&(scope, key.1.clone()));
                    let (platform, tenant) = (temporary(Scope::Platform), temporary(Scope::Tenant));
                    if platform || tenant {
                        return one_of(platform, tenant);
                    }
                }
                let there = (self.platform.there.contains(&key), self.tenant.there.contains(&key));
                match there {
                    (false, false) if name.role != Role::Made => {
                        one_of(self.platform.gone.contains(&key), self.tenant.gone.contains(&key))
                    }
                    (platform, tenant) => one_of(platform, tenant),
                }
            }
        }
    }

    /// What the names in `statement` say about its scope, in a project whose platform schema is
    /// `platform`.
    pub fn clue(&self, statement: &Statement, platform: &str) -> ScopeClue {
        let said = |name: &Name| self.says(name, platform);
        // The name of an index, a trigger or a policy says nothing: it belongs to the table's schema.
        let acts_on = |name: &&Name| name.role != Role::Mentioned && !PARTS.contains(&name.kind);
        let targets: Vec<_> = statement.names.iter().filter(acts_on).collect();
        let of_targets: HashSet<Scope> = targets.iter().filter_map(|name| said(name)).collect();
        let of_mentions = |weak: bool| -> HashSet<Scope> {
            let mentions = statement.names.iter().filter(|name| name.role == Role::Mentioned);
            mentions.filter(|name| is_weak(name) == weak).filter_map(said).collect()
        };
        let reads = of_mentions(false);
        let platforms = of_targets.contains(&Scope::Platform);
        match (platforms, of_targets.contains(&Scope::Tenant)) {
            (true, true) => return ScopeClue::Unclear("it acts on both".to_owned()),
            (true, false) if reads.contains(&Scope::Tenant) => {
                return ScopeClue::Unclear("it acts on the platform and reads tables of a tenant".to_owned());
            }
            (true, false) if statement.for_tenant => {
                return ScopeClue::Unclear(format!("it acts on the platform and says {ORG_SCHEMA}"));
            }
            (true, false) => return ScopeClue::Says(Scope::Platform),
            (false, true) => return ScopeClue::Says(Scope::Tenant),
            (false, false) if statement.for_tenant => return ScopeClue::Says(Scope::Tenant),
            (false, false) => {}
        }
        if statement.home == Home::Database {
            return ScopeClue::Says(Scope::Platform);
        }
        if matches!(statement.kind, SyntaxKind::SET | SyntaxKind::RESET | SyntaxKind::SET_CONSTRAINTS) {
            return ScopeClue::Follows;
        }
        if reads.contains(&Scope::Tenant) {
            return ScopeClue::Says(Scope::Tenant);
        }
        if !targets.is_empty() {
            return ScopeClue::Unclear(self.unknown(&targets));
        }
        let weak = of_mentions(true);
        match (
            reads.contains(&Scope::Platform),
            weak.contains(&Scope::Platform),
            weak.contains(&Scope::Tenant),
        ) {
            (true, _, _) | (false, true, false) => ScopeClue::Says(Scope::Platform),
            (false, false, true) => ScopeClue::Says(Scope::Tenant),
            (false, true, true) => ScopeClue::Unclear("it calls functions of both".to_owned()),
            (false, false, false) => {
                ScopeClue::Unclear("it names nothing that the platform or a tenant has".to_owned())
            }
        }
    }

    fn unknown(&self, targets: &[&Name]) -> String {
        let both = |name: &&&Name| {
            let key = (Space::of(name.kind), name.name.clone());
            name.schema.is_none() && self.platform.there.contains(&key) && self.tenant.there.contains(&key)
        };
        if let Some(name) = targets.iter().find(both) {
            return format!("both have a {:?}", name.name);
        }
        match targets.first() {
            Some(Name { schema: Some(schema), .. }) => {
                format!("{OTHER_SCHEMA} {schema:?} is neither the platform's nor a tenant's")
            }
            name => format!("nothing says whose {:?} is", name.map_or("it", |name| &name.name)),
        }
    }
}

/// Names of what belongs to a table.
const PARTS: &[SyntaxKind] = &[
    SyntaxKind::CONSTRAINT_NAME_REF,
    SyntaxKind::INDEX,
    SyntaxKind::POLICY_REF,
    SyntaxKind::RULE_REF,
    SyntaxKind::TRIGGER_REF,
];

/// Whether the name is written with the session's own schema, under its alias or by its number.
fn is_temporary_schema(name: &Name) -> bool {
    name.schema.as_deref().is_some_and(|schema| schema.starts_with("pg_temp"))
}

fn is_schema(name: &Name) -> bool {
    name.kind == SyntaxKind::SCHEMA
}

/// A bare function or type may as well be the server's own, which is found before all others (manual,
/// chapter 5.10.5): that a tenant has a `now()` too says something only where nothing else does.
fn is_weak(name: &Name) -> bool {
    name.schema.is_none() && matches!(name.kind, SyntaxKind::CALL_EXPR | SyntaxKind::PATH_TYPE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;
    use crate::sql::Script;

    fn clue(sql: &str) -> ScopeClue {
        let made = |sql: &str| Script::parse(Source::new("t.sql", sql)).unwrap().statements;
        let mut known = Known::default();
        for mut statement in made("CREATE TABLE users (id int); CREATE TABLE shared (id int)") {
            known.learn(&mut statement, Scope::Platform);
        }
        for mut statement in made(
            "CREATE TABLE workspaces (id int); CREATE TABLE shared (id int); CREATE INDEX i ON workspaces (id)",
        ) {
            known.learn(&mut statement, Scope::Tenant);
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

    #[test]
    fn a_write_is_a_write_wherever_it_stands() {
        for sql in [
            "WITH moved AS (DELETE FROM datalinx_platform.users RETURNING id) INSERT INTO {org_schema}.w SELECT id FROM moved",
            "WITH a AS (WITH b AS (UPDATE users SET id = 1 RETURNING id) SELECT * FROM b) DELETE FROM workspaces",
            "WITH m AS (INSERT INTO users VALUES (1)) MERGE INTO workspaces w USING m ON true WHEN MATCHED THEN DELETE",
            "EXPLAIN ANALYZE WITH m AS (DELETE FROM users) DELETE FROM workspaces",
        ] {
            assert_eq!(clue(sql), ScopeClue::Unclear("it acts on both".to_owned()), "{sql}");
        }
        assert_eq!(
            clue("WITH m AS (DELETE FROM users RETURNING id) SELECT * FROM m"),
            ScopeClue::Says(Scope::Platform)
        );
        for sql in [
            "MERGE INTO workspaces USING users ON true WHEN MATCHED THEN DELETE",
            "UPDATE workspaces SET id = 1 FROM (SELECT * FROM users FOR UPDATE) u",
            "CREATE FUNCTION {org_schema}.f() RETURNS void BEGIN ATOMIC INSERT INTO datalinx_platform.audit VALUES (1); END",
            "CREATE RULE r AS ON INSERT TO workspaces DO ALSO INSERT INTO datalinx_platform.audit VALUES (1)",
        ] {
            assert_eq!(clue(sql), ScopeClue::Says(Scope::Tenant), "{sql}");
        }
    }

    #[test]
    fn the_placeholder_is_a_tenants_wherever_it_stands() {
        for sql in [
            "DO $$ BEGIN EXECUTE 'DROP TABLE {org_schema}.x'; END $$",
            "SELECT set_config('a.b', '{org_schema}', true)",
            "CREATE ROLE {org_schema}_reader",
            "SET LOCAL a.b = '{org_schema}'",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA {org_schema} GRANT SELECT ON TABLES TO r",
        ] {
            assert_eq!(clue(sql), ScopeClue::Says(Scope::Tenant), "{sql}");
        }
        for sql in [
            "UPDATE datalinx_platform.users SET a = '{org_schema}'",
            "COMMENT ON TABLE users IS '{org_schema}'",
        ] {
            assert!(matches!(clue(sql), ScopeClue::Unclear(_)), "{sql}");
        }
        assert_eq!(clue("DELETE FROM users /* {org_schema} */ WHERE true"), ScopeClue::Says(Scope::Platform));
    }

    #[test]
    fn what_no_schema_holds_is_the_platforms() {
        for sql in [
            "GRANT a TO b",
            "REVOKE a FROM b",
            "GRANT CONNECT ON DATABASE d TO r",
            "GRANT USAGE ON FOREIGN SERVER s TO r",
            "COMMENT ON ROLE r IS 'x'",
            "COMMENT ON DATABASE d IS 'x'",
            "COMMENT ON EXTENSION e IS 'x'",
            "COMMENT ON SCHEMA datalinx_platform IS 'x'",
            "SECURITY LABEL ON ROLE r IS 'x'",
            "CREATE USER MAPPING FOR r SERVER s",
            "DROP SERVER s",
            "ALTER SERVER s VERSION '2'",
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO r",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA datalinx_platform GRANT SELECT ON TABLES TO r",
        ] {
            assert_eq!(clue(sql), ScopeClue::Says(Scope::Platform), "{sql}");
        }
        assert_eq!(clue("COMMENT ON SCHEMA {org_schema} IS 'x'"), ScopeClue::Says(Scope::Tenant));
        assert_eq!(clue("GRANT SELECT ON workspaces TO r"), ScopeClue::Says(Scope::Tenant));
        assert!(matches!(clue("COMMENT ON SCHEMA org_acme IS 'x'"), ScopeClue::Unclear(_)));
    }

    #[test]
    fn only_what_lasts_is_known() {
        let mut known = Known::default();
        let mut learn = |scope, sql: &str| {
            for mut statement in Script::parse(Source::new("t.sql", sql)).unwrap().statements {
                known.learn(&mut statement, scope);
            }
            known.clone()
        };
        let says = |known: &Known, sql: &str| {
            known.clue(&Script::parse(Source::new("t.sql", sql)).unwrap().statements[0], "datalinx_platform")
        };
        let (platform, tenant) = (ScopeClue::Says(Scope::Platform), ScopeClue::Says(Scope::Tenant));
        let mut known = learn(Scope::Tenant, "CREATE TEMP TABLE t (id int); CREATE TABLE pg_temp.u (id int)");
        assert_eq!(says(&known, "DELETE FROM t"), tenant);
        assert_eq!(says(&known, "DELETE FROM u"), tenant);
        known.end_of_file();
        assert!(matches!(says(&known, "DELETE FROM t"), ScopeClue::Unclear(_)));

        // The server's own functions and types are found first.
        let known = learn(
            Scope::Tenant,
            "CREATE FUNCTION now() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE date (id int); CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        );
        assert_eq!(says(&known, "UPDATE datalinx_platform.users SET a = now()"), platform);
        assert_eq!(says(&known, "ALTER TABLE datalinx_platform.users ADD a date"), platform);
        assert_eq!(says(&known, "SELECT now() FROM datalinx_platform.users"), platform);
        assert_eq!(says(&known, "SELECT mine()"), tenant);
        assert!(matches!(says(&known, "DELETE FROM mine"), ScopeClue::Unclear(_)), "a function is no table");

        // What moved from one to the other is the other's; what is gone still says whose it was.
        let known = learn(
            Scope::Platform,
            "CREATE TABLE moves (id int); CREATE TABLE old (id int); DROP TABLE moves; ALTER TABLE old RENAME TO new",
        );
        assert_eq!(says(&known, "DELETE FROM moves"), platform);
        assert!(matches!(says(&known, "CREATE TABLE moves (id int)"), ScopeClue::Unclear(_)));
        assert_eq!(says(&known, "DELETE FROM new"), platform);
        let known =
            learn(Scope::Tenant, "CREATE TABLE {org_schema}.moves (id int); CREATE TABLE old (id int)");
        assert_eq!(says(&known, "DELETE FROM moves"), tenant);
        assert_eq!(says(&known, "DELETE FROM old"), tenant);
    }
}
