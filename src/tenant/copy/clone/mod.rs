//! `tenant clone`: a new tenant of the same template and version as another one, proved to be like it, with or
//! without its rows.

mod rows;

use std::ops::Range;

use uuid::Uuid;

use self::rows::{Rows, Step};
use super::adopt::Differs;
use crate::error::{Code, Failure};
use crate::executor::{RetryPolicy, Stop, catch_up, unknown_tenant};
use crate::ident::{DisplayName, SchemaName, Slug};
use crate::postgres::batch::{Run, SessionState, SqlBatch};
use crate::postgres::catalog::{self, SchemaSnapshot, Transaction};
use crate::postgres::metadata::{RunStatus, Tenant, TenantState, state};
use crate::postgres::{Connection, ServerError};
use crate::project::Project;
use crate::template::{Filled, Template};
use crate::tenant::create::{explain, ready};
use crate::tenant::name_ownership::{self, NameOwnership};
use crate::tenant::operation::{self, TenantOperation};
use crate::tenant::provisioning::{ProvisioningScript, TenantRecord};
use crate::tenant::reference::{self, Differences};
use crate::tenant::roles::role;
use crate::tenant::{Cloned, cleanup};

/// In which of its states a tenant can be cloned.
const WHOLE: &[TenantState] = &[TenantState::Active, TenantState::Suspended];

/// A transaction with a snapshot fails where the version row moved while it waited; a new one sees the move.
const TRIES: usize = 5;

/// What is to be cloned, as what.
#[derive(Debug, Clone)]
pub struct Cloning {
    /// The tenant that there is.
    pub source: Slug,
    /// The slug of the new one.
    pub target: Slug,
    /// The display name of the new one; its slug if not said.
    pub name: Option<String>,
    /// What is copied.
    pub extent: Extent,
}

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The definitions; the new tenant has the rows that its template gives it.
    Structure,
    /// The rows too.
    Data,
}

/// Clones a tenant.
pub async fn clone(
    connection: &mut Connection,
    project: &Project,
    cloning: &Cloning,
    (operation, stop): (&TenantOperation<'_>, &Stop),
) -> Result<Cloned, Differs> {
    let settings = &project.settings;
    let platform = settings.platform_schema();
    let schema =
        SchemaName::of(&settings.tenants.schema_prefix, &cloning.target, &platform).map_err(Failure::from)?;
    let at = ready(connection, project).await?.platform;
    let (source, state) = operation.find(connection, &cloning.source).await?;
    if source.version.as_ref() != Some(&at) {
        return Err(elsewhere(&source, &at).into());
    }
    let template = project.template(source.template.as_deref())?;
    let script = ProvisioningScript::new(project, template, &at)?;
    let mut ownership = NameOwnership::look(connection, settings, &cloning.target, &schema).await?;
    if ownership.state == Some(TenantState::Creating) {
        let (run, doing) = (operation.run(), format!("cloning {} as {}", source.slug, cloning.target));
        cleanup::take_back(connection, settings, &run, (&schema, &doing)).await?;
        ownership = NameOwnership::look(connection, settings, &cloning.target, &schema).await?;
    }
    ownership.expect_nobody(&cloning.target, &schema)?;
    let name = DisplayName::new(cloning.name.as_deref().unwrap_or(cloning.target.as_str()))
        .map_err(Failure::from)?;
    let role = role::usual(settings, &schema)?;
    let filled = filled(connection, project, template, &source, cloning.extent).await?;
    let target = TenantRecord { id: Uuid::new_v4(), slug: cloning.target.clone(), name, schema, role };
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
    let done = Box::pin(
        operation.noted(connection, &counts, async |connection, run| copying.run(connection, run).await),
    )
    .await;
    let Copying { found, cloned, .. } = copying;
    if let Err(failure) = done {
        let is_told = failure.code == Code::CloneDiffers;
        return Err(Differs { differences: if is_told { found.definitions } else { Vec::new() }, failure });
    }
    let only = std::slice::from_ref(&cloning.target);
    let tenants = state::tenants(connection, settings, state.presence, only).await?;
    let tenant = tenants.into_iter().next().ok_or_else(|| unknown_tenant(&cloning.target))?;
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

/// The values of the template's parameters: those that gave the source its shape. Others only make rows; where the
/// source's own rows take their place, any will do.
async fn filled(
    connection: &mut Connection,
    project: &Project,
    template: &Template,
    source: &Tenant,
    extent: Extent,
) -> Result<Filled, Failure> {
    let mut all = state::parameters(connection, &project.settings).await?;
    let shaping = all.remove(source.schema.as_str()).unwrap_or_default();
    let mut given = template.parameters.samples();
    // What is run after a tenant is made is not run for a clone, so it needs no value.
    let has_no_point = |name: &String| {
        let mut all = template.parameters.iter();
        all.any(|declared| declared.parameter.name == *name && !declared.makes)
    };
    given.retain(|name, _| extent == Extent::Data || has_no_point(name));
    let known = |name: &String| template.parameters.iter().any(|declared| declared.parameter.name == *name);
    given.extend(shaping.into_iter().filter(|(name, _)| known(name)));
    template.parameters.fill(&given, &template.name).map_err(|failure| match extent {
        Extent::Structure => failure.hint(
            "the values that only rows were made of are not kept: clone it with --data, which copies the rows",
        ),
        Extent::Data => failure,
    })
}

/// The files make what a tenant has at the platform's version, and at no other for certain.
fn elsewhere(source: &Tenant, platform: &crate::chain::Version) -> Failure {
    let at = source.version.as_ref().map(ToString::to_string).unwrap_or_default();
    let slug = &source.slug;
    Failure::new(Code::NotMigrated, format!("{slug} is at {at}, the platform at {platform}"))
        .hint(format!("bring it along first: tenure migrate up --tenant {slug}"))
}

/// What was copied.
#[derive(Debug, Default)]
struct Copied {
    tables: usize,
    rows: u64,
    notes: Vec<String>,
}

/// What is to be done after the first transaction.
enum Rest {
    Nothing,
    /// A foreign key to a shared table has locked that table: these rows come in a transaction of their own.
    Rows(Rows),
    /// Steps that need transactions of their own, and then the rows.
    Steps(Range<usize>),
}

/// One clone under way.
struct Copying<'a> {
    project: &'a Project,
    stop: &'a Stop,
    script: ProvisioningScript<'a>,
    source: &'a Tenant,
    target: &'a TenantRecord,
    filled: Filled,
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
                let (subject, schema) = ((run, &self.project.chain), &self.target.schema);
                let connector = connection.connector();
                let catching_up = catch_up(connection, subject, schema, steps, (RetryPolicy::USUAL, None));
                match cleanup::while_alive(connector, run, schema, catching_up).await {
                    Ok(()) => self.fill(connection, run, None).await,
                    Err(failure) => Err(failure),
                }
            }
        };
        match operation::or_rollback(connection, filled).await {
            Ok(()) => Ok(()),
            Err(failure) => {
                let schema = &self.target.schema;
                Err(cleanup::undo(connection, &self.project.settings, run, schema, failure).await)
            }
        }
    }

    /// Makes the new schema, and fills it where that holds no lock on what others share and no steps need transactions of
    /// their own. Otherwise the tenant is left in the state `creating`, and what is to be done is given back.
    async fn make(&mut self, connection: &mut Connection, run: &Run) -> Result<Rest, Failure> {
        let version = self.source.version.as_ref().map(ToString::to_string).unwrap_or_default();
        // First, as a step of the platform does: it stays at this version until the new tenant is in the books.
        let expect = format!("SELECT {}.tenure_expect_platform('{version}')", run.platform.quoted());
        self.begin(connection, run, &[expect, operation::holding(run, &self.source.schema, WHOLE)]).await?;
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
                Some(rows) if rows.leads_out => Rest::Rows(rows),
                Some(rows) => {
                    self.copy(connection, rows).await?;
                    Rest::Nothing
                }
                None => Rest::Nothing,
            }
        };
        self.stop.check()?;
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

    /// Refused unless the new schema is like the old one.
    async fn compare(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let (right, seen) = self.snapshots(connection).await?;
        self.found = reference::differences_but_rows(&right, &seen, &self.source.schema);
        if self.found.definitions.is_empty() { Ok(()) } else { Err(self.server_error()) }
    }

    /// What is to be copied; `None` if only the definitions are.
    async fn rows(&self, connection: &mut Connection) -> Result<Option<Rows>, Failure> {
        match self.extent {
            Extent::Structure => Ok(None),
            Extent::Data => self.look(connection).await.map(Some),
        }
    }

    /// Copies into a tenant that is in the state `creating`: these rows, or those that are there now.
    async fn fill(
        &mut self,
        connection: &mut Connection,
        run: &Run,
        rows: Option<Rows>,
    ) -> Result<(), Failure> {
        let (source, target) = (&self.source.schema, &self.target.schema);
        // The new tenant first, for which nobody else waits: while this has its row, the attempt is alive.
        let hold = [cleanup::holding(run, target), operation::holding(run, source, WHOLE)];
        self.begin(connection, run, &hold).await?;
        // Between the two transactions a migration may have moved one of them.
        self.compare(connection).await?;
        self.stop.check()?;
        let rows = match rows {
            Some(rows) => Some(rows),
            None => self.rows(connection).await?,
        };
        if let Some(rows) = rows {
            self.copy(connection, rows).await?;
        }
        self.stop.check()?;
        let mut message = SqlBatch::default();
        operation::enter(&mut message, &self.project.settings, target, TenantState::Active);
        message.commit(SessionState::None);
        self.commit(connection, run, (&message, TenantState::Active)).await
    }

    /// Begins a transaction that sees one moment to its end, with the statements that take rows of the books.
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

    /// Of the new schema and of the one that it is to be like.
    async fn snapshots(
        &self,
        connection: &mut Connection,
    ) -> Result<(SchemaSnapshot, SchemaSnapshot), Failure> {
        let right = catalog::snapshot_as(connection, &self.target.schema, Transaction::Current).await?;
        let seen = catalog::snapshot_as(connection, &self.source.schema, Transaction::Current).await?;
        Ok((right, seen))
    }

    async fn look(&self, connection: &mut Connection) -> Result<Rows, Failure> {
        let questions = rows::questions(&self.source.schema, &self.target.schema);
        let asked = connection.query_batch(&format!("SET LOCAL search_path = ''; {questions}")).await;
        let sets = asked.map_err(|server_error| server_error.failure("looking at what is to be copied"))?;
        Rows::read(sets.get(1..).unwrap_or_default())
    }

    /// Copies the rows, and proves that the new schema is still like the old one.
    async fn copy(&mut self, connection: &mut Connection, rows: Rows) -> Result<(), Failure> {
        let (source, target) = (&self.source.schema, &self.target.schema);
        let mut steps = rows.steps(source, target);
        let path = self.project.settings.shared_path().of(target);
        let path = format!("SET LOCAL search_path = {path}");
        steps.insert(0, Step { sql: path, doing: "preparing".to_owned(), copies: false });
        let sql: Vec<&str> = steps.iter().map(|step| step.sql.as_str()).collect();
        let counts = connection.affected_rows(&sql.join(";\n")).await.map_err(|server_error| {
            let doing = steps.get(server_error.completed).map_or("copying", |step| step.doing.as_str());
            let mut failure = server_error.failure(&format!("{}: {doing}", self.doing()));
            failure.schema = Some(target.as_str().to_owned());
            failure
        })?;
        let copied = steps.iter().zip(counts).filter(|(step, _)| step.copies);
        self.cloned.rows = copied.map(|(_, count)| count).sum();
        self.cloned.tables = rows.tables();
        self.cloned.notes = rows.notes;
        let (right, seen) = self.snapshots(connection).await?;
        self.found = reference::differences(&right, &seen, source);
        if self.found.definitions.is_empty() { Ok(()) } else { Err(self.server_error()) }
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

    fn server_error(&self) -> Failure {
        let slug = &self.source.slug;
        let mut failure = Failure::new(
            Code::CloneDiffers,
            format!("{slug} is not what its template and the steps make, so a clone would not be like it"),
        )
        .hint("mend it (`tenure drift` shows it too), or copy it as it is: tenure tenant export, then import --as");
        failure.schema = Some(self.source.schema.as_str().to_owned());
        failure
    }

    fn doing(&self) -> String {
        format!("cloning {} as {}", self.source.slug, self.target.slug)
    }
}
