//! The default number of parallel connections.

use super::{RetryPolicy, retry};
use crate::error::Failure;
use crate::postgres::Connection;

/// Maximum; more connections would disturb a live server.
const MAX: usize = 16;

/// Connections per core of this machine; most of a unit's time is spent in the server.
const PER_CORE: usize = 4;

/// Connection slots left free for others.
const RESERVED: usize = 3;

/// The minimum of [`MAX`], the limit by cores, and the free connections of the server.
pub(crate) async fn default(connection: &mut Connection) -> Result<usize, Failure> {
    let sql = "SELECT current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8 \
               - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend') AS free";
    let doing = "counting free connections";
    let sets = retry::query(connection, sql, doing, RetryPolicy::USUAL).await?;
    let free = match sets.first().and_then(|rows| rows.first()) {
        Some(row) => usize::try_from(row.integer("free")?).unwrap_or_default(),
        None => 0,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // `connection` itself belongs to a worker.
    Ok(MAX.min(cores * PER_CORE).min((free + 1).saturating_sub(RESERVED)).max(1))
}
