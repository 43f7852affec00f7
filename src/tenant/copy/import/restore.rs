//! The transaction of an import: the schema comes out of the dump under the name that the dump gives it, is proved to be
//! what was packed, gets the name that it is to have, and is written into the books. What stands in the way of
//! that first name steps aside under a random one, seen by nobody, and is back before the end.

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Wanted;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::executor::unless_cancelled;
use crate::ident::{DisplayName, Identifier, SchemaName, literal};
use crate::postgres::batch::{HistoryRow, Kind, Run, SessionState, SqlBatch};
use crate::postgres::catalog::{Asked, SchemaDifference, server_major};
use crate::postgres::metadata::{TenantState, state};
use crate::postgres::{Archive, Connection, Section, ServerError};
use crate::project::Project;
use crate::tenant::copy::adopt::IfDifferent;
use crate::tenant::copy::archive::Manifest;
use crate::tenant::copy::fingerprint;
use crate::tenant::lifecycle::name_references;
use crate::tenant::provisioning::TenantRecord;
use crate::tenant::roles::role::{self, Owner, Reach};
use crate::tenant::{cleanup, name_ownership};

/// A tenant came out of a file.
const IMPORT: Kind = Kind::of_verb("import");

const STRANGERS: &str = include_str!("strangers.sql");

/// How the statements of a dump are meant to be read.
const SETTINGS: &[&str] = &[
    "search_path = ''",
    "check_function_bodies = off",
    "xmloption = content",
    "row_security = off",
    "DateStyle = 'ISO, YMD'",
    "IntervalStyle = 'postgres'",
];

/// One restoration.
pub(in crate::tenant) struct Restore<'a> {
    pub(in crate::tenant) project: &'a Project,
    pub(in crate::tenant) manifest: &'a Manifest,
    pub(in crate::tenant) wanted: &'a Wanted,
    pub(in crate::tenant) platform: &'a Version,
    /// In which state the tenant is committed.
    pub(in crate::tenant) state: TenantState,
    pub(in crate::tenant) archive: &'a Archive,
    pub(in crate::tenant) stop: &'a CancellationToken,
    /// What other words mean.
    pub(in crate::tenant) if_different: IfDifferent,
}

impl Restore<'_> {
    /// All of it; how many rows, and which definitions have other words now. A failure leaves the transaction to who
    /// undoes it.
    pub(in crate::tenant) async fn run(
        &self,
        connection: &mut Connection,
        run: &Run,
    ) -> Result<(u64, Vec<SchemaDifference>), Failure> {
        let former = &self.wanted.former;
        let mut message = SqlBatch::default();
        // The platform stays at its version until the tenant is in the books.
        let expect = format!("SELECT {}.tenure_expect_platform('{}')", run.platform.quoted(), self.platform);
        message.begin(run.limits, &expect);
        for setting in SETTINGS {
            message.push(&format!("SET LOCAL {setting}"));
        }
        let begun = connection.send(&message).await;
        begun.map_err(|server_error| {
            name_ownership::refused(&server_error, &self.doing(), &self.wanted.schema)
        })?;
        let lent = self.lend(connection).await?;
        let aside = self.step_aside(connection).await?;
        let own: Vec<&SchemaName> = std::iter::once(former).chain(&aside).collect();
        let (transaction, _) = strangers(connection, &own).await?;
        self.archive.define(connection, Section::Before).await?;
        let rows = self.archive.fill(connection, || self.stop.is_cancelled()).await?;
        unless_cancelled(self.stop)?;
        self.archive.define(connection, Section::After(self.manifest.owner.as_deref())).await?;
        let (now, stranger) = strangers(connection, &own).await?;
        if now != transaction || !stranger.is_empty() {
            let what = if now == transaction { stranger } else { "the transaction".to_owned() };
            return Err(Failure::new(
                Code::ExportInvalid,
                format!("the dump in the file is not of the schema {former} alone: it changes {what} too"),
            ));
        }
        let differences = self.prove(connection).await?;
        if self.wanted.schema != *former {
            let kept = name_references::inside(connection, former, &self.wanted.schema).await?;
            if !kept.is_empty() {
                let lines: Vec<String> = kept.into_iter().collect();
                return Err(name_references::server_error(former, &lines));
            }
        }
        if let Some(aside) = aside {
            rename(connection, &aside, former).await?;
        }
        unless_cancelled(self.stop)?;
        self.enter(connection, run, lent).await?;
        Ok((rows, differences))
    }

    /// The dump gives rights to the role that the tenant had. Where there is none of that name, there is one until the tenant
    /// has its own; whether that was so.
    async fn lend(&self, connection: &mut Connection) -> Result<bool, Failure> {
        let Some(role) = &self.manifest.own_role else { return Ok(false) };
        let sql = format!("SELECT true AS there FROM pg_catalog.pg_roles WHERE rolname = {}", literal(role));
        let explained =
            |server_error: ServerError| server_error.failure("making the role that the tenant had, for now");
        if connection.query_batch(&sql).await.map_err(explained)?.iter().flatten().next().is_some() {
            return Ok(false);
        }
        let made = format!("CREATE ROLE {} NOLOGIN", Identifier::new(role.as_str())?.quoted());
        connection.run(&made).await.map_err(explained)?;
        Ok(true)
    }

    /// Where another schema has the name that the dump gives, it gets a random one for now.
    async fn step_aside(&self, connection: &mut Connection) -> Result<Option<SchemaName>, Failure> {
        let former = &self.wanted.former;
        let sql = format!(
            "SELECT true AS there FROM pg_catalog.pg_namespace WHERE nspname = {}",
            literal(former.as_str())
        );
        let sets = connection.query_batch(&sql).await;
        let sets = sets.map_err(|server_error| server_error.failure("looking for the schema's name"))?;
        if sets.iter().flatten().next().is_none() {
            return Ok(None);
        }
        let aside = SchemaName::existing(format!("tenure_aside_{}", Uuid::new_v4().simple()))?;
        rename(connection, former, &aside).await?;
        Ok(Some(aside))
    }

    /// What came out is what went in: in every word where the server prints as the one before did, and always in what
    /// there is. Words that only a round through a dump changed may be accepted, as they are told.
    async fn prove(&self, connection: &mut Connection) -> Result<Vec<SchemaDifference>, Failure> {
        let former = &self.wanted.former;
        let print = fingerprint::print(connection, former, Asked::Within).await?;
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
            format!("what came out of the file is not what went into it: {}", named.join("; ")),
        )
        .hint(if is_only_words {
            "PostgreSQL may print a definition otherwise after a dump; if that is all, import it with --force"
        } else {
            "was the file changed, or has the database an event trigger that changes what is made?"
        });
        failure.schema = Some(former.as_str().to_owned());
        Err(failure)
    }

    /// The books, and the end of the transaction.
    async fn enter(&self, connection: &mut Connection, run: &Run, lent: bool) -> Result<(), Failure> {
        let settings = &self.project.settings;
        let schema = &self.wanted.schema;
        let mut message = SqlBatch::default();
        self.close_to_the_original(connection, lent, &mut message).await?;
        self.register(connection, &mut message).await?;
        let template = self.manifest.template.as_deref().unwrap_or(&settings.tenants.template);
        let made = (&self.wanted.version, template);
        name_ownership::enter_version(
            settings,
            (schema, None),
            made,
            (self.state, &self.manifest.parameters),
            &mut message,
        );
        if let Some((role, _)) = role::usual(settings, schema)? {
            let template = self.project.template(Some(template))?;
            let owner = Owner { schema, template, version: self.platform, reach: Reach::Filled };
            role::make(&mut message, self.project, &owner, (&role, None))?;
        }
        let row = HistoryRow {
            schema,
            from: &Version::ZERO,
            to: &self.wanted.version,
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

    /// The registry's row as it was, but for who it is. Columns that the table here does not have are left out, and those
    /// whose numbers it gives itself: that number may be another tenant's, or will be.
    async fn register(&self, connection: &mut Connection, message: &mut SqlBatch) -> Result<(), Failure> {
        let settings = &self.project.settings;
        let (columns, wanted) = (&settings.tenants.columns, self.wanted);
        let Some(sent) = &self.manifest.registry else {
            let id = wanted.id.parse().unwrap_or_else(|_| Uuid::new_v4());
            let (slug, name) = (wanted.slug.clone(), DisplayName::new(wanted.name.as_str())?);
            name_ownership::register(
                settings,
                &TenantRecord { id, slug, name, schema: wanted.schema.clone(), role: None },
                message,
            );
            return Ok(());
        };
        let mut row = sent.clone();
        for (column, value) in [
            (&columns.id, wanted.id.as_str()),
            (&columns.name, wanted.name.as_str()),
            (&columns.slug, wanted.slug.as_str()),
            (&columns.schema, wanted.schema.as_str()),
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
        message.push(&format!(
            "SELECT {}.tenure_expect_one((SELECT count(*) FROM {registry} WHERE {} = {}), 'the registry')",
            settings.platform_schema().quoted(),
            columns.schema.quoted(),
            literal(wanted.schema.as_str()),
        ));
        Ok(())
    }

    /// A copy is not the original's: the role that the original had, and one that is called as its schema, may do nothing
    /// in it.
    async fn close_to_the_original(
        &self,
        connection: &mut Connection,
        lent: bool,
        message: &mut SqlBatch,
    ) -> Result<(), Failure> {
        let former = self.wanted.former.as_str();
        let named =
            self.manifest.roles.iter().find(|role| *role == former && self.wanted.schema.as_str() != former);
        for role in named.into_iter().chain(&self.manifest.own_role) {
            self.close_to(connection, &Identifier::new(role.as_str())?.quoted(), message).await?;
        }
        if let Some(role) = self.manifest.own_role.as_ref().filter(|_| lent) {
            message.push(&format!("DROP ROLE {}", Identifier::new(role.as_str())?.quoted()));
        }
        Ok(())
    }

    async fn close_to(
        &self,
        connection: &mut Connection,
        role: &str,
        message: &mut SqlBatch,
    ) -> Result<(), Failure> {
        let schema = self.wanted.schema.quoted();
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
        let sets = sets.map_err(|server_error| server_error.failure("reading the rights on types"))?;
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
        format!("importing {}", self.wanted.slug)
    }
}

async fn rename(connection: &mut Connection, from: &SchemaName, to: &SchemaName) -> Result<(), Failure> {
    let sql = format!("ALTER SCHEMA {} RENAME TO {}", from.quoted(), to.quoted());
    connection
        .run(&sql)
        .await
        .map_err(|server_error| server_error.failure(&format!("renaming schema {from} for a moment")))
}

/// Which transaction it is, and what it has changed outside of these schemas; nothing if that is empty.
async fn strangers(connection: &mut Connection, own: &[&SchemaName]) -> Result<(String, String), Failure> {
    let own: Vec<String> = own.iter().map(|schema| literal(schema.as_str())).collect();
    let sets = connection.query_batch(&STRANGERS.replace("/*OWN*/", &own.join(", "))).await;
    let sets =
        sets.map_err(|server_error| server_error.failure("looking at what is outside of the schema"))?;
    match sets.iter().flatten().next() {
        Some(row) => Ok((row.text("transaction")?, row.text("stranger")?)),
        None => Err(Failure::new(Code::StatementFailed, "the server gave no answer")),
    }
}
