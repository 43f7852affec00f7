//! What a step did in all, each with the statement that was seen to do it.

use super::attributed::{Attributed, Whose};
use super::data::DataChange;
use super::database_snapshot::DatabaseSnapshot;
use super::shadow_run::ShadowRun;
use super::step::{Seen, Step};
use crate::ident::SchemaName;
use crate::postgres::catalog::Change;

impl ShadowRun<'_> {
    /// Adds to `step` what is different in `after`.
    pub(super) fn sum_up(&self, step: &mut Step, before: &DatabaseSnapshot, after: &DatabaseSnapshot) {
        let changes = before.changes(after);
        let of_first = changes.iter().find(|(schema, _)| Some(schema) == self.tenants.first());
        let of_first: Vec<Change> = of_first.map(|(_, changes)| changes.clone()).unwrap_or_default();
        for (schema, changes) in changes {
            let whose = self.whose(&schema);
            for change in changes {
                // What happens to every tenant is told once.
                let is_first = Some(&schema) == self.tenants.first();
                if !is_first
                    && matches!(whose, Whose::Tenant | Whose::OtherTenant)
                    && of_first.contains(&change)
                {
                    continue;
                }
                let statement = culprit(&step.statements, &schema, &change).map(|seen| seen.range.clone());
                step.changes.push(Attributed { what: change, schema: whose, statement });
            }
        }
        for lost in before.rows.lost(&after.rows) {
            let whose = match SchemaName::existing(lost.table.0.as_str()) {
                Ok(schema) => self.whose(&schema),
                Err(_) => Whose::Elsewhere,
            };
            // The same of another tenant says nothing new.
            let twin = |other: &Attributed<DataChange>| {
                other.what.table.1 == lost.table.1 && other.what.what == lost.what
            };
            let is_tenants = matches!(whose, Whose::Tenant | Whose::OtherTenant);
            if is_tenants && step.lost.iter().any(twin) {
                continue;
            }
            let statement = loser(&step.statements, &lost).map(|seen| seen.range.clone());
            step.lost.push(Attributed { what: lost, schema: whose, statement });
        }
    }

    fn whose(&self, schema: &SchemaName) -> Whose {
        if self.control_tenant.as_ref() == Some(schema) {
            Whose::OtherTenant
        } else if self.tenants.contains(schema) {
            Whose::Tenant
        } else if *schema == self.project.settings.platform_schema() {
            Whose::Platform
        } else {
            Whose::Elsewhere
        }
    }
}

/// The last statement that changed the same thing, or else anything of the same object.
fn culprit<'s>(statements: &'s [Seen], schema: &SchemaName, change: &Change) -> Option<&'s Seen> {
    let changed = |seen: &Seen, is_it: &dyn Fn(&Change) -> bool| {
        seen.changes.iter().any(|(of, all)| of == schema && all.iter().any(is_it))
    };
    let same = |other: &Change| other.object == change.object && other.part == change.part;
    let same_object = |other: &Change| other.object == change.object;
    let backwards = || statements.iter().rev();
    backwards()
        .find(|seen| changed(seen, &same))
        .or_else(|| backwards().find(|seen| changed(seen, &same_object)))
}

/// The statement that did that to rows; or else the last that did anything to those rows, or to their table.
fn loser<'s>(statements: &'s [Seen], lost: &DataChange) -> Option<&'s Seen> {
    let (schema, table) = &lost.table;
    let of_table = |seen: &&Seen| {
        seen.lost.iter().any(|other| other.table == lost.table)
            || seen.uses.get(&lost.table).is_some_and(|used| used.writes)
            || seen.changes.iter().any(|(of, all)| {
                of.as_str() == schema && all.iter().any(|change| change.object.bare_name() == table)
            })
    };
    let exactly = statements.iter().find(|seen| seen.lost.contains(lost));
    exactly.or_else(|| statements.iter().rev().find(of_table))
}
