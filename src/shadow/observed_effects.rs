//! Converts the observed effects of a step into input for verification: a finding for each harmful change, loss and broken query,
//! at the statement that caused it.

use std::collections::HashSet;
use std::ops::Range;

use super::attributed::{Attributed, JudgedChange, SchemaOwner};
use super::data::DataLoss;
use super::renames;
use super::step::{ObservedStatement, Step};
use crate::chain::Migration;
use crate::error::{Code, Failure, Place};
use crate::postgres::catalog::{self, PartKey, PartKind, Property, What};
use crate::queries::Kind;
use crate::sql::{ORG_SCHEMA, Scope};
use crate::verify::{Evidence, Level, ObservedEffect, ObservedEffects, ObservedPart, RuleId, names};

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
        for caused in &self.changes {
            let JudgedChange { change, effect, .. } = &caused.what;
            // One finding per change, for its worst hazard. The rule sets the level, as for a finding from text; a change that is
            // only slower is a warning.
            let Some(harm) = effect.harms().next() else { continue };
            if renames::explain(migration, caused, &self.changes) || self.follows_parent(caused) {
                continue;
            }
            let only_slower = effect.data.or(effect.old_readers).or(effect.old_writers).is_none();
            let level = if only_slower { Level::Warn } else { Level::Deny };
            let part = change.part.as_ref().map(|part| part.name.clone());
            let (object, words) = if change.object.kind == catalog::Kind::Schema {
                (format!("schema {}", caused.schema_name), vec![caused.schema_name.clone()])
            } else {
                let name = change.object.bare_name().to_owned();
                (change.object.to_string(), [name].into_iter().chain(part).collect())
            };
            let message = format!("`{object}: {}` {}", in_schema(caused.schema, &change.line()), harm.why);
            observed.push(ObservedEffect {
                part: change.part.as_ref().map(|part| match part.kind {
                    PartKind::Index => ObservedPart::Index,
                    PartKind::Constraint => ObservedPart::Constraint,
                    _ => ObservedPart::Other,
                }),
                removes: matches!(change.what, What::Removed { .. } | What::Changed { to: None, .. }),
                renames: renames::is_itself(migration, caused),
                ..located(migration, caused, (harm.rule, level), message, words)
            });
        }
    }

    /// Whether a parent table has the same change by the same statement: a partition and a child follow it.
    fn follows_parent(&self, caused: &Attributed<JudgedChange>) -> bool {
        let change = &caused.what.change;
        caused.what.parents.iter().any(|parent| {
            self.changes.iter().any(|other| {
                let same = &other.what.change;
                other.statement == caused.statement
                    && other.schema == caused.schema
                    && same.object.name == *parent
                    && same.part == change.part
                    && std::mem::discriminant(&same.what) == std::mem::discriminant(&change.what)
            })
        })
    }

    fn lost(&self, migration: &Migration, observed: &mut Vec<ObservedEffect>) {
        for caused in &self.lost {
            let (schema, table) = &caused.what.table;
            let (rule, what, column) = match &caused.what.what {
                DataLoss::SequenceReset => (
                    RuleId::ChangeSequence,
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
            // The label of a value has another name; the value is the same.
            if renames::relabels(migration, caused) {
                continue;
            }
            let message = format!("`{what}`{other} after a run on sample rows");
            let words = [table.clone()].into_iter().chain(column).collect();
            observed.push(located(migration, caused, (rule, Level::Deny), message, words));
        }
    }

    /// Whether the column has a new type that is reported itself. A new type may print the same values differently.
    fn is_retyped(&self, schema: SchemaOwner, table: &str, column: &str) -> bool {
        self.changes.iter().any(|caused| {
            let JudgedChange { change, effect, .. } = &caused.what;
            let is_column = |part: &PartKey| part.kind == PartKind::Column && part.name == column;
            caused.schema == schema
                && change.object.name == table
                && effect.harms().next().is_some()
                && change.part.as_ref().is_some_and(is_column)
                && matches!(&change.what, What::Changed { property: Property::Type, .. })
        })
    }

    fn beyond(&self, observed: &mut Vec<ObservedEffect>) {
        let of_statements = self
            .statements
            .iter()
            .flat_map(|seen| seen.beyond.iter().map(|beyond| (seen.range.clone(), seen.scope, beyond)));
        let of_step = self.beyond.iter().map(|(scope, beyond)| (Range::default(), *scope, beyond));
        observed.extend(of_statements.chain(of_step).map(|(range, scope, beyond)| ObservedEffect {
            words: beyond.words.clone(),
            scope: Some(scope),
            ..ObservedEffect::new(beyond.rule, Level::Deny, range, beyond.message.clone())
        }));
    }

    fn unreachable(&self, migration: &Migration, observed: &mut Vec<ObservedEffect>) {
        for (name, schema) in &self.unreachable {
            let made = migration.statements.iter().find(|(statement, _)| {
                statement.created_extension(&migration.script).as_deref() == Some(name.as_str())
            });
            observed.push(ObservedEffect { words: vec![name.clone()], ..ObservedEffect::new(RuleId::ExtensionUnreachable, Level::Warn, made.map(|(statement, _)| statement.range.clone()).unwrap_or_default(), format!(
                    "`extension {name}` is in schema {schema}, which is on no unit's search path: add it in tenure.toml with [tenants] search_path = [\"{schema}\"]"
                )) });
        }
    }

    fn rewritten(&self, observed: &mut Vec<ObservedEffect>) {
        for seen in &self.statements {
            let tables = seen.trace.tables.iter().filter(|(_, usage)| usage.rewritten);
            observed.extend(tables.map(|((_, table), usage)| ObservedEffect {
                words: vec![table.clone()],
                scope: Some(seen.scope),
                ..ObservedEffect::new(
                    RuleId::RewritesTable,
                    Level::Warn,
                    seen.range.clone(),
                    format!(
                        "`table {table}` is rewritten{}",
                        usage.lock.map(|lock| format!(" under an {lock} lock")).unwrap_or_default()
                    ),
                )
            }));
        }
    }

    fn new_tenant_differs(&self, observed: &mut Vec<ObservedEffect>) {
        observed.extend(self.new_tenant.iter().map(|what| ObservedEffect {
            scope: Some(Scope::Tenant),
            ..ObservedEffect::new(RuleId::NewTenantDiffers, Level::Deny, Range::default(), what.clone())
        }));
    }

    fn unrepeatable(&self, observed: &mut Vec<ObservedEffect>) {
        for seen in &self.statements {
            let Some(why) = &seen.unrepeatable else { continue };
            observed.push(ObservedEffect {
                scope: Some(seen.scope),
                ..ObservedEffect::new(
                    RuleId::NotRepeatable,
                    Level::Warn,
                    seen.range.clone(),
                    format!("a second run {why}"),
                )
            });
        }
    }

    fn not_observed(&self, observed: &mut Vec<ObservedEffect>) {
        observed.extend(self.not_observed.iter().map(|(range, name, why)| ObservedEffect {
            words: names(name),
            ..ObservedEffect::new(RuleId::NotObserved, Level::Deny, range.clone(), why.clone())
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
                words: named
                    .map(|(statement, _)| names(&statement.main_name(&migration.script)))
                    .unwrap_or_default(),
                ..ObservedEffect::new(rule, level, statement.unwrap_or_default(), failure.message.clone())
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
                words,
                evidence: Evidence::Queries,
                ..ObservedEffect::new(
                    rule,
                    level,
                    statement.clone().unwrap_or_default(),
                    format!("the query {} {}: {}", what.query.title(), what.what, shown(&what.query.text)),
                )
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

/// The text of a change without the placeholder for a schema that is not a tenant's.
fn in_schema(owner: SchemaOwner, text: &str) -> String {
    match owner {
        SchemaOwner::Tenant | SchemaOwner::OtherTenant => text.to_owned(),
        SchemaOwner::Platform | SchemaOwner::Elsewhere => text.replace(&format!("{ORG_SCHEMA}."), ""),
    }
}

/// The effect with its statement and schema. In another schema than the statement's, the names include that of the schema,
/// after the object's.
fn located<T>(
    migration: &Migration,
    caused: &Attributed<T>,
    (rule, level): (RuleId, Level),
    message: String,
    mut words: Vec<String>,
) -> ObservedEffect {
    let range = caused.statement.clone().unwrap_or_default();
    let scope = scope_at(migration, &range);
    let is_own = match scope {
        Some(Scope::Platform) => caused.schema == SchemaOwner::Platform,
        Some(Scope::Tenant) => caused.schema == SchemaOwner::Tenant,
        None => false,
    };
    if !is_own {
        words.insert(1, caused.schema_name.clone());
    }
    let elsewhere = scope.is_none() || caused.schema == SchemaOwner::OtherTenant;
    ObservedEffect { words, elsewhere, ..ObservedEffect::new(rule, level, range, message) }
}

fn scope_at(migration: &Migration, range: &Range<usize>) -> Option<Scope> {
    let found = migration.statements.iter().find(|(statement, _)| statement.range == *range);
    found.map(|(_, scope)| *scope)
}
