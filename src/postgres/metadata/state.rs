//! The state of a database, read in one or two round trips without writes: which of Tenure's own tables exist, the versions of
//! platform and tenants, and the applied migrations.

use std::collections::{BTreeMap, HashMap};

use super::Tenant;
use super::install::{MIGRATIONS_TABLE, OwnTables, applied as migrations_applied};
use super::registry::{self, Shape};
use super::tenant_registry::{self, Wanted};
use crate::chain::{Applied, Checksum, FleetState, Version};
use crate::error::{Code, Failure};
use crate::ident::{Slug, literal};
use crate::postgres::{Connection, Row};
use crate::settings::Settings;

/// Which of the relevant tables exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one flag per table")]
pub struct Presence {
    /// `schema_version`, created by Tenure or earlier.
    pub schema_version: bool,
    /// `tenant_version`, and with it the rest of Tenure's own tables.
    pub own_tables: bool,
    /// refinery's table of applied migrations.
    pub migrations_table: bool,
    /// Whether Tenure's own tables are at the version that this program needs, if that was queried.
    pub own_tables_current: bool,
    /// The registry.
    pub registry: bool,
}

/// The versions of platform and tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Which tables exist.
    pub presence: Presence,
    /// The platform's version; 0.0.0 if the database has none.
    pub platform: Version,
    /// The number of tenants per version.
    pub tenants: BTreeMap<Version, usize>,
    /// The schema of one tenant per version.
    pub examples: BTreeMap<Version, String>,
    /// The number of pool schemas per version, by template.
    pub pool: BTreeMap<(Version, String), usize>,
    /// The number of registry rows without a version row.
    pub unknown: usize,
    /// The registry in the catalog, if it exists.
    pub registry: Option<Shape>,
    /// The newest record of each migration.
    pub applied: Vec<Applied>,
    /// The number of connection slots that were free, as far as the role may see the others.
    pub free_connections: usize,
}

impl Presence {
    /// All tables exist.
    const WHOLE: Self = Self {
        schema_version: true,
        own_tables: true,
        migrations_table: true,
        own_tables_current: true,
        registry: true,
    };
}

/// Invalid versions in the database.
#[derive(Debug, Default)]
pub struct Unread {
    /// Whether the platform's version is invalid; the state contains 0.0.0 then.
    pub platform: bool,
    /// The number of tenants with an invalid version. No other count includes them.
    pub tenants: usize,
    /// The failures.
    pub failures: Vec<Failure>,
}

impl Unread {
    /// Collects an invalid version; returns any other failure.
    fn note(&mut self, failure: Failure) -> Result<(), Failure> {
        if failure.code != Code::DatabaseVersionUnknown {
            return Err(failure);
        }
        self.failures.push(failure);
        Ok(())
    }
}

impl State {
    /// The state for a plan.
    pub fn fleet(&self) -> FleetState {
        FleetState {
            platform: self.platform.clone(),
            tenants: self.tenants.clone(),
            examples: self.examples.clone(),
        }
    }

    /// The number of tenants, including those without a version row.
    pub fn total_tenants(&self) -> usize {
        self.tenants.values().sum::<usize>() + self.unknown
    }
}

const DOING: &str = "reading the state of the database";

async fn rows(connection: &mut Connection, sql: &str) -> Result<Vec<Vec<Row>>, Failure> {
    connection.query_batch(sql).await.map_err(|server_error| server_error.failure(DOING))
}

/// The owner of a version.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose<'a> {
    Platform,
    /// The tenant of that schema.
    Tenant(&'a str),
    /// A row of the history.
    Record,
}

/// Parses a version. Rows that only Tenure writes must contain its exact text, since SQL compares it; users may write the
/// platform's version with a leading v, which SQL strips.
pub(super) fn version(text: &str, whose: Whose<'_>) -> Result<Version, Failure> {
    let read = match whose {
        Whose::Tenant(_) => Version::stored(text),
        Whose::Platform | Whose::Record => text.parse(),
    };
    read.map_err(|error| {
        let (whose, hint) = match whose {
            Whose::Platform => (
                "the platform".to_owned(),
                "put a semantic version there, or declare one with `tenure migrate baseline`",
            ),
            Whose::Tenant(schema) => (
                format!("the tenant of schema {schema}"),
                "put the version that its schema has into its row of tenant_version; `tenure drift` then says whether it has it",
            ),
            Whose::Record => (
                "a row of migration_history".to_owned(),
                "put back what stood in that row: the history is only ever added to",
            ),
        };
        Failure::new(Code::DatabaseVersionUnknown, format!("{whose} is at a version that is none: {error}")).hint(hint)
    })
}

/// Queries which tables exist. One round trip.
pub async fn presence(connection: &mut Connection, settings: &Settings) -> Result<Presence, Failure> {
    let question = format!("{}; {}", who_is_there(settings), migrations_applied(&settings.platform_schema()));
    let sets = match connection.query_batch(&question).await {
        Ok(sets) => {
            let [_, migrations] = sets.as_slice() else { return Err(odd_answer()) };
            OwnTables::of(migrations)?.supported()?;
            sets
        }
        // The table does not exist, or the role may not read it.
        Err(server_error) if server_error.sets.is_empty() => return Err(server_error.failure(DOING)),
        Err(server_error) => server_error.sets,
    };
    let there = sets.first().ok_or_else(odd_answer)?;
    registry::settle(connection, settings, &mut registry_of(there)?).await?;
    present(there)
}

/// The registry in the answer to [`who_is_there`].
fn registry_of(there: &[Row]) -> Result<Option<Shape>, Failure> {
    let shape = there.first().map_or(Ok(None), |row| row.optional_text("shape"))?;
    shape.as_deref().map(Shape::read).transpose()
}

fn who_is_there(settings: &Settings) -> String {
    let platform = settings.platform_schema().quoted();
    let there = |table: &str| format!("to_regclass({}) IS NOT NULL", literal(&format!("{platform}.{table}")));
    format!(
        "SELECT {} AS schema_version, {} AS own_tables, {} AS registry, {} AS ledger, {} AS shape, \
         current_setting('standard_conforming_strings') AS strings, \
         current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8 \
         - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend') AS free_connections",
        there("schema_version"),
        there("tenant_version"),
        there(&settings.tenants.registry.quoted()),
        there(MIGRATIONS_TABLE),
        registry::quick_shape(settings),
    )
}

fn present(rows: &[Row]) -> Result<Presence, Failure> {
    let row = rows.first().ok_or_else(odd_answer)?;
    if row.text("strings")? != "on" {
        // The server and the parser would disagree on the end of a string.
        return Err(Failure::new(
            Code::UnsafeStrings,
            "this database or role has standard_conforming_strings off",
        )
        .hint("ALTER DATABASE … SET standard_conforming_strings = on, or the same for the role"));
    }
    Ok(Presence {
        schema_version: row.get_bool("schema_version")?,
        own_tables: row.get_bool("own_tables")?,
        migrations_table: row.get_bool("ledger")?,
        own_tables_current: false,
        registry: row.get_bool("registry")?,
    })
}

/// The first question of [`read`], for [`Connection::connect_and_ask`].
pub fn first_question(settings: &Settings) -> String {
    format!("{}; {}", who_is_there(settings), question(Presence::WHOLE, settings))
}

/// Reads the state: one round trip if all tables exist, else two, independent of the number of tenants.
pub async fn read(connection: &mut Connection, settings: &Settings) -> Result<State, Failure> {
    let (state, unread) = survey(connection, settings).await?;
    unread.failures.into_iter().next().map_or(Ok(state), Err)
}

/// Reads the valid versions of the state, and reports the invalid ones.
pub async fn survey(connection: &mut Connection, settings: &Settings) -> Result<(State, Unread), Failure> {
    let (mut state, unread) = ask(connection, settings).await?;
    registry::settle(connection, settings, &mut state.registry).await?;
    Ok((state, unread))
}

async fn ask(connection: &mut Connection, settings: &Settings) -> Result<(State, Unread), Failure> {
    match connection.first_query(&first_question(settings)).await {
        Ok(mut sets) => {
            let answers = sets.split_off(1);
            state(present(&sets[0])?, &sets[0], &answers)
        }
        // The first answer shows which tables are missing, unless the server refuses that query too.
        Err(server_error) => match server_error.sets.first() {
            None => Err(server_error.failure(DOING)),
            Some(first) => {
                let presence = present(first)?;
                let explained = |server_error: crate::postgres::ServerError| match server_error.completed {
                    REGISTRY => registry::failure(&server_error, settings),
                    _ => server_error.failure(DOING),
                };
                let answers =
                    connection.query_batch(&question(presence, settings)).await.map_err(explained)?;
                state(presence, first, &answers)
            }
        },
    }
}

/// Like [`read`], in an open transaction, which no query of this function makes fail: two round trips.
pub async fn read_in_transaction(connection: &mut Connection, settings: &Settings) -> Result<State, Failure> {
    let there = rows(connection, &who_is_there(settings)).await?;
    let there = there.first().ok_or_else(odd_answer)?;
    let presence = present(there)?;
    let answers = rows(connection, &question(presence, settings)).await?;
    let (mut state, unread) = state(presence, there, &answers)?;
    registry::settle(connection, settings, &mut state.registry).await?;
    unread.failures.into_iter().next().map_or(Ok(state), Err)
}

/// The state from the answer to [`who_is_there`] and those to [`question`].
fn state(mut presence: Presence, there: &[Row], answers: &[Vec<Row>]) -> Result<(State, Unread), Failure> {
    let [migrations_table, platform, by_version, unknown, records] = answers else {
        return Err(odd_answer());
    };
    let own_tables = OwnTables::of(migrations_table)?.supported()?;
    presence.own_tables_current = matches!(own_tables, OwnTables::Current | OwnTables::Newer);
    let (mut tenants, mut examples, mut pool) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut unread = Unread::default();
    let platform = if presence.schema_version { platform_version(platform) } else { Ok(Version::ZERO) };
    let platform = platform.or_else(|failure| {
        unread.platform = true;
        unread.note(failure).map(|()| Version::ZERO)
    })?;
    for row in by_version {
        let count = count(row.integer("tenants")?);
        let one = row.text("one")?;
        let at = match version(&row.text("version")?, Whose::Tenant(&one)) {
            Ok(at) => at,
            Err(failure) => {
                unread.tenants += count;
                unread.note(failure)?;
                continue;
            }
        };
        if let Some(template) = row.optional_text("pool")? {
            *pool.entry((at, template)).or_default() += count;
        } else {
            examples.insert(at.clone(), one);
            *tenants.entry(at).or_default() += count;
        }
    }
    let mut records = records
        .iter()
        .map(applied)
        .filter_map(|record| {
            record.map_or_else(|failure| unread.note(failure).err().map(Err), |it| Some(Ok(it)))
        })
        .collect::<Result<Vec<_>, _>>()?;
    records.sort_by(|a, b| a.to.cmp(&b.to));
    let unknown = unknown.first().map_or(Ok(0), |row| row.integer("unknown")).map(count)?;
    let registry = registry_of(there)?;
    let free_connections = count(there.first().map_or(Ok(0), |row| row.integer("free_connections"))?);
    let applied = records;
    let state =
        State { presence, platform, tenants, examples, pool, unknown, registry, applied, free_connections };
    Ok((state, unread))
}

/// The index of the query on the registry.
const REGISTRY: usize = 3;

/// All queries as one batch. A query on a missing table returns no rows.
fn question(presence: Presence, settings: &Settings) -> String {
    let platform = settings.platform_schema().quoted();
    let asked = |is_there: bool, question: String| {
        if is_there { question } else { "SELECT NULL::int8 AS nothing WHERE false".to_owned() }
    };
    let unknown = match (presence.registry, presence.own_tables) {
        (true, true) => unknown_tenants(settings),
        (true, false) => format!("SELECT count(*)::int8 AS unknown FROM {}", registry::rows(settings)),
        (false, _) => "SELECT 0::int8 AS unknown".to_owned(),
    };
    [
        asked(presence.migrations_table, migrations_applied(&settings.platform_schema())),
        asked(
            presence.schema_version,
            format!("SELECT version::text AS version FROM {platform}.schema_version LIMIT 2"),
        ),
        asked(
            presence.own_tables,
            format!(
                "SELECT version, CASE WHEN status = 'pooled' THEN coalesce(template, '') END AS pool, \
                 count(*)::int8 AS tenants, min(schema_name) AS one FROM {platform}.tenant_version WHERE status <> 'dropped' GROUP BY 1, 2"
            ),
        ),
        unknown,
        asked(presence.own_tables, newest_records(&platform)),
    ]
    .join("; ")
}

fn platform_version(rows: &[Row]) -> Result<Version, Failure> {
    match rows {
        [row] => version(&row.text("version")?, Whose::Platform),
        [] => {
            Err(Failure::new(Code::DatabaseVersionUnknown, "schema_version has no row, so the platform's version is unknown")
                .hint("a copy of the schema without its rows looks like this; `tenure migrate baseline VERSION` declares the version"))
        }
        _ => Err(Failure::new(Code::DatabaseVersionUnknown, "schema_version has more than one row")
            .hint("keep the one row with the platform's version")),
    }
}

fn unknown_tenants(settings: &Settings) -> String {
    format!(
        "SELECT count(*)::int8 AS unknown FROM (SELECT {}::text AS schema FROM {}) r WHERE NOT EXISTS \
         (SELECT FROM {}.tenant_version t WHERE t.schema_name = r.schema)",
        settings.tenants.columns.schema.quoted(),
        registry::rows(settings),
        settings.platform_schema().quoted(),
    )
}

/// The newest record of each version, read with a loose index scan: the cost depends on the number of migrations, not of tenants.
fn newest_records(platform: &str) -> String {
    format!(
        "WITH RECURSIVE v AS ( \
           (SELECT to_version FROM {platform}.migration_history WHERE kind IN ('migrate', 'repair') ORDER BY to_version LIMIT 1) \
           UNION ALL \
           SELECT (SELECT h.to_version FROM {platform}.migration_history h \
                   WHERE h.to_version > v.to_version AND h.kind IN ('migrate', 'repair') ORDER BY h.to_version LIMIT 1) \
           FROM v WHERE v.to_version IS NOT NULL) \
         SELECT r.from_version, r.to_version, r.name, r.checksum IS NULL AS missing_accepted, r.applied_at::text AS applied_at, \
         coalesce(r.checksum, (SELECT h.checksum FROM {platform}.migration_history h \
             WHERE (h.to_version, h.from_version) = (r.to_version, r.from_version) AND h.kind IN ('migrate', 'repair') \
             AND h.checksum IS NOT NULL ORDER BY h.id DESC LIMIT 1)) AS checksum FROM v, LATERAL \
           (SELECT * FROM {platform}.migration_history h WHERE h.to_version = v.to_version \
            AND h.kind IN ('migrate', 'repair') ORDER BY h.id DESC LIMIT 1) r"
    )
}

fn applied(row: &Row) -> Result<Applied, Failure> {
    Ok(Applied {
        from: version(&row.text("from_version")?, Whose::Record)?,
        to: version(&row.text("to_version")?, Whose::Record)?,
        name: row.text("name")?,
        checksum: row.optional_text("checksum")?.map(Checksum::recorded),
        missing_accepted: row.get_bool("missing_accepted")?,
        applied_at: row.text("applied_at")?,
    })
}

/// The tenants, by schema; only those in `only`, if any. Excludes dropped tenants and pool schemas.
pub async fn tenants(
    connection: &mut Connection,
    settings: &Settings,
    presence: Presence,
    only: &[Slug],
) -> Result<Vec<Tenant>, Failure> {
    let wanted = Wanted { slugs: only.to_vec(), ..Wanted::default() };
    let listed = tenant_registry::read(connection, settings, presence, &wanted).await?;
    let mut tenants: Vec<Tenant> = listed.into_iter().map(|listed| listed.tenant).collect();
    tenants.sort_by(|one, other| one.schema.cmp(&other.schema));
    Ok(tenants)
}

/// The tenants' parameter values that affect the schema's structure, by schema.
pub async fn parameters(
    connection: &mut Connection,
    settings: &Settings,
) -> Result<HashMap<String, BTreeMap<String, String>>, Failure> {
    let sql = format!(
        "SELECT schema_name, parameters::text AS parameters FROM {}.tenant_version WHERE parameters IS NOT NULL",
        settings.platform_schema().quoted()
    );
    let sets = rows(connection, &sql).await?;
    let read = |row: &Row| Ok((row.text("schema_name")?, row.text("parameters")?));
    let all = sets.iter().flatten().map(read).collect::<Result<Vec<_>, Failure>>()?;
    let value = |text: String| serde_json::from_str(&text).unwrap_or_default();
    Ok(all.into_iter().map(|(schema, text)| (schema, value(text))).collect())
}

fn odd_answer() -> Failure {
    Failure::new(
        Code::StatementFailed,
        format!("{DOING}: the server gave another number of answers than questions"),
    )
}

fn count(rows: i64) -> usize {
    usize::try_from(rows).unwrap_or_default()
}
