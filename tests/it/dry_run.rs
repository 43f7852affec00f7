//! `migrate up --branch local`: everything is done on a copy, told, and the copy is gone.

use serde_json::Value;

use crate::support::{Finish as _, Output, Project, Running, Session, wait_until};

/// A project whose tenants have rows, with one migration that is pending. The tests go to the server itself: a pooler's
/// sessions would keep it from copying.
struct Fixture {
    project: Project,
}

impl Fixture {
    fn with(tenants: &[&str], sql: &str) -> Self {
        let fixture = Self { project: Project::with_tenants(tenants) };
        for slug in tenants {
            fixture.project.db.run(&format!(
                "INSERT INTO org_{slug}.workspaces (name) SELECT 'w' || n FROM generate_series(1, 50) n"
            ));
        }
        fixture.pending(sql);
        fixture
    }

    fn pending(&self, sql: &str) {
        self.project.migration("1.0.4", "1.0.5", "pending", &format!("-- Scope: tenant\n{sql}"));
    }

    fn command(&self, line: &str) -> std::process::Command {
        let mut command = self.project.command(line.split_whitespace());
        command.env("DATABASE_URL", &self.project.db.url);
        command
    }

    fn run(&self, line: &str) -> Output {
        Output::of(&self.command(line).finish())
    }

    /// The exit code, the document, and what stood on stderr.
    #[track_caller]
    fn json(&self, more: &str) -> (i32, Value, String) {
        let output = self.run(&format!("migrate up --branch local --format json {more}"));
        let document =
            serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error} in {output}"));
        (output.code, document, output.stderr)
    }

    fn report(&self) -> String {
        std::fs::read_to_string(self.project.dir.path().join("report.md")).unwrap()
    }

    /// The databases that are copies of the test's.
    fn copies(&self) -> Vec<String> {
        self.project.db.column(&format!(
            "SELECT datname::text FROM pg_database \
             WHERE shobj_description(oid, 'pg_database') LIKE '%\"parent\":\"{}\"%' ORDER BY 1",
            self.project.db.name
        ))
    }

    /// What the server knows of writes to the database, and all that it holds.
    fn get_bool(&self) -> (String, String) {
        let db = &self.project.db;
        db.wait_for_silence();
        let elsewhere = crate::support::Database::fresh();
        let written = elsewhere.value(&format!(
            "SELECT concat_ws(' ', tup_inserted, tup_updated, tup_deleted) FROM pg_stat_database WHERE datname = '{}'",
            db.name
        ));
        (written, db.dump(&[]))
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for copy in self.copies() {
            self.project.db.run(&format!("DROP DATABASE \"{copy}\" WITH (FORCE)"));
        }
    }
}

/// The row of the statement that contains `words`.
#[track_caller]
fn statement<'d>(document: &'d Value, words: &str) -> &'d Value {
    let all = document["branch"]["statements"].as_array().unwrap();
    let found = all.iter().find(|row| row["statement"].as_str().unwrap().contains(words));
    found.unwrap_or_else(|| panic!("no {words}: {document:#}"))
}

#[test]
fn the_fleet_moves_on_a_copy_and_the_database_is_only_read() {
    let fixture = Fixture::with(
        &["a", "b"],
        "ALTER TABLE workspaces ADD COLUMN note text;\nSELECT pg_sleep(0.3);\n\
        CREATE TABLE {org_schema}.notes (id uuid PRIMARY KEY, author uuid REFERENCES datalinx_platform.users (id));",
    );
    let before = fixture.get_bool();
    let (code, document, stderr) = fixture.json("--report report.md");
    assert_eq!((code, &document["outcome"]), (0, &"done".into()), "{document:#} {stderr}");
    assert_eq!(fixture.get_bool(), before, "the database that was copied was written to");
    assert_eq!(fixture.project.versions(), "platform 1.0.4, a 1.0.4, b 1.0.4");
    assert!(fixture.copies().is_empty());
    let branch = &document["branch"];
    assert_eq!((&branch["provider"], &branch["deleted"]), (&"local".into(), &true.into()));
    assert!(branch.get("database_url").is_none());
    // Locks last from their statement to the COMMIT; the sleep between them tells one from the other.
    let added = statement(&document, "ADD COLUMN note");
    let table = &added["tables"][0];
    assert_eq!(
        (&table["schema"], &table["table"], &table["lock"]),
        (&"{org_schema}".into(), &"workspaces".into(), &"ACCESS EXCLUSIVE".into())
    );
    assert_eq!((&added["units"], &added["scope"]), (&2.into(), &"tenant".into()));
    let (held, took) = (table["held_ms"].as_f64().unwrap(), added["slowest_ms"].as_f64().unwrap());
    assert!(held > 300.0 && took < held - 250.0, "{held} {took}");
    let slept = statement(&document, "pg_sleep");
    assert!(
        slept["slowest_ms"].as_f64().unwrap() >= 300.0 && slept["tables"].as_array().unwrap().is_empty(),
        "{slept}"
    );
    let made = statement(&document, "CREATE TABLE");
    let shared = &made["tables"][0];
    assert_eq!(
        (&shared["schema"], &shared["table"], &shared["lock"]),
        (&"datalinx_platform".into(), &"users".into(), &"SHARE ROW EXCLUSIVE".into())
    );
    assert!(shared["held_ms"].as_f64().unwrap() < 300.0, "{shared}");
    assert_eq!(branch["slowest"].as_array().unwrap().len(), 2);
    let changes: Vec<_> = branch["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {}: {} {}", it["scope"], it["object"], it["change"], it["schemas"]))
        .collect();
    assert!(
        changes.contains(&"\"tenant\" \"table workspaces\": \"column added: note text\" 2".to_owned()),
        "{changes:?}"
    );
    let report = fixture.report();
    assert!(report.contains("ACCESS EXCLUSIVE on") && report.contains("slowest tenants"), "{report}");
    for text in [report, stderr, document.to_string()] {
        assert!(!text.contains("postgresql") && !text.contains("://"), "{text}");
    }
}

#[test]
fn rewrites_and_full_scans_are_reported() {
    let fixture = Fixture::with(
        &["a"],
        "ALTER TABLE workspaces ADD COLUMN n float8 DEFAULT random();\n\
        UPDATE workspaces SET n = 2 WHERE n < 1;",
    );
    let (code, document, stderr) = fixture.json("--report report.md");
    assert_eq!(code, 0, "{document:#} {stderr}");
    let line = &statement(&document, "random")["line"];
    let held = &statement(&document, "UPDATE")["held_since"];
    assert_eq!(
        (&held["table"], &held["lock"], &held["line"]),
        (&"workspaces".into(), &"ACCESS EXCLUSIVE".into(), line)
    );
    let told = format!("none new: ACCESS EXCLUSIVE on {{org_schema}}.workspaces is held since line {line}");
    assert!(fixture.report().contains(&told), "{}", fixture.report());
    assert!(statement(&document, "random").get("held_since").is_none());
    let altered = &statement(&document, "random")["tables"][0];
    assert_eq!((&altered["table"], &altered["rewritten"]), (&"workspaces".into(), &1.into()), "{altered}");
    // The lock is held already; what is read whole is told all the same.
    let updated = &statement(&document, "UPDATE")["tables"][0];
    assert_eq!((&updated["lock"], &updated["scanned"]), (&Value::Null, &true.into()), "{updated}");
}

#[test]
fn real_rows_that_do_not_fit_fail_there_and_the_copy_is_gone() {
    let fixture = Fixture::with(
        &["a", "b"],
        "ALTER TABLE workspaces ADD COLUMN note text;\nSELECT 1 / (51 - count(*)) FROM workspaces;",
    );
    fixture.project.db.run("INSERT INTO org_b.workspaces (name) VALUES ('one too many')");
    let before = fixture.get_bool();
    let (code, document, stderr) = fixture.json("--report report.md");
    assert_eq!((code, &document["outcome"]), (4, &"partial".into()), "{document:#} {stderr}");
    assert_eq!(
        (&document["failures"][0]["schema"], &document["failures"][0]["sqlstate"]),
        (&"org_b".into(), &"22012".into())
    );
    assert_eq!((fixture.get_bool(), fixture.copies()), (before, Vec::new()));
    let report = fixture.report();
    assert!(report.contains("only some migrations succeeded") && report.contains("`org_b`"), "{report}");
    assert!(!report.contains("postgresql") && !report.contains("://"), "{report}");
}

#[test]
fn a_denied_migration_is_not_run_and_the_copy_is_deleted() {
    let fixture = Fixture::with(&["a"], "ALTER TABLE workspaces DROP COLUMN name;");
    let (code, document, stderr) = fixture.json("--report report.md");
    assert_eq!((code, &document["error"]["code"]), (1, &"finding-denied".into()), "{stderr}");
    assert!(fixture.copies().is_empty());
    assert!(fixture.report().contains("drop-column"));
    // What a file holds of the way to a server stands in no report.
    fixture.pending(
        "ALTER TABLE workspaces ADD CHECK (name <> 'postgresql://u:hunter2@h/d'),\n\
         ADD CHECK (name <> 'host=h user=u password=hunter2');",
    );
    let (code, document, _) = fixture.json("--report report.md");
    assert_eq!((code, &document["error"]["code"]), (1, &"finding-denied".into()), "{document:#}");
    assert!(
        !fixture.report().contains("hunter2") && fixture.report().contains("password"),
        "{}",
        fixture.report()
    );
    for output in ["markdown", "github"] {
        let said = fixture.run(&format!("verify --output {output}")).stdout;
        assert!(!said.contains("hunter2") && said.contains("password"), "{output}: {said}");
    }
}

#[test]
fn statements_that_leave_the_copy_are_not_run() {
    let fixture = Fixture::with(&["a"], "ALTER TABLE workspaces ADD COLUMN note text;");
    let (name, role) = (fixture.project.db.name.clone(), format!("{}_app", fixture.project.db.name));
    let file =
        std::env::temp_dir().join(format!("tenure_{}_{name}", std::process::id())).display().to_string();
    for sql in [
        format!("CREATE ROLE {role}"),
        format!("GRANT CONNECT ON DATABASE {name} TO PUBLIC"),
        format!("ALTER DATABASE {name} SET work_mem = '5MB'"),
        format!("COPY users TO PROGRAM 'cat >{file}'"),
        format!("COPY (SELECT 1) TO '{file}'"),
        "CREATE EXTENSION file_fdw".to_owned(),
        "CREATE EXTENSION IF NOT EXISTS dblink SCHEMA public".to_owned(),
        "CREATE EXTENSION plpython3u".to_owned(),
        "CREATE FUNCTION outside() RETURNS text LANGUAGE plperlu AS 'return `id`'".to_owned(),
        "CREATE SERVER far FOREIGN DATA WRAPPER file_fdw".to_owned(),
        format!("SELECT lo_export(1, '{file}')"),
        "DO $$ BEGIN PERFORM pg_read_file('/etc/passwd'); END $$".to_owned(),
        // Code that behaves on a shadow, and not on the server.
        format!(
            "DO $$ BEGIN IF current_user <> 'tenure_sha' || 'dow' THEN EXECUTE 'COPY (SELECT 1) TO PRO' || 'GRAM ''cat >{file}'''; \
             END IF; ALTER TABLE workspaces ADD COLUMN hidden text; END $$"
        ),
        // Code that hides what it does is refused by the shadow, and its acceptance does not let it run here.
        format!(
            "-- Allow: opaque-code because x\n-- Allow: not-observed because x\n\
             DO $$ BEGIN EXECUTE 'COPY (SELECT 1) TO PRO' || 'GRAM ''cat >{file}'''; END $$"
        ),
    ] {
        fixture.pending(&format!("ALTER TABLE workspaces ADD COLUMN note text;\n{sql};"));
        let before = fixture.get_bool();
        let (code, document, stderr) = fixture.json("--report report.md");
        let error = &document["error"];
        assert_eq!((code, &error["code"]), (1, &"branch-refused".into()), "{sql}: {document:#} {stderr}");
        assert!(error["file"].as_str().unwrap().contains("1.0.5"), "{error}");
        assert_eq!(error["line"], if sql.starts_with("--") { 7 } else { 5 }, "{error}");
        assert!(error["hint"].as_str().unwrap().contains("--branch neon"), "{error}");
        assert_eq!((fixture.get_bool(), fixture.copies()), (before, Vec::new()), "{sql}");
        assert!(!std::path::Path::new(&file).exists(), "{sql}");
    }
    let server = format!(
        "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = '{role}') + (SELECT count(*) FROM pg_db_role_setting \
         s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = '{name}')"
    );
    assert_eq!(fixture.project.db.value(&format!("SELECT ({server})::text")), "0");
}

#[test]
fn a_copy_that_is_kept_is_shown_and_only_then() {
    let fixture = Fixture::with(&["a"], "ALTER TABLE workspaces ADD COLUMN note text;");
    let output = fixture.run("migrate up --branch local --keep-branch --report report.md").ok();
    let url = output.stdout.lines().last().unwrap();
    let mut session = Session::open(url);
    assert_eq!(session.value("SELECT version FROM datalinx_platform.tenant_version"), "1.0.5");
    assert_eq!(session.value("SELECT count(note)::text || count(*)::text FROM org_a.workspaces"), "050");
    assert!(!output.stderr.contains("://") && !fixture.report().contains("://"));
    // Of what is done too, whatever way to say it.
    fixture.pending("COMMENT ON TABLE workspaces IS 'host=h password=hunter2';");
    fixture.run("migrate up --branch local --report report.md").passes();
    assert!(!fixture.report().contains("hunter2"), "{}", fixture.report());
    assert_eq!(fixture.copies().len(), 1);
    let list: Value =
        serde_json::from_str(&fixture.run("branch list --provider local --format json").ok().stdout).unwrap();
    let name = list["branches"][0]["name"].as_str().unwrap();
    fixture.run(&format!("branch delete {name} --provider local")).passes();
    assert!(fixture.copies().is_empty());
}

/// Starts a dry run, and waits until its migration sleeps.
fn asleep(fixture: &Fixture) -> Running {
    let running = Running::spawn(fixture.command("migrate up --branch local"));
    let sleeps = "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = ";
    wait_until("the migration to sleep", || {
        fixture
            .copies()
            .first()
            .is_some_and(|copy| fixture.project.db.value(&format!("{sleeps}'{copy}'")) == "1")
    });
    running
}

/// Sleeps only where there are many rows, which the sample of a shadow has not.
const LONG: &str = "SELECT pg_sleep(CASE WHEN (SELECT count(*) FROM workspaces) > 40 THEN 60 ELSE 0 END);\n\
    ALTER TABLE workspaces ADD COLUMN note text;";

#[test]
fn an_interrupted_dry_run_takes_its_copy_with_it() {
    let fixture = Fixture::with(&["a"], LONG);
    let running = asleep(&fixture);
    running.signal("INT");
    let output = running.end();
    assert_eq!(output.code, 130, "{output}");
    assert!(output.stderr.contains("was deleted"), "{output}");
    assert!(fixture.copies().is_empty());
}

#[test]
fn a_killed_dry_run_leaves_a_copy_that_comes_to_its_end() {
    let fixture = Fixture::with(&["a"], LONG);
    let running = asleep(&fixture);
    running.signal("KILL");
    assert_eq!(running.end().code, -1);
    let copies = fixture.copies();
    assert_eq!(copies.len(), 1);
    // Not before its end; then, though it is young.
    let gc = "branch gc --provider local --prefix tenure/ --older-than 1d";
    fixture.run(gc).passes();
    assert_eq!(fixture.copies(), copies);
    let db = &fixture.project.db;
    db.run(&format!(
        "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS %L', '{0}', (shobj_description(\
         (SELECT oid FROM pg_database WHERE datname = '{0}'), 'pg_database')::jsonb || '{{\"expires_at\":\"2026-01-01T00:00:00Z\"}}')::text); END $$",
        copies[0]
    ));
    fixture.run(gc).passes();
    assert!(fixture.copies().is_empty());
}

#[test]
fn the_queries_of_the_release_are_asked_there() {
    let fixture = Fixture::with(
        &["a"],
        "-- Allow: drop-column workspaces.name because the story wants it gone\n-- Allow: query-breaks because so\n\
        ALTER TABLE workspaces DROP COLUMN name;",
    );
    fixture.project.file(
        "queries/q.sql",
        "-- name: Named :many\nSELECT id, name FROM workspaces;\nSELECT id FROM workspaces;\n",
    );
    let (code, document, stderr) = fixture.json("--queries queries");
    assert_eq!(code, 0, "{document:#} {stderr}");
    let queries = &document["branch"]["queries"];
    assert_eq!((&queries["asked"], &queries["unchecked"]), (&2.into(), &0.into()), "{queries}");
    assert_eq!(queries["broken"].as_array().unwrap().len(), 1);
    assert!(
        queries["broken"][0]["query"].as_str().unwrap().contains("Named")
            && queries["broken"][0]["kind"] == "fails",
        "{queries}"
    );
}

#[test]
fn queries_that_break_on_real_rows_alone_are_a_failure_unless_they_are_accepted() {
    let sql = "-- Allow: opaque-code because the release knows both names\nDO $$ BEGIN IF (SELECT count(*) FROM workspaces) > 40 THEN \
        EXECUTE 'ALTER TABLE workspaces RENAME COLUMN name TO title'; END IF; END $$;";
    let fixture = Fixture::with(&["a"], sql);
    fixture.project.file("queries/q.sql", "-- name: Named :many\nSELECT id, name FROM workspaces;\n");
    let (code, document, stderr) = fixture.json("--queries queries --report report.md");
    assert_eq!((code, &document["outcome"]), (1, &"done".into()), "{document:#} {stderr}");
    let broken = &document["branch"]["queries"]["broken"][0];
    assert_eq!((&broken["kind"], &broken["allowed"]), (&"fails".into(), &false.into()), "{document:#}");
    assert!(fixture.report().contains("**failed**"), "{}", fixture.report());
    for (words, code, allowed) in [("Other", 1, false), ("Named", 0, true), ("", 0, true)] {
        fixture.pending(&format!("-- Allow: query-breaks {words} because the story knows\n{sql}"));
        let (exit, document, stderr) = fixture.json("--queries queries");
        assert_eq!(exit, code, "{words}: {document:#} {stderr}");
        assert_eq!(document["branch"]["queries"]["broken"][0]["allowed"], allowed, "{words}");
    }
    // A line accepts one of them, as in verification.
    fixture.project.file("queries/more.sql", "-- name: Second :many\nSELECT name FROM workspaces;\n");
    let (exit, document, _) = fixture.json("--queries queries");
    let broken = document["branch"]["queries"]["broken"].as_array().unwrap();
    assert_eq!((exit, broken.len()), (1, 2), "{document:#}");
    assert_eq!(broken.iter().filter(|broken| broken["allowed"] == true).count(), 1, "{document:#}");
}

#[test]
fn reports_contain_no_row_data() {
    for sql in [
        "CREATE UNIQUE INDEX one_name ON workspaces (left(name, 5));",
        "ALTER TABLE workspaces ALTER COLUMN name TYPE int USING name::int;",
    ] {
        let fixture = Fixture::with(&["a"], "ALTER TABLE workspaces ADD COLUMN note text;");
        fixture.project.db.run("INSERT INTO org_a.workspaces (name) VALUES ('alice@x.org'), ('alice@y.org')");
        fixture.pending(&format!(
            "-- Allow: add-unique because so\n-- Allow: index-locks-writes because so\n-- Allow: change-column-type because so\n{sql}"
        ));
        let (_, document, stderr) = fixture.json("--report report.md");
        let (failed, report) = (&document["failures"][0], fixture.report());
        assert!(failed["message"].as_str().is_some_and(|it| it.contains('…')), "{document:#} {stderr}");
        assert!(!document.to_string().contains("alice"), "{document:#}");
        assert!(!report.contains("alice") && !report.contains("w1"), "{report}");
        assert!(report.contains("SQLSTATE") && report.contains("1.0.5"), "{report}");
    }
}

#[test]
fn non_transactional_statements_are_timed() {
    let fixture = Fixture::with(&["a"], "CREATE INDEX CONCURRENTLY notes ON workspaces (name);");
    let (code, document, stderr) = fixture.json("");
    assert_eq!(code, 0, "{document:#} {stderr}");
    let made = statement(&document, "CONCURRENTLY");
    assert!(made["alone"] == true && made["duration_ms"].as_f64().unwrap() > 0.0, "{made}");
}

#[test]
fn flags_that_make_no_sense_are_refused_before_anything_is_made() {
    let fixture = Fixture::with(&["a"], "ALTER TABLE workspaces ADD COLUMN note text;");
    for wrong in [
        "migrate up --keep-branch",
        "migrate up --report x",
        "migrate up --branch local --plan",
        "migrate up --branch moon",
        "migrate up --branch local --queries nowhere",
        "migrate up --branch local --report no/such/folder",
    ] {
        let output = fixture.run(wrong);
        assert_eq!(output.code, 2, "{wrong}: {output}");
    }
    assert!(fixture.copies().is_empty());
}
