//! `tenure report --html`: one page about a fleet. What a browser makes of it is in `browser`.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Finish as _, Project};

/// A fleet at three versions, with failures of two causes and drift.
pub fn mixed_fleet(tenants: usize) -> Project {
    let project = Project::with_tenants(&[]);
    let slugs: Vec<String> = (0..tenants).map(|number| format!("tenant_{number:03}")).collect();
    project.create(&slugs.iter().map(String::as_str).collect::<Vec<_>>());
    let each = |condition: &str, statement: &str| {
        project.db.run(&format!(
            "DO $$ DECLARE s text; BEGIN FOR s IN SELECT schema_name FROM datalinx_platform.tenant_version \
             WHERE substr(schema_name, 12)::int % {condition} LOOP EXECUTE format('{statement}', s); END LOOP; END $$"
        ));
    };
    each("15 = 3", "ALTER TABLE %I.workspaces ADD COLUMN tier text");
    each("11 = 5", "ALTER TABLE %I.workspaces ADD COLUMN plan text");
    project.next_migration("ALTER TABLE workspaces ADD COLUMN tier text;");
    project.next_migration("ALTER TABLE workspaces ADD COLUMN plan text;");
    let output = project.run("migrate up --on-failure continue");
    assert_eq!(output.code, 4, "{output}");
    each("13 = 7", "DROP INDEX IF EXISTS %I.idx_sources_workspace");
    each("29 = 1", "ALTER TABLE %I.data_sources ADD COLUMN added_by_hand int");
    project.run("tenant suspend tenant_002").passes();
    project
}

fn page(project: &Project) -> String {
    std::fs::read_to_string(project.dir.path().join("report.html")).unwrap()
}

#[test]
fn the_page_shows_the_fleet_and_writes_nothing_else() {
    let project = mixed_fleet(40);
    let before = project.db.dump(&[]);
    let (code, document) = project.json("report --html report.html");
    let html = page(&project);
    assert_eq!(
        (code, &document["tenants"], &document["bytes"]),
        (0, &json!(40), &json!(html.len())),
        "{document}"
    );
    for text in [
        "v1.0.5_to_v1.0.6_next.sql",
        "tenant_039",
        "SQLSTATE <code>42701</code>",
        "column &quot;tier&quot;",
        "tenure drift",
        "The tenants were not compared",
        "Slowest tenants",
        "tenure migrate up",
        "<svg",
        "pending",
        " of 40",
        "partial",
    ] {
        assert!(html.contains(text), "{text}");
    }
    // Nothing is loaded from elsewhere.
    assert!(!html.contains("src=") && !html.contains("@import") && !html.contains("url("), "{html}");
    assert!(
        html.replace("http://www.w3.org/2000/svg", "")
            .find("http")
            .is_none_or(|at| html[at..].starts_with("http-equiv"))
    );
    assert!(
        project
            .run("report --drift --html report.html")
            .ok()
            .stdout
            .starts_with("wrote  report.html: 40 tenants")
    );
    let html = page(&project);
    assert!(html.contains("added_by_hand") && html.contains("40 tenants compared"), "{html}");
    assert_eq!(project.db.dump(&[]), before, "it wrote something");
    let mode = std::fs::metadata(project.dir.path().join("report.html")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "it names customers");
    let stdout = project.run("report --html -").ok().stdout;
    assert!(stdout.starts_with("<!DOCTYPE html>") && stdout.ends_with("</html>"), "{stdout}");
}

#[test]
fn empty_fleets_and_databases() {
    let project = Project::seeds();
    project.run("report --html report.html").passes();
    let html = page(&project);
    for text in [
        "There are no tenants",
        "No run is recorded",
        "No migration was run yet",
        "No tenant is held back",
        "<svg",
    ] {
        assert!(html.contains(text), "{text}: {html}");
    }
    let _migrated = project.run("migrate up").ok();
    project.run("report --html report.html").passes();
    let html = page(&project);
    assert!(
        html.contains("There are no tenants")
            && html.contains("tenure migrate up")
            && html.contains("applied"),
        "{html}"
    );
}

#[test]
fn a_role_that_can_only_read_can_report() {
    let project = Project::with_tenants(&["acme"]);
    let role = format!("reports_{}", project.db.name);
    project.db.run(&format!(
        "CREATE ROLE {role} LOGIN; ALTER ROLE {role} SET default_transaction_read_only = on; \
         GRANT USAGE ON SCHEMA datalinx_platform TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA datalinx_platform TO {role}"
    ));
    let output = project.run_env(&[("DATABASE_URL", &project.db.url_as(&role))], "report --html report.html");
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    output.passes();
    assert!(page(&project).contains("acme"));
}

#[test]
fn hostile_texts_stay_texts() {
    let project = Project::with_tenants(&["acme", "globex", "initech"]);
    let evil =
        "</span></style></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`&amp;\u{202e}";
    project.db.run(&format!(
        "UPDATE datalinx_platform.organizations SET slug = $${evil}$$, name = $${evil}$$ WHERE slug = 'acme'; \
         UPDATE datalinx_platform.organizations SET slug = $$x; rm -rf / #$$ WHERE slug = 'globex'; \
         UPDATE datalinx_platform.run SET command = $${evil}$$, started_by = $${evil}$$, outcome = $${evil}$$; \
         UPDATE datalinx_platform.migration_history SET name = $${evil}$$ WHERE kind = 'migrate' AND to_version = '1.0.4'; \
         UPDATE datalinx_platform.tenant_version SET version = '1.0.3' WHERE schema_name <> 'org_initech'; \
         INSERT INTO datalinx_platform.migration_failure \
             (schema_name, run_id, from_version, to_version, name, code, sqlstate, message, attempts, failed_at) \
         SELECT schema_name, gen_random_uuid(), '1.0.3', '1.0.4', $${evil}$$, $${evil}$$, '22000', $${evil}$$ || schema_name, 1, now() + '1 h' \
         FROM datalinx_platform.tenant_version"
    ));
    project.run("report --html report.html").passes();
    let html = page(&project);
    assert_eq!((html.matches("<script").count(), html.matches("</style>").count()), (1, 2), "{html}");
    assert!(
        html.contains("&lt;script&gt;alert(1)") && !html.contains("<img") && !html.contains('\u{202e}'),
        "{html}"
    );
    assert!(!html.contains("--tenant x; rm"), "a command that a shell would take apart");
    assert!(html.contains("script-src 'nonce-"), "{html}");
}

#[test]
fn an_error_leaves_no_file_and_an_earlier_one_stays() {
    let project = Project::seeds();
    let closed =
        [("DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/x"), ("TENURE_CONNECT_ATTEMPTS", "1")];
    let names = || {
        let entries = std::fs::read_dir(project.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    let before = names();
    let output = project.run_env(&closed, "report --html report.html --format json");
    assert!(
        output.code == 3
            && output.stdout.contains("server-unreachable")
            && !output.stdout.contains("hunter2"),
        "{output}"
    );
    assert_eq!(names(), before);
    project.file("report.html", "earlier");
    assert_eq!(project.run_env(&closed, "report --html report.html").code, 3);
    assert_eq!(page(&project), "earlier");
    for (line, code) in [
        ("report", "usage"),
        ("report --html nowhere/report.html", "io"),
        ("report --html migrations", "io"),
        ("report --html -", "usage"),
    ] {
        project.expect_error(line, code);
    }
    // A pipe is written, not replaced.
    let path = project.dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).finish().status.success());
    let reader = std::thread::spawn({
        let path = path.clone();
        move || std::fs::read_to_string(path).unwrap()
    });
    project.run("report --html pipe").passes();
    assert!(reader.join().unwrap().starts_with("<!DOCTYPE html>"));
    std::os::unix::fs::symlink("report.html", project.dir.path().join("link.html")).unwrap();
    project.run("report --html link.html").passes();
    assert!(page(&project).starts_with("<!DOCTYPE html>"), "a link keeps its place");
}

#[test]
fn ten_thousand_tenants_fit_on_a_page() {
    let project = Project::with_tenants(&[]);
    project.db.run(
        "INSERT INTO datalinx_platform.organizations (name, slug, schema_name) \
             SELECT 'Company ' || n, 'company_' || n, 'org_company_' || n FROM generate_series(1, 10000) n; \
         INSERT INTO datalinx_platform.tenant_version (schema_name, version, template) \
             SELECT 'org_company_' || n, CASE WHEN n % 10 = 0 THEN '1.0.3' ELSE '1.0.4' END, 'default' FROM generate_series(1, 10000) n; \
         INSERT INTO datalinx_platform.migration_failure (schema_name, run_id, from_version, to_version, name, code, message, attempts) \
             SELECT 'org_company_' || n, gen_random_uuid(), '1.0.3', '1.0.4', 'f.sql', 'unit-failed', 'column exists in org_company_' || n, 1 \
             FROM generate_series(10, 10000, 10) n; \
         INSERT INTO datalinx_platform.migration_history (run_id, schema_name, from_version, to_version, name, tool_version, duration_ms) \
             SELECT gen_random_uuid(), 'org_company_' || n, '1.0.' || v, '1.0.' || v + 1, 'v' || v, '0', (n * 7919) % 300 \
             FROM generate_series(1, 10000) n, generate_series(0, 3) v",
    );
    let began = Instant::now();
    let (code, document) = project.json("report --html report.html");
    let took = began.elapsed();
    assert_eq!((code, &document["tenants"]), (0, &json!(10_000)));
    // The program is not optimized here.
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(document["bytes"].as_u64().unwrap() <= 5 << 20, "{document}");
    assert!(page(&project).contains("1000 schemas"), "equal failures are one group");
}
