//! The registry of tenants, a table or view of the project: which of its columns Tenure writes, and the SQL that reads and
//! writes its rows. The columns have any type, so values are sent as literals, which the server casts to the column's type.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::checks;
use crate::error::{Code, Failure, did_you_mean};
use crate::ident::{Identifier, SchemaName, Slug, literal};
use crate::postgres::{Connection, ServerError};
use crate::settings::Settings;

/// The result column with the id of a registered tenant.
pub const ID_COLUMN: &str = "tenure_tenant_id";

/// The registry in the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Shape {
    /// `relkind`: `r` and `p` for a table, `v` for a view.
    pub kind: String,
    /// The bits of `pg_relation_is_updatable`.
    events: u32,
    /// Whether row-level security may hide rows from the role.
    pub hides_rows: bool,
    /// The role.
    role: String,
    /// Whether domains and policies were not looked at.
    is_quick: bool,
    /// All columns, in order.
    pub columns: Vec<Column>,
}

/// A column of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent property of the column")]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Whether its type is `uuid`, or a domain over it.
    is_uuid: bool,
    /// Whether its type is known to be neither a domain nor another type of the project.
    is_builtin: bool,
    /// Whether the server fills it: by a default, of its own or of its domain, or as an identity column.
    has_default: bool,
    /// Whether it is `GENERATED ALWAYS AS IDENTITY`.
    always_identity: bool,
    /// Whether its value is computed from other columns.
    pub is_generated: bool,
    /// Whether it cannot be NULL.
    pub not_null: bool,
}

const SAMPLES: &str = include_str!("registry_samples.sql");

/// `pg_relation_is_updatable`: UPDATE and INSERT.
const UPDATE: u32 = 1 << 2;
const INSERT: u32 = 1 << 3;

/// The registry's table, as SQL.
pub fn table(settings: &Settings) -> String {
    format!("{}.{}", settings.platform_schema().quoted(), settings.tenants.registry.quoted())
}

/// The registry's rows that are tenants, as SQL for FROM. Without an alias where there is no condition.
pub fn rows(settings: &Settings) -> String {
    match &settings.tenants.condition {
        None => table(settings),
        Some(condition) => {
            format!("(SELECT * FROM {} WHERE {}) AS tenure_rows", table(settings), condition.sql())
        }
    }
}

/// The condition of the settings after another one, as SQL.
fn and_condition(settings: &Settings) -> String {
    let condition = settings.tenants.condition.as_ref();
    condition.map(|condition| format!(" AND {}", condition.sql())).unwrap_or_default()
}

/// The slug of a row, an expression.
pub fn slug(settings: &Settings) -> String {
    let columns = &settings.tenants.columns;
    let prefix = &settings.tenants.schema_prefix;
    let column = format!("{}::text", columns.slug.quoted());
    if !columns.slug_is_schema() || prefix.is_empty() {
        return column;
    }
    format!(
        "CASE WHEN starts_with({column}, {}) THEN substr({column}, {}) ELSE {column} END",
        literal(prefix),
        prefix.chars().count() + 1
    )
}

/// Selects `id`, `slug`, `name` and `schema` of the tenants' rows, as text.
pub fn tenants(settings: &Settings) -> String {
    let columns = &settings.tenants.columns;
    format!(
        "SELECT {}::text AS id, {} AS slug, {}::text AS name, {}::text AS schema FROM {}",
        columns.id.quoted(),
        slug(settings),
        columns.name.quoted(),
        columns.schema.quoted(),
        rows(settings),
    )
}

/// The registry in the catalog, an expression: NULL if it does not exist, else the JSON of [`Shape`]. Cheap, since every command
/// asks for it; [`settle`] asks for more where that matters.
pub(super) fn quick_shape(settings: &Settings) -> String {
    format!(
        "(SELECT json_build_object('kind', c.relkind, 'role', current_user, 'is_quick', true, \
             'events', CASE WHEN c.relkind IN ('r', 'p') THEN 28 ELSE pg_catalog.pg_relation_is_updatable(c.oid, true) END, \
             'hides_rows', c.relrowsecurity AND pg_catalog.row_security_active(c.oid), \
             'columns', (SELECT coalesce(json_agg(json_build_object('name', a.attname, 'is_uuid', a.atttypid = {UUID}, \
                 'is_builtin', a.atttypid < {FIRST_OWN_TYPE}, 'has_default', a.atthasdef OR a.attidentity <> '', \
                 'always_identity', a.attidentity = 'a', 'is_generated', a.attgenerated <> '', 'not_null', a.attnotnull) \
                 ORDER BY a.attnum), '[]') \
                 FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))::text \
         FROM pg_catalog.pg_class c WHERE c.oid = to_regclass({}))",
        literal(&table(settings))
    )
}

/// The same with domains and policies.
pub(super) fn shape(settings: &Settings) -> String {
    format!(
        "(SELECT json_build_object('kind', c.relkind, 'role', current_user, 'is_quick', false, \
             'events', pg_catalog.pg_relation_is_updatable(c.oid, true), \
             'hides_rows', pg_catalog.row_security_active(c.oid) AND NOT ( \
                 EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd = '*' \
                     AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true' \
                     AND coalesce(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true' \
                     AND EXISTS (SELECT FROM unnest(p.polroles) role \
                         WHERE CASE WHEN role = 0 THEN true ELSE pg_catalog.pg_has_role(role, 'USAGE') END)) \
                 AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive)), \
             'columns', (SELECT coalesce(json_agg(json_build_object('name', a.attname, \
                 'is_uuid', coalesce(nullif(t.typbasetype, 0), t.oid) = {UUID}, 'is_builtin', true, \
                 'has_default', a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL, \
                 'always_identity', a.attidentity = 'a', 'is_generated', a.attgenerated <> '', \
                 'not_null', a.attnotnull OR t.typnotnull) ORDER BY a.attnum), '[]') \
                 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))::text \
         FROM pg_catalog.pg_class c WHERE c.oid = to_regclass({}))",
        literal(&table(settings))
    )
}

/// Completes what a cheap question has answered, with one more query where a domain or a policy matters. Fails if row-level
/// security may hide tenants.
pub(super) async fn settle(
    connection: &mut Connection,
    settings: &Settings,
    shape: &mut Option<Shape>,
) -> Result<(), Failure> {
    if shape.as_ref().is_some_and(|shape| shape.needs_more(settings)) {
        let sets = connection.query_batch(&format!("SELECT {} AS shape", self::shape(settings))).await;
        let sets = sets.map_err(|server_error| failure(&server_error, settings))?;
        let text = sets.iter().flatten().next().map_or(Ok(None), |row| row.optional_text("shape"))?;
        *shape = text.as_deref().map(Shape::read).transpose()?;
    }
    shape.as_ref().map_or(Ok(()), |shape| shape.expect_visible(settings))
}

/// The OID of the type `uuid`.
const UUID: u32 = 2950;

/// The first OID of objects that are not the server's own (`FirstNormalObjectId`).
const FIRST_OWN_TYPE: u32 = 16384;

impl Shape {
    /// Reads the JSON of the server's answer.
    pub(super) fn read(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|error| {
            Failure::new(Code::StatementFailed, format!("reading the registry's columns: {error}"))
        })
    }

    /// The column with this name.
    pub fn column(&self, name: &Identifier) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name.as_str())
    }

    /// Whether a domain or a policy may matter.
    fn needs_more(&self, settings: &Settings) -> bool {
        let id = self.column(&settings.tenants.columns.id);
        self.is_quick && (self.hides_rows || id.is_some_and(|id| !id.is_builtin && !id.has_default))
    }

    fn is_generated(&self, name: &Identifier) -> bool {
        self.column(name).is_some_and(|column| column.is_generated)
    }

    /// Whether the id of a new row must be written: a UUID column that nothing else fills.
    pub fn needs_uuid(&self, settings: &Settings) -> bool {
        let columns = &settings.tenants.columns;
        let is_own = columns.id != columns.slug && columns.id != columns.schema;
        is_own && self.column(&columns.id).is_some_and(|id| id.is_uuid && !id.has_default)
    }

    /// Fails if row-level security may hide tenants from the role.
    pub fn expect_visible(&self, settings: &Settings) -> Result<(), Failure> {
        if !self.hides_rows {
            return Ok(());
        }
        let (registry, role) = (shown(settings), &self.role);
        Err(Failure::new(
            Code::RegistryInvalid,
            format!("row-level security on the registry {registry} may hide tenants from the role {role}"),
        )
        .hint(format!(
            "connect as a role with BYPASSRLS or as the table's owner without FORCE ROW LEVEL SECURITY, or add a policy for \
             this role: CREATE POLICY tenure ON {registry} TO {role} USING (true)"
        )))
    }

    /// Fails if a column of the settings does not exist.
    pub fn expect_columns(&self, settings: &Settings) -> Result<(), Failure> {
        match self.missing_column(settings) {
            None => Ok(()),
            Some((key, column)) => {
                let near = did_you_mean(column.as_str(), self.columns.iter().map(|it| it.name.as_str()));
                let message = format!("the registry {} has no column {column}", shown(settings));
                let hint = format!("[tenants.columns] {key} in tenure.toml names it");
                Err(Failure::new(Code::RegistryInvalid, message)
                    .hint(near.map_or_else(|| hint.clone(), |near| format!("{hint}; {near}"))))
            }
        }
    }

    /// The key and the name of a column of the settings that does not exist.
    pub fn missing_column<'s>(&self, settings: &'s Settings) -> Option<(&'static str, &'s Identifier)> {
        let columns = &settings.tenants.columns;
        [
            ("id", Some(&columns.id)),
            ("name", Some(&columns.name)),
            ("slug", Some(&columns.slug)),
            ("schema", Some(&columns.schema)),
            ("status", columns.status.as_ref()),
        ]
        .into_iter()
        .filter_map(|(key, column)| Some((key, column?)))
        .find(|(_, column)| self.column(column).is_none())
    }

    /// The columns that need a value and that nothing fills, except those that Tenure writes.
    pub fn required(&self, settings: &Settings) -> Vec<&str> {
        let columns = &settings.tenants.columns;
        let written = [&columns.name, &columns.slug, &columns.schema];
        let is_written = |column: &Column| {
            written.iter().any(|own| own.as_str() == column.name)
                || column.name == columns.id.as_str() && self.needs_uuid(settings)
        };
        let mut required = Vec::new();
        // A view has the constraints of its tables.
        for column in self.columns.iter().filter(|column| column.not_null && !column.has_default) {
            if !column.is_generated && !is_written(column) {
                required.push(column.name.as_str());
            }
        }
        required
    }

    /// Whether rows can be inserted.
    pub fn accepts_rows(&self) -> bool {
        self.events & INSERT != 0
    }

    /// Whether rows can be changed.
    pub fn accepts_changes(&self) -> bool {
        self.events & UPDATE != 0
    }

    /// Fails unless rows can be inserted.
    pub fn expect_insertable(&self, settings: &Settings) -> Result<(), Failure> {
        if self.accepts_rows() {
            return Ok(());
        }
        let message =
            format!("the registry {} is {}, which accepts no new rows", shown(settings), self.kind_name());
        Err(Failure::new(Code::RegistryInvalid, message).hint(
            "insert the tenant's row where the application does, then run `tenure tenant create` for it; or give the view \
             INSTEAD OF triggers",
        ))
    }

    /// The kind of relation.
    pub fn kind_name(&self) -> &'static str {
        match self.kind.as_str() {
            "r" | "p" => "a table",
            "v" => "a view",
            "m" => "a materialized view",
            "f" => "a foreign table",
            _ => "no table",
        }
    }

    /// Checks the names of columns that a user wants to set.
    pub fn expect_settable<'c>(
        &self,
        settings: &Settings,
        names: impl Iterator<Item = &'c Identifier>,
    ) -> Result<(), Failure> {
        let columns = &settings.tenants.columns;
        for name in names {
            let own = [("slug", &columns.slug), ("name", &columns.name), ("schema", &columns.schema)];
            let status = columns.status.iter().map(|status| ("status", status));
            if let Some((key, _)) = own.into_iter().chain(status).find(|(_, column)| *column == name) {
                return Err(Failure::new(
                    Code::ColumnInvalid,
                    format!("Tenure itself writes the registry's column {name}"),
                )
                .hint(match key {
                    "name" => "give the display name with --name, or in the CSV column name".to_owned(),
                    key => format!("[tenants.columns] {key} in tenure.toml names it"),
                }));
            }
            match self.column(name) {
                Some(column) if column.is_generated => {
                    return Err(Failure::new(
                        Code::ColumnInvalid,
                        format!("the registry's column {name} is computed from other columns"),
                    )
                    .hint("leave it out"));
                }
                Some(_) => {}
                None => {
                    let known = self.columns.iter().map(|column| column.name.as_str());
                    let failure = Failure::new(
                        Code::ColumnInvalid,
                        format!("the registry {} has no column {name}", shown(settings)),
                    );
                    let near = did_you_mean(name.as_str(), known.clone());
                    return Err(failure.hint(
                        near.unwrap_or_else(|| format!("it has {}", known.collect::<Vec<_>>().join(", "))),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The registry's name, for people.
pub fn shown(settings: &Settings) -> String {
    format!("{}.{}", settings.platform_schema(), settings.tenants.registry)
}

/// A row that the registry has already, without a schema of its own or with the expected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingRow {
    /// Its id.
    pub id: Option<String>,
    /// The slug in it.
    pub slug: String,
    /// Its display name.
    pub name: Option<String>,
    /// Its schema's name, unless NULL or empty.
    pub schema: Option<String>,
}

/// The values of a tenant's row.
#[derive(Debug, Clone, Copy)]
pub struct RowValues<'a> {
    /// The slug.
    pub slug: &'a Slug,
    /// The schema.
    pub schema: &'a SchemaName,
    /// The display name; in an existing row, only if it changes.
    pub name: Option<&'a str>,
    /// The id, if it is written.
    pub id: Option<&'a str>,
    /// Values of other columns, as SQL.
    pub columns: &'a BTreeMap<Identifier, String>,
}

/// The columns and their values, as SQL. A column that has two roles occurs once; computed columns are left out.
fn assigned(settings: &Settings, shape: &Shape, values: RowValues<'_>) -> Vec<(String, String)> {
    let columns = &settings.tenants.columns;
    let given = values.columns.iter().map(|(column, value)| (column, value.clone()));
    let own = [
        (&columns.schema, Some(literal(values.schema.as_str()))),
        (&columns.slug, Some(literal(values.slug.as_str()))),
        (&columns.id, values.id.map(literal)),
        (&columns.name, values.name.map(literal)),
    ];
    let own = own.into_iter().filter_map(|(column, value)| Some((column, value?)));
    let mut assigned: Vec<(&Identifier, String)> = Vec::new();
    for (column, value) in given.chain(own) {
        if !shape.is_generated(column) && assigned.iter().all(|(other, _)| *other != column) {
            assigned.push((column, value));
        }
    }
    assigned.into_iter().map(|(column, value)| (column.quoted(), value)).collect()
}

/// The statements that insert the row of a new tenant, and check it. Other columns get their defaults. The id is in
/// [`ID_COLUMN`].
pub fn insert(settings: &Settings, shape: &Shape, values: RowValues<'_>) -> Vec<String> {
    let (columns, given): (Vec<_>, Vec<_>) = assigned(settings, shape, values).into_iter().unzip();
    let names_identity = |name: &Identifier| shape.column(name).is_some_and(|column| column.always_identity);
    let overriding = if values.columns.keys().any(names_identity) { "OVERRIDING SYSTEM VALUE " } else { "" };
    vec![
        format!(
            "INSERT INTO {} ({}) {overriding}VALUES ({})",
            table(settings),
            columns.join(", "),
            given.join(", ")
        ),
        checks::expect_registered(settings, &literal(values.schema.as_str())),
    ]
}

/// The statements that complete an existing row, and check it. A row that has everything is not written.
pub fn complete(
    settings: &Settings,
    shape: &Shape,
    (row, values): (&ExistingRow, RowValues<'_>),
) -> Vec<String> {
    let columns = &settings.tenants.columns;
    let schema = columns.schema.quoted();
    let expected = literal(values.schema.as_str());
    let kept = [columns.slug.quoted()];
    let mut changed = assigned(settings, shape, values);
    changed.retain(|(column, _)| !kept.contains(column) && (*column != schema || row.schema.is_none()));
    let mut statements = vec![format!(
        "SELECT set_config('{FOUND}', coalesce(to_json({schema}::text)::text, 'null'), true) FROM {} \
         WHERE {} = {}{}",
        table(settings),
        slug(settings),
        literal(&row.slug),
        and_condition(settings),
    )];
    if !changed.is_empty() {
        let set: Vec<String> = changed.iter().map(|(column, value)| format!("{column} = {value}")).collect();
        statements.push(format!(
            "UPDATE {} SET {} WHERE {} = {} AND ({schema} IS NULL OR {schema}::text IN ('', {expected})){}",
            table(settings),
            set.join(", "),
            slug(settings),
            literal(&row.slug),
            and_condition(settings),
        ));
    }
    statements.push(checks::expect_registered(settings, &expected));
    statements
}

/// Advances the sequence of the id column, if it has one, to the id of the tenant with this schema: another row must not get it.
pub fn advance_sequence(settings: &Settings, schema: &SchemaName) -> String {
    let columns = &settings.tenants.columns;
    format!(
        "SELECT pg_catalog.setval(counter, id::int8) FROM (SELECT {id}::text AS id, \
             pg_catalog.pg_get_serial_sequence({}, {})::pg_catalog.regclass AS counter FROM {} WHERE {} = {}) own \
         WHERE counter IS NOT NULL AND CASE WHEN id ~ '^[0-9]{{1,18}}$' \
             THEN id::int8 > coalesce(pg_catalog.pg_sequence_last_value(counter), 0) END",
        literal(&table(settings)),
        literal(columns.id.as_str()),
        table(settings),
        columns.schema.quoted(),
        literal(schema.as_str()),
        id = columns.id.quoted(),
    )
}

/// Values, as SQL, for the columns of a row in a throwaway database that need one and have no default.
pub async fn samples(
    connection: &mut Connection,
    settings: &Settings,
    slug: &Slug,
) -> Result<BTreeMap<Identifier, String>, Failure> {
    let columns = &settings.tenants.columns;
    let own: Vec<String> = [&columns.name, &columns.slug, &columns.schema]
        .into_iter()
        .chain(&columns.status)
        .map(|column| literal(column.as_str()))
        .collect();
    let number = slug.as_str().bytes().fold(7_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 30_011);
    let sql = SAMPLES
        .replace("/*REGISTRY*/", &literal(&table(settings)))
        .replace("/*OWN*/", &own.join(", "))
        .replace("/*TEXT*/", &literal(slug.as_str()))
        .replace("/*NUMBER*/", &number.to_string());
    let sets = connection.query_batch(&sql).await.map_err(|server_error| failure(&server_error, settings))?;
    let mut samples = BTreeMap::new();
    for row in sets.iter().flatten() {
        if let Some(value) = row.optional_text("value")? {
            samples.insert(Identifier::new(row.text("name")?)?, value);
        }
    }
    Ok(samples)
}

/// Changes schema and slug, both SQL expressions, of the row of `former`, and the display name if given.
pub fn rename(
    settings: &Settings,
    former: &SchemaName,
    (schema, slug): (&str, &str),
    name: Option<&str>,
) -> String {
    let columns = &settings.tenants.columns;
    let mut set = vec![(&columns.schema, schema.to_owned())];
    let more = [(&columns.slug, Some(slug.to_owned())), (&columns.name, name.map(literal))];
    for (column, value) in more.into_iter().filter_map(|(column, value)| Some((column, value?))) {
        // A column may have two roles.
        if set.iter().all(|(other, _)| *other != column) {
            set.push((column, value));
        }
    }
    let set: Vec<String> =
        set.iter().map(|(column, value)| format!("{} = {value}", column.quoted())).collect();
    format!(
        "UPDATE {} SET {} WHERE {} = {}",
        table(settings),
        set.join(", "),
        columns.schema.quoted(),
        literal(former.as_str())
    )
}

/// The setting with the former schema's name of a row that existed before its tenant, as JSON.
pub(super) const FOUND: &str = "tenure.found_row";

/// Removes the row of a tenant that was not finished. A row that existed before its tenant gets its former schema's name.
pub fn unregister(settings: &Settings, schema: &SchemaName) -> [String; 2] {
    let column = &settings.tenants.columns.schema.quoted();
    let (table, named) = (table(settings), literal(schema.as_str()));
    let found = format!("nullif(current_setting('{FOUND}', true), '')");
    [
        format!(
            "UPDATE {table} SET {column} = ({found}::jsonb #>> '{{}}') \
             WHERE {column} = {named} AND {found} IS NOT NULL AND {found}::jsonb #>> '{{}}' IS DISTINCT FROM {named}"
        ),
        format!("DELETE FROM {table} WHERE {column} = {named} AND {found} IS NULL"),
    ]
}

/// The rows without a schema, by slug: those whose slug is in `slugs`, or those that `condition` selects. Rows of tenants and
/// rows that name another existing schema are left out.
pub async fn rows_without_tenant(
    connection: &mut Connection,
    settings: &Settings,
    condition: Option<&crate::sql::Condition>,
) -> Result<Vec<Waiting>, Failure> {
    let columns = &settings.tenants.columns;
    let condition = condition.map_or_else(String::new, |condition| format!(" WHERE {}", condition.sql()));
    let sql = format!(
        "SELECT r.slug, r.name, r.schema FROM \
             (SELECT {}::text AS id, {} AS slug, {}::text AS name, nullif({}::text, '') AS schema FROM {}{condition}) r \
         WHERE NOT EXISTS (SELECT FROM {}.tenant_version t WHERE t.schema_name = r.schema) \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = r.schema) \
         ORDER BY r.slug COLLATE \"C\"",
        columns.id.quoted(),
        slug(settings),
        columns.name.quoted(),
        columns.schema.quoted(),
        rows(settings),
        settings.platform_schema().quoted(),
    );
    let sets = connection.query_batch(&sql).await.map_err(|server_error| failure(&server_error, settings))?;
    sets.iter()
        .flatten()
        .map(|row| Ok(Waiting { slug: row.optional_text("slug")?, schema: row.optional_text("schema")? }))
        .collect()
}

/// A row of the registry without a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its slug.
    pub slug: Option<String>,
    /// The name of a schema that does not exist.
    pub schema: Option<String>,
}

/// The failure for a server error on the registry. A missing column is an error in the settings.
pub(crate) fn failure(server_error: &ServerError, settings: &Settings) -> Failure {
    let mut failure = server_error.failure("reading the registry of tenants");
    if matches!(server_error.sqlstate(), Some("42703" | "42P01" | "42804" | "42883" | "42601" | "42803")) {
        failure.code = Code::RegistryInvalid;
        let condition = settings.tenants.condition.as_ref();
        failure.hint = Some(format!(
            "[tenants] registry and [tenants.columns] in tenure.toml say where it is; now {}{}",
            settings.tenants.registry,
            condition.map(|it| format!(", where {it}")).unwrap_or_default()
        ));
    }
    failure
}
