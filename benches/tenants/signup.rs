//! Creation of single tenants, each by a separate process: the duration of its message in the server, from the first statement to
//! the end of COMMIT, from the server's log. Creation from the pool has a limit; creation without it is compared with the same
//! SQL sent with psql, in turns, each on a new connection.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::place::Place;

/// The number of new tenants per variant.
const TENANTS: usize = 200;

/// The limit of the median from the pool.
const LIMIT: Duration = Duration::from_millis(5);

/// The limit of the median without the pool, relative to the direct script.
const RATIO: f64 = 1.1;

/// The number of existing tenants.
const BEFORE: usize = 1_000;

/// The server logs each message with its duration and commits synchronously, as by default.
const LOGGED: &str = "DO $$ BEGIN \
    EXECUTE format('ALTER DATABASE %I SET log_min_duration_statement = 0', current_database()); \
    EXECUTE format('ALTER DATABASE %I SET synchronous_commit = on', current_database()); END $$";

/// From the pool.
pub(super) fn pool() -> Result<Vec<String>> {
    let place = Place::with_tenants("", BEFORE)?;
    let (_, took) = place.tenure(&["tenant", "pool", "fill", &TENANTS.to_string()])?;
    println!("pool: {TENANTS} schemas filled in {} ms", took.as_millis());
    place.sql(LOGGED)?;
    let mut whole = Vec::new();
    for number in 0..TENANTS {
        let (_, took) = place.tenure(&["tenant", "create", &format!("p{number}")])?;
        whole.push(took);
    }
    let left = place.sql("SELECT count(*) FROM datalinx_platform.tenant_version WHERE status = 'pooled'")?;
    ensure!(left == "0", "{left} schemas of the pool are left");
    let times = times(&place, "tenure_take(")?;
    ensure!(times.len() == TENANTS, "{} messages in the log", times.len());
    let median = tell("create from the pool", &times);
    let _program = tell("  the whole program", &whole);
    // A session that created tenants before, as behind a pooler.
    place.tenure(&["tenant", "pool", "fill", &TENANTS.to_string()])?;
    let slugs: Vec<String> = (0..TENANTS).map(|number| format!("w{number}")).collect();
    place.file("list.csv", &format!("slug\n{}\n", slugs.join("\n")))?;
    place.tenure(&["tenant", "create", "--from", "list.csv", "--jobs", "1"])?;
    let _warm = tell("  in one session", &self::times(&place, "tenure_take(")?[TENANTS..]);
    Ok((median > LIMIT)
        .then(|| format!("a tenant from the pool takes {median:?}, more than {LIMIT:?}"))
        .into_iter()
        .collect())
}

/// Without a pool.
pub(super) fn create() -> Result<Vec<String>> {
    let place = Place::with_tenants("", BEFORE)?;
    place.sql(LOGGED)?;
    // A step with another checksum would count as edited.
    let checksum = place.sql(
        "SELECT DISTINCT checksum FROM datalinx_platform.migration_history \
         WHERE name = 'v1.0.2_to_v1.0.3_add_workspace_settings.sql' AND kind = 'migrate'",
    )?;
    let (mut whole, mut by_hand) = (Vec::new(), Vec::new());
    for number in 0..TENANTS {
        let script = direct(&format!("d{number}"), &checksum)?;
        let began = Instant::now();
        place.sql(&script)?;
        by_hand.push(began.elapsed());
        let (_, took) = place.tenure(&["tenant", "create", &format!("n{number}")])?;
        whole.push(took);
    }
    let ours = times(&place, "tenure_expect_platform(")?;
    let theirs = times(&place, "-- by hand")?;
    ensure!(
        (ours.len(), theirs.len()) == (TENANTS, TENANTS),
        "{} and {} in the log",
        ours.len(),
        theirs.len()
    );
    let (ours, theirs) = (tell("create without a pool", &ours), tell("the direct script", &theirs));
    let _programs = (tell("  the whole program", &whole), tell("  psql with the script", &by_hand));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("create / direct: {ratio:.2}");
    let missed =
        (ratio > RATIO).then(|| format!("a tenant without a pool takes {ratio:.2} of the direct script"));
    Ok(missed.into_iter().collect())
}

/// The median and the spread.
fn tell(what: &str, times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    let at = |part: usize| sorted[(sorted.len() - 1) * part / 100];
    let shown = [5, 50, 95].map(|part| format!("{:.2}", at(part).as_secs_f64() * 1_000.0));
    println!("{what}: {} ms (5 %: {}, 95 %: {}), {} of them", shown[1], shown[0], shown[2], times.len());
    at(50)
}

/// The durations of the messages that contain `mark`.
fn times(place: &Place, mark: &str) -> Result<Vec<Duration>> {
    let log = place.log()?;
    let messages = log.split("LOG:  duration: ").skip(1).filter(|message| message.contains(mark));
    messages
        .map(|message| {
            let (number, _) = message.split_once(" ms").context("a duration")?;
            Ok(Duration::from_secs_f64(number.parse::<f64>()? / 1_000.0))
        })
        .collect()
}

/// The manual script that writes the same rows.
fn direct(slug: &str, checksum: &str) -> Result<String> {
    let schema = format!("org_{slug}");
    let mut files: Vec<_> = std::fs::read_dir("tenant_templates/default")?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    let mut script = format!(
        "-- by hand\nBEGIN; INSERT INTO datalinx_platform.organizations (id, name, slug, schema_name) \
         VALUES (gen_random_uuid(), '{slug}', '{slug}', '{schema}'); \
         CREATE SCHEMA {schema}; SET LOCAL search_path = {schema}, public;\n"
    );
    for file in files {
        script.push_str(&std::fs::read_to_string(file)?.replace("{org_schema}", &schema));
    }
    script.push_str("\nALTER TABLE workspaces ADD COLUMN IF NOT EXISTS settings JSONB DEFAULT '{}';\n");
    writeln!(
        script,
        "INSERT INTO datalinx_platform.tenant_version (schema_name, version, template) VALUES ('{schema}', '1.0.4', 'default');"
    )?;
    for (from, to, name, kind) in [
        ("0.0.0", "1.0.0", "default", "template"),
        ("1.0.2", "1.0.3", "v1.0.2_to_v1.0.3_add_workspace_settings.sql", "migrate"),
    ] {
        let columns = "run_id, schema_name, from_version, to_version, name, checksum, tool_version, kind";
        writeln!(
            script,
            "INSERT INTO datalinx_platform.migration_history ({columns}) VALUES \
             (gen_random_uuid(), '{schema}', '{from}', '{to}', '{name}', '{checksum}', 'by hand', '{kind}');"
        )?;
    }
    script.push_str("COMMIT");
    Ok(script)
}
