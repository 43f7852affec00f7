//! Composes the SQL of a new tenant, compiled once per template and version. A tenant is one message in one transaction if the
//! result equals a migrated tenant; otherwise the first transaction runs the template, units of `migrate up` run the steps, and a
//! last transaction makes the tenant active. Sends nothing.

use std::ops::Range;
use std::time::Duration;

use uuid::Uuid;

use super::name_ownership::{self, Registration};
use super::operation;
use super::roles::role::{self, Owner, Reach, Secret};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{DisplayName, Identifier, SchemaName, Slug};
use crate::postgres::batch::{HistoryRow, Kind, NO_IDLE_TIMEOUT, Run, SessionState, SqlBatch};
use crate::postgres::metadata::pool::{self, Origin};
use crate::postgres::metadata::{TenantState, attempts, registry, version_rows};
use crate::project::Project;
use crate::settings::Settings;
use crate::sql::Scope;
use crate::template::{BoundParameters, Compiled, Template};

/// The identity of a new tenant.
#[derive(Debug, Clone)]
pub(super) struct TenantRecord {
    /// The id in the registry, as text, if it is known.
    pub(super) id: Option<String>,
    /// The attempt to create it.
    pub(super) attempt: Uuid,
    pub(super) slug: Slug,
    pub(super) name: DisplayName,
    pub(super) schema: SchemaName,
    /// Its role, with the new password.
    pub(super) role: Option<Role>,
    /// The statements that write its registry row.
    pub(super) registration: Registration,
}

/// The name of a role, with its new password.
pub(super) type Role = (Identifier, Option<Secret>);

/// What runs after a tenant's schema is created.
#[derive(Debug, Clone, Copy)]
pub(super) struct Afterwards {
    /// Whether the template's statements in `after_create` run.
    pub(super) rows: bool,
    /// The time limit of the command that runs after the transaction, if any.
    pub(super) command: Option<Duration>,
}

/// How long after the time limit of its command a tenant's deadline ends.
const GRACE: Duration = Duration::from_secs(30);

/// The deadline of a schema whose steps follow its first transaction.
const UNFINISHED: Duration = Duration::from_mins(10);

mod unfinished;

/// The compiled SQL of one template at one version.
pub(super) struct ProvisioningScript<'a> {
    compiled: Compiled<'a>,
    project: &'a Project,
    settings: &'a Settings,
    /// The platform's version.
    version: Version,
    /// The schema's version after the first transaction.
    made_at: Version,
    left: SessionState,
    /// Whether a foreign key references the registry.
    locks_registry: bool,
}

impl<'a> ProvisioningScript<'a> {
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
        // Statements that only affect existing rows count too, at no cost.
        let left = SessionState::of(compiled.statements.iter().map(|(_, statement)| *statement));
        let platform = settings.platform_schema();
        let locks_registry = compiled.shared_keys.iter().any(|key| {
            key.table == settings.tenants.registry.as_str()
                && key.schema.as_deref() == Some(platform.as_str())
        });
        let made_at = if compiled.later.is_empty() { version } else { &template.version };
        let (version, made_at) = (version.clone(), made_at.clone());
        Ok(Self { compiled, project, settings, version, made_at, left, locks_registry })
    }

    /// The steps that follow the first transaction, as positions in the chain; `None` if it includes all.
    pub(super) fn later(&self) -> Option<Range<usize>> {
        let position = |version| self.project.chain.position(version);
        let steps = position(&self.made_at)?..position(&self.version)?;
        (!self.compiled.later.is_empty()).then_some(steps)
    }

    /// The message that creates a tenant, or begins it if steps follow.
    pub(super) fn message(
        &self,
        run: &Run,
        tenant: &TenantRecord,
        filled: &BoundParameters,
        afterwards: Afterwards,
    ) -> Result<SqlBatch, Failure> {
        let schema = &tenant.schema;
        let mut message = SqlBatch::default();
        message.begin(run.limits, &version_rows::expect_platform(&run.platform, &self.version));
        self.register(tenant, &mut message);
        if self.later().is_some() {
            // The role cannot log in before the tenant is complete.
            let role = tenant.role.as_ref().map(|(name, _)| (name.clone(), None));
            self.structure((schema, role.as_ref()), filled, &mut message)?;
            if self.left == SessionState::Possible {
                message.reset_role();
            }
            self.enter(run, (schema, role.as_ref()), (TenantState::Creating, filled), &mut message);
            message.push(&self.unfinished(run, schema, tenant.attempt));
            name_ownership::note_found(&run.platform, tenant, &mut message);
            message.commit(self.left);
            return Ok(message);
        }
        self.structure((schema, tenant.role.as_ref()), filled, &mut message)?;
        let left = self.afterwards(&mut message, schema, filled, afterwards);
        if left == SessionState::Possible {
            message.reset_role();
        }
        self.enter(run, (schema, tenant.role.as_ref()), (TenantState::Active, filled), &mut message);
        self.making(&mut message, tenant, afterwards);
        message.commit(left);
        Ok(message)
    }

    /// Creates the schema, its role if any, and the objects of the template and the later steps.
    pub(super) fn structure(
        &self,
        (schema, role): (&SchemaName, Option<&Role>),
        filled: &BoundParameters,
        message: &mut SqlBatch,
    ) -> Result<(), Failure> {
        message.push(&format!("CREATE SCHEMA {}", schema.quoted()));
        // First, so that the default privileges apply to all new objects.
        self.role(schema, role, Reach::Empty, message)?;
        message.search_path(schema, &self.settings.shared_path());
        for (script, statement) in &self.compiled.statements {
            message.push_with_expectations(script, statement, schema, &filled.values);
        }
        Ok(())
    }

    /// Creates the tenant's role, if any.
    pub(super) fn role(
        &self,
        schema: &SchemaName,
        role: Option<&Role>,
        reach: Reach,
        message: &mut SqlBatch,
    ) -> Result<(), Failure> {
        let Some((name, secret)) = role else { return Ok(()) };
        let owner = Owner { schema, template: self.compiled.template, version: &self.version, reach };
        role::make(message, self.project, &owner, (name, secret.as_ref()))
    }

    /// The message that turns the pool schema `pooled` into a tenant.
    pub(super) fn taking(
        &self,
        run: &Run,
        tenant: &TenantRecord,
        (pooled, filled): (&SchemaName, &BoundParameters),
        afterwards: Afterwards,
    ) -> Result<SqlBatch, Failure> {
        let mut message = SqlBatch::default();
        message.begin(run.limits, &version_rows::expect_platform(&run.platform, &self.version));
        self.register(tenant, &mut message);
        let made = (self.origin(), &self.version);
        message.push_each(&pool::take(run, pooled, made, &tenant.schema));
        // Its objects were created before the role had default privileges.
        self.role(&tenant.schema, tenant.role.as_ref(), Reach::Filled, &mut message)?;
        let mut left = SessionState::None;
        if afterwards.rows && !self.compiled.template.after_create.is_empty() {
            message.search_path(&tenant.schema, &run.path);
            left = self.after_rows(&mut message, &tenant.schema, filled);
            if left == SessionState::Possible {
                message.reset_role();
            }
        }
        self.making(&mut message, tenant, afterwards);
        message.commit(left);
        Ok(message)
    }

    /// The message that creates a pool schema for the slot `slot`, or begins it if steps follow. A schema without a slot is only
    /// inspected and never taken.
    pub(super) fn pooled(
        &self,
        run: &Run,
        schema: &SchemaName,
        slot: Option<u32>,
        filled: &BoundParameters,
    ) -> Result<SqlBatch, Failure> {
        let mut message = SqlBatch::default();
        match slot {
            Some(_) => {
                message.begin(run.limits, &version_rows::expect_platform(&run.platform, &self.version));
            }
            None => message.begin(run.limits, "SELECT 1"),
        }
        let is_whole = slot.is_some() && self.later().is_none();
        // First, so that of two runs that fill the same slot one waits here, before it has created anything.
        message.push(&pool::insert(
            &run.platform,
            (schema, slot),
            (&self.made_at, self.origin()),
            &filled.schema_values,
            (!is_whole).then_some(UNFINISHED),
        ));
        self.structure((schema, None), filled, &mut message)?;
        if self.left == SessionState::Possible {
            message.reset_role();
        }
        self.history(run, schema, &mut message);
        message.commit(self.left);
        Ok(message)
    }

    /// The message that creates the schema after the statement `first` and leaves the transaction open, and the message that
    /// rolls it back.
    pub(super) fn trial(
        &self,
        run: &Run,
        schema: &SchemaName,
        filled: &BoundParameters,
        first: &str,
    ) -> Result<(SqlBatch, SqlBatch), Failure> {
        let (mut made, mut undone) = (SqlBatch::default(), SqlBatch::default());
        made.begin(run.limits, &version_rows::expect_platform(&run.platform, &self.version));
        // The session is idle between our messages.
        made.push(NO_IDLE_TIMEOUT);
        made.push(first);
        self.structure((schema, None), filled, &mut made)?;
        if self.left == SessionState::Possible {
            made.reset_role();
        }
        undone.roll_back(self.left);
        Ok((made, undone))
    }

    /// The template of a pooled schema.
    fn origin(&self) -> Origin<'_> {
        Origin { template: &self.compiled.template.name, checksum: &self.compiled.template.checksum }
    }

    /// The version of the finished schema.
    pub(super) fn version(&self) -> &Version {
        &self.version
    }

    /// Whether a foreign key references the registry.
    pub(super) fn locks_registry(&self) -> bool {
        self.locks_registry
    }

    /// The compiled template.
    pub(super) fn compiled(&self) -> &Compiled<'a> {
        &self.compiled
    }

    /// Adds the template's statements in `after_create`; returns the session state that all statements may leave.
    fn afterwards(
        &self,
        message: &mut SqlBatch,
        schema: &SchemaName,
        filled: &BoundParameters,
        afterwards: Afterwards,
    ) -> SessionState {
        let left =
            if afterwards.rows { self.after_rows(message, schema, filled) } else { SessionState::None };
        if self.left == SessionState::Possible { self.left } else { left }
    }

    fn after_rows(
        &self,
        message: &mut SqlBatch,
        schema: &SchemaName,
        filled: &BoundParameters,
    ) -> SessionState {
        let after = &self.compiled.template.after_create;
        for (script, statements) in after {
            for statement in statements {
                message.push_with_expectations(script, statement, schema, &filled.values);
            }
        }
        SessionState::of(after.iter().flat_map(|(_, statements)| statements))
    }

    /// Marks the tenant as unfinished while its command runs.
    fn making(&self, message: &mut SqlBatch, tenant: &TenantRecord, afterwards: Afterwards) {
        let Some(limit) = afterwards.command else { return };
        let platform = self.settings.platform_schema();
        message.push(&attempts::mark(&platform, &tenant.schema, tenant.attempt, limit + GRACE));
        name_ownership::note_found(&platform, tenant, message);
        operation::enter(message, self.settings, &tenant.schema, TenantState::Creating);
    }

    /// Inserts the registry row.
    pub(super) fn register(&self, tenant: &TenantRecord, message: &mut SqlBatch) {
        if self.locks_registry {
            // Two transactions that have both inserted a row and then lock the table would deadlock.
            let registry = registry::table(self.settings);
            message.push(&format!("LOCK TABLE {registry} IN SHARE ROW EXCLUSIVE MODE"));
        }
        message.push_each(&tenant.registration.statements);
    }

    /// Inserts the version row and the history.
    pub(super) fn enter(
        &self,
        run: &Run,
        (schema, role): (&SchemaName, Option<&Role>),
        (state, filled): (TenantState, &BoundParameters),
        message: &mut SqlBatch,
    ) {
        let made = (&self.made_at, self.compiled.template.name.as_str());
        let role = role.map(|(name, secret)| (name, secret.is_some()));
        message.push(&version_rows::insert(
            &run.platform,
            (schema, role),
            made,
            (state, &filled.schema_values),
        ));
        if state != TenantState::Active {
            operation::enter(message, self.settings, schema, state);
        }
        self.history(run, schema, message);
    }

    /// The session state that the statements may leave.
    pub(super) fn left(&self) -> SessionState {
        self.left
    }

    /// Adds a history row for the template, and one for each step with a tenant part.
    fn history(&self, run: &Run, schema: &SchemaName, message: &mut SqlBatch) {
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
        let made = row(&fresh, &template.version, &template.name, &template.checksum, Kind::TEMPLATE);
        message.history(run, &made);
        for step in self.compiled.steps.iter().filter(|step| step.has(Scope::Tenant)) {
            let moved = row(step.from(), step.to(), &step.file, &step.checksum, Kind::MIGRATE);
            message.history(run, &moved);
        }
    }
}
