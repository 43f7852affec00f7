//! Proves that schemas of a template can be created in advance: creates one, renames it and inspects it, in a transaction that is
//! rolled back. Texts that keep the old name, rows written outside of the schema, and reads of the registry would be wrong for
//! the tenant that takes the schema.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use uuid::Uuid;

use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::executor::{Measured, StatementObserver, UnitTrace};
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::{BEGIN, NO_IDLE_TIMEOUT, Run, SessionState, SqlBatch};
use crate::postgres::metadata::pool::{self, Origin};
use crate::postgres::metadata::state;
use crate::postgres::{Connection, Row};
use crate::project::Project;
use crate::settings::Migrate;
use crate::sql::{ORG_ROLE, Scope, Statement};
use crate::template::Template;
use crate::tenant::create::answer::explain;
use crate::tenant::lifecycle::name_references;
use crate::tenant::provisioning::ProvisioningScript;
use crate::tenant::scratch;

/// The number of row writes by this backend. It includes earlier transactions until the backend reports its statistics.
const WRITTEN: &str = "n_tup_ins + n_tup_upd + n_tup_del";

/// Temporary tables end with their unit.
const NOT_TEMPORARY: &str = "schemaname !~ '^pg_temp_'";

/// The maximum number of objects in a message.
const MOST: usize = 10;

/// Fails if schemas of `template` at `version` cannot be created in advance.
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
            &format!("the values of its parameters are not known in advance: {}", without_default.join(", ")),
        )
        .hint("give them a default in their `-- Parameter:` lines; a tenant with another value does not use the pool"));
    }
    let script = ProvisioningScript::new(project, template, version)?;
    let named = names_role(&script);
    if !named.is_empty() {
        let why = format!("a pool schema has no role, and {ORG_ROLE} is in {}", named.join(", "));
        return Err(
            refused(template, &why).hint("`tenant create` makes tenants of this template without the pool")
        );
    }
    let reads_registry = |what: &str| {
        let why = format!("it reads the registry, where a pool schema has no row{what}");
        refused(template, &why)
            .hint("move statements about the tenant itself into the template's folder after_create")
    };
    let asking = asking(&script, project);
    if !asking.is_empty() {
        return Err(reads_registry(&format!(": {}", asking.join(", "))));
    }
    let registry = state::registry(&project.settings);
    let (mut keeping, mut has_read) = run_trial(connection, run, &script, (template, &registry)).await?;
    // A problem in the template is found without creating a schema that other sessions could see.
    if script.later().is_some() && keeping.is_empty() && !has_read {
        let (more, reads) =
            run_trial_with_steps(connection, (run, project), &script, (template, &registry)).await?;
        keeping = more;
        has_read = reads;
    }
    // Creating a foreign key to the registry reads it too.
    if has_read && !script.locks_registry() {
        return Err(reads_registry(", by code that it runs"));
    }
    if keeping.is_empty() {
        return Ok(());
    }
    let more = keeping.len().saturating_sub(MOST);
    let mut named = keeping.into_iter().take(MOST).collect::<Vec<_>>().join(", ");
    if more > 0 {
        let _written = write!(named, " and {more} more");
    }
    Err(refused(template, &format!("a pool schema is renamed for its tenant, and these do not follow the rename: {named}"))
        .hint("let functions find their tables on the search path, and move statements about the tenant itself into the template's folder after_create"))
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
    places(script, |text, statement| statement.reads_rows() && text.to_lowercase().contains(&registry))
}

/// The statements that name the tenant's role.
fn names_role(script: &ProvisioningScript<'_>) -> Vec<String> {
    places(script, |text, statement| statement.has_placeholder && text.contains(ORG_ROLE))
}

/// The statements of the template and the later steps that fulfil a condition.
fn places(script: &ProvisioningScript<'_>, is_meant: impl Fn(&str, &Statement) -> bool) -> Vec<String> {
    let compiled = script.compiled();
    let later = compiled.later.iter();
    let later =
        later.flat_map(|step| step.part(Scope::Tenant).map(move |statement| (&step.script, statement)));
    let all = compiled.statements.iter().copied().chain(later);
    let meant = all.filter(|(script, statement)| is_meant(script.text(statement), statement));
    meant.map(|(script, statement)| script.place(statement).to_string()).collect()
}

/// Creates a schema, renames it, and rolls back. Returns what does not follow the rename, and whether rows of the registry were
/// read.
async fn run_trial(
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
    let references = references(connection, &run.platform, &names).await;
    let ended = connection.send(&undone).await;
    let references = references?;
    ended.map_err(|server_error| server_error.failure("rolling back a trial"))?;
    let has_read =
        has_read.map_err(|server_error| server_error.failure("reading the statistics of a trial"))?;
    let has_read =
        has_read.iter().flatten().next().map(|row| row.get_bool("more")).transpose()?.unwrap_or(false);
    Ok((neutral(&references, &names[0]), has_read))
}

/// The SQL for the number of scans of the registry by this backend.
fn reads(registry: &str) -> String {
    format!(
        "(SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0) FROM pg_catalog.pg_stat_xact_user_tables \
         WHERE relid = to_regclass({}))",
        literal(registry)
    )
}

/// The statement that saves the counts of writes and reads until the end of the transaction.
fn before(reads: &str) -> String {
    format!(
        "SELECT set_config('tenure.written', coalesce(jsonb_object_agg(relid, {WRITTEN})::text, ''), true), \
           set_config('tenure.read', {reads}::text, true) \
         FROM pg_catalog.pg_stat_xact_user_tables WHERE {WRITTEN} > 0"
    )
}

/// Replaces the random name of the trial.
fn neutral(references: &BTreeSet<String>, name: &SchemaName) -> Vec<String> {
    let mut lines: Vec<String> =
        references.iter().map(|line| line.replace(name.as_str(), "{org_schema}")).collect();
    lines.dedup();
    lines
}

/// The same for a schema whose steps need transactions of their own: creates it, observes the reads and writes of each unit
/// elsewhere, and removes it.
async fn run_trial_with_steps(
    connection: &mut Connection,
    (run, project): (&Run, &Project),
    script: &ProvisioningScript<'_>,
    (template, registry): (&Template, &str),
) -> Result<(Vec<String>, bool), Failure> {
    let units = Units { reads: reads(registry), seen: RefCell::default() };
    let references = async |connection: &mut Connection, schema: &SchemaName| {
        let new = SchemaName::pooled(Uuid::new_v4().as_u128());
        let begin = format!("{BEGIN}; {NO_IDLE_TIMEOUT}; {}", before(&units.reads));
        connection.run(&begin).await.map_err(|server_error| server_error.failure("beginning a trial"))?;
        let references = references(connection, &run.platform, &[schema.clone(), new]).await;
        let ended = connection.run("ROLLBACK").await;
        let references = references?;
        ended.map_err(|server_error| server_error.failure("rolling back a trial"))?;
        Ok(neutral(&references, schema))
    };
    let (filled, chain) = (template.parameters.defaults(), &project.chain);
    let mut lines =
        scratch::with(connection, (run, chain), (script, &filled), Some(&units), references).await?;
    let seen = units.seen.into_inner();
    let has_read = seen.contains(READ);
    lines.extend(seen.into_iter().filter(|line| line != READ));
    lines.sort_unstable();
    lines.dedup();
    Ok((lines, has_read))
}

/// What the units of a trial did outside of its schema.
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

    fn take_non_transactional(&self, _part: &Measured<'_>, _statement: &Statement, _elapsed: Duration) {}
}

async fn references(
    connection: &mut Connection,
    platform: &SchemaName,
    [old, new]: &[SchemaName; 2],
) -> Result<BTreeSet<String>, Failure> {
    let mut lines: BTreeSet<String> =
        name_references::of(connection, platform, old, new).await?.into_iter().collect();
    let (name, schema) = (literal(old.as_str()), literal(new.as_str()));
    let holds = |column: &str| format!("pg_catalog.strpos({column}::text, {name}) > 0");
    // The catalog truncates no name: a longer name that begins with the schema's is another name.
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
    let doing = "searching for the name of a trial";
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

/// Records that the template's schemas at `version` may be taken.
pub(super) async fn note(
    connection: &mut Connection,
    run: &Run,
    (template, version): (&Template, &Version),
) -> Result<(), Failure> {
    let mut message = SqlBatch::default();
    message.begin(run.limits, "SELECT 1");
    let origin = Origin { template: &template.name, checksum: &template.checksum };
    message.push(&pool::prove(&run.platform, origin, version));
    message.commit(SessionState::None);
    let sent = connection.send(&message).await;
    sent.map(|_sets| ()).map_err(|server_error| server_error.failure("recording that the pool can be used"))
}

/// Proves the pool's schemas again after a migration and records the result. Returns notes about templates whose proof failed.
pub async fn reprove(connection: &mut Connection, project: &Project, limits: Migrate) -> Vec<String> {
    let note_text =
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
        let context = (template, &at);
        let proved = match prove(connection, project, &run, context).await {
            Ok(()) => note(connection, &run, context).await,
            Err(failure) => Err(failure),
        };
        notes.extend(proved.err().map(|failure| note_text(name, &failure)));
    }
    notes
}
