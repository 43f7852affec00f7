//! The rules that judge a database instead of a text: those of `tenant audit`, then those of `drift`. The rows describe the
//! findings; the tools detect them. Each row has a tool, an id and a level, then what is found, why it is a problem, how to solve
//! it, and SQL or a command that causes it, which a test runs.

use crate::verify::rule::{Rule, Tool};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[
    Rule::of_catalog(
        (Tool::Audit, RuleId::CrossTenantPrivilege, Level::Deny),
        "a role has a privilege on another tenant's schema, table, column, sequence, function or type, or on future objects there; the role is a tenant's role, a role that it is a member of, a tenant's role of another database of the server, or a role that Tenure created for a tenant that no longer exists",
        "a session of one tenant can read or write the other tenant's data",
        "revoke the privilege",
        "GRANT SELECT ON org_globex.workspaces TO org_acme;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::MemberAcross, Level::Deny),
        "a tenant's role is a direct or indirect member of another tenant's role",
        "a member has all privileges of the role, or gets them with SET ROLE",
        "revoke the membership",
        "GRANT org_globex TO org_acme;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::PublicRight, Level::Deny),
        "PUBLIC has a privilege on a tenant's schema, tables, columns or sequences, or on future tables and sequences there; EXECUTE on functions, which PUBLIC has by default, is not reported, since calls also need USAGE on the schema",
        "PUBLIC includes every role that can connect, also the roles of all other tenants",
        "revoke the privilege, and grant it to the roles that need it",
        "GRANT SELECT ON org_acme.workspaces TO PUBLIC;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::PlatformRight, Level::Deny),
        "a tenant's role, or PUBLIC, has a privilege on a table, view, column or sequence of the platform without a `-- Uses:` line in the tenant's template",
        "the platform's tables contain rows of all tenants",
        "revoke the privilege; if the tenants need it, add `-- Uses: table (privilege)` to the template",
        "GRANT SELECT ON datalinx_platform.audit_log TO org_acme;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleRight, Level::Deny),
        "a tenant's role may create objects in its schema, create triggers on its tables, or grant its privileges to others",
        "a trigger runs with the privileges of the role that writes to the table, such as the role that migrates; created objects belong to the tenant's role; and a privilege granted to others opens the schema without a migration",
        "revoke the privilege",
        "GRANT CREATE ON SCHEMA org_acme TO org_acme;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::CrossTenantDependency, Level::Deny),
        "a foreign key, view, materialized view, rule, function, trigger, policy, default, constraint, index, type, partition or child table of one tenant depends on an object in another tenant's schema",
        "one tenant sees the other tenant's rows, or blocks changes to them; and neither tenant can be moved, renamed or deleted alone",
        "drop the object, and create it again with names of its own schema: write {org_schema}, or no schema",
        "CREATE VIEW org_acme.names AS SELECT name FROM org_globex.workspaces;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::CrossTenantReference, Level::Deny),
        "another tenant's schema is named in the text of a function, in a search path that a function or a tenant's role sets, in an argument of a trigger, or before a dot in a string of a default, constraint or policy; a warning if the name could mean something else",
        "the server resolves the name when the code runs, so code of one tenant acts on another tenant's rows",
        "create it again with {org_schema} instead of the name",
        "CREATE FUNCTION org_acme.total() RETURNS bigint LANGUAGE plpgsql AS\n\
         \x20   'BEGIN RETURN (SELECT count(*) FROM org_globex.workspaces); END';",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::SharedReach, Level::Deny),
        "a view outside of the tenant schemas depends on a tenant's tables, runs with its owner's privileges, and another tenant's role, or PUBLIC, has a privilege on it",
        "a privilege on the view gives access to the rows that it shows",
        "revoke the privilege, or create the view WITH (security_invoker)",
        "CREATE VIEW public.names AS SELECT name FROM org_acme.workspaces;\n\
         GRANT SELECT ON public.names TO org_globex;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::ViewOpensPlatform, Level::Warn),
        "a view of a tenant with a role reads a table of the platform and runs with its owner's privileges, and no `-- Uses:` line of the template lists the table with select",
        "the tenant sees the rows of the platform's table that the view returns; if that is intended, the template should declare it",
        "add `-- Uses: table (select)` to the template if it is intended; otherwise create the view WITH (security_invoker)",
        "CREATE VIEW org_acme.log AS SELECT action FROM datalinx_platform.audit_log;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::DefinerPath, Level::Deny),
        "a SECURITY DEFINER function in a tenant's schema or in the platform schema sets no search_path, or one that contains $user",
        "its caller chooses how its names are resolved, so it can run a function or write a table of the caller with the owner's privileges",
        "set search_path on the function, with pg_temp last",
        "CREATE FUNCTION org_acme.one() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::DefinerOpen, Level::Warn),
        "tenants' roles may call a SECURITY DEFINER function of the platform",
        "PUBLIC may call every new function, and a role that uses a table of the platform has USAGE on its schema; this may be intended",
        "revoke EXECUTE from PUBLIC, and grant it to the roles that need it",
        "CREATE FUNCTION datalinx_platform.one() RETURNS int LANGUAGE sql SECURITY DEFINER\n\
         \x20   SET search_path = datalinx_platform, pg_temp AS 'SELECT 1';",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::WrongOwner, Level::Deny),
        "a table, view, sequence, function or type of a tenant has another owner than its schema",
        "the owner has all privileges on it, and default privileges do not apply to objects that other roles create",
        "change the owner, and create objects in migrations",
        "ALTER TABLE org_acme.mappings OWNER TO support;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleOwns, Level::Deny),
        "a tenant's role owns an object in its schema, elsewhere in the database, or on the server",
        "an owner may alter the object, grant privileges on it, and attach triggers that run for other roles",
        "change the owner to the schema's owner",
        "ALTER TABLE org_acme.data_sources OWNER TO org_acme;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::ExtensionInTenant, Level::Deny),
        "an extension is in a tenant's schema",
        "a database has an extension once: other tenants need access to this schema to use it, and it is dropped with the tenant",
        "move it to a shared schema, and create it in a platform migration",
        "CREATE EXTENSION citext SCHEMA org_acme;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::PublicSchema, Level::Deny),
        "PUBLIC may create objects in the schema public, and tenants have roles",
        "public is in the search path of every unit and of most applications, so others may call a function that one tenant creates there",
        "revoke the privilege; new databases of PostgreSQL 15 and later do not have it",
        "GRANT CREATE ON SCHEMA public TO PUBLIC;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleMissing, Level::Deny),
        "with `[tenants] roles = true`, a tenant has no role, or its role was dropped",
        "the tenant was created before the setting or without Tenure, and its application uses another role's privileges",
        "run `tenure tenant grant`, which creates the role",
        "DROP OWNED BY org_initech;\n\
         DROP ROLE org_initech;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleOverprivileged, Level::Deny),
        "a tenant's role has SUPERUSER, BYPASSRLS, CREATEROLE, CREATEDB or REPLICATION, or is a member of a role that has, of a predefined role (pg_…), or of a role that owns the database, the platform schema, a tenant schema, or a table in one of them",
        "privileges do not restrict such a role to its own schema",
        "remove the attribute or the membership",
        "ALTER ROLE org_acme CREATEROLE;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleElsewhere, Level::Deny),
        "the comment on a tenant's role does not name this database",
        "this database is a copy or was renamed: in a copy, the original's tenant can log in here too, and a change of the role here affects the original",
        "in a copy, set [tenants] role_prefix and run `tenure tenant grant`, which creates separate roles for the tenants; \
                  in a renamed database, change the comment on the role",
        "COMMENT ON ROLE org_umbrella IS 'tenure: of database staging';",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleOpen, Level::Deny),
        "the role of a tenant that is suspended or dropped may log in",
        "LOGIN was granted by hand, without `tenant resume`",
        "revoke it with NOLOGIN, or resume the tenant",
        "-- The tenant is suspended.\n\
         ALTER ROLE org_hooli LOGIN;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::RoleLacks, Level::Deny),
        "with `[tenants] roles = true`, a tenant's role lacks a privilege on its own schema, on existing or future objects in it, or on a platform table that its template uses",
        "the tenant's queries fail; usually another role than the one that created the tenant created the object, so default privileges did not apply",
        "run `tenure tenant grant`, which grants missing privileges, also on objects that its role creates later",
        "REVOKE SELECT ON org_globex.mappings FROM org_globex;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::TemplateUnknown, Level::Warn),
        "a tenant with a role was created from a template that is no longer in the project",
        "the privileges that its role should have on the platform are unknown, so they are not checked",
        "restore the template, which contains the `-- Uses:` lines",
        "$ rm -r tenant_templates/trial",
    ),
    Rule::of_catalog(
        (Tool::Drift, RuleId::SchemaDrift, Level::Deny),
        "a tenant's schema differs from the one that the files define for its version or, where the files define nothing, from the majority of the tenants",
        "a migration that works on the defined schema may fail there or change another object, and the application may not find the objects that it expects",
        "revert the manual change, or add it to a migration and the template",
        "ALTER TABLE org_acme.workspaces ADD COLUMN colour text;",
    ),
];
