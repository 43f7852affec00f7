//! The server's notices about the statements of files, each text once.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::unit::Unit;
use crate::event::{self, Event, Sink};
use crate::postgres::{Notice, shown_notice};
use crate::sql::Scope;

/// The maximum number of different texts.
const MAX_TEXTS: usize = 100;

/// The notices of a run, each with its scope and the number of schemas.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
#[serde(into = "Vec<NoticeJson>")]
#[schemars(from = "Vec<NoticeJson>")]
pub struct Notices(BTreeMap<(event::Notice, bool), usize>);

impl Notices {
    /// Adds and reports the notices of a committed unit.
    pub(crate) fn add(&mut self, unit: &Unit<'_>, received: &[Notice], sink: &mut dyn Sink) {
        let is_tenant = unit.scope() == Scope::Tenant;
        let shown: BTreeSet<_> = received.iter().map(|notice| shown(unit, notice)).collect();
        for notice in shown {
            sink.take(&Event::Notice { schema: unit.schema, notice: &notice });
            let key = (notice, is_tenant);
            if self.0.len() < MAX_TEXTS || self.0.contains_key(&key) {
                *self.0.entry(key).or_default() += 1;
            }
        }
    }

    /// Adds those of another part of the run.
    pub(crate) fn extend(&mut self, other: Self) {
        for (key, schemas) in other.0 {
            *self.0.entry(key).or_default() += schemas;
        }
    }

    /// Each notice with the number of tenants; `None` for one of the platform.
    pub fn iter(&self) -> impl Iterator<Item = (&event::Notice, Option<usize>)> {
        self.0.iter().map(|((notice, is_tenant), schemas)| (notice, is_tenant.then_some(*schemas)))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn shown(unit: &Unit<'_>, notice: &Notice) -> event::Notice {
    let named = match unit.scope() {
        Scope::Tenant => unit.schema.hidden_in(&notice.message),
        Scope::Platform => notice.message.clone(),
    };
    event::Notice {
        migration: unit.migration.file.clone(),
        line: notice.place.start().map(|start| start.line),
        level: notice.level,
        message: shown_notice(&named, &unit.migration.script.source.text),
    }
}

/// A notice as JSON.
#[derive(JsonSchema, Serialize)]
struct NoticeJson {
    /// `NOTICE` or `WARNING`.
    level: &'static str,
    message: String,
    migration: String,
    line: Option<usize>,
    /// The number of tenants; `null` for a notice of the platform.
    tenants: Option<usize>,
}

impl From<Notices> for Vec<NoticeJson> {
    fn from(Notices(notices): Notices) -> Self {
        let json = |((notice, is_tenant), schemas): ((event::Notice, bool), usize)| {
            let event::Notice { migration, line, level, message } = notice;
            let tenants = is_tenant.then_some(schemas);
            NoticeJson { level: level.as_str(), message, migration, line, tenants }
        };
        notices.into_iter().map(json).collect()
    }
}
