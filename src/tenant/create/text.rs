//! The result of `tenant create` as text.

use crate::ident::Identifier;
use crate::output::{Paint, Text, failure, or_dash};
use crate::tenant::Created;
use crate::tenant::roles::text::password;

/// The result of `tenant create`.
pub fn created(created: &Created, paint: Paint) -> Text {
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
    if created.created.len() + created.existing.len() + created.failures.len() > 1 {
        let counts = [created.created.len(), created.existing.len(), created.failures.len()];
        text.line(format_args!("{} created, {} existing, {} failed", counts[0], counts[1], counts[2]));
    }
    text
}
