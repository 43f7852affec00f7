//! The transaction of an import: restores the schema under its name in the dump, compares it with the export, renames it, and
//! registers it. An existing schema with the name in the dump gets a random name until then; other sessions do not see that.

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ImportIdentity;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::executor::unless_cancelled;
use crate::ident::{DisplayName, Identifier, SchemaName, literal};
use crate::postgres::batch::{HistoryRow, Kind, Run, SessionState, SqlBatch};
use crate::postgres::catalog::{SchemaDifference, Transaction, server_major};
use crate::postgres::metadata::{TenantState, checks, state, version_rows};
use crate::postgres::{Archive, Connection, Section, ServerError};
use crate::project::Project;
use crate::tenant::copy::adopt::IfDifferent;
use crate::tenant::copy::archive::Manifest;
use crate::tenant::copy::{fingerprint, publications};
use crate::tenant::lifecycle::name_references;
use crate::tenant::provisioning::TenantRecord;
use crate::tenant::roles::role::{self, Owner, Reach};
use crate::tenant::{cleanup, name_ownership};

/// A tenant was imported from a file.
const IMPORT: Kind = Kind::of_verb("import");

const OUTSIDE_CHANGES: &str = include_str!("outside_changes.sql");

/// The settings under which a dump must be run.
const SETTINGS: &[&str] = &[
    "check_function_bodies = off",
    "xmloption = content",
    "row_security = off",
    "DateStyle = 'ISO, YMD'",
    "IntervalStyle = 'postgres'",
];

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
}

impl Restore<'_> {
    /// Runs the restore. Returns the number of rows, and the definitions that are printed differently. After a failure, the
    /// caller must roll back.
    pub(in crate::tenant) async fn run(
        &self,
        connection: &mut Connection,
        run: &Run,
    ) -> Result<(u64, Vec<SchemaDifference>), Failure> {
        let former = &self.identity.former;
        let mut message = SqlBatch::default();
        // The platform stays at its version until the tenant is registered.
        message.begin(run.limits, &version_rows::expect_platform(&run.platform, self.platform));
        for setting in SETTINGS {
            message.push(&format!("SET LOCAL {setting}"));
        }
        message.push(&format!("SET LOCAL search_path = {}", self.search_path()?));
        let begun = connection.send(&message).await;
        begun.map_err(|server_error| {
            name_ownership::refused(&server_error, &self.doing(), &self.identity.schema)
        })?;
        let created_role = self.create_former_role(connection).await?;
        let temporary = self.rename_existing(connection).await?;
        let own: Vec<&SchemaName> = std::iter::once(former).chain(&temporary).collect();
        let (transaction, _) = outside_changes(connection, &own).await?;
        self.archive.define(connection, Section::Before).await?;
        let rows = self.archive.copy_rows(connection, || self.stop.is_cancelled()).await?;
        unless_cancelled(self.stop)?;
        self.archive.define(connection, Section::After(self.manifest.owner.as_deref())).await?;
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
        let differences = self.prove(connection).await?;
        if self.identity.schema != *former {
            let references = name_references::inside(connection, former, &self.identity.schema).await?;
            if !references.is_empty() {
                let lines: Vec<String> = references.into_iter().collect();
                return Err(name_references::failure(former, &lines));
            }
        }
        if let Some(temporary) = temporary {
            rename(connection, &temporary, former).await?;
        }
        unless_cancelled(self.stop)?;
        self.enter(connection, run, created_role).await?;
        Ok((rows, differences))
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
        let temporary = SchemaName::existing(format!("tenure_aside_{}", Uuid::new_v4().simple()))?;
        rename(connection, former, &temporary).await?;
        Ok(Some(temporary))
    }

    /// Compares the restored schema with the export. On the same major version all definitions must be equal, on another all
    /// objects must exist. Definitions that a dump only prints differently may be accepted.
    async fn prove(&self, connection: &mut Connection) -> Result<Vec<SchemaDifference>, Failure> {
        let former = &self.identity.former;
        let print = fingerprint::print(connection, former, Transaction::Current).await?;
        let is_same_major = server_major(connection).await? == self.manifest.postgresql;
        let mut found = fingerprint::differences(&self.manifest.fingerprint, &print, former);
        let is_only_words = found.iter().all(|line| line.change == fingerprint::OTHER_WORDS);
        if !is_same_major {
            found.retain(|line| line.change != fingerprint::OTHER_WORDS);
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
        self.revoke_from_original(connection, created_role, &mut message).await?;
        self.register(connection, &mut message).await?;
        publications::add(&mut message, schema, &self.manifest.publications)?;
        let template = self.manifest.template.as_deref().unwrap_or(&settings.tenants.template);
        let made = (&self.identity.version, template);
        let state = (self.state, &self.manifest.parameters);
        message.push(&version_rows::insert(&run.platform, (schema, None), made, state));
        if let Some((role, _)) = role::usual(settings, schema)? {
            let template = self.project.template(Some(template))?;
            let owner = Owner { schema, template, version: self.platform, reach: Reach::Filled };
            role::make(&mut message, self.project, &owner, (&role, None))?;
        }
        let row = HistoryRow {
            schema,
            from: &Version::ZERO,
            to: &self.identity.version,
            name: &self.manifest.tenant.slug,
            checksum: None,
            kind: IMPORT,
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
        created_role: bool,
        message: &mut SqlBatch,
    ) -> Result<(), Failure> {
        let former = self.identity.former.as_str();
        let named = self
            .manifest
            .roles
            .iter()
            .find(|role| *role == former && self.identity.schema.as_str() != former);
        for role in named.into_iter().chain(&self.manifest.own_role) {
            self.revoke_all(connection, &Identifier::new(role.as_str())?.quoted(), message).await?;
        }
        if let Some(role) = self.manifest.own_role.as_ref().filter(|_| created_role) {
            message.push(&format!("DROP ROLE {}", Identifier::new(role.as_str())?.quoted()));
        }
        Ok(())
    }

    async fn revoke_all(
        &self,
        connection: &mut Connection,
        role: &str,
        message: &mut SqlBatch,
    ) -> Result<(), Failure> {
        let schema = self.identity.schema.quoted();
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

    fn doing(&self) -> String {
        format!("importing {}", self.identity.slug)
    }
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
