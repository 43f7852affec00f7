//! The result of `tenant create` as text.

use crate::error::Failure;
use crate::ident::{Identifier, with_other_word};
use crate::output::{Paint, Text, equal_failures, failure, or_dash};
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
    if tenants == 0 {
        return Text::of_line(format_args!(
            "{}: no row of the registry is without a schema",
            paint.good("nothing to do")
        ));
    }
    let mut text = Text::default();
    for failed in &created.failures {
        text.append(&failure(&failed.failure, paint));
        text.blank();
    }
    for (word, tenants) in [("created", &created.created), ("existing", &created.existing)] {
        for tenant in tenants {
            text.line(format_args!(
                "{} {}  {}  at {}  id {}{}",
                paint.good(word),
                paint.bold(&tenant.slug),
                tenant.schema,
                or_dash(tenant.version.as_ref()),
                or_dash(tenant.id.as_ref()),
                if tenant.completed { ", for its existing row in the registry" } else { "" }
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
    let equal = |failed: &FailedTenant| {
        let Failure { code, sqlstate, message, schema, .. } = &failed.failure;
        let message = with_other_word(message, &failed.slug, "SLUG");
        let schema = schema.as_deref().unwrap_or_default();
        ((*code, sqlstate.clone()), with_other_word(&message, schema, "{org_schema}"))
    };
    let failed = created.failures.iter().map(|it| (equal(it), (it.slug.as_str(), &it.failure)));
    let mut text = equal_failures(failed, paint);
    for tenant in created.created.iter().chain(&created.existing).filter(|tenant| tenant.password.is_some()) {
        text.append(&password(tenant.role.as_ref().map(Identifier::as_str), tenant.password.as_ref()));
    }
    text.line(format_args!("{}; -v and --format json list them", counts(created)));
    text
}
