//! Converts the observed effects of a step into input for verification: a finding for each harmful change, loss and broken query,
//! at the statement that caused it.

use std::collections::HashSet;
use std::ops::Range;

use super::attributed::{Attributed, SchemaOwner};
use super::data::DataLoss;
use super::step::{ObservedStatement, Step};
use crate::chain::Migration;
use crate::error::{Code, Failure, Place};
use crate::postgres::catalog::{Change, Effect, PartKind, Property, What};
use crate::queries::Kind;
use crate::sql::Scope;
use crate::verify::{Evidence, Level, ObservedEffect, ObservedEffects, RuleId, names};

impl Step {
    /// The effects of this step, which is `migration`. With `by_contract`, the queries of the running release decide which
    /// objects may be dropped.
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
        self.not_observed(&mut observed);
        self.broken(&mut observed);
        for one in &mut observed {
            if let ([(only, _)], true) = (migration.statements.as_slice(), one.range.is_empty()) {
                one.range = only.range.clone();
            }
            one.scope = one.scope.or_else(|| scope_at(migration, &one.range));
        }
        // The tenants of several templates report the same effect once.
        let mut reported = HashSet::new();
        observed.retain(|it| reported.insert((it.rule, it.range.clone(), it.message.clone())));
        let whole = self.failure.is_none() && self.failed_on_rows.is_none() && !self.without_rows;
        let may_hide_effects = |seen: &&ObservedStatement| {
            self.statements.iter().any(|it| it.may_hide_effects && it.range == seen.range)
        };
        let is_observed = |seen: &&ObservedStatement| {
            !may_hide_effects(seen) && !self.not_observed.iter().any(|(range, ..)| *range == seen.range)
        };
        let seen = self.statements.iter().filter(|seen| whole && is_observed(seen));
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
            let mut report = |rule, level, why: &str| {
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
            // One finding per change, for its worst hazard. The rule sets the level, as for a finding from text; a change that is
            // only slower is a warning.
            let effect = Effect::of(change, &all);
            let only_slower = effect.data.or(effect.old_readers).or(effect.old_writers).is_none();
            if let Some(harm) = effect.harms().next() {
                report(harm.rule, if only_slower { Level::Warn } else { Level::Deny }, harm.why);
            }
        }
    }

    fn lost(&self, migration: &Migration, observed: &mut Vec<ObservedEffect>) {
        for caused in &self.lost {
            let (schema, table) = &caused.what.table;
            let (rule, what, column) = match &caused.what.what {
                DataLoss::SequenceReset => (
                    RuleId::ValuesChanged,
                    format!("sequence {table}: returns values again that it returned before"),
                    None,
                ),
                DataLoss::RowsMissing => {
                    (RuleId::DeletesRows, format!("table {table}: rows are missing"), None)
                }
                DataLoss::ValuesMoved => (
                    RuleId::ValuesChanged,
                    format!("table {table}: values are in other rows than before"),
                    None,
                ),
                DataLoss::ValuesChanged { column } if self.is_retyped(caused.schema, table, column) => {
                    continue;
                }
                DataLoss::ValuesChanged { column } => (
                    RuleId::ValuesChanged,
                    format!("table {table}: column {column} holds other values"),
                    Some(column.clone()),
                ),
            };
            let other = if caused.schema == SchemaOwner::OtherTenant {
                format!(" in {schema}, another tenant's schema,")
            } else {
                String::new()
            };
            observed.push(ObservedEffect {
                rule,
                level: Level::Deny,
                range: caused.statement.clone().unwrap_or_default(),
                message: format!("`{what}`{other} after a run on sample rows"),
                words: [table.clone()].into_iter().chain(column).collect(),
                scope: None,
                elsewhere: is_elsewhere(migration, caused),
                evidence: Evidence::Effect,
            });
        }
    }

    /// Whether the column has a new type that is reported itself. A new type may print the same values differently.
    fn is_retyped(&self, schema: SchemaOwner, table: &str, column: &str) -> bool {
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
        let of_statements = self
            .statements
            .iter()
            .flat_map(|seen| seen.beyond.iter().map(|beyond| (seen.range.clone(), seen.scope, beyond)));
        let of_step = self.beyond.iter().map(|(scope, beyond)| (Range::default(), *scope, beyond));
        observed.extend(of_statements.chain(of_step).map(|(range, scope, beyond)| ObservedEffect {
            rule: beyond.rule,
            level: Level::Deny,
            range,
            message: beyond.message.clone(),
            words: beyond.words.clone(),
            scope: Some(scope),
            elsewhere: false,
            evidence: Evidence::Effect,
        }));
    }

    fn unreachable(&self, migration: &Migration, observed: &mut Vec<ObservedEffect>) {
        for (name, schema) in &self.unreachable {
            let made = migration.statements.iter().find(|(statement, _)| {
                statement.created_extension(&migration.script).as_deref() == Some(name.as_str())
            });
            observed.push(ObservedEffect {
                rule: RuleId::ExtensionUnreachable,
                level: Level::Warn,
                range: made.map(|(statement, _)| statement.range.clone()).unwrap_or_default(),
                message: format!(
                    "`extension {name}` is in schema {schema}, which is on no unit's search path: add it in tenure.toml with [tenants] search_path = [\"{schema}\"]"
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
            let tables = seen.trace.tables.iter().filter(|(_, usage)| usage.rewritten);
            observed.extend(tables.map(|((_, table), usage)| ObservedEffect {
                rule: RuleId::RewritesTable,
                level: Level::Warn,
                range: seen.range.clone(),
                message: format!(
                    "`table {table}` is rewritten{}",
                    usage.lock.map(|lock| format!(" under an {lock} lock")).unwrap_or_default()
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
            rule: RuleId::NewTenantDiffers,
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
                rule: RuleId::NotRepeatable,
                level: Level::Warn,
                range: seen.range.clone(),
                message: format!("a second run {why}"),
                words: Vec::new(),
                scope: Some(seen.scope),
                elsewhere: false,
                evidence: Evidence::Effect,
            });
        }
    }

    fn not_observed(&self, observed: &mut Vec<ObservedEffect>) {
        observed.extend(self.not_observed.iter().map(|(range, name, why)| ObservedEffect {
            rule: RuleId::NotObserved,
            level: Level::Deny,
            range: range.clone(),
            message: why.clone(),
            words: names(name),
            scope: None,
            elsewhere: false,
            evidence: Evidence::Effect,
        }));
    }

    fn failed(&self, migration: &Migration, observed: &mut Vec<ObservedEffect>) {
        let is_refused = |failure: &Failure| {
            failure.code == Code::LeavesDatabase || failure.sqlstate.as_deref() == Some("42501")
        };
        let rule = match &self.failure {
            Some(failure) if is_refused(failure) => RuleId::NotObserved,
            Some(_) | None => RuleId::ExecutionFails,
        };
        let failures =
            [(rule, Level::Deny, &self.failure), (RuleId::FailsOnRows, Level::Warn, &self.failed_on_rows)];
        for (rule, level, failure) in failures {
            let Some(failure) = failure else { continue };
            let at = failure.place.as_ref().and_then(Place::bytes);
            let statement = at.and_then(|at| {
                let ranges = migration.statements.iter().map(|(statement, _)| &statement.range);
                ranges.clone().find(|range| range.start <= at.start && at.start < range.end).cloned()
            });
            let named = migration.statements.iter().find(|(it, _)| Some(&it.range) == statement.as_ref());
            observed.push(ObservedEffect {
                rule,
                level,
                range: statement.unwrap_or_default(),
                message: failure.message.clone(),
                words: named
                    .map(|(statement, _)| names(&statement.main_name(&migration.script)))
                    .unwrap_or_default(),
                scope: None,
                elsewhere: false,
                evidence: Evidence::Effect,
            });
        }
    }

    fn broken(&self, observed: &mut Vec<ObservedEffect>) {
        for Attributed { what, statement, .. } in &self.broken {
            let (rule, level) = match what.kind {
                Kind::Fails | Kind::Changed => (RuleId::QueryBreaks, Level::Deny),
                Kind::Warn => (RuleId::QueryChanges, Level::Warn),
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

/// The beginning of a query, on one line.
fn shown(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// Whether the effect happened in another schema than the statement's text shows.
fn is_elsewhere<T>(migration: &Migration, caused: &Attributed<T>) -> bool {
    let scope = caused.statement.as_ref().and_then(|range| scope_at(migration, range));
    let expected = match scope {
        Some(Scope::Platform) => SchemaOwner::Platform,
        Some(Scope::Tenant) => SchemaOwner::Tenant,
        None => return true,
    };
    caused.schema != expected
}

fn scope_at(migration: &Migration, range: &Range<usize>) -> Option<Scope> {
    let found = migration.statements.iter().find(|(statement, _)| statement.range == *range);
    found.map(|(_, scope)| *scope)
}
