//! The slowest tenants of a run.

use std::collections::HashMap;
use std::time::Duration;

use crate::executor::SlowTenant;

/// Number of slowest tenants in the result.
const SLOWEST: usize = 5;

/// Minimum number of migrated tenants for the list.
const A_FLEET: usize = 10;

/// The slowest tenants, slowest first; empty for few tenants.
pub(super) fn slowest(moved: &HashMap<String, Duration>) -> Vec<SlowTenant> {
    if moved.len() < A_FLEET { Vec::new() } else { SlowTenant::longest(moved, SLOWEST) }
}
