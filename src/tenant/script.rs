//! What a new tenant takes, compiled once for each template and version: a tenant is then one message,
//! in one transaction.

use uuid::Uuid;

use super::role::{self, Owner, Reach, Secret};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{Identifier, SchemaName, Slug, literal};
use crate::postgres::message::{HistoryRow, Kind, Leftovers, Message, Run};
use crate::postgres::state;
use crate::project::Project;
use crate::settings::Settings;
use crate::sql::Scope;
use crate::template::{Compiled, Template};

/// Who a new tenant is.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) id: Uuid,
    pub(super) slug: Slug,
    pub(super) name: String,
    pub(super) schema: SchemaName,
    /// Its role, with what is to be its password.
    pub(super) role: Option<(Identifier, Option<Secret>)>,
}

/// The script of one template at one version.
pub(super) struct Script<'a> {
    compiled: Compiled<'a>,
    project: &'a Project,
    settings: &'a Settings,
    version: Version,
    left: Leftovers,
    /// Whether a foreign key leads to the registry itself.
    locks_registry: bool,
}

impl<'a> Script<'a> {
    pub(super) fn new(
        project: &'a Project,
        template: &'a Template,
        version: &Version,
    ) -> Result<Self, Failure> {
        let compiled = template.compile(&project.chain, version).ok_or_else(|| {
            Failure::new(
                Code::NotMigrated,
                format!(
                    "the template {:?} is at {}, the platform only at {version}",
                    template.name, template.version
                ),
            )
            .hint("run `tenure migrate up` first")
        })?;
        let settings = &project.settings;
        // Statements that have no point in a new schema count too: they cost nothing here.
        let left = Leftovers::of(compiled.statements.iter().map(|(_, statement)| *statement));
        let platform = settings.platform_schema();
        let locks_registry = compiled.shared_keys.iter().any(|key| {
            key.table == settings.tenants.registry.as_str()
                && key.schema.as_deref() == Some(platform.as_str())
        });
        Ok(Self { compiled, project, settings, version: version.clone(), left, locks_registry })
    }

    /// The one message that makes a tenant.
    pub(super) fn message(&self, run: &Run, tenant: &Identity) -> Result<Message, Failure> {
        let (platform, version, schema) = (run.platform.quoted(), &self.version, &tenant.schema);
        let mut message = Message::default();
        message.begin(run.limits, &format!("SELECT {platform}.tenure_expect_platform('{version}')"));
        self.register(tenant, &mut message);
        message.push(&format!("CREATE SCHEMA {}", schema.quoted()));
        // First, so that what is made next has the role's rights from the beginning.
        if let Some((name, secret)) = &tenant.role {
            let owner = Owner { schema, template: self.compiled.template, version, reach: Reach::Empty };
            role::make(&mut message, self.project, &owner, (name, secret.as_ref()))?;
        }
        message.search_path(schema);
        for (script, statement) in &self.compiled.statements {
            message.push_at_once(script, statement, schema);
        }
        if self.left == Leftovers::Possible {
            message.own_role();
        }
        let role = tenant.role.as_ref().map_or_else(|| "NULL".to_owned(), |(name, _)| literal(name.as_str()));
        let login = tenant.role.as_ref().is_some_and(|(_, secret)| secret.is_some());
        message.push(&format!(
            "INSERT INTO {platform}.tenant_version (schema_name, version, template, role, login) \
             VALUES ({}, '{version}', {}, {role}, {login})",
            literal(schema.as_str()),
            literal(&self.compiled.template.name),
        ));
        self.history(run, schema, &mut message);
        message.commit(self.left);
        Ok(message)
    }

    /// The registry's row.
    fn register(&self, tenant: &Identity, message: &mut Message) {
        let (registry, columns) = (state::registry(self.settings), &self.settings.tenants.columns);
        if self.locks_registry {
            // Two that have written their rows, each waiting to lock the table, would never end.
            message.push(&format!("LOCK TABLE {registry} IN SHARE ROW EXCLUSIVE MODE"));
        }
        message.push(&format!(
            "INSERT INTO {registry} ({}, {}, {}, {}) VALUES ('{}', {}, {}, {})",
            columns.id.quoted(),
            columns.name.quoted(),
            columns.slug.quoted(),
            columns.schema.quoted(),
            tenant.id,
            literal(&tenant.name),
            literal(tenant.slug.as_str()),
            literal(tenant.schema.as_str()),
        ));
        message.push(&format!(
            "SELECT {}.tenure_expect_one((SELECT count(*) FROM {registry} WHERE {} = {}), 'the registry')",
            self.settings.platform_schema().quoted(),
            columns.schema.quoted(),
            literal(tenant.schema.as_str()),
        ));
    }

    /// A row for the template, and one for each step that tenants have a part in.
    fn history(&self, run: &Run, schema: &SchemaName, message: &mut Message) {
        let template = self.compiled.template;
        let row = |from, to, name, checksum, kind| HistoryRow {
            schema,
            from,
            to,
            name,
            checksum: Some(checksum),
            kind,
            allowed: "[]",
        };
        let fresh = Version::ZERO;
        let made = row(&fresh, &template.version, &template.name, &template.checksum, Kind::Template);
        message.history(run, &made);
        for step in self.compiled.steps.iter().filter(|step| step.has(Scope::Tenant)) {
            let moved = row(step.from(), step.to(), &step.file, &step.checksum, Kind::Migrate);
            message.history(run, &moved);
        }
    }
}
