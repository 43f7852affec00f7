//! `tenant clone`: creates a tenant of the same template and version as another one, with or without its rows, and proves that
//! the schemas are equal.

mod rows;

use std::ops::Range;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::rows::{Rows, Step, StepKind};
use super::adopt::Differs;
use super::not_copied::{self, CopyKind};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::executor::{RetryPolicy, catch_up, unless_cancelled};
use crate::ident::{DisplayName, SchemaName, Slug, literal};
use crate::postgres::batch::{BEGIN, Run, SessionState, SqlBatch};
use crate::postgres::catalog::{self, SchemaSnapshot, Transaction};
use crate::postgres::metadata::{
    RunStatus, Tenant, TenantState, attempts, state, unknown_tenant, version_rows,
};
use crate::postgres::{Connection, ServerError};
use crate::project::Project;
use crate::template::{BoundParameters, Template};
use crate::tenant::create::{explain, ready};
use crate::tenant::name_ownership::{self, NameOwnership, Registration};
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::provisioning::{ProvisioningScript, TenantRecord};
use crate::tenant::reference::{self, Differences};
use crate::tenant::roles::role;
use crate::tenant::{Cloned, cleanup};

/// The states in which a tenant can be cloned.
const WHOLE: &[TenantState] = &[TenantState::Active, TenantState::Suspended];

/// How often the transaction is tried: a snapshot fails if the version row changes while the transaction waits.
const TRIES: usize = 5;

/// The number of statements of a portion, most of which lock a table of both schemas.
const PORTION: usize = 100;

/// A clone to create.
#[derive(Debug, Clone)]
pub struct Cloning {
    /// The existing tenant.
    pub source: Slug,
    /// The slug of the new tenant.
    pub target: Slug,
    /// The display name of the new tenant; its slug if missing.
    pub name: Option<String>,
    /// The extent of the copy.
    pub extent: Extent,
}

/// The extent of the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The definitions only. The new tenant has the rows that its template inserts.
    Structure,
    /// The definitions and the rows.
    Data,
}

/// Clones a tenant.
pub async fn clone(
    connection: &mut Connection,
    project: &Project,
    cloning: &Cloning,
    (operation, stop): (&TenantOperation<'_>, &CancellationToken),
) -> Result<Cloned, Differs> {
    let settings = &project.settings;
    let schema = settings.tenant_schema(&cloning.target).map_err(Failure::from)?;
    let ready = ready(connection, project).await?;
    let (at, shape) = (ready.platform, ready.registry.unwrap_or_default());
    shape.expect_insertable(settings)?;
    let (source, state) = operation.find(connection, &cloning.source).await?;
    if source.version.as_ref() != Some(&at) {
        return Err(elsewhere(&source, &at).into());
    }
    let template = project.template(source.template.as_deref())?;
    let script = ProvisioningScript::new(project, template, &at)?;
    let mut ownership = NameOwnership::read(connection, settings, &cloning.target, &schema).await?;
    if ownership.state == Some(TenantState::Creating) {
        let (run, doing) = (operation.run(), format!("cloning {} as {}", source.slug, cloning.target));
        cleanup::remove_expired(connection, settings, &run, (&schema, &doing)).await?;
        ownership = NameOwnership::read(connection, settings, &cloning.target, &schema).await?;
    }
    ownership.expect_free(&cloning.target, &schema)?;
    let name = DisplayName::new(cloning.name.as_deref().unwrap_or(cloning.target.as_str()))
        .map_err(Failure::from)?;
    let role = role::usual(settings, &schema)?;
    let filled = filled(connection, project, template, &source, cloning.extent).await?;
    let slug = cloning.target.clone();
    let registration = Registration::of_new(settings, &shape, (&slug, &schema, &name));
    let target = TenantRecord { id: None, attempt: Uuid::new_v4(), slug, name, schema, role, registration };
    let counts = serde_json::json!({ "source": source.slug, "slug": target.slug, "schema": target.schema });
    let mut copying = Copying {
        project,
        stop,
        script,
        source: &source,
        target: &target,
        filled,
        extent: cloning.extent,
        found: Differences::default(),
        cloned: Copied::default(),
    };
    let done =
        Box::pin(operation.recorded(connection, &counts, async |connection, run| {
            Box::pin(copying.run(connection, run)).await
        }))
        .await;
    let Copying { found, cloned, .. } = copying;
    if let Err(failure) = done {
        let is_reported = failure.code == Code::CloneDiffers;
        return Err(Differs {
            differences: if is_reported { found.definitions } else { Vec::new() },
            failure,
        });
    }
    let only = std::slice::from_ref(&cloning.target);
    let tenants = state::tenants(connection, settings, state.presence, only).await?;
    let Some(tenant) = tenants.into_iter().next() else {
        return Err(unknown_tenant(connection, settings, &cloning.target).await.into());
    };
    Ok(Cloned {
        outcome: RunStatus::Done,
        source: source.slug,
        tenant,
        tables: cloned.tables,
        rows: cloned.rows,
        access: found.access,
        notes: cloned.notes,
    })
}

/// The values of the template's parameters that determined the source's structure. Others only affect rows; if the rows are
/// copied, any value is valid.
async fn filled(
    connection: &mut Connection,
    project: &Project,
    template: &Template,
    source: &Tenant,
    extent: Extent,
) -> Result<BoundParameters, Failure> {
    let mut all = state::parameters(connection, &project.settings).await?;
    let shaping = all.remove(source.schema.as_str()).unwrap_or_default();
    let mut given = template.parameters.samples();
    // Statements that run after creation do not run for a clone, so their parameters need no value.
    let has_no_point = |name: &String| {
        let mut all = template.parameters.iter();
        all.any(|declared| declared.parameter.name == *name && !declared.in_schema_files)
    };
    given.retain(|name, _| extent == Extent::Data || has_no_point(name));
    let known = |name: &String| template.parameters.iter().any(|declared| declared.parameter.name == *name);
    given.extend(shaping.into_iter().filter(|(name, _)| known(name)));
    template.parameters.bind(&given, &template.name).map_err(|failure| match extent {
        Extent::Structure => {
            failure.hint("parameter values that only affect rows are not stored: use --data to copy the rows")
        }
        Extent::Data => failure,
    })
}

/// The files create exactly what a tenant has at the platform's version, but at no other version.
fn elsewhere(source: &Tenant, platform: &crate::chain::Version) -> Failure {
    let at = source.version.as_ref().map(ToString::to_string).unwrap_or_default();
    let slug = &source.slug;
    Failure::new(Code::NotMigrated, format!("{slug} is at {at}, the platform at {platform}"))
        .hint(format!("migrate it first: tenure migrate up --tenant {slug}"))
}

/// The result of a copy.
#[derive(Debug, Default)]
struct Copied {
    tables: usize,
    rows: u64,
    notes: Vec<String>,
}

/// The work after the first transaction.
enum Rest {
    Nothing,
    /// The rows are copied in a separate transaction, since a foreign key to a shared table has locked that table.
    Rows(Rows),
    /// These steps need transactions of their own; the rows follow.
    Steps(Range<usize>),
}

/// A clone in progress.
struct Copying<'a> {
    project: &'a Project,
    stop: &'a CancellationToken,
    script: ProvisioningScript<'a>,
    source: &'a Tenant,
    target: &'a TenantRecord,
    filled: BoundParameters,
    extent: Extent,
    found: Differences,
    cloned: Copied,
}

impl Copying<'_> {
    async fn run(&mut self, connection: &mut Connection, run: &Run) -> Result<(), Failure> {
        let made = self.make(connection, run).await;
        let filled = match operation::or_rollback(connection, made).await? {
            Rest::Nothing => return Ok(()),
            Rest::Rows(rows) => self.fill(connection, run, Some(rows)).await,
            Rest::Steps(steps) => {
                let (context, schema) = ((run, &self.project.chain), &self.target.schema);
                let connector = connection.connector();
                let catching_up = catch_up(connection, context, schema, steps, (RetryPolicy::USUAL, None));
                match Box::pin(cleanup::with_heartbeat(connector, run, schema, catching_up)).await {
                    Ok(()) => self.fill(connection, run, None).await,
                    Err(failure) => Err(failure),
                }
            }
        };
        match operation::or_rollback(connection, filled).await {
            Ok(()) => Ok(()),
            Err(failure) => {
                let schema = &self.target.schema;
                Err(cleanup::clean_up(connection, &self.project.settings, run, schema, failure).await)
            }
        }
    }

    /// Creates the new schema. Also copies the rows, unless that would hold a lock on a shared table or steps need transactions
    /// of their own; then the tenant stays in the state `creating`, and the remaining work is returned.
    async fn make(&mut self, connection: &mut Connection, run: &Run) -> Result<Rest, Failure> {
        let version = self.source.version.clone().unwrap_or(Version::ZERO);
        // First, as in a platform step: the platform stays at this version until the new tenant is registered.
        let expect = version_rows::expect_platform(&run.platform, &version);
        let hold = version_rows::hold(&run.platform, &self.source.schema, WHOLE);
        self.begin(connection, run, &[expect, hold]).await?;
        let mut message = SqlBatch::default();
        self.script.register(self.target, &mut message);
        let (schema, role) = (&self.target.schema, self.target.role.as_ref());
        self.script.structure((schema, role), &self.filled, &mut message)?;
        if self.script.left() == SessionState::Possible {
            message.reset_role();
        }
        connection.send(&message).await.map_err(|server_error| {
            if message.place(&server_error).is_some() {
                explain(&server_error, &message, &self.target.schema)
            } else {
                name_ownership::refused(&server_error, &self.doing(), &self.target.schema)
            }
        })?;
        let rest = if let Some(steps) = self.script.later() {
            Rest::Steps(steps)
        } else {
            self.compare(connection).await?;
            match self.rows(connection).await? {
                Some(rows) if rows.leads_out || rows.is_large() => Rest::Rows(rows),
                Some(rows) => {
                    self.copy(connection, rows).await?;
                    Rest::Nothing
                }
                None => Rest::Nothing,
            }
        };
        unless_cancelled(self.stop)?;
        let state = match rest {
            Rest::Nothing => TenantState::Active,
            Rest::Rows(_) | Rest::Steps(_) => TenantState::Creating,
        };
        let mut message = SqlBatch::default();
        self.script.enter(run, (schema, role), (state, &self.filled), &mut message);
        cleanup::mark(&mut message, run, schema);
        message.commit(self.script.left());
        self.commit(connection, run, (&message, state)).await?;
        Ok(rest)
    }

    /// Fails unless the new schema equals the old one.
    async fn compare(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let (right, seen) = self.snapshots(connection).await?;
        self.found = reference::differences_but_rows(&right, &seen, self.schemas());
        if self.found.definitions.is_empty() { Ok(()) } else { Err(self.difference_failure()) }
    }

    /// The rows to copy; `None` if only definitions are copied.
    async fn rows(&self, connection: &mut Connection) -> Result<Option<Rows>, Failure> {
        match self.extent {
            Extent::Structure => Ok(None),
            Extent::Data => self.read_rows(connection).await.map(Some),
        }
    }

    /// Copies rows into a tenant in the state `creating`: the given rows, or the current ones.
    async fn fill(
        &mut self,
        connection: &mut Connection,
        run: &Run,
        rows: Option<Rows>,
    ) -> Result<(), Failure> {
        let (source, target) = (&self.source.schema, &self.target.schema);
        // The new tenant first, since no other session waits for it: while this holds its row, the attempt is alive.
        let hold =
            [attempts::hold(&run.platform, target, run.id), version_rows::hold(&run.platform, source, WHOLE)];
        self.begin(connection, run, &hold).await?;
        // First: not possible after a savepoint.
        let snapshot = export_snapshot(connection).await?;
        // A migration may have changed one of them between the transactions.
        self.compare(connection).await?;
        unless_cancelled(self.stop)?;
        let rows = match rows {
            Some(rows) => Some(rows),
            None => self.rows(connection).await?,
        };
        match rows {
            Some(rows) if rows.is_large() => {
                self.copy_in_portions(connection, run, (rows, &snapshot)).await?;
            }
            Some(rows) => self.copy(connection, rows).await?,
            None => {}
        }
        unless_cancelled(self.stop)?;
        let mut message = SqlBatch::default();
        operation::enter(&mut message, &self.project.settings, target, TenantState::Active);
        message.commit(SessionState::None);
        self.commit(connection, run, (&message, TenantState::Active)).await
    }

    /// Begins a transaction with one snapshot, with the statements that lock version rows.
    async fn begin(
        &self,
        connection: &mut Connection,
        run: &Run,
        taking: &[String; 2],
    ) -> Result<(), Failure> {
        let mut message = SqlBatch::default();
        message.begin_snapshot(run.limits, &taking[0]);
        message.push(&taking[1]);
        let mut tries = 0;
        loop {
            tries += 1;
            match connection.send(&message).await {
                Ok(_sets) => return Ok(()),
                Err(server_error) if server_error.sqlstate() == Some("40001") && tries < TRIES => {}
                Err(server_error) => {
                    return Err(name_ownership::refused(&server_error, &self.doing(), &self.target.schema));
                }
            }
        }
    }

    /// The snapshots of the new schema and of its source.
    async fn snapshots(
        &self,
        connection: &mut Connection,
    ) -> Result<(SchemaSnapshot, SchemaSnapshot), Failure> {
        let right = catalog::snapshot_as(connection, &self.target.schema, Transaction::Current).await?;
        let seen = catalog::snapshot_as(connection, &self.source.schema, Transaction::Current).await?;
        Ok((right, seen))
    }

    async fn read_rows(&self, connection: &mut Connection) -> Result<Rows, Failure> {
        not_copied::refuse(connection, &self.source.schema, CopyKind::Rows).await?;
        let questions = rows::questions(&self.source.schema, &self.target.schema);
        let asked = connection.query_batch(&format!("SET LOCAL search_path = ''; {questions}")).await;
        let sets = asked.map_err(|server_error| server_error.failure("reading the tables to copy"))?;
        Rows::read(sets.get(1..).unwrap_or_default())
    }

    /// Copies the rows, and checks that the schemas are still equal.
    async fn copy(&mut self, connection: &mut Connection, rows: Rows) -> Result<(), Failure> {
        let steps = self.steps(&rows);
        self.cloned.rows = self.run_steps(connection, &steps.iter().collect::<Vec<_>>()).await?;
        let (right, seen) = self.snapshots(connection).await?;
        self.finish_copy(rows, (&right, &seen))
    }

    /// Copies the rows in several transactions of another session, since one would need more locks than the server may have. The
    /// transaction of `connection` has the snapshot of the copy, and holds the version rows.
    async fn copy_in_portions(
        &mut self,
        connection: &Connection,
        run: &Run,
        (rows, snapshot): (Rows, &str),
    ) -> Result<(), Failure> {
        let mut session = connection.open_another().await?;
        let steps = self.steps(&rows);
        let (settings, work): (Vec<&Step>, Vec<&Step>) =
            steps.iter().partition(|step| step.kind == StepKind::Setting);
        let step = |sql: String| Step { sql, doing: "preparing".to_owned(), kind: StepKind::Setting };
        let limits = [
            step(format!("SET LOCAL statement_timeout = {}", run.limits.statement_timeout.milliseconds())),
            step(format!("SET LOCAL lock_timeout = {}", run.limits.lock_timeout.milliseconds())),
        ];
        let in_snapshot = [
            step("BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE".to_owned()),
            step(format!("SET TRANSACTION SNAPSHOT {}", literal(snapshot))),
        ];
        // It sees what the portions before it have changed.
        let (in_present, commit) = ([step(BEGIN.to_owned())], step("COMMIT".to_owned()));
        for same_kind in work.chunk_by(|one, other| one.kind == other.kind) {
            for portion in same_kind.chunks(PORTION) {
                unless_cancelled(self.stop)?;
                let is_copy = portion.first().is_some_and(|step| step.kind == StepKind::Copy);
                let begin = if is_copy { in_snapshot.as_slice() } else { in_present.as_slice() };
                let mut all: Vec<&Step> = begin.iter().chain(&limits).collect();
                all.extend(settings.iter().chain(portion));
                all.push(&commit);
                self.cloned.rows += self.run_steps(&mut session, &all).await?;
            }
        }
        let right = catalog::snapshot(&mut session, &self.target.schema).await?;
        let seen = catalog::snapshot(&mut session, &self.source.schema).await?;
        session.close().await;
        self.finish_copy(rows, (&right, &seen))
    }

    fn steps(&self, rows: &Rows) -> Vec<Step> {
        let (source, target) = (&self.source.schema, &self.target.schema);
        rows.steps(source, target, &self.project.settings.shared_path().of(target))
    }

    /// Runs statements as one message. Returns the number of copied rows.
    async fn run_steps(&self, connection: &mut Connection, steps: &[&Step]) -> Result<u64, Failure> {
        let sql: Vec<&str> = steps.iter().map(|step| step.sql.as_str()).collect();
        let counts = connection.affected_rows(&sql.join(";\n")).await.map_err(|server_error| {
            let doing = steps.get(server_error.completed).map_or("copying", |step| step.doing.as_str());
            let mut failure = server_error.failure(&format!("{}: {doing}", self.doing()));
            failure.schema = Some(self.target.schema.as_str().to_owned());
            failure
        })?;
        let copied = steps.iter().zip(counts).filter(|(step, _)| step.kind == StepKind::Copy);
        Ok(copied.map(|(_, count)| count).sum())
    }

    fn finish_copy(
        &mut self,
        rows: Rows,
        (right, seen): (&SchemaSnapshot, &SchemaSnapshot),
    ) -> Result<(), Failure> {
        self.cloned.tables = rows.tables();
        self.cloned.notes = rows.notes;
        self.found = reference::differences(right, seen, self.schemas());
        if self.found.definitions.is_empty() { Ok(()) } else { Err(self.difference_failure()) }
    }

    async fn commit(
        &self,
        connection: &mut Connection,
        run: &Run,
        (message, state): (&SqlBatch, TenantState),
    ) -> Result<(), Failure> {
        let schema = &self.target.schema;
        let explained =
            |server_error: &ServerError| name_ownership::refused(server_error, &self.doing(), schema);
        cleanup::commit(connection, (run, schema, state), message, explained).await
    }

    fn difference_failure(&self) -> Failure {
        let slug = &self.source.slug;
        let mut failure = Failure::new(
            Code::CloneDiffers,
            format!("{slug} differs from its template and steps, so a clone would differ from it"),
        )
        .hint("correct it (see `tenure drift`), or copy it as it is: tenure tenant export, then import --as");
        failure.schema = Some(self.source.schema.as_str().to_owned());
        failure
    }

    fn schemas(&self) -> (&SchemaName, Option<&SchemaName>) {
        (&self.source.schema, Some(&self.target.schema))
    }

    fn doing(&self) -> String {
        format!("cloning {} as {}", self.source.slug, self.target.slug)
    }
}

/// The name of the snapshot of the open transaction, for other sessions.
async fn export_snapshot(connection: &mut Connection) -> Result<String, Failure> {
    let exported = connection.query_batch("SELECT pg_catalog.pg_export_snapshot() AS snapshot").await;
    let exported = exported.map_err(|server_error| server_error.failure("exporting a snapshot"))?;
    match exported.iter().flatten().next() {
        Some(row) => row.text("snapshot"),
        None => Err(Failure::new(Code::StatementFailed, "the server exported no snapshot")),
    }
}
