//! The durations of all recorded units, for a report: by step, and of the slowest tenants.

use std::collections::BTreeMap;

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
    // Few groups leave the server: longer units are rounded down to a tenth of a second.
    let sql = if has_tables {
        format!(
            "{now}; SELECT name, to_version, schema_name = {named} AS is_platform, count(*)::int8 AS units, min(id) AS first, \
                 max(duration_ms)::int8 AS longest, \
                 (CASE WHEN duration_ms < 1000 THEN duration_ms ELSE duration_ms - duration_ms % 100 END)::int8 AS duration \
             FROM {schema}.migration_history WHERE kind = '{kind}' GROUP BY 1, 2, 3, 7; \
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
    let mut steps: BTreeMap<Step, Vec<Group>> = BTreeMap::new();
    for row in sets.next().into_iter().flatten() {
        let step = (row.text("name")?, row.text("to_version")?, row.get_bool("is_platform")?);
        steps.entry(step).or_default().push(Group {
            duration: row.integer("duration")?,
            units: u64::try_from(row.integer("units")?).unwrap_or_default(),
            longest: row.integer("longest")?,
            first: row.integer("first")?,
        });
    }
    let mut steps: Vec<_> = steps.into_iter().collect();
    steps.sort_by_key(|(_, groups)| groups.iter().map(|group| group.first).min());
    times.steps = steps.into_iter().map(|(step, groups)| durations(step, groups)).collect();
    for row in sets.next().into_iter().flatten() {
        times.slowest.push(TenantDuration {
            schema: row.text("schema_name")?,
            units: row.integer("units")?,
            total_ms: row.integer("total")?,
        });
    }
    Ok(times)
}

/// The file, the version after it, and whether it is the platform's part.
type Step = (String, String, bool);

/// The units of a step that took the same time.
struct Group {
    duration: i64,
    units: u64,
    longest: i64,
    /// The id of the first one.
    first: i64,
}

fn durations((migration, to, is_platform): Step, mut groups: Vec<Group>) -> StepDurations {
    groups.sort_by_key(|group| group.duration);
    let middle = groups.iter().map(|group| group.units).sum::<u64>().div_ceil(2);
    let mut counts = [0; BUCKETS.len() + 1];
    let (mut before, mut median_ms) = (0, 0);
    for group in &groups {
        counts[BUCKETS.partition_point(|limit| *limit <= group.duration)] += group.units;
        if before < middle {
            median_ms = group.duration;
        }
        before += group.units;
    }
    let max_ms = groups.iter().map(|group| group.longest).max().unwrap_or_default();
    StepDurations { migration, to, is_platform, counts, median_ms, max_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_counted_in_buckets() {
        let group = |duration, units| Group { duration, units, longest: duration + 7, first: 1 };
        let step = ("f".to_owned(), "1.0.0".to_owned(), false);
        let found = durations(step, vec![group(70_000, 1), group(0, 2), group(1, 1), group(4, 3)]);
        assert_eq!(found.counts, [2, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((found.median_ms, found.max_ms), (4, 70_007));
    }
}
