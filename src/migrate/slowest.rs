//! The tenants that took longest.

use std::collections::HashMap;
use std::time::Duration;

use crate::executor::SlowTenant;

/// How many of the slowest tenants are told.
const SLOWEST: usize = 5;

/// A fleet of fewer tenants needs no such list.
const A_FLEET: usize = 10;

/// Of a fleet, those that took longest, the longest first.
pub(super) fn slowest(moved: &HashMap<String, Duration>) -> Vec<SlowTenant> {
    if moved.len() < A_FLEET { Vec::new() } else { SlowTenant::longest(moved, SLOWEST) }
}
