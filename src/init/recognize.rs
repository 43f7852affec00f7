//! Finds the registry of tenants in a database: the table with a column that holds the names of existing schemas. The settings
//! follow from its columns and rows. Reads only.

use std::fmt::Write as _;

use crate::error::{Code, Failure, Source};
use crate::ident::{Identifier, literal};
use crate::postgres::{Connection, Row};
use crate::project::SETTINGS_FILE;
use crate::settings::Settings;
use crate::sql::OWN_TABLES;

const CANDIDATES: &str = include_str!("candidates.sql");

/// Rows of a candidate that are read.
const MAX_ROWS: usize = 20_000;

/// Usual names of the column with the display name.
const NAMES: &[&str] = &[
    "name",
    "display_name",
    "title",
    "company_name",
    "company",
    "organization_name",
    "organisation_name",
    "label",
];

/// Usual names of the column with the slug.
const SLUGS: &[&str] = &["slug", "subdomain", "key", "code", "handle"];

/// The settings of a recognized database and their text.
#[derive(Debug)]
pub(super) struct Recognized {
    pub(super) settings: Settings,
    pub(super) text: String,
}

/// A column of the registry with the names of schemas.
#[derive(Debug, Clone)]
struct Registry {
    schema: String,
    table: String,
    column: String,
    is_unique: bool,
}

impl Registry {
    fn qualified(&self) -> Result<String, Failure> {
        Ok(format!("{}.{}", quoted(&self.schema)?, quoted(&self.table)?))
    }
}

fn quoted(name: &str) -> Result<String, Failure> {
    Ok(Identifier::new(name)?.quoted())
}

async fn rows(connection: &mut Connection, sql: &str, doing: &str) -> Result<Vec<Row>, Failure> {
    let sets = connection.query_batch(sql).await.map_err(|server_error| server_error.failure(doing))?;
    Ok(sets.into_iter().next().unwrap_or_default())
}

/// Recognizes the registry, its columns and the prefix of the tenants' schemas.
pub(super) async fn recognize(connection: &mut Connection) -> Result<Recognized, Failure> {
    let registry = find(connection).await?;
    let columns = columns(connection, &registry).await?;
    let slug = slug(connection, &registry, &columns).await?;
    let name = NAMES.iter().find(|name| columns.has_text(name)).map_or(slug.column.as_str(), |name| name);
    let id = columns.key.as_deref().unwrap_or(&slug.column);
    let extensions = extension_schema(connection).await?;
    let value = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut text = format!(
        "# Written by `tenure init --from-database`; docs/reference.md lists all settings.\n\n[platform]\n\
         # The shared schema, which has the registry of tenants.\nschema = {}\n\n[tenants]\n\
         # A tenant's schema is this prefix and its slug.\nschema_prefix = {}\n# The table of tenants.\nregistry = {}\n",
        value(&registry.schema),
        value(&slug.prefix),
        value(&registry.table),
    );
    if slug.has_hyphens {
        text.push_str(
            "# Slugs may have hyphens, which are underscores in the schemas' names.\nslug = \"dns\"\n",
        );
    }
    if let Some(condition) = platform_row(connection, &registry).await? {
        let _written =
            writeln!(text, "# The platform's own row is no tenant.\nwhere = {}", value(&condition));
    }
    text.push_str("\n[tenants.columns]\n");
    for (key, column) in [("id", id), ("name", name), ("slug", &slug.column), ("schema", &registry.column)] {
        let _written = writeln!(text, "{key} = {}", value(column));
    }
    if let Some(schema) = extensions {
        let _written = write!(
            text,
            "\n[extensions]\n# The schema of extensions, which is in every unit's search path.\nschema = {}\n",
            value(&schema)
        );
    }
    let settings = Settings::read(&Source::new(SETTINGS_FILE, text.as_str()))?;
    Ok(Recognized { settings, text })
}

/// The column that names most schemas; of several, a unique one whose name says so.
async fn find(connection: &mut Connection) -> Result<Registry, Failure> {
    let doing = "searching the registry of tenants";
    let own: Vec<String> = OWN_TABLES.iter().map(|table| literal(table)).collect();
    let sql = CANDIDATES.replace("/*OWN*/", &own.join(", "));
    let candidates: Vec<Registry> = rows(connection, &sql, doing)
        .await?
        .iter()
        .map(|row| {
            Ok(Registry {
                schema: row.text("schema")?,
                table: row.text("relation")?,
                column: row.text("column")?,
                is_unique: row.get_bool("is_unique")?,
            })
        })
        .collect::<Result<_, Failure>>()?;
    let mut counted = Vec::new();
    if !candidates.is_empty() {
        let counts = candidates.iter().enumerate().map(|(number, candidate)| {
            Ok(format!(
                "SELECT {number}::int8 AS number, count(DISTINCT n.nspname) AS schemas \
                 FROM (SELECT {}::text AS name FROM {} LIMIT {MAX_ROWS}) found \
                 JOIN pg_catalog.pg_namespace n ON n.nspname::text = found.name \
                 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public', {})",
                quoted(&candidate.column)?,
                candidate.qualified()?,
                literal(&candidate.schema),
            ))
        });
        let sql = counts.collect::<Result<Vec<_>, Failure>>()?.join(" UNION ALL ");
        for row in rows(connection, &sql, doing).await? {
            let (number, schemas) = (row.integer("number")?, row.integer("schemas")?);
            let candidate = usize::try_from(number).ok().and_then(|number| candidates.get(number));
            if let Some(candidate) = candidate.filter(|_| schemas > 0) {
                counted.push((candidate.is_unique, schemas, candidate.column.contains("schema"), candidate));
            }
        }
    }
    // The first of equally good ones.
    counted.reverse();
    match counted.into_iter().max_by_key(|(is_unique, schemas, is_named, _)| (*is_unique, *schemas, *is_named)) {
        Some((.., registry)) => Ok(registry.clone()),
        None => Err(Failure::new(
            Code::RegistryNotFound,
            "no table was found that has the names of the tenants' schemas in a column",
        )
        .hint(
            "write a tenure.toml with [platform], [tenants] and [tenants.columns] (docs/reference.md), then run the command \
             again: it uses the settings that are there",
        )),
    }
}

/// The registry's columns.
struct Columns {
    /// The only column of the primary key.
    key: Option<String>,
    /// Those of text.
    texts: Vec<String>,
}

impl Columns {
    fn has_text(&self, name: &str) -> bool {
        self.texts.iter().any(|text| text == name)
    }
}

async fn columns(connection: &mut Connection, registry: &Registry) -> Result<Columns, Failure> {
    let sql = format!(
        "SELECT a.attname::text AS name, base.typname IN ('text', 'varchar', 'name', 'bpchar', 'citext') AS is_text, \
             EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary \
                 AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum) AS is_key \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             JOIN pg_catalog.pg_type base ON base.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END \
         WHERE a.attrelid = {}::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        literal(&registry.qualified()?),
    );
    let mut columns = Columns { key: None, texts: Vec::new() };
    for row in rows(connection, &sql, "reading the columns of the registry").await? {
        let name = row.text("name")?;
        if row.get_bool("is_key")? {
            columns.key = Some(name.clone());
        }
        if row.get_bool("is_text")? {
            columns.texts.push(name);
        }
    }
    Ok(columns)
}

/// The condition that excludes the platform's own row, if there is one, as in a registry of django-tenants.
async fn platform_row(connection: &mut Connection, registry: &Registry) -> Result<Option<String>, Failure> {
    let (column, table) = (quoted(&registry.column)?, registry.qualified()?);
    let sql = format!(
        "SELECT DISTINCT {column}::text AS schema FROM {table} WHERE {column}::text IN ('public', {}) ORDER BY 1",
        literal(&registry.schema)
    );
    let found = rows(connection, &sql, "reading the registry of tenants").await?;
    let names =
        found.iter().map(|row| Ok(literal(&row.text("schema")?))).collect::<Result<Vec<_>, Failure>>()?;
    Ok(match names.as_slice() {
        [] => None,
        [name] => Some(format!("{column} <> {name}")),
        names => Some(format!("{column} NOT IN ({})", names.join(", "))),
    })
}

/// The column with the slugs, and the prefix of the schemas before them.
struct Slug {
    column: String,
    prefix: String,
    /// Whether a hyphen in a slug is an underscore in its schema's name.
    has_hyphens: bool,
}

async fn slug(connection: &mut Connection, registry: &Registry, columns: &Columns) -> Result<Slug, Failure> {
    let doing = "reading the registry of tenants";
    let (schema, table) = (quoted(&registry.column)?, registry.qualified()?);
    let tenants = |column: &str| {
        format!(
            "(SELECT {schema}::text AS schema, {column}::text AS slug FROM {table} JOIN pg_catalog.pg_namespace n \
             ON n.nspname::text = {schema}::text WHERE n.nspname NOT IN ('public', {}) LIMIT {MAX_ROWS}) tenant",
            literal(&registry.schema)
        )
    };
    let others: Vec<&String> = columns.texts.iter().filter(|column| **column != registry.column).collect();
    let mut found: Vec<((bool, usize), Slug)> = Vec::new();
    let columns = others.iter().enumerate().flat_map(|column| [(column, false), (column, true)]);
    for ((nth, column), has_hyphens) in columns {
        let sql = format!(
            "SELECT count(DISTINCT prefix) AS prefixes, min(prefix) AS prefix FROM (SELECT \
                 CASE WHEN part <> '' AND right(schema, length(part)) = part THEN left(schema, length(schema) - length(part)) END \
                 AS prefix FROM {}, LATERAL (SELECT {} AS part) parts) seen HAVING bool_and(prefix IS NOT NULL)",
            tenants(&quoted(column)?),
            if has_hyphens { "replace(slug, '-', '_')" } else { "slug" },
        );
        let seen = rows(connection, &sql, doing).await?;
        if let Some(row) = seen.first()
            && row.integer("prefixes")? == 1
            && let Some(prefix) = row.optional_text("prefix")?
        {
            let usual = SLUGS.iter().position(|name| name == column).unwrap_or(SLUGS.len() + nth);
            found.push(((has_hyphens, usual), Slug { column: (*column).clone(), prefix, has_hyphens }));
        }
    }
    if let Some((_, slug)) = found.into_iter().min_by_key(|(usual, _)| *usual) {
        return Ok(slug);
    }
    // The schemas' names without what all of them begin with are the slugs.
    let sql = format!("SELECT schema FROM {} ORDER BY 1", tenants("NULL"));
    let names: Vec<String> = rows(connection, &sql, doing)
        .await?
        .iter()
        .map(|row| row.text("schema"))
        .collect::<Result<_, _>>()?;
    Ok(Slug { column: registry.column.clone(), prefix: common_prefix(&names), has_hyphens: false })
}

/// What several names begin with, up to its last underscore.
fn common_prefix(names: &[String]) -> String {
    let ([first, .., last], true) = (names, names.len() > 1) else { return String::new() };
    let same = first.bytes().zip(last.bytes()).take_while(|(one, other)| one == other).count();
    let end = first.as_bytes()[..same].iter().rposition(|byte| *byte == b'_').map_or(0, |at| at + 1);
    first.get(..end).unwrap_or_default().to_owned()
}

/// The schema of extensions, if it is not `public`.
async fn extension_schema(connection: &mut Connection) -> Result<Option<String>, Failure> {
    let sql = "SELECT name FROM (SELECT n.nspname::text AS name, count(*) AS extensions FROM pg_catalog.pg_extension e \
                   JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace \
                   WHERE n.nspname <> 'pg_catalog' GROUP BY 1) home \
               ORDER BY name = 'public' DESC, extensions DESC, name LIMIT 1";
    let found = rows(connection, sql, "reading the extensions").await?;
    let schema = found.first().map(|row| row.text("name")).transpose()?;
    Ok(schema.filter(|schema| schema != "public"))
}

#[cfg(test)]
mod tests {
    use super::common_prefix;

    #[test]
    fn a_prefix_ends_with_an_underscore() {
        let prefix =
            |names: &[&str]| common_prefix(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(prefix(&["org_acme", "org_beta"]), "org_");
        assert_eq!(prefix(&["tenant_a_1", "tenant_a_2"]), "tenant_a_");
        assert_eq!(prefix(&["acme", "beta"]), "");
        assert_eq!(prefix(&["shop1", "shop2"]), "");
        assert_eq!(prefix(&["org_acme"]), "");
    }
}
