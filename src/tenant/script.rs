//! What a new tenant takes, compiled once for each template and version: a tenant is then one message,
//! in one transaction.

use uuid::Uuid;

use super::standing;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, Slug};
use crate::outcome::TenantState;
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
}

/// The script of one template at one version.
pub(super) struct Script<'a> {
    compiled: Compiled<'a>,
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
        Ok(Self { compiled, settings, version: version.clone(), left, locks_registry })
    }

    /// The one message that makes a tenant.
    pub(super) fn message(&self, run: &Run, tenant: &Identity) -> Message {
        let (platform, version, schema) = (run.platform.quoted(), &self.version, &tenant.schema);
        let mut message = Message::default();
        message.begin(run.limits, &format!("SELECT {platform}.tenure_expect_platform('{version}')"));
        self.register(tenant, &mut message);
        self.structure(schema, &mut message);
        self.enter(run, schema, TenantState::Active, &mut message);
        message.commit(self.left);
        message
    }

    /// The version row and the history.
    pub(super) fn enter(&self, run: &Run, schema: &SchemaName, state: TenantState, message: &mut Message) {
        let made = (&self.version, self.compiled.template.name.as_str());
        standing::enter_version(self.settings, schema, made, state, message);
        self.history(run, schema, message);
    }

    /// What the statements may leave in the session.
    pub(super) fn left(&self) -> Leftovers {
        self.left
    }

    /// The schema with all that the template and the steps make in it.
    pub(super) fn structure(&self, schema: &SchemaName, message: &mut Message) {
        message.push(&format!("CREATE SCHEMA {}", schema.quoted()));
        message.search_path(schema);
        for (script, statement) in &self.compiled.statements {
            message.push_at_once(script, statement, schema);
        }
        if self.left == Leftovers::Possible {
            message.own_role();
        }
    }

    /// The registry's row.
    pub(super) fn register(&self, tenant: &Identity, message: &mut Message) {
        if self.locks_registry {
            // Two that have written their rows, each waiting to lock the table, would never end.
            let registry = state::registry(self.settings);
            message.push(&format!("LOCK TABLE {registry} IN SHARE ROW EXCLUSIVE MODE"));
        }
        standing::register(self.settings, tenant, message);
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
