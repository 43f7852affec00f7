//! Whether a slug, an id or a schema's name is taken, and the rows that register a new tenant.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::provisioning::TenantRecord;
use crate::error::{Code, Failure};
use crate::ident::{DisplayName, Identifier, SchemaName, Slug, literal};
use crate::postgres::batch::SqlBatch;
use crate::postgres::metadata::registry::{self, ExistingRow, ID_COLUMN, RowValues, Shape};
use crate::postgres::metadata::{TenantState, attempts, version_rows};
use crate::postgres::{Connection, Row, ServerError, error};
use crate::settings::Settings;

/// A registry row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: Option<String>,
    pub(super) slug: Option<String>,
    pub(super) name: Option<String>,
    /// Its schema's name, unless NULL or empty.
    pub(super) schema: Option<String>,
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
        let named = literal(schema.as_str());
        let sql = format!(
            "SELECT * FROM ({tenants}) r WHERE slug = {is} OR schema = {named}; \
             {status}; \
             SELECT true AS there FROM pg_catalog.pg_namespace WHERE nspname = {named}",
            tenants = registry::tenants(settings),
            is = literal(slug.as_str()),
            status = version_rows::status(&settings.platform_schema(), schema),
        );
        let sets = connection
            .query_batch(&sql)
            .await
            .map_err(|server_error| registry::failure(&server_error, settings))?;
        let [entries, states, there] = sets.as_slice() else { return Ok(Self::default()) };
        let entry = |row: &Row| {
            Ok::<_, Failure>(Entry {
                id: row.optional_text("id")?,
                slug: row.optional_text("slug")?,
                name: row.optional_text("name")?,
                schema: row.optional_text("schema")?.filter(|schema| !schema.is_empty()),
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
    pub(super) const ROW_ALONE: &str = "`tenure tenant create` creates the schema of that row";

    /// Fails if the slug or the schema's name is taken, in the metadata or in the catalog.
    pub(super) fn expect_free(&self, slug: &Slug, schema: &SchemaName) -> Result<(), Failure> {
        let what = if self.entries.iter().any(|entry| entry.slug.as_deref() == Some(slug.as_str())) {
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

/// The statements that write a tenant's registry row and check it.
#[derive(Debug, Clone, Default)]
pub(super) struct Registration {
    pub(super) statements: Vec<String>,
    /// Whether the row existed before.
    pub(super) completes: bool,
}

impl Registration {
    /// Inserts a row, or completes `row`.
    pub(super) fn new(
        settings: &Settings,
        shape: &Shape,
        row: Option<&ExistingRow>,
        values: RowValues<'_>,
    ) -> Self {
        let statements = match row {
            None => registry::insert(settings, shape, values),
            Some(row) => registry::complete(settings, shape, (row, values)),
        };
        Self { statements, completes: row.is_some() }
    }

    /// Inserts a row in a throwaway database, with these values of the columns that need one.
    pub(super) fn of_sample(
        settings: &Settings,
        shape: &Shape,
        (slug, schema, name): (&Slug, &SchemaName, &DisplayName),
        columns: &BTreeMap<Identifier, String>,
    ) -> Self {
        Self::new(
            settings,
            shape,
            None,
            RowValues { slug, schema, name: Some(name.as_str()), id: None, columns },
        )
    }

    /// Inserts the row of a tenant with this slug, schema and name. A UUID column without a default gets a random one.
    pub(super) fn of_new(
        settings: &Settings,
        shape: &Shape,
        (slug, schema, name): (&Slug, &SchemaName, &DisplayName),
    ) -> Self {
        let made = shape.needs_uuid(settings).then(|| Uuid::new_v4().to_string());
        let (name, id) = (Some(name.as_str()), made.as_deref());
        let columns = BTreeMap::new();
        Self::new(settings, shape, None, RowValues { slug, schema, name, id, columns: &columns })
    }
}

/// The id of a tenant, from the answer to its registration.
pub(super) fn id(sets: &[Vec<Row>]) -> Option<String> {
    sets.iter().flatten().find_map(|row| row.optional_text(ID_COLUMN).ok().flatten())
}

/// Records that the tenant's registry row existed before, so that it is kept if the tenant is not finished.
pub(super) fn note_found(platform: &SchemaName, tenant: &TenantRecord, message: &mut SqlBatch) {
    if tenant.registration.completes {
        message.push(&attempts::note_found_row(platform, &tenant.schema));
    }
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
