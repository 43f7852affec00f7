//! Whether a schema of a template can be made in advance: it is made, gets another name and is looked at, in a
//! transaction of which nothing stays. What holds the old name all the same, what was written for it elsewhere, and what
//! asks for a tenant that is not there yet, would be wrong for the tenant that takes it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use uuid::Uuid;

use super::super::create::answer::explain;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::executor::{Measured, StatementObserver, UnitTrace};
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::{BEGIN, NO_IDLE_TIMEOUT, Run, SessionState, SqlBatch};
use crate::postgres::metadata::{pool, state};
use crate::postgres::{Connection, Row};
use crate::project::Project;
use crate::settings::Migrate;
use crate::sql::{Scope, Statement};
use crate::template::Template;
use crate::tenant::lifecycle::name_references;
use crate::tenant::provisioning::ProvisioningScript;
use crate::tenant::scratch;

/// How often this backend wrote rows of a table. It counts what earlier transactions did too, until it tells the others.
const WRITTEN: &str = "n_tup_ins + n_tup_upd + n_tup_del";

/// What ends with its unit keeps no name.
const NOT_TEMPORARY: &str = "schemaname !~ '^pg_temp_'";

/// So many things are named.
const MOST: usize = 10;

/// Refused if schemas of `template` at `version` cannot be made in advance.
pub(super) async fn prove(
    connection: &mut Connection,
    project: &Project,
    run: &Run,
    (template, version): (&Template, &Version),
) -> Result<(), Failure> {
    let without_default = template.parameters.required();
    if !without_default.is_empty() {
        return Err(refused(
            template,
            &format!("nobody knows the values of its parameters yet: {}", without_default.join(", ")),
        )
        .hint("give them a default in their `-- Parameter:` lines; tenants that bring another value are made anew"));
    }
    let script = ProvisioningScript::new(project, template, version)?;
    let looks = |what: &str| {
        let why = format!("it looks into the registry, where a schema of the pool has no row{what}");
        refused(template, &why)
            .hint("statements about the tenant itself belong into the folder after_create of the template")
    };
    let asking = asking(&script, project);
    if !asking.is_empty() {
        return Err(looks(&format!(": {}", asking.join(", "))));
    }
    let registry = state::registry(&project.settings);
    let (mut keeping, mut has_read) = try_it(connection, run, &script, (template, &registry)).await?;
    // What the template shows already is told without making a schema that others could see.
    if script.later().is_some() && keeping.is_empty() && !has_read {
        let (more, reads) = try_steps(connection, (run, project), &script, (template, &registry)).await?;
        keeping = more;
        has_read = reads;
    }
    // To make a key to the registry reads it too.
    if has_read && !script.locks_registry() {
        return Err(looks(", by code that it runs"));
    }
    if keeping.is_empty() {
        return Ok(());
    }
    let more = keeping.len().saturating_sub(MOST);
    let mut named = keeping.into_iter().take(MOST).collect::<Vec<_>>().join(", ");
    if more > 0 {
        let _written = write!(named, " and {more} more");
    }
    Err(refused(template, &format!("a schema of the pool gets its tenant's name later, which these do not follow: {named}"))
        .hint("let functions find their tables by the search path, and move what is about the tenant itself into the folder after_create"))
}

fn refused(template: &Template, why: &str) -> Failure {
    Failure::new(
        Code::NotPoolable,
        format!("schemas of the template {:?} cannot be made in advance: {why}", template.name),
    )
}

/// The statements that may read rows and name the registry.
fn asking(script: &ProvisioningScript<'_>, project: &Project) -> Vec<String> {
    let registry = project.settings.tenants.registry.as_str().to_lowercase();
    let compiled = script.compiled();
    let later = compiled.later.iter();
    let later =
        later.flat_map(|step| step.part(Scope::Tenant).map(move |statement| (&step.script, statement)));
    let asks = compiled.statements.iter().copied().chain(later).filter(|(script, statement)| {
        statement.reads_rows() && script.text(statement).to_lowercase().contains(&registry)
    });
    asks.map(|(script, statement)| script.place(statement).to_string()).collect()
}

/// Makes a schema, gives it another name, and takes it back; what does not follow, and whether rows of the registry were
/// sought.
async fn try_it(
    connection: &mut Connection,
    run: &Run,
    script: &ProvisioningScript<'_>,
    (template, registry): (&Template, &str),
) -> Result<(Vec<String>, bool), Failure> {
    let reads = reads(registry);
    let names = [Uuid::new_v4(), Uuid::new_v4()].map(|key| SchemaName::pooled(key.as_u128()));
    let before = before(&reads);
    let (made, undone) = script.trial(run, &names[0], &template.parameters.defaults(), &before)?;
    connection.send(&made).await.map_err(|server_error| explain(&server_error, &made, &names[0]))?;
    let has_read = connection
        .query_batch(&format!("SELECT {reads} > current_setting('tenure.read')::numeric AS more"))
        .await;
    let kept = kept(connection, &names).await;
    let ended = connection.send(&undone).await;
    let kept = kept?;
    ended.map_err(|server_error| server_error.failure("taking a trial back"))?;
    let has_read = has_read.map_err(|server_error| server_error.failure("asking what a trial has read"))?;
    let has_read =
        has_read.iter().flatten().next().map(|row| row.get_bool("more")).transpose()?.unwrap_or(false);
    Ok((neutral(&kept, &names[0]), has_read))
}

/// How often this backend sought rows of the registry.
fn reads(registry: &str) -> String {
    format!(
        "(SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0) FROM pg_catalog.pg_stat_xact_user_tables \
         WHERE relid = to_regclass({}))",
        literal(registry)
    )
}

/// The statement that remembers, to the end of the transaction, what was written and read before it.
fn before(reads: &str) -> String {
    format!(
        "SELECT set_config('tenure.written', coalesce(jsonb_object_agg(relid, {WRITTEN})::text, ''), true), \
           set_config('tenure.read', {reads}::text, true) \
         FROM pg_catalog.pg_stat_xact_user_tables WHERE {WRITTEN} > 0"
    )
}

/// The name of the trial is nobody's.
fn neutral(kept: &BTreeSet<String>, name: &SchemaName) -> Vec<String> {
    let mut lines: Vec<String> =
        kept.iter().map(|line| line.replace(name.as_str(), "{org_schema}")).collect();
    lines.dedup();
    lines
}

/// The same for a schema whose steps need transactions of their own: it is made, each unit says what it read and wrote
/// elsewhere, and the schema is removed again.
async fn try_steps(
    connection: &mut Connection,
    (run, project): (&Run, &Project),
    script: &ProvisioningScript<'_>,
    (template, registry): (&Template, &str),
) -> Result<(Vec<String>, bool), Failure> {
    let units = Units { reads: reads(registry), seen: RefCell::default() };
    let kept = async |connection: &mut Connection, schema: &SchemaName| {
        let new = SchemaName::pooled(Uuid::new_v4().as_u128());
        let begin = format!("{BEGIN}; {NO_IDLE_TIMEOUT}; {}", before(&units.reads));
        connection.run(&begin).await.map_err(|server_error| server_error.failure("beginning a trial"))?;
        let kept = kept(connection, &[schema.clone(), new]).await;
        let ended = connection.run("ROLLBACK").await;
        let kept = kept?;
        ended.map_err(|server_error| server_error.failure("taking a trial back"))?;
        Ok(neutral(&kept, schema))
    };
    let (filled, chain) = (template.parameters.defaults(), &project.chain);
    let mut lines = scratch::with(connection, (run, chain), (script, &filled), Some(&units), kept).await?;
    let seen = units.seen.into_inner();
    let has_read = seen.contains(READ);
    lines.extend(seen.into_iter().filter(|line| line != READ));
    lines.sort_unstable();
    lines.dedup();
    Ok((lines, has_read))
}

/// What the units of a trial did elsewhere than in its schema.
#[derive(Debug)]
struct Units {
    reads: String,
    seen: RefCell<BTreeSet<String>>,
}

/// The line that counts reads of the registry.
const READ: &str = "";

impl StatementObserver for Units {
    fn question(&self, schema: &SchemaName) -> String {
        format!(
            "SELECT 'rows of ' || schemaname || '.' || relname AS line, ({WRITTEN})::int8 AS times \
             FROM pg_catalog.pg_stat_xact_user_tables WHERE schemaname <> {} AND {NOT_TEMPORARY} AND {WRITTEN} > 0 \
             UNION ALL SELECT '{READ}', {}::int8",
            literal(schema.as_str()),
            self.reads
        )
    }

    fn take(&self, unit: &UnitTrace<'_>) {
        let count = |row: &Row| Some((row.text("line").ok()?, row.integer("times").ok()?));
        let counts = |rows: &[Row]| rows.iter().filter_map(count).collect::<BTreeMap<_, _>>();
        let (before, after) = (counts(unit.before), unit.after.last().map(|(_, rows)| counts(rows)));
        let grown = |(line, times): &(String, i64)| before.get(line).copied().unwrap_or_default() < *times;
        self.seen.borrow_mut().extend(after.into_iter().flatten().filter(grown).map(|(line, _)| line));
    }

    fn take_alone(&self, _part: &Measured<'_>, _statement: &Statement, _elapsed: Duration) {}
}

async fn kept(
    connection: &mut Connection,
    [old, new]: &[SchemaName; 2],
) -> Result<BTreeSet<String>, Failure> {
    let mut lines: BTreeSet<String> = name_references::of(connection, old, new).await?.into_iter().collect();
    let (name, schema) = (literal(old.as_str()), literal(new.as_str()));
    let holds = |column: &str| format!("pg_catalog.strpos({column}::text, {name}) > 0");
    // A longer name that only begins with the schema's is another name for the catalog.
    let named: Vec<String> = [
        ("relation", "pg_class", "relname"),
        ("type", "pg_type", "typname"),
        ("function", "pg_proc", "proname"),
        ("constraint", "pg_constraint", "conname"),
        ("trigger", "pg_trigger", "tgname"),
        ("rule", "pg_rewrite", "rulename"),
        ("policy", "pg_policy", "polname"),
        ("statistics", "pg_statistic_ext", "stxname"),
        ("schema", "pg_namespace", "nspname"),
        ("role", "pg_roles", "rolname"),
        ("publication", "pg_publication", "pubname"),
        ("event trigger", "pg_event_trigger", "evtname"),
        ("server", "pg_foreign_server", "srvname"),
    ]
    .iter()
    .map(|(kind, catalog, column)| {
        format!(
            "SELECT '{kind} ' || {column}::text AS line FROM pg_catalog.{catalog} WHERE {}",
            holds(column)
        )
    })
    .collect();
    let sql = format!(
        "{}; SELECT 'rows of ' || schemaname || '.' || relname AS line FROM pg_catalog.pg_stat_xact_user_tables \
           WHERE schemaname <> {schema} AND {NOT_TEMPORARY} AND {WRITTEN} > \
             coalesce((nullif(current_setting('tenure.written', true), '')::jsonb ->> relid::text)::int8, 0); \
         SELECT relname::text AS line FROM pg_catalog.pg_class \
           WHERE relnamespace = {schema}::regnamespace AND relkind IN ('r', 'm') AND relispopulated",
        named.join(" UNION ALL "),
    );
    let doing = "looking for what keeps the name of a trial";
    let sets = connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(doing))?;
    let [named, written, tables] = sets.as_slice() else { return Ok(lines) };
    for row in named.iter().chain(written) {
        lines.insert(row.text("line")?);
    }
    let mut with_rows = Vec::new();
    for row in tables {
        let table = row.text("line")?;
        let quoted = format!("{}.\"{}\"", new.quoted(), table.replace('"', "\"\""));
        with_rows.push(format!(
            "SELECT {} AS line WHERE EXISTS (SELECT FROM ONLY {quoted} AS one_row WHERE {})",
            literal(&format!("rows of {table}")),
            holds("one_row"),
        ));
    }
    if !with_rows.is_empty() {
        let sets = connection.query_batch(&with_rows.join(" UNION ALL ")).await;
        for row in sets.map_err(|server_error| server_error.failure(doing))?.iter().flatten() {
            lines.insert(row.text("line")?);
        }
    }
    Ok(lines)
}

/// Notes of the template's schemas at `version` that they may be taken.
pub(super) async fn note(
    connection: &mut Connection,
    run: &Run,
    (template, version): (&Template, &Version),
) -> Result<(), Failure> {
    let mut message = SqlBatch::default();
    message.begin(run.limits, "SELECT 1");
    message.push(&format!(
        "UPDATE {}.tenant_version SET proved_at = '{version}' WHERE status = 'pooled' AND template = {} \
         AND version = '{version}' AND made_from = {} AND proved_at IS DISTINCT FROM '{version}'",
        run.platform.quoted(),
        literal(&template.name),
        literal(template.checksum.as_str()),
    ));
    message.commit(SessionState::None);
    let sent = connection.send(&message).await;
    sent.map(|_sets| ()).map_err(|server_error| server_error.failure("noting that the pool may be used"))
}

/// After a migration: makes sure that the schemas of the pool can still have another name, and notes it. What is to be
/// told of those that cannot, or of which it is not known.
pub async fn keep(connection: &mut Connection, project: &Project, limits: Migrate) -> Vec<String> {
    let told =
        |name: &str, failure: &Failure| format!("the pool of the template {name:?} is not used: {failure}");
    let platform = project.settings.platform_schema();
    let state = match state::read(connection, &project.settings).await {
        Ok(state) => state,
        Err(failure) => return vec![failure.to_string()],
    };
    if state.pool.is_empty() {
        return Vec::new();
    }
    let rows = match pool::read(connection, &platform, None).await {
        Ok(rows) => rows,
        Err(failure) => return vec![failure.to_string()],
    };
    let at = state.platform;
    let unproved = rows
        .iter()
        .filter(|row| super::state_of(row, project, &at) == crate::tenant::pool::PoolState::Unproved)
        .map(|row| row.template.as_str());
    let mut notes = Vec::new();
    for name in unproved.collect::<BTreeSet<_>>() {
        let Some(template) = project.templates.get(name) else { continue };
        let run = Run::new(&project.settings, limits);
        let subject = (template, &at);
        let proved = match prove(connection, project, &run, subject).await {
            Ok(()) => note(connection, &run, subject).await,
            Err(failure) => Err(failure),
        };
        notes.extend(proved.err().map(|failure| told(name, &failure)));
    }
    notes
}
