//! The result of `tenant create` as text.

use crate::error::Failure;
use crate::ident::{Identifier, with_other_word};
use crate::output::{Paint, Text, failure, first_names, grouped, or_dash, plural};
use crate::tenant::roles::text::password;
use crate::tenant::{Created, FailedTenant};

/// How much is shown of many tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Above twenty tenants, a summary by outcome.
    Summary,
    /// Every tenant.
    All,
}

/// The number of tenants up to which each one is shown.
const MANY: usize = 20;

/// The result of `tenant create`.
pub fn created(created: &Created, detail: Detail, paint: Paint) -> Text {
    let tenants = created.created.len() + created.existing.len() + created.failures.len();
    if tenants > MANY && detail == Detail::Summary {
        return summary(created, paint);
    }
    let mut text = Text::default();
    for failed in &created.failures {
        text.append(&failure(&failed.failure, paint));
        text.blank();
    }
    for (word, tenants) in [("created", &created.created), ("existing", &created.existing)] {
        for tenant in tenants {
            text.line(format_args!(
                "{} {}  {}  at {}  id {}",
                paint.good(word),
                paint.bold(&tenant.slug),
                tenant.schema,
                or_dash(tenant.version.as_ref()),
                or_dash(tenant.id.as_ref())
            ));
            text.append(&password(tenant.role.as_ref().map(Identifier::as_str), tenant.password.as_ref()));
        }
    }
    if tenants > 1 {
        text.line(counts(created));
    }
    text
}

fn counts(created: &Created) -> String {
    let Created { created, existing, failures, .. } = created;
    format!("{} created, {} existing, {} failed", created.len(), existing.len(), failures.len())
}

/// The failures, each once with its first tenants, and the counts. A new password is always shown.
fn summary(created: &Created, paint: Paint) -> Text {
    let mut text = Text::default();
    let equal = |failed: &FailedTenant| {
        let Failure { code, sqlstate, message, schema, .. } = &failed.failure;
        let message = with_other_word(message, &failed.slug, "SLUG");
        let schema = schema.as_deref().unwrap_or_default();
        (*code, sqlstate.clone(), with_other_word(&message, schema, "{org_schema}"))
    };
    for ((.., message), members) in grouped(created.failures.iter().map(|failed| (equal(failed), failed))) {
        let Some(first) = members.first() else { continue };
        if members.len() == 1 {
            text.append(&failure(&first.failure, paint));
        } else {
            text.append(&failure(&Failure { message, ..first.failure.clone() }, paint));
            let mut slugs: Vec<_> = members.iter().map(|failed| failed.slug.as_str()).collect();
            slugs.sort_unstable();
            let names = first_names(slugs.into_iter());
            text.line(format_args!("  the same failure on {}: {names}", plural(members.len(), "tenant")));
        }
        text.blank();
    }
    for tenant in created.created.iter().chain(&created.existing).filter(|tenant| tenant.password.is_some()) {
        text.append(&password(tenant.role.as_ref().map(Identifier::as_str), tenant.password.as_ref()));
    }
    text.line(format_args!("{}; -v and --format json list them", counts(created)));
    text
}
