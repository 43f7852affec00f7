//! The durations of all recorded units, for a report: by step, and of the slowest tenants.

use super::runs::RFC3339;
use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;
use crate::postgres::batch::Kind;

/// The upper limits of the buckets in milliseconds; the last bucket has none.
pub const BUCKETS: [i64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 60_000];

/// The durations of a migration's units in one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepDurations {
    /// The name of the file.
    pub migration: String,
    /// The version after it.
    pub to: String,
    /// Whether these are the platform's units.
    pub is_platform: bool,
    /// The number of units in each bucket.
    pub counts: [u64; BUCKETS.len() + 1],
    /// The median in milliseconds.
    pub median_ms: i64,
    /// The longest unit.
    pub max_ms: i64,
}

/// A tenant's total duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantDuration {
    /// The schema.
    pub schema: String,
    /// The number of units.
    pub units: i64,
    /// Their duration in milliseconds.
    pub total_ms: i64,
}

/// The durations of a fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetTimes {
    /// The server's time, as RFC 3339 in UTC.
    pub now: String,
    /// The steps, in the order of their first unit.
    pub steps: Vec<StepDurations>,
    /// The slowest tenants, slowest first.
    pub slowest: Vec<TenantDuration>,
}

/// The number of slowest tenants.
const SLOWEST: usize = 20;

/// Reads the durations. `has_tables` tells whether Tenure's own tables exist.
pub async fn read(
    connection: &mut Connection,
    platform: &SchemaName,
    has_tables: bool,
) -> Result<FleetTimes, Failure> {
    let now = format!("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', '{RFC3339}') AS now");
    let (schema, named, kind) = (platform.quoted(), literal(platform.as_str()), Kind::MIGRATE.as_str());
    let limits = BUCKETS.map(|limit| limit.to_string()).join(", ");
    let sql = if has_tables {
        format!(
            "{now}; WITH units AS ( \
                 SELECT name, to_version, schema_name, schema_name = {named} AS is_platform, duration_ms, id \
                 FROM {schema}.migration_history WHERE kind = '{kind}'), \
             buckets AS (SELECT name, to_version, is_platform, width_bucket(duration_ms, ARRAY[{limits}]) AS bucket, \
                 count(*) AS units FROM units GROUP BY 1, 2, 3, 4) \
             SELECT u.name, u.to_version, u.is_platform, min(u.id) AS first, max(u.duration_ms)::int8 AS longest, \
                 percentile_disc(0.5) WITHIN GROUP (ORDER BY u.duration_ms)::int8 AS median, \
                 (SELECT json_object_agg(bucket, b.units) FROM buckets b \
                     WHERE (b.name, b.to_version, b.is_platform) = (u.name, u.to_version, u.is_platform)) AS buckets \
             FROM units u GROUP BY 1, 2, 3 ORDER BY first; \
             SELECT schema_name, count(*)::int8 AS units, sum(duration_ms)::int8 AS total FROM {schema}.migration_history \
             WHERE kind = '{kind}' AND schema_name <> {named} GROUP BY 1 ORDER BY total DESC, 1 LIMIT {SLOWEST}"
        )
    } else {
        now
    };
    let sets = connection
        .query_batch(&sql)
        .await
        .map_err(|server_error| server_error.failure("reading the durations of the units"))?;
    let mut times = FleetTimes::default();
    let mut sets = sets.iter();
    for row in sets.next().into_iter().flatten() {
        times.now = row.text("now")?;
    }
    for row in sets.next().into_iter().flatten() {
        let buckets = row.document("buckets")?;
        let count = |bucket: usize| buckets.get(bucket.to_string()).and_then(serde_json::Value::as_u64);
        times.steps.push(StepDurations {
            migration: row.text("name")?,
            to: row.text("to_version")?,
            is_platform: row.get_bool("is_platform")?,
            counts: std::array::from_fn(|bucket| count(bucket).unwrap_or_default()),
            median_ms: row.integer("median")?,
            max_ms: row.integer("longest")?,
        });
    }
    for row in sets.next().into_iter().flatten() {
        times.slowest.push(TenantDuration {
            schema: row.text("schema_name")?,
            units: row.integer("units")?,
            total_ms: row.integer("total")?,
        });
    }
    Ok(times)
}
