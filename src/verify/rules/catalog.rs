//! The rules that judge a database instead of a text: those of `tenant audit`, then those of `drift`. The rows describe the
//! findings; the tools detect them. Each row has a tool, an id and a level, then what is found, why it is a problem, and how to
//! solve it.

use crate::verify::rule::{Rule, Tool};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule::of_catalog(
        (Tool::Audit, RuleId::CrossTenantPrivilege, Level::Deny),
        "a tenant's role, a role that it is a member of, a tenant's role of another database of the server, or a role of Tenure's that no tenant has any more has a right on another tenant's schema, table, column, sequence, function, type, or on what will be made there",
        "whoever logs in as the one reads or writes what is the other's",
        "revoke the right",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::MemberAcross, Level::Deny),
        "a tenant's role is a member of another tenant's role, itself or by way of others",
        "a member has all rights of the role, or takes them with SET ROLE",
        "revoke the membership",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::PublicRight, Level::Deny),
        "PUBLIC has a right on a tenant's schema, tables, columns or sequences, or on tables and sequences that will be made there; EXECUTE on functions, which PUBLIC has unless it is revoked, opens nothing while the schema is closed",
        "PUBLIC is everybody who can connect, every other tenant's role among them",
        "revoke the right, and give it to the roles that need it",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::PlatformRight, Level::Deny),
        "a tenant's role, or PUBLIC, has a right on a table, view, column or sequence of the platform that no `-- Uses:` line of the tenant's template names",
        "the platform's tables hold all tenants' rows",
        "revoke the right; or, if the tenants need it, say so in the template with `-- Uses: table (right)`",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleRight, Level::Deny),
        "a tenant's role may create things in its schema, make triggers on its tables, or pass its rights on",
        "a trigger runs with the rights of whoever writes to the table, the role that migrates among them; what is created has the role as its owner; and a right that is passed on is a hole that nobody made",
        "revoke the right",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::CrossTenantDependency, Level::Deny),
        "a foreign key, view, materialized view, rule, function, trigger, policy, default, constraint, index, type, partition or child table of one tenant depends on what stands in another's schema",
        "rows of the one show in the other, or keep them from being changed; and neither can be moved, renamed or deleted without the other",
        "drop it, and make it anew with the names of its own schema: write {org_schema}, or no schema at all",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::CrossTenantReference, Level::Deny),
        "another tenant's schema is named in the text of a function, in a search path that a function or a tenant's role sets, in an argument of a trigger, or before a dot in a string of a default, constraint or policy; only a warning where it could be the name of something else",
        "the server follows it when it runs, so one tenant's work is done on another's rows",
        "make it anew with {org_schema} in the place of the name",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::SharedReach, Level::Deny),
        "a view that is no tenant's depends on a tenant's tables, runs with its owner's rights, and another tenant's role, or PUBLIC, has a right on it",
        "rights on a view are rights on what it shows: the wall has a door in it",
        "revoke the right, or make the view WITH (security_invoker)",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::ViewOpensPlatform, Level::Warn),
        "a view of a tenant that has a role reads a table of the platform, runs with its owner's rights, and no `-- Uses:` line of the template names the table with select",
        "the tenant sees as much of the platform's table as the view lets through; that may be meant, and then the template should say so",
        "say `-- Uses: table (select)` in the template if it is meant; else make the view WITH (security_invoker)",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::DefinerPath, Level::Deny),
        "a SECURITY DEFINER function in a tenant's schema or in the platform's sets no search_path, or one with $user in it",
        "its caller chooses what its names mean: a table or function of the caller's own, run or written with the owner's rights",
        "set the search path with the function, pg_temp last",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::DefinerOpen, Level::Warn),
        "a SECURITY DEFINER function of the platform may be called by tenants' roles",
        "PUBLIC may call every new function, and a role that uses a table of the platform gets into its schema; that may be meant",
        "revoke EXECUTE from PUBLIC, and grant it to those who are meant",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::WrongOwner, Level::Deny),
        "a table, view, sequence, function or type of a tenant has another owner than its schema",
        "the owner may do anything with it, and default privileges do not cover what other roles make",
        "change the owner, and make things in migrations",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleOwns, Level::Deny),
        "a tenant's role owns something, in its schema, elsewhere in the database, or on the server",
        "an owner may change what it owns, give rights on it, and hang code on it that others run",
        "give it to the schema's owner",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::ExtensionInTenant, Level::Deny),
        "an extension lives in a tenant's schema",
        "a database has an extension once: the other tenants reach into this schema for it, or do without, and it goes with the tenant",
        "move it to a schema that all share, and make it in a platform migration",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::PublicSchema, Level::Deny),
        "PUBLIC may create things in the schema public, and tenants have roles",
        "public is in the search path of every unit and of most applications: what one tenant makes there others call",
        "revoke it; new databases of PostgreSQL 15 and later are made without it",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleMissing, Level::Deny),
        "with `[tenants] roles = true`, a tenant that has no role, or whose role was dropped",
        "it was made before the setting, or by other means, and whoever works for it has somebody else's rights",
        "`tenure tenant grant` makes it",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleOverprivileged, Level::Deny),
        "a tenant's role is a superuser, bypasses row security, makes roles or databases, replicates, or is a member of a role that does, that comes with the server (pg_…), or that owns the database, a schema of a tenant or of the platform, or a table in one",
        "no wall stops it",
        "take the power away",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleElsewhere, Level::Deny),
        "the role of a tenant carries the mark of another database, or none",
        "this database is a copy, or was renamed: whoever logs in there as this tenant works here too, and what is done here to the role is done there",
        "in a copy, set [tenants] role_prefix and run `tenure tenant grant`, which gives the tenants roles of their own; \
                  in a database that was renamed, say so on the role",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleOpen, Level::Deny),
        "the role of a tenant that is suspended or dropped may log in",
        "somebody gave it the right back by hand, past `tenant resume`",
        "take it away, or resume the tenant",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleLacks, Level::Deny),
        "with `[tenants] roles = true`, a tenant's role lacks a right on its own schema or what is in it, on what will be made there, or on what its template uses of the platform",
        "the tenant's work fails there; mostly the thing was made by another role than the one that made the tenant, whose default privileges do not cover it",
        "`tenure tenant grant` gives what is missing, and covers what the role that runs it will make",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::TemplateUnknown, Level::Warn),
        "a tenant with a role was made from a template that the project no longer has",
        "what its role may use of the platform is then unknown, and not judged",
        "put the template back, for its `-- Uses:` lines",
    ),
    Rule::of_catalog(
        (Tool::Drift, RuleId::SchemaDrift, Level::Deny),
        "a tenant's schema, or something in it, is not what the files make at its version; where no file decides, not what most tenants have",
        "a migration that works on what the files make may fail there, or change something else, and the application may miss what it expects",
        "undo what was changed by hand, or put the change into a migration and the template",
    ),
];
