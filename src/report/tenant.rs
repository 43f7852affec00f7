//! The results of the verbs on tenants, for people.

use std::fmt::Write as _;

use super::outcome::or_dash;
use super::table::plain;
use super::walls::password;
use super::{Paint, failure, history, holdings, table};
use crate::ident::Identifier;
use crate::outcome::{Changed, Created, Ending, HistoryEntry, Holdings, Tenant, TenantList};

/// So many rows of its history are shown with a tenant.
const NEWEST: usize = 20;

/// What `tenant create` did.
pub fn created(created: &Created, paint: Paint) -> String {
    let mut text = String::new();
    for failed in &created.failed {
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
    if created.created.len() + created.existing.len() + created.failed.len() > 1 {
        let counts = [created.created.len(), created.existing.len(), created.failed.len()];
        let _written = writeln!(text, "{} created, {} existing, {} failed", counts[0], counts[1], counts[2]);
    }
    text
}

/// What a verb on one tenant did: how the tenant is now.
pub fn changed(changed: &Changed, paint: Paint) -> String {
    let head = match changed.outcome {
        Ending::Nothing => "nothing to do",
        _ => "done",
    };
    let tenant = &changed.tenant;
    format!(
        "{}: {} is {}  {}\n",
        paint.good(head),
        paint.bold(&tenant.slug),
        tenant.status.as_str(),
        tenant.schema
    )
}

/// Which tenants a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// All that are in use.
    All,
    /// Those of some states, of a version, of a page.
    Some,
}

/// What `tenant list` shows.
pub fn tenant_list(list: &TenantList, asked: Asked, paint: Paint) -> String {
    let mut text = match asked {
        Asked::All if list.tenants.is_empty() => {
            "no tenants; `tenure tenant create SLUG` makes one\n".to_owned()
        }
        Asked::Some if list.tenants.is_empty() => "no such tenants\n".to_owned(),
        Asked::All | Asked::Some => tenant_rows(list, paint),
    };
    if let Some(count) = list.without_schema {
        let nameless = match count {
            1 => "1 row of the registry names no schema".to_owned(),
            _ => format!("{count} rows of the registry name no schema"),
        };
        let _written = writeln!(text, "{}", paint.dim(&nameless));
    }
    text
}

fn tenant_rows(list: &TenantList, paint: Paint) -> String {
    let rows: Vec<_> = list
        .tenants
        .iter()
        .map(|listed| {
            let tenant = &listed.tenant;
            [
                tenant.slug.clone(),
                or_dash(tenant.name.as_ref()),
                tenant.schema.to_string(),
                or_dash(tenant.version.as_ref()),
                or_dash(tenant.template.as_ref()),
                tenant.status.as_str().to_owned(),
                or_dash(tenant.created_at.as_ref()),
            ]
        })
        .collect();
    let mut text =
        table(["slug", "name", "schema", "version", "template", "status", "created"], &rows, paint);
    if let Some(next) = &list.next {
        let _written = writeln!(text, "{}", paint.dim(&format!("there are more: --after {next}")));
    }
    text
}

/// What `tenant show` shows.
pub fn tenant(tenant: &Tenant, held: &Holdings, entries: &[HistoryEntry], paint: Paint) -> String {
    let mut text = String::new();
    for (key, value) in [
        ("slug", tenant.slug.clone()),
        ("name", or_dash(tenant.name.as_ref())),
        ("id", or_dash(tenant.id.as_ref())),
        ("schema", tenant.schema.to_string()),
        ("version", or_dash(tenant.version.as_ref())),
        ("template", or_dash(tenant.template.as_ref())),
        ("status", tenant.status.as_str().to_owned()),
        ("created", or_dash(tenant.created_at.as_ref())),
    ] {
        let _written = writeln!(text, "{}{}", paint.dim(&format!("{key:<10}")), plain(&value));
    }
    text.push_str(&holdings(held, paint));
    if !entries.is_empty() {
        let older = entries.len().saturating_sub(NEWEST);
        text.push('\n');
        text.push_str(&history(&entries[older..], paint));
        if older > 0 {
            let more = format!("{older} older: `tenure migrate history --tenant {}`", tenant.slug);
            let _written = writeln!(text, "{}", paint.dim(&more));
        }
    }
    text
}
