//! A plan run over many schemas. The runner says what happens as events and never prints; a unit that
//! fails is rolled back whole, and running the command again does just what is left.
#![expect(clippy::disallowed_methods, reason = "this layer measures real time")]

mod again;
mod alone;
mod amend;
mod catch_up;
pub(crate) mod crew;
mod gauge;
mod gone;
pub(crate) mod jobs;
mod look;
mod pack;
mod pass;
mod patience;
mod request;
mod run;
mod slowest;
mod unit;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use amend::{Declared, baseline, repair};
pub(crate) use catch_up::catch_up;
pub use gauge::{Gauge, Gauged, Measured};
pub use look::{List, gone, status};
pub use patience::Patience;
pub use request::{OnFailure, Prepared, Request, unknown_tenant};
pub use run::{Allowed, migrate};

use crate::error::{Code, Failure};

/// Asked to stop: units in flight are finished, none is begun any more.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// A failure if somebody asked.
    pub fn check(&self) -> Result<(), Failure> {
        if self.asked() {
            Err(Failure::new(Code::Interrupted, "the command was interrupted"))
        } else {
            Ok(())
        }
    }

    /// Whether somebody asked.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
