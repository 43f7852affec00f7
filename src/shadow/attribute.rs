//! Attributes the changes of a whole step to the statements that made them.

use super::attributed::{Attributed, SchemaOwner};
use super::data::DataChange;
use super::database_snapshot::DatabaseSnapshot;
use super::shadow_run::ShadowRun;
use super::step::{ObservedStatement, Step};
use crate::chain::Migration;
use crate::ident::SchemaName;
use crate::postgres::catalog::{Change, What};

impl ShadowRun<'_> {
    /// Compares the two snapshots and adds the differences to `step`.
    pub(super) fn attribute_changes(
        &self,
        migration: &Migration,
        step: &mut Step,
        before: &DatabaseSnapshot,
        after: &DatabaseSnapshot,
    ) {
        // A statement that runs outside of a transaction was not observed by itself.
        let only = match migration.statements.as_slice() {
            [(only, _)] => Some(only.range.clone()),
            _ => None,
        };
        let changes = before.judged_changes(after);
        let first_changes = changes.iter().find(|(schema, _)| Some(schema) == self.tenants.first());
        let first_changes: Vec<Change> = first_changes
            .map(|(_, changes)| changes.iter().map(|it| it.change.clone()).collect())
            .unwrap_or_default();
        for (schema, changes) in changes {
            let owner = self.owner_of(&schema);
            for judged in changes {
                let change = &judged.change;
                // A change in every tenant is reported once.
                let is_first = Some(&schema) == self.tenants.first();
                if !is_first
                    && matches!(owner, SchemaOwner::Tenant | SchemaOwner::OtherTenant)
                    && first_changes.contains(change)
                {
                    continue;
                }
                let statement =
                    causing_statement(&step.statements, &schema, change).map(|seen| seen.range.clone());
                step.changes.push(Attributed {
                    what: judged,
                    schema: owner,
                    schema_name: schema.as_str().to_owned(),
                    statement: statement.or_else(|| only.clone()),
                });
            }
        }
        for lost in before.rows.lost(&after.rows) {
            let owner = match SchemaName::existing(lost.table.0.as_str()) {
                Ok(schema) => self.owner_of(&schema),
                Err(_) => SchemaOwner::Elsewhere,
            };
            // The same loss in another tenant is not reported again.
            let duplicate = |other: &Attributed<DataChange>| {
                other.what.table.1 == lost.table.1 && other.what.what == lost.what
            };
            let is_tenants = matches!(owner, SchemaOwner::Tenant | SchemaOwner::OtherTenant);
            if is_tenants && step.lost.iter().any(duplicate) {
                continue;
            }
            let statement = losing_statement(&step.statements, &lost).map(|seen| seen.range.clone());
            step.lost.push(Attributed {
                schema: owner,
                schema_name: lost.table.0.clone(),
                statement: statement.or_else(|| only.clone()),
                what: lost,
            });
        }
    }

    fn owner_of(&self, schema: &SchemaName) -> SchemaOwner {
        if self.control_tenant.as_ref() == Some(schema) {
            SchemaOwner::OtherTenant
        } else if self.tenants.contains(schema) {
            SchemaOwner::Tenant
        } else if *schema == self.project.settings.platform_schema() {
            SchemaOwner::Platform
        } else {
            SchemaOwner::Elsewhere
        }
    }
}

/// The statement that removed the object, if it was created again later. Otherwise the last one that changed the same part, or
/// else the same object.
fn causing_statement<'s>(
    statements: &'s [ObservedStatement],
    schema: &SchemaName,
    change: &Change,
) -> Option<&'s ObservedStatement> {
    let changed = |seen: &ObservedStatement, is_it: &dyn Fn(&Change) -> bool| {
        seen.changes.iter().any(|(of, all)| of == schema && all.iter().any(is_it))
    };
    let same = |other: &Change| other.object == change.object && other.part == change.part;
    let same_object = |other: &Change| other.object == change.object;
    let removed = |other: &Change| {
        same_object(other) && other.part.is_none() && matches!(other.what, What::Removed { .. })
    };
    let backwards = || statements.iter().rev();
    backwards()
        .find(|seen| changed(seen, &removed))
        .or_else(|| backwards().find(|seen| changed(seen, &same)))
        .or_else(|| backwards().find(|seen| changed(seen, &same_object)))
}

/// The statement that removed the table, or the one with exactly this loss, or else the last one that wrote to the table or
/// altered it.
fn losing_statement<'s>(
    statements: &'s [ObservedStatement],
    lost: &DataChange,
) -> Option<&'s ObservedStatement> {
    let (schema, table) = &lost.table;
    let of_table = |seen: &&ObservedStatement| {
        seen.lost.iter().any(|other| other.table == lost.table)
            || seen.uses.get(&lost.table).is_some_and(|used| used.writes)
            || seen.changes.iter().any(|(of, all)| {
                of.as_str() == schema && all.iter().any(|change| change.object.bare_name() == table)
            })
    };
    let removed = |seen: &&ObservedStatement| {
        seen.changes.iter().any(|(of, all)| {
            of.as_str() == schema
                && all.iter().any(|change| {
                    change.object.name == *table
                        && change.part.is_none()
                        && matches!(change.what, What::Removed { .. })
                })
        })
    };
    if let Some(seen) = statements.iter().rev().find(removed) {
        return Some(seen);
    }
    let exactly = statements.iter().find(|seen| seen.lost.contains(lost));
    exactly.or_else(|| statements.iter().rev().find(of_table))
}
