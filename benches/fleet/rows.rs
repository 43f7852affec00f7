//! The rows of the table: measurement, contender, limit.

use std::cell::{Cell, OnceCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::direct;
use super::fleet::{Fleet, Step, tenure};
use super::measure::{self, Contender, Warm, rotate};
use super::memory::{self, Backend, Watcher};
use super::proxy::Proxy;
use super::results::{Limit, Row, thousands};
use super::rivals::Rivals;
use super::server::Server;

/// The simulated latency in row 6.
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// The setup of all measurements.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) server: Rc<Server>,
    /// The number of connections of each contender that supports several.
    pub(super) jobs: usize,
    /// The number of tenants of the default fleet.
    pub(super) tenants: u32,
    /// The number of tenants of the large fleet.
    pub(super) many: u32,
    pub(super) is_quick: bool,
    rivals: Rivals,
    small: OnceCell<Fleet>,
    databases: Cell<u32>,
}

/// A function that measures some rows.
type Measure = fn(&Bench) -> Result<Vec<Row>>;

/// The rows, in the order of measurement.
pub(super) const ROWS: &[(&[u32], Measure)] = &[
    (&[1], |bench| against_the_direct_loop(bench, 1, 1, Limit::AtMost(1.25))),
    (&[2], |bench| against_the_direct_loop(bench, 2, 5, Limit::AtMost(1.15))),
    (&[3], provisioning),
    (&[4, 5, 8], many_tenants),
    (&[6], far_away),
    (&[7], against_other_migrators),
];

impl Bench {
    /// Builds the other migrators, and starts the server.
    pub(super) fn prepare(is_quick: bool) -> Result<Self> {
        // Tenure's default if the server has enough connections; explicit, so that all contenders use it.
        let cores = std::thread::available_parallelism()?.get();
        let (tenants, many) = if is_quick { (100, 1_000) } else { (1_000, 10_000) };
        let rivals = Rivals::build()?;
        let server = Rc::new(Server::start()?);
        let (jobs, small, databases) = ((cores * 4).min(16), OnceCell::new(), Cell::new(0));
        Ok(Self { server, jobs, tenants, many, is_quick, rivals, small, databases })
    }

    /// A name for a new database.
    fn database(&self) -> String {
        self.databases.set(self.databases.get() + 1);
        format!("fleet_{}", self.databases.get())
    }

    /// A copy of the default fleet.
    fn fleet(&self) -> Result<Fleet> {
        let small = if let Some(small) = self.small.get() {
            small
        } else {
            let made = Fleet::make(&self.server, "small", self.tenants)?;
            self.small.get_or_init(|| made)
        };
        small.copy(&self.database())
    }

    fn rounds(&self, usual: usize) -> usize {
        if self.is_quick { 3 } else { usual }
    }

    fn jobs_flag(&self) -> String {
        format!("--jobs={}", self.jobs)
    }

    /// Runs `tenure migrate up` on new steps and returns the duration of the command.
    fn up(&self, fleet: &mut Fleet, steps: u32) -> Result<Duration> {
        let steps = fleet.add_steps(steps)?;
        let elapsed = measure::succeed(&mut fleet.tenure(&["migrate", "up", &self.jobs_flag()]))?;
        fleet.check(&steps)?;
        Ok(elapsed)
    }
}

/// Rows 1 and 2.
fn against_the_direct_loop(bench: &Bench, number: u32, steps: u32, limit: Limit) -> Result<Vec<Row>> {
    let (mut ours, mut theirs) = (bench.fleet()?, bench.fleet()?);
    let mut tenure = || bench.up(&mut ours, steps);
    let mut direct = || {
        let steps: Vec<Step> = theirs.add_steps(steps)?;
        let elapsed = direct::migrate(&bench.server, &theirs.url(), bench.jobs, &steps)?;
        theirs.check(&steps)?;
        Ok(elapsed)
    };
    let [tenure, direct] = rotate(&bench.server, bench.rounds(7), Warm::Up, [&mut tenure, &mut direct])?;
    let steps = if steps == 1 { "one additive step".to_owned() } else { format!("{steps} additive steps") };
    Ok(vec![Row {
        number,
        what: format!("{steps}, {} tenants: `migrate up`", thousands(bench.tenants)),
        tenure: tenure.shown(),
        against: format!("direct loop: {}", direct.shown()),
        measured: tenure.over(&direct),
        unit: "×",
        limit,
    }])
}

/// Row 3.
fn provisioning(bench: &Bench) -> Result<Vec<Row>> {
    let (server, seeds) = (&bench.server, Path::new(env!("CARGO_MANIFEST_DIR")));
    let slugs: Vec<String> = (1..=bench.tenants).map(|number| format!("t{number:05}")).collect();
    let list = tempfile::NamedTempFile::new()?;
    std::fs::write(&list, format!("slug\n{}\n", slugs.join("\n")))?;
    server.create("platform", None)?;
    measure::succeed(&mut tenure(seeds, &server.url("platform"), &["migrate", "up", "--to", "1.0.0"]))?;
    let help = tenure(seeds, "", &["tenant", "create", "--help"]).output()?;
    let has_jobs = String::from_utf8_lossy(&help.stdout).contains("--jobs");
    let (flag, jobs) = if has_jobs { (Some(bench.jobs_flag()), bench.jobs) } else { (None, 1) };

    // Each turn has its own database, with the platform and no tenant.
    let turn = |make: &mut dyn FnMut(&str) -> Result<Duration>| {
        let database = bench.database();
        server.create(&database, Some("platform"))?;
        server.settle()?;
        let elapsed = make(&server.url(&database))?;
        let made = server.value(
            &database,
            "SELECT count(*)::text FROM datalinx_platform.tenant_version t JOIN datalinx_platform.organizations o \
             USING (schema_name) WHERE to_regclass(t.schema_name || '.idx_jobs_status') IS NOT NULL",
        )?;
        ensure!(made == slugs.len().to_string(), "{made} tenants of {}", slugs.len());
        Ok(elapsed)
    };
    let path = list.path().to_string_lossy();
    let words: Vec<&str> = ["tenant", "create", "--from", &path].into_iter().chain(flag.as_deref()).collect();
    let mut ours = || turn(&mut |url| measure::succeed(&mut tenure(seeds, url, &words)));
    let template = template(&seeds.join("tenant_templates/default"))?;
    let mut by_hand = || turn(&mut |url| direct::provision(server, url, jobs, &slugs, &template));
    let [ours, by_hand] = rotate(server, bench.rounds(5), Warm::Not, [&mut ours, &mut by_hand])?;
    Ok(vec![Row {
        number: 3,
        what: format!(
            "{} new tenants of the seeds' template: `tenant create --from`",
            thousands(bench.tenants)
        ),
        tenure: ours.shown(),
        against: format!("direct loop, {jobs} at once: {}", by_hand.shown()),
        measured: ours.over(&by_hand),
        unit: "×",
        limit: Limit::AtMost(1.1),
    }])
}

/// The template's files, concatenated in order.
fn template(folder: &Path) -> Result<String> {
    let mut paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let texts = paths.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(texts.concat())
}

/// Rows 4, 5 and 8.
fn many_tenants(bench: &Bench) -> Result<Vec<Row>> {
    let server = &bench.server;
    let mut large = Fleet::make(server, "large", bench.many)?;
    let mut small = bench.fleet()?;
    let (mut backend, mut peak) = (Backend::default(), 0);
    let mut on_large = || {
        let steps = large.add_steps(1)?;
        let watcher = Watcher::start(server, &large.database);
        let (elapsed, memory) = memory::watched(&mut large.tenure(&["migrate", "up", &bench.jobs_flag()]))?;
        let seen = watcher.stop()?;
        backend.resident = backend.resident.max(seen.resident);
        backend.private = backend.private.max(seen.private);
        peak = peak.max(memory);
        large.check(&steps)?;
        Ok(elapsed)
    };
    let mut on_small = || bench.up(&mut small, 1);
    let [on_large, on_small] = rotate(server, bench.rounds(3), Warm::Up, [&mut on_large, &mut on_small])?;
    let (tenants, many) = (thousands(bench.tenants), thousands(bench.many));
    let mut rows = vec![Row {
        number: 5,
        what: format!("a tenant's cost, {many} tenants against {tenants}"),
        tenure: format!("{many}: {}", on_large.shown()),
        against: format!("{tenants}: {}", on_small.shown()),
        measured: on_large.over(&on_small) * f64::from(bench.tenants) / f64::from(bench.many),
        unit: "×",
        limit: Limit::AtMost(1.3),
    }];
    for (what, memory) in [
        ("the server's largest backend, shared memory left out", backend.private),
        ("the server's largest backend, shared memory included", backend.resident),
        ("the program", peak),
    ] {
        rows.push(Row {
            number: 8,
            what: format!("memory during one step of {many} tenants: {what}"),
            tenure: String::new(),
            against: String::new(),
            measured: megabytes(memory),
            unit: "MB",
            limit: Limit::None,
        });
    }
    rows.extend(nothing_to_do(bench, &large)?);
    Ok(rows)
}

/// Row 4.
fn nothing_to_do(bench: &Bench, fleet: &Fleet) -> Result<Vec<Row>> {
    let words = ["migrate", "up"];
    let answer: serde_json::Value = serde_json::from_slice(&fleet.tenure(&words).output()?.stdout)?;
    ensure!(answer["outcome"] == "nothing", "something was to be done: {answer}");
    let mut peak = 0;
    let mut run = || {
        peak = peak.max(memory::watched(&mut fleet.tenure(&words))?.1);
        measure::succeed(&mut fleet.tenure(&words))
    };
    let run: Contender<'_> = &mut run;
    let [times] = rotate(&bench.server, bench.rounds(5), Warm::Up, [run])?;
    let what = format!("nothing to do, {} tenants: `migrate up`", thousands(bench.many));
    let row = |what, measured, unit, limit| Row {
        number: 4,
        what,
        tenure: String::new(),
        against: String::new(),
        measured,
        unit,
        limit,
    };
    let time = row(what.clone(), times.median() * 1e3, "ms", Limit::AtMost(150.0));
    let memory = row(format!("{what}: memory"), megabytes(peak), "MB", Limit::AtMost(60.0));
    Ok(vec![Row { tenure: times.shown(), ..time }, memory])
}

/// Row 6.
fn far_away(bench: &Bench) -> Result<Vec<Row>> {
    let folder = bench.server.folder();
    let (near, far) = (Proxy::start(&folder, Duration::ZERO)?, Proxy::start(&folder, ROUND_TRIP)?);
    let (mut here, mut there) = (bench.fleet()?, bench.fleet()?);
    let turn = |fleet: &mut Fleet, proxy: &Proxy| {
        let steps = fleet.add_steps(1)?;
        let url = proxy.url(&fleet.database);
        let elapsed = measure::succeed(&mut fleet.tenure_at(&url, &["migrate", "up", &bench.jobs_flag()]))?;
        fleet.check(&steps)?;
        Ok(elapsed)
    };
    let mut at_near = || turn(&mut here, &near);
    let mut at_far = || turn(&mut there, &far);
    let [at_near, at_far] = rotate(&bench.server, bench.rounds(7), Warm::Up, [&mut at_near, &mut at_far])?;
    let seen = bench.server.round_trip(&far.url(&there.database))?;
    ensure!(seen >= ROUND_TRIP, "a round trip took only {seen:?}");
    Ok(vec![Row {
        number: 6,
        what: format!(
            "one additive step, {} tenants {} ms away ({:.1} ms seen)",
            thousands(bench.tenants),
            ROUND_TRIP.as_millis(),
            seen.as_secs_f64() * 1e3
        ),
        tenure: at_far.shown(),
        against: format!("no delay: {}", at_near.shown()),
        measured: at_far.over(&at_near),
        unit: "×",
        limit: Limit::AtMost(2.0),
    }])
}

/// Row 7.
fn against_other_migrators(bench: &Bench) -> Result<Vec<Row>> {
    let (rivals, names) = (&bench.rivals, ["sqlx", "refinery"]);
    let mut ours = bench.fleet()?;
    let [mut first, mut second] = [bench.fleet()?, bench.fleet()?];
    // Create their tables and apply a first migration, so that each turn has one pending step.
    for (name, fleet) in names.iter().zip([&first, &second]) {
        rivals.run(name, &bench.server, fleet)?;
    }
    let turn = |name: &str, fleet: &mut Fleet| {
        let steps = fleet.add_steps(1)?;
        let elapsed = rivals.run(name, &bench.server, fleet)?;
        fleet.check_columns(&steps)?;
        Ok(elapsed)
    };
    let mut tenure = || bench.up(&mut ours, 1);
    let mut sqlx = || turn(names[0], &mut first);
    let mut refinery = || turn(names[1], &mut second);
    let contenders: [Contender<'_>; 3] = [&mut tenure, &mut sqlx, &mut refinery];
    let [tenure, sqlx, refinery] = rotate(&bench.server, bench.rounds(3), Warm::Up, contenders)?;
    let row = |(name, times): (&str, &measure::Times)| Row {
        number: 7,
        what: format!("one additive step, {} tenants, against {name}", thousands(bench.tenants)),
        tenure: tenure.shown(),
        against: format!("{name} in a loop: {}", times.shown()),
        measured: times.over(&tenure),
        unit: "× faster",
        limit: Limit::AtLeast(5.0),
    };
    Ok(names.into_iter().zip([&sqlx, &refinery]).map(row).collect())
}

fn megabytes(kilobytes: u64) -> f64 {
    // No process here uses more than 4 TB.
    u32::try_from(kilobytes).map_or(f64::INFINITY, f64::from) / 1024.0
}
