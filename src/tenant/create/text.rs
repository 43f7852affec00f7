//! The result of `tenant create` as text.

use std::fmt::Write as _;

use crate::ident::Identifier;
use crate::output::{Paint, failure, or_dash};
use crate::tenant::Created;
use crate::tenant::roles::text::password;

/// The result of `tenant create`.
pub fn created(created: &Created, paint: Paint) -> String {
    let mut text = String::new();
    for failed in &created.failures {
        let _written = writeln!(text, "{}\n", failure(&failed.failure, paint));
    }
    for (word, tenants) in [("created", &created.created), ("existing", &created.existing)] {
        for tenant in tenants {
            let _written = writeln!(
                text,
                "{} {}  {}  at {}  id {}",
                paint.good(word),
                paint.bold(&tenant.slug),
                tenant.schema,
                or_dash(tenant.version.as_ref()),
                or_dash(tenant.id.as_ref()),
            );
            text.push_str(&password(tenant.role.as_ref().map(Identifier::as_str), tenant.password.as_ref()));
        }
    }
    if created.created.len() + created.existing.len() + created.failures.len() > 1 {
        let counts = [created.created.len(), created.existing.len(), created.failures.len()];
        let _written = writeln!(text, "{} created, {} existing, {} failed", counts[0], counts[1], counts[2]);
    }
    text
}
