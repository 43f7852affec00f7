//! The default number of parallel connections.

/// Maximum; more connections would disturb a live server.
const MAX: usize = 16;

/// Connections per core of this machine; most of a unit's time is spent in the server.
const PER_CORE: usize = 4;

/// Connection slots left free for others.
const RESERVED: usize = 3;

/// The minimum of [`MAX`], the limit by cores, and the server's free connections, not counting the one in use.
pub(crate) fn default(free_connections: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // The one in use belongs to a worker.
    MAX.min(cores * PER_CORE).min((free_connections + 1).saturating_sub(RESERVED)).max(1)
}
