//! The slowest tenants of a run.

use std::collections::HashMap;
use std::time::Duration;

use crate::executor::SlowTenant;

/// Number of slowest tenants in the result.
const MAX_TENANTS: usize = 5;

/// Minimum number of migrated tenants for the list.
const MIN_TENANTS: usize = 10;

/// The slowest tenants, slowest first; empty for few tenants.
pub(super) fn slowest(moved: &HashMap<String, Duration>) -> Vec<SlowTenant> {
    if moved.len() < MIN_TENANTS { Vec::new() } else { SlowTenant::longest(moved, MAX_TENANTS) }
}
