//! `tenant create`: registry row, schema, template, the steps after it, version row and history, in one
//! message and one transaction.

use uuid::Uuid;

use super::NewTenant;
use crate::chain::{Divergence, Version};
use crate::error::{Code, Failure};
use crate::event::{Event, Sink};
use crate::fleet::Stop;
use crate::ident::{SchemaName, Slug, literal};
use crate::outcome::{Created, CreatedTenant, Ending, FailedTenant, Tenant};
use crate::postgres::message::{HistoryRow, Kind, Leftovers, Message, Run};
use crate::postgres::state::{self, State};
use crate::postgres::{Connection, Refusal, books, history, refusal};
use crate::project::Project;
use crate::settings::Migrate;
use crate::sql::Scope;
use crate::template::Template;

/// What to do about a tenant that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// It is a failure.
    Fail,
    /// It is as good as made.
    Accept,
}

/// What all tenants of one command share.
#[derive(Debug, Clone)]
pub struct Creation {
    /// About those that are there.
    pub if_exists: IfExists,
    /// The limits of a unit.
    pub limits: Migrate,
    /// The command, for the run's row.
    pub command: String,
}

/// Makes tenants, one after another. The failure is of what comes before the first; a tenant's own
/// failure is in the result.
pub async fn create(
    connection: &mut Connection,
    project: &Project,
    wanted: &[NewTenant],
    creation: &Creation,
    (sink, stop): (&mut dyn Sink, &Stop),
) -> Result<Created, Failure> {
    let state = ready(connection, project).await?;
    let run =
        Run { id: Uuid::new_v4(), platform: project.settings.platform_schema(), limits: creation.limits };
    let mut maker = Maker { connection, project, run, state, creation, noted: false };
    let mut outcome = Created::default();
    sink.take(&Event::Began { expected: wanted.len() });
    for tenant in wanted {
        let made = if stop.asked() {
            Err(Failure::new(Code::Interrupted, "the command was interrupted before this tenant")
                .hint("run it again with --if-not-exists to make the rest"))
        } else {
            maker.make(tenant).await
        };
        match made {
            Ok(made) => {
                match made {
                    Made::New(tenant) => outcome.created.push(tenant),
                    Made::Existing(tenant) => outcome.existing.push(tenant),
                }
                sink.take(&Event::TenantDone { slug: &tenant.slug });
            }
            Err(failure) => {
                sink.take(&Event::TenantFailed { slug: &tenant.slug, failure: &failure });
                outcome.failed.push(FailedTenant { slug: tenant.slug.clone(), failure });
            }
        }
    }
    sink.take(&Event::Ended);
    let noted = maker.end(&outcome).await;
    if outcome.failed.is_empty() { noted.map(|()| outcome) } else { Ok(outcome) }
}

/// Makes sure that tenants can be made at all.
async fn ready(connection: &mut Connection, project: &Project) -> Result<State, Failure> {
    let state = state::read(connection, &project.settings).await?;
    if let Some(divergence) = Divergence::find(&project.chain, &state.applied).into_iter().next() {
        return Err(divergence.into());
    }
    let platform = project.settings.platform_schema();
    if !state.presence.registry || state.platform == Version::ZERO {
        return Err(Failure::new(
            Code::NotMigrated,
            format!(
                "the platform schema {platform} is at {} and has no {}",
                state.platform, project.settings.tenants.registry
            ),
        )
        .hint("run `tenure migrate up` first"));
    }
    if !state.presence.own_tables_current {
        books::ensure(connection, &platform).await?;
    }
    Ok(state)
}

/// What became of one tenant.
enum Made {
    New(CreatedTenant),
    Existing(CreatedTenant),
}

struct Maker<'a> {
    connection: &'a mut Connection,
    project: &'a Project,
    run: Run,
    state: State,
    creation: &'a Creation,
    /// Whether the run's row is written: a command that changes nothing has none.
    noted: bool,
}

impl Maker<'_> {
    async fn make(&mut self, tenant: &NewTenant) -> Result<Made, Failure> {
        let settings = &self.project.settings;
        let slug = Slug::new(&tenant.slug)?;
        let schema = SchemaName::of(&settings.tenants.schema_prefix, &slug, &self.run.platform)?;
        let template = self.project.template(tenant.template.as_deref())?;
        if let Some(existing) = self.existing(&slug).await? {
            return self.judge_existing(&slug, existing);
        }
        if !self.noted {
            history::begin_run(self.connection, &self.run, &self.creation.command).await?;
            self.noted = true;
        }
        let id = Uuid::new_v4();
        let name = tenant.name.as_deref().unwrap_or(&tenant.slug);
        // The platform may move under it, but no further than to the chain's end.
        for _attempt in 0..=self.project.chain.migrations().len() {
            let message = self.message(id, &slug, name, &schema, template)?;
            let Err(refusal) = self.connection.run(message.sql()).await else {
                return Ok(Made::New(CreatedTenant {
                    id: Some(id.to_string()),
                    slug: tenant.slug.clone(),
                    schema,
                    version: Some(self.state.platform.clone()),
                }));
            };
            if refusal.sqlstate() == Some(refusal::PLATFORM_MOVED) {
                self.state = state::read(self.connection, &self.project.settings).await?;
                continue;
            }
            // Somebody else may have made it between our look and our message.
            let is_ours = message.place(&refusal).is_none();
            if is_ours && matches!(refusal.sqlstate(), Some("42P06" | "23505")) {
                return match self.existing(&slug).await? {
                    Some(existing) => self.judge_existing(&slug, existing),
                    None => Err(taken(&refusal, &schema)),
                };
            }
            return Err(explain(&refusal, &message, &schema));
        }
        Err(Failure::new(Code::NotMigrated, "the platform keeps moving: a migration is under way")
            .hint("run the command again when `tenure status` is quiet"))
    }

    async fn existing(&mut self, slug: &Slug) -> Result<Option<Tenant>, Failure> {
        let presence = self.state.presence;
        let rows =
            state::tenants(self.connection, &self.project.settings, presence, std::slice::from_ref(slug))
                .await?;
        Ok(rows.into_iter().next())
    }

    fn judge_existing(&self, slug: &Slug, row: Tenant) -> Result<Made, Failure> {
        if row.version.is_none() {
            return Err(Failure::new(
                Code::TenantExists,
                format!("{slug} is in the registry, but its version is unknown"),
            )
            .hint("it was made by other means: it has to be adopted, not created"));
        }
        match self.creation.if_exists {
            IfExists::Accept => Ok(Made::Existing(CreatedTenant {
                id: row.id,
                slug: row.slug,
                schema: row.schema,
                version: row.version,
            })),
            IfExists::Fail => {
                Err(Failure::new(Code::TenantExists, format!("the tenant {slug} is there already"))
                    .hint("choose another slug, or accept it with --if-not-exists"))
            }
        }
    }

    /// The one message that makes a tenant.
    fn message(
        &self,
        id: Uuid,
        slug: &Slug,
        name: &str,
        schema: &SchemaName,
        template: &Template,
    ) -> Result<Message, Failure> {
        let settings = &self.project.settings;
        let version = &self.state.platform;
        let steps = template.steps_to(&self.project.chain, version).ok_or_else(|| {
            Failure::new(
                Code::NotMigrated,
                format!(
                    "the template {:?} is at {}, the platform only at {version}",
                    template.name, template.version
                ),
            )
            .hint("run `tenure migrate up` first")
        })?;
        let platform = self.run.platform.quoted();
        let columns = &settings.tenants.columns;
        let mut message = Message::default();
        message.begin(self.run.limits, &format!("SELECT {platform}.tenure_expect_platform('{version}')"));
        message.push(&format!(
            "INSERT INTO {} ({}, {}, {}, {}) VALUES ('{id}', {}, {}, {})",
            state::registry(settings),
            columns.id.quoted(),
            columns.name.quoted(),
            columns.slug.quoted(),
            columns.schema.quoted(),
            literal(name),
            literal(slug.as_str()),
            literal(schema.as_str()),
        ));
        message.push(&format!(
            "SELECT {platform}.tenure_expect_one((SELECT count(*) FROM {} WHERE {} = {}), 'the registry')",
            state::registry(settings),
            columns.schema.quoted(),
            literal(schema.as_str()),
        ));
        message.push(&format!("CREATE SCHEMA {}", schema.quoted()));
        message.search_path(schema);
        for (script, statements) in &template.files {
            message.push_file(script, statements.iter(), schema);
        }
        for step in steps {
            for statement in step.part(Scope::Tenant).filter(|statement| statement.fits_new_schema()) {
                message.push_at_once(&step.script, statement, schema);
            }
        }
        let made = template.files.iter().flat_map(|(_, statements)| statements);
        let left = Leftovers::of(made.chain(steps.iter().flat_map(|step| step.part(Scope::Tenant))));
        if left == Leftovers::Possible {
            message.own_role();
        }
        message.push(&format!(
            "INSERT INTO {platform}.tenant_version (schema_name, version, template) VALUES ({}, '{version}', {})",
            literal(schema.as_str()),
            literal(&template.name),
        ));
        let fresh = Version::ZERO;
        let row = |from, to, name, checksum, kind| HistoryRow {
            schema,
            from,
            to,
            name,
            checksum: Some(checksum),
            kind,
            allowed: "[]",
        };
        message.history(
            &self.run,
            &row(&fresh, &template.version, &template.name, &template.checksum, Kind::Template),
        );
        for step in steps.iter().filter(|step| step.has(Scope::Tenant)) {
            message
                .history(&self.run, &row(step.from(), step.to(), &step.file, &step.checksum, Kind::Migrate));
        }
        message.commit(left);
        Ok(message)
    }

    async fn end(&mut self, outcome: &Created) -> Result<(), Failure> {
        if !self.noted {
            return Ok(());
        }
        let ending = match outcome.ending() {
            Ending::Nothing => Ending::Done,
            ending => ending,
        };
        let counts = serde_json::json!({
            "created": outcome.created.len(),
            "existing": outcome.existing.len(),
            "failed": outcome.failed.len(),
        });
        history::end_run(self.connection, &self.run, ending.as_str(), &counts.to_string()).await
    }
}

fn taken(refusal: &Refusal, schema: &SchemaName) -> Failure {
    let mut failure = refusal.failure(&format!("creating {schema}"));
    failure.code = Code::TenantExists;
    failure.schema = Some(schema.as_str().to_owned());
    failure.hint =
        Some("a schema or a registry row of that name is there, but no tenant that Tenure knows".to_owned());
    failure
}

fn explain(refusal: &Refusal, message: &Message, schema: &SchemaName) -> Failure {
    let mut failure = refusal.failure(&format!("creating {schema}"));
    failure.place = message.place(refusal);
    failure.schema = Some(schema.as_str().to_owned());
    let of_registry = match refusal.sqlstate() {
        _ if failure.place.is_some() => None,
        Some("42703") => Some("[tenants.columns] in tenure.toml names the registry's columns"),
        Some("23502") => {
            Some("every column of the registry but id, name, slug and schema must have a default")
        }
        Some("42804" | "22P02") => Some("the registry's id column must take a UUID, the others a text"),
        Some(refusal::NOT_ONE_ROW) => {
            Some("a trigger or a view must not swallow what is written to the registry")
        }
        _ => None,
    };
    if let Some(hint) = of_registry {
        failure.code = Code::RegistryInvalid;
        failure.hint = Some(hint.to_owned());
    } else if failure.code == Code::StatementFailed {
        failure.code = Code::UnitFailed;
    }
    failure
}
