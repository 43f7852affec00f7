//! The transaction of an import: restores the schema under its name in the dump, compares it with the export, renames it, and
//! registers it. An existing schema with the name in the dump gets a random name until then; other sessions do not see that.

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{ImportIdentity, foreign_keys};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::executor::unless_cancelled;
use crate::ident::{DisplayName, Identifier, SchemaName, literal};
use crate::postgres::batch::{HistoryRow, Kind, Run, SessionState, SqlBatch};
use crate::postgres::catalog::{SchemaDifference, Transaction, server_major};
use crate::postgres::metadata::version_rows::{self, DROPPED};
use crate::postgres::metadata::{Tenant, TenantState, checks, state};
use crate::postgres::{Archive, Connection, ForeignKey, Keys, Row, Section, ServerError};
use crate::project::Project;
use crate::tenant::copy::adopt::IfDifferent;
use crate::tenant::copy::archive::Manifest;
use crate::tenant::copy::{fingerprint, publications};
use crate::tenant::lifecycle::name_references;
use crate::tenant::provisioning::TenantRecord;
use crate::tenant::roles::role::{self, Owner, Reach};
use crate::tenant::{cleanup, name_ownership, operation};

/// A tenant was imported from a file.
const IMPORT: Kind = Kind::of_verb("import");
/// A tenant was restored in place from a file.
const RESTORE: Kind = Kind::of_verb("restore");
/// A tenant's schema was renamed when the tenant was restored from a file.
const REPLACED: Kind = Kind::of_verb("replace");

/// The states in which a tenant can be restored.
pub(in crate::tenant) const IN_USE: &[TenantState] = &[TenantState::Active, TenantState::Suspended];

const OUTSIDE_CHANGES: &str = include_str!("outside_changes.sql");

/// The settings under which a dump must be run.
const SETTINGS: &[&str] = &[
    "check_function_bodies = off",
    "xmloption = content",
    "row_security = off",
    "DateStyle = 'ISO, YMD'",
    "IntervalStyle = 'postgres'",
];

/// A row that a foreign key refers to is missing.
const FOREIGN_KEY_VIOLATION: &str = "23503";

/// A restored schema in the open transaction.
#[derive(Debug)]
struct Filled {
    rows: u64,
    /// Whether the tenant's former role was created.
    created_role: bool,
    /// The random name of the existing schema with the name in the dump.
    temporary: Option<SchemaName>,
    /// The foreign keys that were not checked.
    unchecked: Vec<ForeignKey>,
}

/// The result of a restore.
#[derive(Debug)]
pub(in crate::tenant) struct Outcome {
    /// The number of rows.
    pub(in crate::tenant) rows: u64,
    /// The accepted definitions that are printed differently.
    pub(in crate::tenant) differences: Vec<SchemaDifference>,
    /// The objects outside of the replaced schema that depend on it.
    pub(in crate::tenant) dependents: Vec<String>,
}

/// A restore in progress.
pub(in crate::tenant) struct Restore<'a> {
    pub(in crate::tenant) project: &'a Project,
    pub(in crate::tenant) manifest: &'a Manifest,
    pub(in crate::tenant) identity: &'a ImportIdentity,
    pub(in crate::tenant) platform: &'a Version,
    /// The state that is committed.
    pub(in crate::tenant) state: TenantState,
    pub(in crate::tenant) archive: &'a Archive,
    pub(in crate::tenant) stop: &'a CancellationToken,
    /// The action if definitions are printed differently.
    pub(in crate::tenant) if_different: IfDifferent,
    /// Whether foreign keys are checked.
    pub(in crate::tenant) keys: Keys<'a>,
    /// The tenant that is replaced, with its own role; its schema becomes that of a dropped tenant.
    pub(in crate::tenant) replaced: Option<(&'a Tenant, Option<Identifier>)>,
}

impl Restore<'_> {
    /// Runs the restore. After a failure, the caller must roll back.
    pub(in crate::tenant) async fn run(
        &self,
        connection: &mut Connection,
        run: &Run,
    ) -> Result<Outcome, Failure> {
        let former = &self.identity.former;
        let filled = self.fill(connection, run, self.keys).await;
        let Filled { rows, created_role, temporary, unchecked } = match filled {
            Err(failure) if failure.sqlstate.as_deref() == Some(FOREIGN_KEY_VIOLATION) => {
                return Err(self.explain(connection, run, failure).await);
            }
            filled => filled?,
        };
        let differences = self.prove(connection, &unchecked).await?;
        // Until the names are free, the restored schema has a random one.
        let target = match &self.replaced {
            Some(_) => random_name("restored")?,
            None => self.identity.schema.clone(),
        };
        if self.identity.schema != *former {
            let references = name_references::inside(connection, &run.platform, former, &target).await?;
            if !references.is_empty() {
                let lines: Vec<String> = references.into_iter().collect();
                return Err(name_references::failure(former, &lines));
            }
        } else if target != *former {
            rename(connection, former, &target).await?;
        }
        if let Some(temporary) = temporary {
            rename(connection, &temporary, former).await?;
        }
        let mut dependents = Vec::new();
        if let Some((tenant, _)) = &self.replaced {
            dependents = self.put_aside(connection, run, tenant).await?;
            rename(connection, &target, &self.identity.schema).await?;
        }
        unless_cancelled(self.stop)?;
        self.enter(connection, run, created_role).await?;
        Ok(Outcome { rows, differences, dependents })
    }

    /// Begins the transaction and restores the schema in it, under its name in the dump.
    async fn fill(&self, connection: &mut Connection, run: &Run, keys: Keys<'_>) -> Result<Filled, Failure> {
        let former = &self.identity.former;
        let mut message = SqlBatch::default();
        // The platform stays at its version until the tenant is registered.
        message.begin(run.limits, &version_rows::expect_platform(&run.platform, self.platform));
        if let Some((tenant, _)) = &self.replaced {
            message.push(&version_rows::hold_still(&run.platform, &tenant.schema, IN_USE));
        }
        for setting in SETTINGS {
            message.push(&format!("SET LOCAL {setting}"));
        }
        message.push(&format!("SET LOCAL search_path = {}", self.search_path()?));
        let begun = operation::in_turn(connection, &message, run.limits).await;
        begun.map_err(|server_error| {
            name_ownership::refused(&server_error, &self.doing(), &self.identity.schema)
        })?;
        let created_role = self.create_former_role(connection).await?;
        let temporary = self.rename_existing(connection).await?;
        let own: Vec<&SchemaName> = std::iter::once(former).chain(&temporary).collect();
        let (transaction, _) = outside_changes(connection, &own).await?;
        self.archive.define(connection, (Section::Before, keys)).await?;
        let rows = self.archive.copy_rows(connection, || self.stop.is_cancelled()).await?;
        unless_cancelled(self.stop)?;
        let after = Section::After(self.manifest.owner.as_deref());
        let unchecked = self.archive.define(connection, (after, keys)).await?;
        // The objects of the dump must not be visible to Tenure's own queries.
        let qualified = connection.run("SET LOCAL search_path = ''").await;
        qualified.map_err(|server_error| server_error.failure("setting the search path"))?;
        let (now, outside) = outside_changes(connection, &own).await?;
        if now != transaction || !outside.is_empty() {
            let what = if now == transaction { outside } else { "the transaction".to_owned() };
            return Err(Failure::new(
                Code::ExportInvalid,
                format!("the dump in the file changes more than the schema {former}: {what}"),
            ));
        }
        Ok(Filled { rows, created_role, temporary, unchecked })
    }

    /// Restores the schema again without checking its foreign keys, to name all missing rows. The server names only the first.
    async fn explain(&self, connection: &mut Connection, run: &Run, failure: Failure) -> Failure {
        if connection.run("ROLLBACK").await.is_err() {
            return failure;
        }
        let filled = self.fill(connection, run, Keys::Unchecked(&self.identity.former)).await;
        let missing = match filled {
            Ok(Filled { unchecked, .. }) => foreign_keys::missing_rows(connection, &unchecked).await,
            Err(failure) => Err(failure),
        };
        match missing {
            Ok(Some(missing)) => Failure { sqlstate: failure.sqlstate, ..missing },
            // A lost connection or an interruption is reported as such.
            Err(other) if other.session_ended() || other.code == Code::Interrupted => other,
            Ok(None) | Err(_) => failure,
        }
    }

    /// Makes the schema of the replaced tenant that of a dropped one, without a registry row. Returns the objects outside of the schema
    /// that depend on it.
    async fn put_aside(
        &self,
        connection: &mut Connection,
        run: &Run,
        tenant: &Tenant,
    ) -> Result<Vec<String>, Failure> {
        let mut message = SqlBatch::default();
        message.push(&version_rows::drop(&run.platform, &tenant.schema, &tenant.slug));
        message.push(&checks::dependents(&run.platform, DROPPED));
        message.name_history(run, DROPPED, &tenant.schema, REPLACED);
        let sets = connection.send(&message).await;
        let sets = sets.map_err(|server_error| {
            operation::refused(&server_error, "putting aside", tenant, &self.project.settings)
        })?;
        let texts = |column| -> Vec<String> {
            sets.iter().flatten().filter_map(|row: &Row| row.text(column).ok()).collect()
        };
        if let (Some(dropped), Some((_, Some(role)))) = (texts("dropped").pop(), &self.replaced) {
            let mut message = SqlBatch::default();
            revoke_all(connection, (&SchemaName::existing(dropped)?, &role.quoted()), &mut message).await?;
            let revoked = connection.send(&message).await;
            revoked.map_err(|server_error| {
                server_error.failure("revoking the privileges on the former schema")
            })?;
        }
        Ok(texts("dependent"))
    }

    /// The search path of the tenant's units, then the schemas of its extensions. A dump qualifies every name, but not all syntax can
    /// name its operator, and bodies of functions may have unqualified names.
    fn search_path(&self) -> Result<String, Failure> {
        let mut path = self.project.settings.shared_path().of(&self.identity.former);
        // The server's schema comes first if it is not in the list.
        for extension in self.manifest.extensions.iter().filter(|extension| extension.schema != "pg_catalog")
        {
            let schema = Identifier::new(extension.schema.as_str())?;
            path = format!("{path}, {}", schema.quoted());
        }
        Ok(path)
    }

    /// The dump grants privileges to the tenant's former role. Creates a role of that name if there is none, until the tenant has
    /// its own. Returns whether it created one.
    async fn create_former_role(&self, connection: &mut Connection) -> Result<bool, Failure> {
        let Some(role) = &self.manifest.own_role else { return Ok(false) };
        let sql = format!("SELECT true AS there FROM pg_catalog.pg_roles WHERE rolname = {}", literal(role));
        let explained =
            |server_error: ServerError| server_error.failure("creating the tenant's former role temporarily");
        if connection.query_batch(&sql).await.map_err(explained)?.iter().flatten().next().is_some() {
            return Ok(false);
        }
        let made = format!("CREATE ROLE {} NOLOGIN", Identifier::new(role.as_str())?.quoted());
        connection.run(&made).await.map_err(explained)?;
        Ok(true)
    }

    /// Renames an existing schema with the name in the dump to a random name until the commit.
    async fn rename_existing(&self, connection: &mut Connection) -> Result<Option<SchemaName>, Failure> {
        let former = &self.identity.former;
        let sql = format!(
            "SELECT true AS there FROM pg_catalog.pg_namespace WHERE nspname = {}",
            literal(former.as_str())
        );
        let sets = connection.query_batch(&sql).await;
        let sets = sets.map_err(|server_error| server_error.failure("reading whether the schema exists"))?;
        if sets.iter().flatten().next().is_none() {
            return Ok(None);
        }
        let temporary = random_name("aside")?;
        rename(connection, former, &temporary).await?;
        Ok(Some(temporary))
    }

    /// Compares the restored schema with the export. On the same major version all definitions must be equal, on another all
    /// objects must exist. Definitions that a dump only prints differently may be accepted.
    async fn prove(
        &self,
        connection: &mut Connection,
        unchecked: &[ForeignKey],
    ) -> Result<Vec<SchemaDifference>, Failure> {
        let former = &self.identity.former;
        let print = fingerprint::print(connection, former, Transaction::Current).await?;
        let is_same_major = server_major(connection).await? == self.manifest.postgresql;
        let mut found = fingerprint::differences(&self.manifest.fingerprint, &print, former);
        // Such a key is not valid.
        let unchecked: Vec<String> = unchecked.iter().map(ForeignKey::label).collect();
        found.retain(|line| !unchecked.contains(&line.object));
        let is_only_words = found.iter().all(|line| fingerprint::is_other_words(&line.change));
        if !is_same_major {
            found.retain(|line| !fingerprint::is_other_words(&line.change));
        }
        if found.is_empty() || is_only_words && self.if_different == IfDifferent::Accept {
            return Ok(found);
        }
        let named: Vec<String> =
            found.iter().map(|line| format!("{}: {}", line.object, line.change)).collect();
        let mut failure = Failure::new(
            Code::ImportDiffers,
            format!("the restored schema differs from the exported one: {}", named.join("; ")),
        )
        .hint(if found.iter().any(|line| line.change.starts_with("uses ")) {
            "add the schema of these operators to `search_path` in [tenants] of tenure.toml, as it was when the tenant was created"
        } else if is_only_words {
            "PostgreSQL may print a definition differently after a dump; if that is the only difference, import it with --force"
        } else {
            "check whether the file was changed, or an event trigger in the database changes new objects"
        });
        failure.schema = Some(former.as_str().to_owned());
        Err(failure)
    }

    /// Registers the tenant and commits.
    async fn enter(&self, connection: &mut Connection, run: &Run, created_role: bool) -> Result<(), Failure> {
        let settings = &self.project.settings;
        let schema = &self.identity.schema;
        let mut message = SqlBatch::default();
        self.revoke_from_original(connection, &mut message).await?;
        let policies = self.policies_of_original(connection).await?;
        if self.replaced.is_none() {
            self.register(connection, &mut message).await?;
        }
        publications::add(&mut message, schema, &self.manifest.publications)?;
        let template = self.manifest.template.as_deref().unwrap_or(&settings.tenants.template);
        let made = (&self.identity.version, template);
        let state = (self.state, &self.manifest.parameters);
        message.push(&version_rows::insert(&run.platform, (schema, None), made, state));
        let owner = |project| {
            let template = Project::template(project, Some(template))?;
            Ok::<_, Failure>(Owner { schema, template, version: self.platform, reach: Reach::Filled })
        };
        let role = if let Some((_, role)) = &self.replaced {
            if let Some(role) = role {
                role::hand_over(&mut message, self.project, &owner(self.project)?, (role, DROPPED))?;
            }
            role.clone()
        } else {
            let role = role::usual(settings, schema)?.map(|(role, _)| role);
            if let Some(role) = &role {
                role::make(&mut message, self.project, &owner(self.project)?, (role, None))?;
            }
            role
        };
        for policy in &policies {
            message.push(&policy.given_to(schema, role.as_ref())?);
        }
        if let Some(role) = self.manifest.own_role.as_ref().filter(|_| created_role) {
            message.push(&format!("DROP ROLE {}", Identifier::new(role.as_str())?.quoted()));
        }
        let row = HistoryRow {
            schema,
            from: &Version::ZERO,
            to: &self.identity.version,
            name: &self.manifest.tenant.slug,
            checksum: None,
            kind: if self.replaced.is_some() { RESTORE } else { IMPORT },
            allowed: "[]",
        };
        message.history(run, &row);
        cleanup::mark(&mut message, run, schema);
        message.commit(SessionState::Possible);
        let explained =
            |server_error: &ServerError| name_ownership::refused(server_error, &self.doing(), schema);
        cleanup::commit(connection, (run, schema, self.state), &message, explained).await
    }

    /// Restores the registry row with the tenant's new identity. Columns that the table does not have are omitted, and so are
    /// serial columns: the value may belong to another tenant.
    async fn register(&self, connection: &mut Connection, message: &mut SqlBatch) -> Result<(), Failure> {
        let settings = &self.project.settings;
        let (columns, identity) = (&settings.tenants.columns, self.identity);
        let Some(sent) = &self.manifest.registry else {
            let id = identity.id.parse().unwrap_or_else(|_| Uuid::new_v4());
            let (slug, name) = (identity.slug.clone(), DisplayName::new(identity.name.as_str())?);
            name_ownership::register(
                settings,
                &TenantRecord { id, slug, name, schema: identity.schema.clone(), role: None },
                message,
            );
            return Ok(());
        };
        let mut row = sent.clone();
        for (column, value) in [
            (&columns.id, identity.id.as_str()),
            (&columns.name, identity.name.as_str()),
            (&columns.slug, identity.slug.as_str()),
            (&columns.schema, identity.schema.as_str()),
        ] {
            row.insert(column.as_str().to_owned(), value.into());
        }
        if let Some(column) = &columns.status {
            row.insert(column.as_str().to_owned(), self.state.as_str().into());
        }
        let registry = state::registry(settings);
        let sql = format!(
            "SELECT attname::text AS name FROM pg_catalog.pg_attribute WHERE attrelid = {}::pg_catalog.regclass \
             AND attnum > 0 AND NOT attisdropped AND attgenerated = '' \
             AND (attname = {} OR pg_catalog.pg_get_serial_sequence({}, attname) IS NULL) ORDER BY attnum",
            literal(&registry),
            literal(columns.id.as_str()),
            literal(&registry),
        );
        let sets = connection.query_batch(&sql).await;
        let sets = sets.map_err(|server_error| state::registry_failure(&server_error, settings))?;
        let mut there = Vec::new();
        for column in sets.iter().flatten() {
            let column = Identifier::new(column.text("name")?)?;
            if row.contains_key(column.as_str()) {
                there.push(column.quoted());
            }
        }
        let (list, json) = (there.join(", "), serde_json::Value::Object(row).to_string());
        message.push(&format!(
            "INSERT INTO {registry} ({list}) OVERRIDING SYSTEM VALUE SELECT {list} \
             FROM pg_catalog.jsonb_populate_record(NULL::{registry}, {})",
            literal(&json)
        ));
        message.push(&checks::expect_registered(settings, &literal(identity.schema.as_str())));
        Ok(())
    }

    /// Revokes the privileges of the original's role in the copy, and those of a role that is named like the original's schema.
    async fn revoke_from_original(
        &self,
        connection: &mut Connection,
        message: &mut SqlBatch,
    ) -> Result<(), Failure> {
        let former = self.identity.former.as_str();
        let named = self
            .manifest
            .roles
            .iter()
            .find(|role| *role == former && self.identity.schema.as_str() != former);
        for role in named.into_iter().chain(&self.manifest.own_role) {
            let role = Identifier::new(role.as_str())?.quoted();
            revoke_all(connection, (&self.identity.schema, &role), message).await?;
        }
        Ok(())
    }

    /// The policies in the copy that are for the original's role.
    async fn policies_of_original(&self, connection: &mut Connection) -> Result<Vec<Policy>, Failure> {
        let Some(role) = &self.manifest.own_role else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT relname::text AS table_name, polname::text AS name, \
                 (SELECT string_agg(CASE WHEN other = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(other)) END, ', ') \
                  FROM unnest(polroles) AS other WHERE other <> r.oid) AS others \
             FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = polrelid \
                 JOIN pg_catalog.pg_roles r ON rolname = {} AND r.oid = ANY (polroles) \
             WHERE relnamespace = {}::pg_catalog.regnamespace ORDER BY 1, 2",
            literal(role),
            literal(&self.identity.schema.quoted()),
        );
        let sets = connection.query_batch(&sql).await;
        let sets = sets.map_err(|server_error| server_error.failure("reading the policies of the copy"))?;
        sets.iter().flatten().map(Policy::of).collect()
    }

    fn doing(&self) -> String {
        let verb = if self.replaced.is_some() { "restoring" } else { "importing" };
        format!("{verb} {}", self.identity.slug)
    }
}

/// A policy for the role of the original tenant.
struct Policy {
    table: Identifier,
    name: Identifier,
    /// Its other roles, as SQL.
    others: Option<String>,
}

impl Policy {
    fn of(row: &Row) -> Result<Self, Failure> {
        Ok(Self {
            table: Identifier::new(row.text("table_name")?)?,
            name: Identifier::new(row.text("name")?)?,
            others: row.optional_text("others")?,
        })
    }

    /// The statement that replaces the original's role by the tenant's own.
    fn given_to(&self, schema: &SchemaName, role: Option<&Identifier>) -> Result<String, Failure> {
        let roles: Vec<String> =
            role.map(Identifier::quoted).into_iter().chain(self.others.clone()).collect();
        let Self { table, name, .. } = self;
        if roles.is_empty() {
            let message =
                format!("the policy {name} on {table} is for the tenant's role, but tenants have none here");
            return Err(
                Failure::new(Code::Settings, message).hint("set roles = true under [tenants] in tenure.toml")
            );
        }
        let (name, table) = (name.quoted(), table.quoted());
        Ok(format!("ALTER POLICY {name} ON {}.{table} TO {}", schema.quoted(), roles.join(", ")))
    }
}

/// Revokes all privileges of a role, given as SQL, in a schema.
async fn revoke_all(
    connection: &mut Connection,
    (schema, role): (&SchemaName, &str),
    message: &mut SqlBatch,
) -> Result<(), Failure> {
    let schema = schema.quoted();
    message.push(&format!("REVOKE ALL ON SCHEMA {schema} FROM {role}"));
    for kind in ["TABLES", "SEQUENCES", "ROUTINES"] {
        message.push(&format!("REVOKE ALL ON ALL {kind} IN SCHEMA {schema} FROM {role}"));
    }
    let sql = format!(
        "SELECT typname::text AS name FROM pg_catalog.pg_type WHERE typnamespace = {0}::pg_catalog.regnamespace \
             AND typacl IS NOT NULL ORDER BY 1; \
             SELECT DISTINCT pg_catalog.pg_get_userbyid(defaclrole)::text AS giver FROM pg_catalog.pg_default_acl \
             WHERE defaclnamespace = {0}::pg_catalog.regnamespace ORDER BY 1",
        literal(&schema)
    );
    let sets = connection.query_batch(&sql).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading the privileges on types"))?;
    let [types, givers] = sets.as_slice() else { return Ok(()) };
    for row in givers {
        let giver = Identifier::new(row.text("giver")?)?.quoted();
        for kind in ["TABLES", "SEQUENCES", "ROUTINES", "TYPES"] {
            message.push(&format!(
                    "ALTER DEFAULT PRIVILEGES FOR ROLE {giver} IN SCHEMA {schema} REVOKE ALL ON {kind} FROM {role}"
                ));
        }
    }
    for row in types {
        let name = Identifier::new(row.text("name")?)?.quoted();
        message.push(&format!("REVOKE ALL ON TYPE {schema}.{name} FROM {role}"));
    }
    Ok(())
}

fn random_name(what: &str) -> Result<SchemaName, Failure> {
    Ok(SchemaName::existing(format!("tenure_{what}_{}", Uuid::new_v4().simple()))?)
}

async fn rename(connection: &mut Connection, from: &SchemaName, to: &SchemaName) -> Result<(), Failure> {
    let sql = format!("ALTER SCHEMA {} RENAME TO {}", from.quoted(), to.quoted());
    connection
        .run(&sql)
        .await
        .map_err(|server_error| server_error.failure(&format!("renaming schema {from} temporarily")))
}

/// The transaction's id, and its changes outside of these schemas; empty if none.
async fn outside_changes(
    connection: &mut Connection,
    own: &[&SchemaName],
) -> Result<(String, String), Failure> {
    let own: Vec<String> = own.iter().map(|schema| literal(schema.as_str())).collect();
    let sets = connection.query_batch(&OUTSIDE_CHANGES.replace("/*OWN*/", &own.join(", "))).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading changes outside of the schema"))?;
    match sets.iter().flatten().next() {
        Some(row) => Ok((row.text("transaction")?, row.text("outside")?)),
        None => Err(Failure::new(Code::StatementFailed, "the server returned no row")),
    }
}
