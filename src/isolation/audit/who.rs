//! The tenants of an audit, including dropped tenants and pooled schemas.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::error::Failure;
use crate::ident::SchemaName;
use crate::isolation::{Fact, Kind};
use crate::postgres::Connection;
use crate::postgres::metadata::TenantState;
use crate::postgres::metadata::roles::{self, RoleRow};
use crate::postgres::metadata::state::{self, Presence};
use crate::project::Project;
use crate::settings::Settings;

/// A tenant's schema and role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditedTenant {
    /// Its slug; `None` for a pooled schema.
    pub(crate) slug: Option<String>,
    /// Its schema.
    pub(crate) schema: SchemaName,
    /// The role in its version row.
    pub(crate) role: Option<String>,
    /// The role in its version row, or the name that the settings would give its role: a role of that name that was created by
    /// hand is also the tenant's role.
    expected: Option<String>,
    /// The name of the template in its version row, or of the default template.
    pub(crate) template: String,
    /// The state in its version row.
    status: TenantState,
}

/// All tenants with a version row, in order of schemas.
pub(crate) async fn all(
    connection: &mut Connection,
    settings: &Settings,
    presence: Presence,
) -> Result<Vec<AuditedTenant>, Failure> {
    let known = state::tenants(connection, settings, presence, &[]).await?;
    let slugs: HashMap<SchemaName, String> = known.into_iter().map(|row| (row.schema, row.slug)).collect();
    let rows = roles::all(connection, &settings.platform_schema()).await?;
    let who = |row: RoleRow| AuditedTenant {
        slug: slugs.get(&row.schema).cloned(),
        expected: row
            .role
            .clone()
            .or_else(|| settings.tenant_role(&row.schema).ok().map(|name| name.to_string())),
        role: row.role,
        template: row.template.unwrap_or_else(|| settings.tenants.template.clone()),
        status: row.status,
        schema: row.schema,
    };
    Ok(rows.into_iter().map(who).collect())
}

impl AuditedTenant {
    /// Its data for the queries, as JSON.
    pub(crate) fn parameters(&self, project: &Project) -> Value {
        // The `-- Uses:` lines of a missing template are unknown.
        let template = project.templates.contains_key(&self.template).then_some(&self.template);
        json!({
            "schema": self.schema,
            "role": self.expected,
            "has_role": self.role.is_some(),
            "template": template,
            "status": self.status,
        })
    }

    /// The fact that its template is missing, if it is.
    pub(crate) fn unknown_template(&self, project: &Project) -> Option<Fact> {
        let is_unknown = self.role.is_some() && !project.templates.contains_key(&self.template);
        is_unknown.then(|| Fact {
            kind: Kind::TemplateUnknown,
            schema: Some(self.schema.as_str().to_owned()),
            object: "schema".to_owned(),
            who: None,
            other: None,
            what: Some(self.template.clone()),
            target: None,
        })
    }
}
