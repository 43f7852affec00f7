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
        "a tenant's role, or one of another database's tenants, is a direct or indirect member of another tenant's role",
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
        "a tenant's role, or PUBLIC, has a privilege on the platform's schema, a table, view, column or sequence, or may grant it to others, without a `-- Uses:` line in the tenant's template",
        "the platform's tables contain rows of all tenants",
        "revoke the privilege; if the tenants need it, add `-- Uses: table (privilege)` to the template",
        "GRANT SELECT ON datalinx_platform.audit_log TO org_acme;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::OutsideRight, Level::Deny),
        "a tenant's role, a role that it is a member of, or PUBLIC has a privilege on a table, view, column or sequence of a schema that is neither a tenant's nor the platform's, on a system catalog, or on a function of the server or of an extension that not everyone may call; privileges that the server and extensions begin with, and those in a schema that no tenant may use, are not reported",
        "such objects may contain or show rows of all tenants, and system catalogs contain passwords, statistics of values and large objects",
        "revoke the privilege; put shared tables into the platform schema and name them in `-- Uses:` lines",
        "CREATE TABLE public.prices (amount int);\n\
         GRANT SELECT ON public.prices TO org_acme;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::ServerRight, Level::Deny),
        "a tenant's role, a role that it is a member of, or PUBLIC has a privilege on a foreign-data wrapper, a foreign server, a tablespace, a large object, a setting that needs one (SET or ALTER SYSTEM), a language whose functions act outside of the database, or CREATE on a database, or a tenant's role has a privilege on another database",
        "these privileges act on all tenants: a server or another database leads to rows elsewhere, a setting switches off protections, and large objects have no schema",
        "revoke the privilege",
        "CREATE FOREIGN DATA WRAPPER shared;\n\
         GRANT USAGE ON FOREIGN DATA WRAPPER shared TO org_acme;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::SettingOpens, Level::Deny),
        "lo_compat_privileges is on, or session_replication_role is replica, for the server, the database, all roles or a tenant's role",
        "every role may then read and write every large object, or writes without foreign keys and triggers",
        "reset the setting",
        "ALTER ROLE org_acme SET lo_compat_privileges = on;",
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
        "a foreign key, view, materialized view, rule, function, trigger, policy, default, constraint, index, type, partition or child table of one tenant depends on an object in another tenant's schema, directly or by way of views, rules and children in other schemas",
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
        "a view, or a table with children, rules, triggers, defaults, constraints or policies, outside of the tenant schemas depends on a tenant's objects, directly or by way of others, with its owner's privileges, and another tenant's role, or PUBLIC, has a privilege on it; or an event trigger calls a tenant's function",
        "a privilege on the view gives access to the rows that it shows",
        "revoke the privilege, or create the view WITH (security_invoker)",
        "CREATE VIEW public.names AS SELECT name FROM org_acme.workspaces;\n\
         GRANT SELECT ON public.names TO org_globex;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::ViewOpensPlatform, Level::Warn),
        "a view, rule or child of a tenant with a role shows a table outside of its schema with its owner's privileges, and no `-- Uses:` line of the template lists the table with select",
        "the tenant sees the rows of the platform's table that the view returns; if that is intended, the template should declare it",
        "add `-- Uses: table (select)` to the template if it is intended; otherwise create the view WITH (security_invoker)",
        "CREATE VIEW org_acme.log AS SELECT action FROM datalinx_platform.audit_log;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::LeakyView, Level::Deny),
        "the rows of a view depend on current_user, a setting or another function that tells who asks, tenants may read it or it shows what is outside of the tenant's schema, and neither it nor a view above it has security_barrier",
        "the server may evaluate a condition of the tenant's query before the view's own, and an error or a notice then shows rows of others",
        "ALTER VIEW … SET (security_barrier)",
        "CREATE VIEW org_acme.own_users AS\n\
         \x20   SELECT email FROM datalinx_platform.users WHERE role = current_user;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::SettingDecides, Level::Deny),
        "a view or policy that tenants may use chooses rows with current_setting() of a setting of the application",
        "every role may set such a setting, and so choose the rows of another tenant",
        "compare with current_user, or grant nothing on it",
        "CREATE VIEW org_acme.colleagues AS\n\
         \x20   SELECT email FROM datalinx_platform.users WHERE organization_id::text = current_setting('app.tenant');",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::PolicyWithoutEffect, Level::Deny),
        "a table that tenants may use has policies but row-level security is off, or a view that tenants may read runs with the rights of an owner to whom the policies do not apply",
        "all rows are visible",
        "ALTER TABLE … ENABLE ROW LEVEL SECURITY; for a view also FORCE ROW LEVEL SECURITY, or create the view WITH (security_invoker)",
        "CREATE POLICY own ON datalinx_platform.users USING (role = current_user);",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::SecretCatalog, Level::Deny),
        "a view that tenants may read shows a system catalog that not everyone may read, such as pg_authid or pg_statistic",
        "the catalog contains password hashes, or values of all tenants",
        "drop the view, or create it WITH (security_invoker)",
        "CREATE VIEW org_acme.logins AS SELECT rolname FROM pg_catalog.pg_authid;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::ForeignTable, Level::Deny),
        "a tenant may use a foreign table, or a view that shows one",
        "its rows come from elsewhere, with the rights of a user mapping that the audit does not see; a server may lead back to this database",
        "revoke the privilege, or set the level of the rule to off if the server shows each tenant only its own rows",
        "CREATE FOREIGN DATA WRAPPER elsewhere;\n\
         CREATE SERVER rates FOREIGN DATA WRAPPER elsewhere;\n\
         CREATE FOREIGN TABLE org_acme.rates (amount int) SERVER rates;",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::DefinerPath, Level::Deny),
        "tenants may call a SECURITY DEFINER function, in any schema, directly or by a trigger, view, operator, cast, aggregate or type, that sets no search_path, one that contains $user, or one that does not end in pg_temp",
        "its caller chooses how its names are resolved, so it can run a function or write a table of the caller with the owner's privileges; temporary tables and types come first unless pg_temp is last",
        "set search_path on the function, with pg_temp last",
        "CREATE FUNCTION org_acme.one() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::DefinerOpen, Level::Warn),
        "tenants' roles may call a SECURITY DEFINER function outside of the tenants' schemas that does more than compute",
        "PUBLIC may call every new function, and a role that uses a table of the platform has USAGE on its schema; this may be intended",
        "revoke EXECUTE from PUBLIC, and grant it to the roles that need it",
        "CREATE FUNCTION datalinx_platform.user_count() RETURNS bigint LANGUAGE sql SECURITY DEFINER\n\
         \x20   SET search_path = datalinx_platform, pg_temp AS 'SELECT count(*) FROM users';",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::DefinerDynamic, Level::Deny),
        "tenants may call a SECURITY DEFINER function that runs a text with EXECUTE or a similar function, other than a constant with quoted values and names of its own schema, or that is not written in SQL or PL/pgSQL",
        "the caller can have the text name another tenant's schema",
        "write the statement without EXECUTE, or with format() and %L",
        "CREATE FUNCTION org_acme.empty(name text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER\n\
         \x20   SET search_path = org_acme, pg_temp\n\
         \x20   AS 'BEGIN EXECUTE ''DELETE FROM '' || name; END';",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::DefinerReach, Level::Warn),
        "a SECURITY DEFINER function in a tenant's schema reads, changes or calls something outside of the schema that the tenant's template does not name; rows that it only inserts are not reported",
        "the tenant sees or changes rows with the rights of the function's owner",
        "revoke EXECUTE on it, or add `-- Uses:` lines if it is intended",
        "CREATE FUNCTION org_acme.last_action() RETURNS text LANGUAGE sql SECURITY DEFINER\n\
         \x20   SET search_path = org_acme, pg_temp\n\
         \x20   AS 'SELECT action FROM datalinx_platform.audit_log LIMIT 1';",
    ),
    Rule::of_catalog(
        (Tool::Audit, RuleId::UntrustedCode, Level::Deny),
        "tenants may call a function in an untrusted language that is not part of an extension, or a LEAKPROOF function",
        "such a function acts with the rights of the server; a LEAKPROOF function is evaluated before the conditions of views and policies",
        "revoke EXECUTE from PUBLIC",
        "CREATE FUNCTION org_acme.quick(text) RETURNS bool LANGUAGE sql LEAKPROOF AS 'SELECT true';",
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
        "a tenant's role owns an object in its schema, elsewhere in the database, or on the server, except temporary and large objects, which every role may make",
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
        "PUBLIC or a tenant's role may create objects in a schema outside of the tenants' schemas and the platform, such as public",
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
        "a tenant's role has SUPERUSER, BYPASSRLS, CREATEROLE, CREATEDB or REPLICATION, or is a member of a role that has, of a predefined role (pg_…), or of a role that owns an object, or may grant a role to others (ADMIN OPTION)",
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
