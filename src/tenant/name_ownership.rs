//! Whether a slug, an id or a schema's name is taken, and the rows that register a new tenant.

use super::provisioning::TenantRecord;
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, Slug, literal};
use crate::postgres::batch::SqlBatch;
use crate::postgres::metadata::{TenantState, checks, state, version_rows};
use crate::postgres::{Connection, Row, ServerError, error};
use crate::settings::Settings;

/// A registry row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: Option<String>,
    pub(super) slug: String,
    pub(super) schema: String,
}

/// The owners of a slug and of a schema's name.
#[derive(Debug, Clone, Default)]
pub(super) struct NameOwnership {
    /// The registry rows with that slug or schema.
    pub(super) entries: Vec<Entry>,
    /// The state in the schema's version row, if any.
    pub(super) state: Option<TenantState>,
    /// Whether the schema exists.
    pub(super) schema: bool,
}

impl NameOwnership {
    /// Reads it, in the open transaction if there is one.
    pub(super) async fn read(
        connection: &mut Connection,
        settings: &Settings,
        slug: &Slug,
        schema: &SchemaName,
    ) -> Result<Self, Failure> {
        let columns = &settings.tenants.columns;
        let named = literal(schema.as_str());
        let sql = format!(
            "SELECT {id}::text AS id, {slug}::text AS slug, {of}::text AS schema FROM {registry} \
             WHERE {slug}::text = {is} OR {of}::text = {named}; \
             {status}; \
             SELECT true AS there FROM pg_catalog.pg_namespace WHERE nspname = {named}",
            id = columns.id.quoted(),
            slug = columns.slug.quoted(),
            of = columns.schema.quoted(),
            registry = state::registry(settings),
            is = literal(slug.as_str()),
            status = version_rows::status(&settings.platform_schema(), schema),
        );
        let sets = connection
            .query_batch(&sql)
            .await
            .map_err(|server_error| state::registry_failure(&server_error, settings))?;
        let [entries, states, there] = sets.as_slice() else { return Ok(Self::default()) };
        let entry = |row: &Row| {
            Ok::<_, Failure>(Entry {
                id: row.optional_text("id")?,
                slug: row.text("slug")?,
                schema: row.text("schema")?,
            })
        };
        Ok(Self {
            entries: entries.iter().map(entry).collect::<Result<_, _>>()?,
            state: states
                .first()
                .map(|row| row.text("status"))
                .transpose()?
                .as_deref()
                .map(TenantState::named),
            schema: !there.is_empty(),
        })
    }

    /// The hint for a registry row without a schema.
    pub(super) const ROW_ALONE: &str = "delete that row, then create both with `tenure tenant create`, or create the schema \
         and adopt it";

    /// Fails if the slug or the schema's name is taken, in the metadata or in the catalog.
    pub(super) fn expect_free(&self, slug: &Slug, schema: &SchemaName) -> Result<(), Failure> {
        let what = if self.entries.iter().any(|entry| entry.slug == slug.as_str()) {
            format!("the tenant {slug} already exists")
        } else if self.schema {
            format!("the schema {schema} already exists")
        } else if !self.entries.is_empty() || self.state.is_some() {
            format!("the schema {schema} is already registered")
        } else {
            return Ok(());
        };
        Err(Failure::new(Code::TenantExists, what).hint("choose another slug"))
    }
}

/// Whether the schema exists.
pub(super) async fn has_schema(connection: &mut Connection, schema: &SchemaName) -> Result<bool, Failure> {
    let sql = format!(
        "SELECT true AS there FROM pg_catalog.pg_namespace WHERE nspname = {}",
        literal(schema.as_str())
    );
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading whether a schema exists"))?;
    Ok(sets.iter().flatten().next().is_some())
}

/// Inserts the registry row of a new tenant; other columns get their defaults.
pub(super) fn register(settings: &Settings, tenant: &TenantRecord, message: &mut SqlBatch) {
    let (registry, columns) = (state::registry(settings), &settings.tenants.columns);
    message.push(&format!(
        "INSERT INTO {registry} ({}, {}, {}, {}) VALUES ('{}', {}, {}, {})",
        columns.id.quoted(),
        columns.name.quoted(),
        columns.slug.quoted(),
        columns.schema.quoted(),
        tenant.id,
        literal(tenant.name.as_str()),
        literal(tenant.slug.as_str()),
        literal(tenant.schema.as_str()),
    ));
    message.push(&checks::expect_registered(settings, &literal(tenant.schema.as_str())));
}

/// The failure of a message that registers a new tenant.
pub(super) fn refused(server_error: &ServerError, doing: &str, schema: &SchemaName) -> Failure {
    let mut failure = server_error.failure_on(schema, doing);
    match server_error.sqlstate() {
        Some("23505") => {
            failure.code = Code::TenantExists;
            failure.hint =
                Some("another session has just taken the name, or another unique column of the registry has a duplicate".to_owned());
        }
        Some("40001" | error::PLATFORM_VERSION_CHANGED) => {
            failure.hint = Some("a migration ran at the same time; run the command again".to_owned());
        }
        _ => {
            if let Some(hint) = server_error.registry_hint() {
                failure.code = Code::RegistryInvalid;
                failure.hint = Some(hint.to_owned());
            }
        }
    }
    failure
}
