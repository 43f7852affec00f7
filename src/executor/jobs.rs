//! The default number of parallel connections.

use super::{RetryPolicy, retry};
use crate::error::Failure;
use crate::postgres::{Connection, Row};

/// Maximum; more connections would disturb a live server.
const MAX: usize = 16;

/// Connections per core of this machine; most of a unit's time is spent in the server.
const PER_CORE: usize = 4;

/// Connection slots left free for others.
const RESERVED: usize = 3;

/// The query of the free connections.
pub(super) const FREE: &str = "SELECT current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8 \
     - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend') AS free";

/// Queries the default number.
pub(crate) async fn default(connection: &mut Connection) -> Result<usize, Failure> {
    let doing = "counting free connections";
    let sets = retry::query(connection, FREE, doing, RetryPolicy::USUAL).await?;
    default_of(sets.first().map_or(&[], Vec::as_slice))
}

/// The minimum of [`MAX`], the limit by cores, and the free connections of the server, which are the answer to [`FREE`].
pub(super) fn default_of(rows: &[Row]) -> Result<usize, Failure> {
    let free = match rows.first() {
        Some(row) => usize::try_from(row.integer("free")?).unwrap_or_default(),
        None => 0,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // `connection` itself belongs to a worker.
    Ok(MAX.min(cores * PER_CORE).min((free + 1).saturating_sub(RESERVED)).max(1))
}
