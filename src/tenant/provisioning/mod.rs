//! What a new tenant takes, compiled once for each template and version: a tenant is then one message, in one
//! transaction. Where that would not make what a migrated tenant has, the transaction makes the template, the units of
//! the fleet follow, and a last transaction makes the tenant active.

use std::ops::Range;
use std::time::Duration;

use uuid::Uuid;

use super::roles::role::{self, Owner, Reach, Secret};
use super::{name_ownership, operation};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::{DisplayName, Identifier, SchemaName, Slug, literal};
use crate::postgres::batch::{HistoryRow, Kind, NO_IDLE_TIMEOUT, Run, SessionState, SqlBatch};
use crate::postgres::metadata::{TenantState, state};
use crate::project::Project;
use crate::settings::Settings;
use crate::sql::Scope;
use crate::template::{Compiled, Filled, Template};

/// Who a new tenant is.
#[derive(Debug, Clone)]
pub(super) struct TenantRecord {
    pub(super) id: Uuid,
    pub(super) slug: Slug,
    pub(super) name: DisplayName,
    pub(super) schema: SchemaName,
    /// Its role, with what is to be its password.
    pub(super) role: Option<Role>,
}

/// The name of a role, with what is to be its password.
pub(super) type Role = (Identifier, Option<Secret>);

/// What there is to do when a tenant's schema is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Afterwards {
    /// Whether the template's own statements for that are run.
    pub(super) rows: bool,
    /// How long the command may run that comes behind the transaction, if one does.
    pub(super) command: Option<Duration>,
}

/// A run that makes a tenant is given up by others so long after its command should have ended.
const GRACE: Duration = Duration::from_secs(30);

/// A schema whose steps are still to come may be removed by others so long after its transaction.
const UNFINISHED: Duration = Duration::from_mins(10);

mod unfinished;

/// The script of one template at one version.
pub(super) struct ProvisioningScript<'a> {
    compiled: Compiled<'a>,
    project: &'a Project,
    settings: &'a Settings,
    /// The platform's.
    version: Version,
    /// That of the schema when its first transaction ends.
    made_at: Version,
    left: SessionState,
    /// Whether a foreign key leads to the registry itself.
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
        // Statements that have no point in a new schema count too: they cost nothing here.
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

    /// The steps that follow the first transaction, as positions in the chain; `None` if all are in it.
    pub(super) fn later(&self) -> Option<Range<usize>> {
        let position = |version| self.project.chain.position(version);
        let steps = position(&self.made_at)?..position(&self.version)?;
        (!self.compiled.later.is_empty()).then_some(steps)
    }

    /// The message that makes a tenant; where steps follow, the one that begins it.
    pub(super) fn message(
        &self,
        run: &Run,
        tenant: &TenantRecord,
        filled: &Filled,
        afterwards: Afterwards,
    ) -> Result<SqlBatch, Failure> {
        let (platform, version, schema) = (run.platform.quoted(), &self.version, &tenant.schema);
        let mut message = SqlBatch::default();
        message.begin(run.limits, &format!("SELECT {platform}.tenure_expect_platform('{version}')"));
        self.register(tenant, &mut message);
        if self.later().is_some() {
            // Nobody logs in before the tenant is whole.
            let role = tenant.role.as_ref().map(|(name, _)| (name.clone(), None));
            self.structure((schema, role.as_ref()), filled, &mut message)?;
            if self.left == SessionState::Possible {
                message.own_role();
            }
            self.enter(run, (schema, role.as_ref()), (TenantState::Creating, filled), &mut message);
            message.push(&self.unfinished(run, schema, tenant.id));
            message.commit(self.left);
            return Ok(message);
        }
        self.structure((schema, tenant.role.as_ref()), filled, &mut message)?;
        let left = self.afterwards(&mut message, schema, filled, afterwards);
        if left == SessionState::Possible {
            message.own_role();
        }
        self.enter(run, (schema, tenant.role.as_ref()), (TenantState::Active, filled), &mut message);
        self.making(&mut message, tenant, afterwards);
        message.commit(left);
        Ok(message)
    }

    /// The schema with its role, if it gets one, and what the template and the steps after it make in it.
    pub(super) fn structure(
        &self,
        (schema, role): (&SchemaName, Option<&Role>),
        filled: &Filled,
        message: &mut SqlBatch,
    ) -> Result<(), Failure> {
        message.push(&format!("CREATE SCHEMA {}", schema.quoted()));
        // First, so that what is made next has the role's rights from the beginning.
        self.role(schema, role, Reach::Empty, message)?;
        message.search_path(schema, &self.settings.shared_path());
        for (script, statement) in &self.compiled.statements {
            message.push_at_once(script, statement, schema, &filled.values);
        }
        Ok(())
    }

    /// The role of a tenant, if it is to have one.
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

    /// The one message that makes a tenant of the schema `pooled`, which was made in advance.
    pub(super) fn taking(
        &self,
        run: &Run,
        tenant: &TenantRecord,
        (pooled, filled): (&SchemaName, &Filled),
        afterwards: Afterwards,
    ) -> Result<SqlBatch, Failure> {
        let (platform, version) = (run.platform.quoted(), &self.version);
        let mut message = SqlBatch::default();
        message.begin(run.limits, &format!("SELECT {platform}.tenure_expect_platform('{version}')"));
        self.register(tenant, &mut message);
        message.push(&format!(
            "SELECT {platform}.tenure_take({}, {}, '{version}', {}, {}, '{}', '{}')",
            literal(pooled.as_str()),
            literal(&self.compiled.template.name),
            literal(self.compiled.template.checksum.as_str()),
            literal(tenant.schema.as_str()),
            run.id,
            env!("CARGO_PKG_VERSION"),
        ));
        let (former, name) = (pooled.quoted(), tenant.schema.quoted());
        message.push(&format!("ALTER SCHEMA {former} RENAME TO {name}"));
        // What is in it was made when it was nobody's.
        self.role(&tenant.schema, tenant.role.as_ref(), Reach::Filled, &mut message)?;
        let mut left = SessionState::None;
        if afterwards.rows && !self.compiled.template.after_create.is_empty() {
            message.search_path(&tenant.schema, &run.path);
            left = self.after_rows(&mut message, &tenant.schema, filled);
            if left == SessionState::Possible {
                message.own_role();
            }
        }
        self.making(&mut message, tenant, afterwards);
        message.commit(left);
        Ok(message)
    }

    /// The message that makes a schema in advance, for the place `slot` of the pool, or begins it where steps follow. A
    /// schema without a place is only looked at, and nobody takes it.
    pub(super) fn pooled(
        &self,
        run: &Run,
        schema: &SchemaName,
        slot: Option<u32>,
        filled: &Filled,
    ) -> Result<SqlBatch, Failure> {
        let (platform, version, template) = (run.platform.quoted(), &self.version, self.compiled.template);
        let mut message = SqlBatch::default();
        match slot {
            Some(_) => {
                message.begin(run.limits, &format!("SELECT {platform}.tenure_expect_platform('{version}')"));
            }
            None => message.begin(run.limits, "SELECT 1"),
        }
        let null = || "NULL".to_owned();
        let is_whole = slot.is_some() && self.later().is_none();
        let (made_from, proved_at, until) = if is_whole {
            (literal(template.checksum.as_str()), format!("'{version}'"), null())
        } else {
            let until = format!("clock_timestamp() + interval '{} seconds'", UNFINISHED.as_secs());
            (null(), null(), until)
        };
        // First, so that of two who fill the same place one waits here, and has made nothing.
        message.push(&format!(
            "INSERT INTO {platform}.tenant_version \
             (schema_name, version, template, status, parameters, pool_slot, made_from, proved_at, making_until) \
             VALUES ({}, '{}', {}, 'pooled', {}, {}, {made_from}, {proved_at}, {until})",
            literal(schema.as_str()),
            self.made_at,
            literal(&template.name),
            name_ownership::parameters(&filled.shaping),
            slot.map_or_else(null, |slot| slot.to_string()),
        ));
        self.structure((schema, None), filled, &mut message)?;
        if self.left == SessionState::Possible {
            message.own_role();
        }
        self.history(run, schema, &mut message);
        message.commit(self.left);
        Ok(message)
    }

    /// What makes the schema after the statement `first`, in a transaction that is left open; and what ends it so that
    /// nothing is left.
    pub(super) fn trial(
        &self,
        run: &Run,
        schema: &SchemaName,
        filled: &Filled,
        first: &str,
    ) -> Result<(SqlBatch, SqlBatch), Failure> {
        let (mut made, mut undone) = (SqlBatch::default(), SqlBatch::default());
        let expect = format!("SELECT {}.tenure_expect_platform('{}')", run.platform.quoted(), self.version);
        made.begin(run.limits, &expect);
        // The server's time between our messages is ours.
        made.push(NO_IDLE_TIMEOUT);
        made.push(first);
        self.structure((schema, None), filled, &mut made)?;
        if self.left == SessionState::Possible {
            made.own_role();
        }
        undone.roll_back(self.left);
        Ok((made, undone))
    }

    /// The version of the schema when all is done.
    pub(super) fn version(&self) -> &Version {
        &self.version
    }

    /// Whether a foreign key leads to the registry itself.
    pub(super) fn locks_registry(&self) -> bool {
        self.locks_registry
    }

    /// What is compiled.
    pub(super) fn compiled(&self) -> &Compiled<'a> {
        &self.compiled
    }

    /// The template's statements for when the schema is there; what all statements may have left.
    fn afterwards(
        &self,
        message: &mut SqlBatch,
        schema: &SchemaName,
        filled: &Filled,
        afterwards: Afterwards,
    ) -> SessionState {
        let left =
            if afterwards.rows { self.after_rows(message, schema, filled) } else { SessionState::None };
        if self.left == SessionState::Possible { self.left } else { left }
    }

    fn after_rows(&self, message: &mut SqlBatch, schema: &SchemaName, filled: &Filled) -> SessionState {
        let after = &self.compiled.template.after_create;
        for (script, statements) in after {
            for statement in statements {
                message.push_at_once(script, statement, schema, &filled.values);
            }
        }
        SessionState::of(after.iter().flat_map(|(_, statements)| statements))
    }

    /// While a command is still to be run, the tenant is in the making.
    fn making(&self, message: &mut SqlBatch, tenant: &TenantRecord, afterwards: Afterwards) {
        let Some(limit) = afterwards.command else { return };
        message.push(&format!(
            "UPDATE {}.tenant_version SET making = '{}', \
             making_until = clock_timestamp() + interval '{} milliseconds' WHERE schema_name = {}",
            self.settings.platform_schema().quoted(),
            tenant.id,
            (limit + GRACE).as_millis(),
            literal(tenant.schema.as_str()),
        ));
        operation::enter(message, self.settings, &tenant.schema, TenantState::Creating);
    }

    /// The registry's row.
    pub(super) fn register(&self, tenant: &TenantRecord, message: &mut SqlBatch) {
        if self.locks_registry {
            // Two that have written their rows, each waiting to lock the table, would never end.
            let registry = state::registry(self.settings);
            message.push(&format!("LOCK TABLE {registry} IN SHARE ROW EXCLUSIVE MODE"));
        }
        name_ownership::register(self.settings, tenant, message);
    }

    /// The version row and the history.
    pub(super) fn enter(
        &self,
        run: &Run,
        (schema, role): (&SchemaName, Option<&Role>),
        (state, filled): (TenantState, &Filled),
        message: &mut SqlBatch,
    ) {
        let made = (&self.made_at, self.compiled.template.name.as_str());
        name_ownership::enter_version(self.settings, (schema, role), made, (state, &filled.shaping), message);
        if state != TenantState::Active {
            operation::enter(message, self.settings, schema, state);
        }
        self.history(run, schema, message);
    }

    /// What the statements may leave in the session.
    pub(super) fn left(&self) -> SessionState {
        self.left
    }

    /// A row for the template, and one for each step that tenants have a part in.
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
