//! What was seen on the shadow, as verification hears it: each change judged, each loss, each break of a
//! query, at the statement that did it.

use std::collections::HashSet;
use std::ops::Range;

use super::attributed::{Attributed, Whose};
use super::data::DataLoss;
use super::step::{Seen, Step};
use crate::chain::Migration;
use crate::error::Place;
use crate::postgres::catalog::{Change, Effect, PartKind, Property, What};
use crate::queries::Kind;
use crate::sql::Scope;
use crate::verify::{Evidence, Level, ObservedEffect, ObservedEffects, names};

impl Step {
    /// What verification should know of the step, which is `migration`. `by_contract` says that the queries of
    /// the running release decide what may go.
    pub fn observed_effects(&self, migration: &Migration, by_contract: bool) -> ObservedEffects {
        let mut observed = Vec::new();
        self.changed(migration, &mut observed);
        self.lost(migration, &mut observed);
        self.beyond(&mut observed);
        self.unreachable(migration, &mut observed);
        self.rewritten(&mut observed);
        self.unrepeatable(&mut observed);
        self.new_tenant_differs(&mut observed);
        self.failed(migration, &mut observed);
        self.broken(&mut observed);
        for one in &mut observed {
            if let ([(only, _)], true) = (migration.statements.as_slice(), one.range.is_empty()) {
                one.range = only.range.clone();
            }
            one.scope = one.scope.or_else(|| scope_at(migration, &one.range));
        }
        // What was told of a tenant of one template need not be told of the next.
        let mut told = HashSet::new();
        observed.retain(|it| told.insert((it.rule, it.range.clone(), it.message.clone())));
        let whole = self.failure.is_none() && self.failed_on_rows.is_none() && !self.without_rows;
        let blind = |seen: &&Seen| self.statements.iter().any(|it| it.blind && it.range == seen.range);
        let seen = self.statements.iter().filter(|seen| whole && !blind(seen));
        ObservedEffects {
            seen: seen.map(|seen| seen.range.clone()).collect(),
            observed,
            unneeded: by_contract
                && whole
                && self.unchecked.is_empty()
                && self.broken.iter().all(|broken| broken.what.kind == Kind::Warn),
        }
    }

    fn changed(&self, migration: &Migration, observed: &mut Vec<ObservedEffect>) {
        let all: Vec<Change> = self.changes.iter().map(|caused| caused.what.clone()).collect();
        for caused in &self.changes {
            let change = &caused.what;
            let part = change.part.as_ref().map(|part| part.name.clone());
            let words: Vec<String> = [change.object.bare_name().to_owned()].into_iter().chain(part).collect();
            let mut tell = |rule, level, why: &str| {
                observed.push(ObservedEffect {
                    rule,
                    level,
                    range: caused.statement.clone().unwrap_or_default(),
                    message: format!("`{}: {}` {why}", change.object, change.line()),
                    words: words.clone(),
                    scope: None,
                    elsewhere: is_elsewhere(migration, caused),
                    evidence: Evidence::Effect,
                });
            };
            // One finding for one change: the gravest harm says enough. How much it weighs is the rule's to say,
            // as it is of a text; what only costs time is told.
            let effect = Effect::of(change, &all);
            let only_slower = effect.data.or(effect.old_readers).or(effect.old_writers).is_none();
            if let Some(harm) = effect.harms().next() {
                tell(harm.rule, if only_slower { Level::Warn } else { Level::Deny }, harm.why);
            }
        }
    }

    fn lost(&self, migration: &Migration, observed: &mut Vec<ObservedEffect>) {
        for caused in &self.lost {
            let (schema, table) = &caused.what.table;
            let (rule, what, column) = match &caused.what.what {
                DataLoss::SetBack => (
                    "values-changed",
                    format!("sequence {table}: gives values again that it has given"),
                    None,
                ),
                DataLoss::RowsGone => ("deletes-rows", format!("table {table}: rows are gone"), None),
                DataLoss::ValuesMoved => (
                    "values-changed",
                    format!("table {table}: values stand in other rows than they did"),
                    None,
                ),
                DataLoss::ValuesChanged { column } if self.is_retyped(caused.schema, table, column) => {
                    continue;
                }
                DataLoss::ValuesChanged { column } => (
                    "values-changed",
                    format!("table {table}: column {column} holds other values"),
                    Some(column.clone()),
                ),
            };
            let other = if caused.schema == Whose::OtherTenant {
                format!(" in {schema}, another tenant's schema,")
            } else {
                String::new()
            };
            observed.push(ObservedEffect {
                rule,
                level: Level::Deny,
                range: caused.statement.clone().unwrap_or_default(),
                message: format!("`{what}`{other} after it ran on sample rows"),
                words: [table.clone()].into_iter().chain(column).collect(),
                scope: None,
                elsewhere: is_elsewhere(migration, caused),
                evidence: Evidence::Effect,
            });
        }
    }

    /// A new type may show the same values in another way: where the type itself is judged harmful, that says enough.
    fn is_retyped(&self, schema: Whose, table: &str, column: &str) -> bool {
        let all: Vec<Change> = self.changes.iter().map(|caused| caused.what.clone()).collect();
        self.changes.iter().any(|caused| {
            caused.schema == schema
                && caused.what.object.name == table
                && Effect::of(&caused.what, &all).harms().next().is_some()
                && caused
                    .what
                    .part
                    .as_ref()
                    .is_some_and(|part| part.kind == PartKind::Column && part.name == column)
                && matches!(&caused.what.what, What::Changed { property: Property::Type, .. })
        })
    }

    fn beyond(&self, observed: &mut Vec<ObservedEffect>) {
        for seen in &self.statements {
            observed.extend(seen.beyond.iter().map(|beyond| ObservedEffect {
                rule: beyond.rule,
                level: Level::Deny,
                range: seen.range.clone(),
                message: beyond.message.clone(),
                words: beyond.words.clone(),
                scope: Some(seen.scope),
                elsewhere: false,
                evidence: Evidence::Effect,
            }));
        }
    }

    fn unreachable(&self, migration: &Migration, observed: &mut Vec<ObservedEffect>) {
        for (name, schema) in &self.unreachable {
            let made = migration.statements.iter().find(|(statement, _)| {
                statement.created_extension(&migration.script).as_deref() == Some(name.as_str())
            });
            observed.push(ObservedEffect {
                rule: "extension-unreachable",
                level: Level::Warn,
                range: made.map(|(statement, _)| statement.range.clone()).unwrap_or_default(),
                message: format!(
                    "`extension {name}` is in schema {schema}, which no unit's search path names: [tenants] search_path = [\"{schema}\"] in tenure.toml adds it"
                ),
                words: vec![name.clone()],
                scope: None,
                elsewhere: false,
                evidence: Evidence::Effect,
            });
        }
    }

    fn rewritten(&self, observed: &mut Vec<ObservedEffect>) {
        for seen in &self.statements {
            let tables = seen.trace.tables.iter().filter(|(_, treatment)| treatment.rewritten);
            observed.extend(tables.map(|((_, table), treatment)| ObservedEffect {
                rule: "rewrites-table",
                level: Level::Warn,
                range: seen.range.clone(),
                message: format!(
                    "`table {table}` is written anew{}",
                    treatment.lock.map(|lock| format!(" under an {lock} lock")).unwrap_or_default()
                ),
                words: vec![table.clone()],
                scope: Some(seen.scope),
                elsewhere: false,
                evidence: Evidence::Effect,
            }));
        }
    }

    fn new_tenant_differs(&self, observed: &mut Vec<ObservedEffect>) {
        observed.extend(self.new_tenant.iter().map(|what| ObservedEffect {
            rule: "new-tenant-differs",
            level: Level::Deny,
            range: Range::default(),
            message: what.clone(),
            words: Vec::new(),
            scope: Some(Scope::Tenant),
            elsewhere: false,
            evidence: Evidence::Effect,
        }));
    }

    fn unrepeatable(&self, observed: &mut Vec<ObservedEffect>) {
        for seen in &self.statements {
            let Some(why) = &seen.unrepeatable else { continue };
            observed.push(ObservedEffect {
                rule: "not-repeatable",
                level: Level::Warn,
                range: seen.range.clone(),
                message: format!("run a second time, it {why}"),
                words: Vec::new(),
                scope: Some(seen.scope),
                elsewhere: false,
                evidence: Evidence::Effect,
            });
        }
    }

    fn failed(&self, migration: &Migration, observed: &mut Vec<ObservedEffect>) {
        let failures = [
            ("execution-fails", Level::Deny, &self.failure),
            ("fails-on-rows", Level::Warn, &self.failed_on_rows),
        ];
        for (rule, level, failure) in failures {
            let Some(failure) = failure else { continue };
            let at = failure.place.as_ref().and_then(Place::bytes);
            let statement = at.and_then(|at| {
                let ranges = migration.statements.iter().map(|(statement, _)| &statement.range);
                ranges.clone().find(|range| range.start <= at.start && at.start < range.end).cloned()
            });
            observed.push(ObservedEffect {
                rule,
                level,
                range: statement.unwrap_or_default(),
                message: failure.message.clone(),
                words: Vec::new(),
                scope: None,
                elsewhere: false,
                evidence: Evidence::Effect,
            });
        }
    }

    fn broken(&self, observed: &mut Vec<ObservedEffect>) {
        for Attributed { what, statement, .. } in &self.broken {
            let (rule, level) = match what.kind {
                Kind::Fails | Kind::Changed => ("query-breaks", Level::Deny),
                Kind::Warn => ("query-changes", Level::Warn),
            };
            let words = what.query.name.as_deref().map(names).unwrap_or_default();
            observed.push(ObservedEffect {
                rule,
                level,
                range: statement.clone().unwrap_or_default(),
                message: format!(
                    "the query {} {}: {}",
                    what.query.title(),
                    what.what,
                    shown(&what.query.text)
                ),
                words,
                scope: None,
                elsewhere: false,
                evidence: Evidence::Queries,
            });
        }
    }
}

/// A query on one line, its beginning.
fn shown(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// Whether it happened where no text of its statement shows it.
fn is_elsewhere<T>(migration: &Migration, caused: &Attributed<T>) -> bool {
    let scope = caused.statement.as_ref().and_then(|range| scope_at(migration, range));
    let expected = match scope {
        Some(Scope::Platform) => Whose::Platform,
        Some(Scope::Tenant) => Whose::Tenant,
        None => return true,
    };
    caused.schema != expected
}

fn scope_at(migration: &Migration, range: &Range<usize>) -> Option<Scope> {
    let found = migration.statements.iter().find(|(statement, _)| statement.range == *range);
    found.map(|(_, scope)| *scope)
}
