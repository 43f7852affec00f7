//! The rules of an audit, each once: judging, the policy and the documentation walk [`RULES`].

use serde::Serialize;

use super::Kind;
use crate::verify::Level;

/// One rule.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Rule {
    /// Its name, kebab-case, never changed once published.
    pub id: &'static str,
    /// Its weight where the settings say nothing.
    pub level: Level,
    /// The facts that it judges.
    #[serde(skip)]
    pub(super) kinds: &'static [Kind],
    /// What it finds.
    pub finds: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub remediation: &'static str,
}

/// All rules, in the order of the documentation.
pub static RULES: &[Rule] = &[
    Rule {
        id: "cross-tenant-privilege",
        level: Level::Deny,
        kinds: &[Kind::RightAcross, Kind::RightThrough, Kind::StrangerRight],
        finds: "a tenant's role, a role that it is a member of, a tenant's role of another database of the server, or a role of Tenure's that no tenant has any more has a right on another tenant's schema, table, column, sequence, function, type, or on what will be made there",
        why: "whoever logs in as the one reads or writes what is the other's",
        remediation: "revoke the right",
    },
    Rule {
        id: "member-across",
        level: Level::Deny,
        kinds: &[Kind::MemberAcross],
        finds: "a tenant's role is a member of another tenant's role, itself or by way of others",
        why: "a member has all rights of the role, or takes them with SET ROLE",
        remediation: "revoke the membership",
    },
    Rule {
        id: "public-right",
        level: Level::Deny,
        kinds: &[Kind::PublicRight],
        finds: "PUBLIC has a right on a tenant's schema, tables, columns or sequences, or on tables and sequences that will be made there; EXECUTE on functions, which PUBLIC has unless it is revoked, opens nothing while the schema is closed",
        why: "PUBLIC is everybody who can connect, every other tenant's role among them",
        remediation: "revoke the right, and give it to the roles that need it",
    },
    Rule {
        id: "platform-right",
        level: Level::Deny,
        kinds: &[Kind::PlatformRight],
        finds: "a tenant's role, or PUBLIC, has a right on a table, view, column or sequence of the platform that no `-- Uses:` line of the tenant's template names",
        why: "the platform's tables hold all tenants' rows",
        remediation: "revoke the right; or, if the tenants need it, say so in the template with `-- Uses: table (right)`",
    },
    Rule {
        id: "role-right",
        level: Level::Deny,
        kinds: &[Kind::RoleRight],
        finds: "a tenant's role may create things in its schema, make triggers on its tables, or pass its rights on",
        why: "a trigger runs with the rights of whoever writes to the table, the role that migrates among them; what is created has the role as its owner; and a right that is passed on is a hole that nobody made",
        remediation: "revoke the right",
    },
    Rule {
        id: "cross-tenant-dependency",
        level: Level::Deny,
        kinds: &[Kind::ReachesAcross],
        finds: "a foreign key, view, materialized view, rule, function, trigger, policy, default, constraint, index, type, partition or child table of one tenant depends on what stands in another's schema",
        why: "rows of the one show in the other, or keep them from being changed; and neither can be moved, renamed or deleted without the other",
        remediation: "drop it, and make it anew with the names of its own schema: write {org_schema}, or no schema at all",
    },
    Rule {
        id: "cross-tenant-reference",
        level: Level::Deny,
        kinds: &[Kind::Setting, Kind::Names, Kind::Expression],
        finds: "another tenant's schema is named in the text of a function, in a search path that a function or a tenant's role sets, in an argument of a trigger, or before a dot in a string of a default, constraint or policy; only a warning where it could be the name of something else",
        why: "the server follows it when it runs, so one tenant's work is done on another's rows",
        remediation: "make it anew with {org_schema} in the place of the name",
    },
    Rule {
        id: "shared-reach",
        level: Level::Deny,
        kinds: &[Kind::SharedReach],
        finds: "a view that is no tenant's depends on a tenant's tables, runs with its owner's rights, and another tenant's role, or PUBLIC, has a right on it",
        why: "rights on a view are rights on what it shows: the wall has a door in it",
        remediation: "revoke the right, or make the view WITH (security_invoker)",
    },
    Rule {
        id: "view-opens-platform",
        level: Level::Warn,
        kinds: &[Kind::ViewOpensPlatform],
        finds: "a view of a tenant that has a role reads a table of the platform, runs with its owner's rights, and no `-- Uses:` line of the template names the table with select",
        why: "the tenant sees as much of the platform's table as the view lets through; that may be meant, and then the template should say so",
        remediation: "say `-- Uses: table (select)` in the template if it is meant; else make the view WITH (security_invoker)",
    },
    Rule {
        id: "definer-path",
        level: Level::Deny,
        kinds: &[Kind::DefinerPath, Kind::DefinerUserPath],
        finds: "a SECURITY DEFINER function in a tenant's schema or in the platform's sets no search_path, or one with $user in it",
        why: "its caller chooses what its names mean: a table or function of the caller's own, run or written with the owner's rights",
        remediation: "set the search path with the function, pg_temp last",
    },
    Rule {
        id: "definer-open",
        level: Level::Warn,
        kinds: &[Kind::DefinerOpen],
        finds: "a SECURITY DEFINER function of the platform may be called by tenants' roles",
        why: "PUBLIC may call every new function, and a role that uses a table of the platform gets into its schema; that may be meant",
        remediation: "revoke EXECUTE from PUBLIC, and grant it to those who are meant",
    },
    Rule {
        id: "wrong-owner",
        level: Level::Deny,
        kinds: &[Kind::WrongOwner],
        finds: "a table, view, sequence, function or type of a tenant has another owner than its schema",
        why: "the owner may do anything with it, and default privileges do not cover what other roles make",
        remediation: "change the owner, and make things in migrations",
    },
    Rule {
        id: "role-owns",
        level: Level::Deny,
        kinds: &[Kind::RoleOwns],
        finds: "a tenant's role owns something, in its schema, elsewhere in the database, or on the server",
        why: "an owner may change what it owns, give rights on it, and hang code on it that others run",
        remediation: "give it to the schema's owner",
    },
    Rule {
        id: "extension-in-tenant",
        level: Level::Deny,
        kinds: &[Kind::Extension],
        finds: "an extension lives in a tenant's schema",
        why: "a database has an extension once: the other tenants reach into this schema for it, or do without, and it goes with the tenant",
        remediation: "move it to a schema that all share, and make it in a platform migration",
    },
    Rule {
        id: "public-schema",
        level: Level::Deny,
        kinds: &[Kind::PublicSchema],
        finds: "PUBLIC may create things in the schema public, and tenants have roles",
        why: "public is in the search path of every unit and of most applications: what one tenant makes there others call",
        remediation: "revoke it; new databases of PostgreSQL 15 and later are made without it",
    },
    Rule {
        id: "role-missing",
        level: Level::Deny,
        kinds: &[Kind::RoleMissing],
        finds: "with `[tenants] roles = true`, a tenant that has no role, or whose role was dropped",
        why: "it was made before the setting, or by other means, and whoever works for it has somebody else's rights",
        remediation: "`tenure tenant grant` makes it",
    },
    Rule {
        id: "role-overprivileged",
        level: Level::Deny,
        kinds: &[Kind::RolePower, Kind::RoleMember],
        finds: "a tenant's role is a superuser, bypasses row security, makes roles or databases, replicates, or is a member of a role that does, that comes with the server (pg_…), or that owns the database, a schema of a tenant or of the platform, or a table in one",
        why: "no wall stops it",
        remediation: "take the power away",
    },
    Rule {
        id: "role-elsewhere",
        level: Level::Deny,
        kinds: &[Kind::RoleElsewhere],
        finds: "the role of a tenant carries the mark of another database, or none",
        why: "this database is a copy, or was renamed: whoever logs in there as this tenant works here too, and what is done here to the role is done there",
        remediation: "in a copy, set [tenants] role_prefix and run `tenure tenant grant`, which gives the tenants roles of their own; \
                  in a database that was renamed, say so on the role",
    },
    Rule {
        id: "role-open",
        level: Level::Deny,
        kinds: &[Kind::RoleOpen],
        finds: "the role of a tenant that is suspended or dropped may log in",
        why: "somebody gave it the right back by hand, past `tenant resume`",
        remediation: "take it away, or resume the tenant",
    },
    Rule {
        id: "role-lacks",
        level: Level::Deny,
        kinds: &[Kind::RoleLacks],
        finds: "with `[tenants] roles = true`, a tenant's role lacks a right on its own schema or what is in it, on what will be made there, or on what its template uses of the platform",
        why: "the tenant's work fails there; mostly the thing was made by another role than the one that made the tenant, whose default privileges do not cover it",
        remediation: "`tenure tenant grant` gives what is missing, and covers what the role that runs it will make",
    },
    Rule {
        id: "template-unknown",
        level: Level::Warn,
        kinds: &[Kind::TemplateUnknown],
        finds: "a tenant with a role was made from a template that the project no longer has",
        why: "what its role may use of the platform is then unknown, and not judged",
        remediation: "put the template back, for its `-- Uses:` lines",
    },
];

impl Rule {
    /// The rule that judges facts of that kind.
    pub(super) fn of(kind: Kind) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.kinds.contains(&kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_complete_and_every_fact_has_one() {
        for (index, rule) in RULES.iter().enumerate() {
            let id = rule.id;
            assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{id}");
            assert!(!RULES[..index].iter().any(|other| other.id == id), "{id} stands twice");
            for text in [rule.finds, rule.why, rule.remediation] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{id}: no full stop");
            }
        }
        for kind in Kind::ALL {
            let rules = RULES.iter().filter(|rule| rule.kinds.contains(kind)).count();
            assert_eq!(rules, 1, "{}", kind.as_str());
            assert_eq!(Kind::named(kind.as_str()), Some(*kind));
        }
    }
}
