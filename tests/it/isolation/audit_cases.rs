//! Holes between tenants, planted and exploited, and objects that only look like holes: the audit reports all of the former and none
//! of the latter. The cases are in `audit_cases/`; docs/audit.md lists the holes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tokio::runtime::Builder;

use super::{lines, with_roles};
use crate::support::{OwnServer, Project, Session, within};

const HOLES: &str = include_str!("audit_cases/holes.sql");
const HARMLESS: &str = include_str!("audit_cases/harmless.sql");

/// One case of a file.
#[derive(Debug, Default)]
struct Case {
    kind: String,
    name: String,
    /// The first major version that has it.
    from: u32,
    plant: String,
    undo: String,
    /// Run by the tenant one.
    exploit: Option<String>,
    /// Is true after the exploit.
    then: Option<String>,
    /// Run by the tenant one in a session that stays open.
    as_one: Option<String>,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut kind = String::new();
    let mut is_undo = false;
    for line in text.lines() {
        let field = line.strip_prefix("-- ").and_then(|rest| rest.split_once(':'));
        let value = |value: &str| value.trim().to_owned();
        match (field, cases.last_mut()) {
            (Some(("Kind", name)), _) => kind = value(name),
            (Some(("Hole" | "Harmless", name)), _) => {
                is_undo = false;
                cases.push(Case { kind: kind.clone(), name: value(name), ..Case::default() });
            }
            (Some(("From", version)), Some(case)) => case.from = value(version).parse().unwrap(),
            (Some(("Exploit", sql)), Some(case)) => case.exploit = Some(value(sql)),
            (Some(("Then", sql)), Some(case)) => case.then = Some(value(sql)),
            (Some(("As one", sql)), Some(case)) => case.as_one = Some(value(sql)),
            (Some(("Undo", _)), Some(_)) => is_undo = true,
            (_, Some(case)) if !line.starts_with("--") => {
                let part = if is_undo { &mut case.undo } else { &mut case.plant };
                part.push_str(line);
                part.push('\n');
            }
            _ => {}
        }
    }
    cases
}

/// The table of the holes, for docs/audit.md.
pub fn table() -> String {
    let mut text = String::from("| kind | hole | exploited in the test |\n| --- | --- | --- |\n");
    for case in cases(HOLES) {
        let exploited = if case.exploit.is_some() { "yes" } else { "" };
        let _ = writeln!(text, "| {} | {} | {exploited} |", case.kind, case.name);
    }
    text
}

/// A fleet of three tenants on a server of its own, since some cases change what all databases share.
struct Audited {
    project: Project,
    _server: OwnServer,
}

impl Audited {
    fn new() -> Self {
        let server = OwnServer::start(&[]);
        let project = Project::seeds_in(server.database("audited"));
        with_roles(&project);
        project.next_migration(&format!("-- Scope: platform\n{}", include_str!("audit_cases/shared.sql")));
        project.run("migrate up").passes();
        let uses = ["users", "own_notes", "shared_notes", "whoami"]
            .map(|table| format!("-- Uses: {table} (select)\n"));
        project.file("tenant_templates/default/005_uses.sql", uses.concat());
        project.create(&["one", "two", "three"]);
        let audited = Self { project, _server: server };
        audited.run("ALTER ROLE {one} LOGIN; ALTER ROLE {two} LOGIN; ALTER ROLE {three} LOGIN").unwrap();
        audited.run(include_str!("audit_cases/setup.sql")).unwrap();
        assert_eq!(audited.findings(), Vec::<String>::new());
        audited
    }

    fn named(&self, sql: &str) -> String {
        let db = &self.project.db.name;
        let role = |tenant: &str| format!("{db}_org_{tenant}");
        sql.replace("{one}", &role("one"))
            .replace("{two}", &role("two"))
            .replace("{three}", &role("three"))
            .replace("{p}", "x_")
            .replace("{db}", db)
    }

    fn run(&self, sql: &str) -> Result<(), String> {
        self.project.db.try_run(&self.named(sql))
    }

    fn findings(&self) -> Vec<String> {
        lines(&self.project.json("tenant audit").1)
    }

    /// What the tenant one sees: the rows, or the error.
    fn exploit(&self, sql: &str) -> String {
        let url = self.project.db.url_as(&self.named("{one}"));
        let sql = self.named(sql);
        let text = |row: &PgRow| row.get_unchecked::<Option<String>, _>(0).unwrap_or_default();
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let mut connection = within(&sql, PgConnection::connect(&url)).await.unwrap();
            let rows =
                within(&sql, sqlx::raw_sql(AssertSqlSafe(sql.clone())).fetch_all(&mut connection)).await;
            match rows {
                Ok(rows) => rows.iter().map(text).collect::<Vec<_>>().join("\n"),
                Err(error) => error.to_string(),
            }
        })
    }

    /// Whether the exploit of a hole had success.
    fn is_exploited(&self, case: &Case) -> Result<(), String> {
        let Some(exploit) = &case.exploit else { return Ok(()) };
        let seen = self.exploit(exploit);
        let is_true = match &case.then {
            Some(query) => self.project.db.value(&format!("SELECT ({})::text", self.named(query))) == "true",
            None => seen.contains("secret"),
        };
        if is_true { Ok(()) } else { Err(format!("the exploit did nothing: {seen}")) }
    }

    /// Plants each case and returns those that went wrong.
    fn wrong(&self, cases: &[Case], judge: impl Fn(&Case, &[String]) -> Result<(), String>) -> Vec<String> {
        let major = self.project.db.major();
        let mut wrong = Vec::new();
        let cases: Vec<_> = cases.iter().filter(|case| case.from <= major).collect();
        for (at, case) in cases.iter().enumerate() {
            let mut note = |result: Result<(), String>| {
                if let Err(why) = result {
                    wrong.push(format!("{}: {}: {why}", case.kind, case.name));
                }
            };
            note(self.run(&case.plant));
            let session = case.as_one.as_ref().map(|sql| {
                let mut session = Session::open(&self.project.db.url_as(&self.named("{one}")));
                session.run(&self.named(sql));
                session
            });
            note(judge(case, &self.findings()));
            drop(session);
            note(self.is_exploited(case));
            note(self.run(&case.undo));
            // An audit for each kind is enough to see that nothing is left.
            if cases.get(at + 1).is_none_or(|next| next.kind != case.kind) {
                let left = self.findings();
                note(if left.is_empty() { Ok(()) } else { Err(format!("undone, but found: {left:?}")) });
            }
        }
        wrong
    }
}

#[test]
fn every_hole_is_found_and_half_of_them_are_exploited() {
    let holes = cases(HOLES);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for hole in &holes {
        *kinds.entry(&hole.kind).or_default() += 1;
    }
    assert!(holes.len() >= 100 && kinds.len() >= 40 && kinds.values().all(|count| *count <= 4), "{kinds:?}");
    assert!(holes.iter().filter(|hole| hole.exploit.is_some()).count() * 2 >= holes.len());
    let audited = Audited::new();
    let wrong =
        audited.wrong(&holes, |_, found| if found.is_empty() { Err("missed".to_owned()) } else { Ok(()) });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_harmless_is_reported() {
    let harmless = cases(HARMLESS);
    assert!(harmless.len() >= 40);
    let audited = Audited::new();
    let judge = |_: &Case, found: &[String]| {
        if found.is_empty() { Ok(()) } else { Err(format!("reported: {found:?}")) }
    };
    let wrong = audited.wrong(&harmless, judge);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
