//! `tenant list` chooses and cuts into pages in the server; `tenant show` says what a tenant holds.

use serde_json::Value;

use crate::support::Project;

fn slugs(project: &Project, line: &str) -> (Vec<String>, Value) {
    let (code, list) = project.json(&format!("tenant list {line}"));
    assert_eq!(code, 0, "{list}");
    let of = |tenant: &Value| tenant["slug"].as_str().unwrap().to_owned();
    (list["tenants"].as_array().unwrap().iter().map(of).collect(), list["next"].clone())
}

#[test]
fn a_list_is_chosen_by_state_and_version() {
    let project = Project::with_tenants(&["a", "b", "c", "d"]);
    let _suspended = project.run("tenant suspend b").ok();
    let _dropped = project.run("tenant drop c --confirm c").ok();
    project.db.run(
        "INSERT INTO datalinx_platform.organizations (name, slug, schema_name) VALUES ('E', 'e', 'org_e')",
    );
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    let _one = project.run("migrate up --tenant a").ok();
    for (line, expected) in [
        ("", &["a", "b", "d", "e"][..]),
        ("--status active", &["a", "d"]),
        ("--status suspended --status active", &["a", "b", "d"]),
        ("--status unknown", &["e"]),
        ("--at 1.0.4", &["b", "d"]),
        ("--at 1.0.4 --status active", &["d"]),
        ("--at 9.9.9", &[]),
        ("--status pooled", &[]),
    ] {
        assert_eq!(slugs(&project, line).0, expected, "{line}");
    }
    let (_, dropped) = project.json("tenant list --status dropped");
    let dropped = &dropped["tenants"][0];
    assert_eq!((&dropped["former_slug"], &dropped["status"]), (&"c".into(), &"dropped".into()));
    assert_eq!(dropped["slug"], dropped["schema"]);
    assert!(dropped["dropped_at"].as_str().unwrap().starts_with("20"));
    assert_eq!(project.run("tenant list --status pooled").ok().stdout, "no such tenants\n");
    assert_eq!(project.run("tenant list --status gone").code, 2);
}

#[test]
fn a_schema_that_was_dropped_by_hand_is_shown() {
    let project = Project::with_tenants(&["a", "b"]);
    let _suspended = project.run("tenant suspend b").ok();
    project.db.run("DROP SCHEMA org_a CASCADE; ALTER SCHEMA org_b RENAME TO other");
    for line in ["tenant list", "status --tenants"] {
        assert_eq!(project.run(line).ok().stdout.matches("schema missing").count(), 2, "{line}");
    }
    assert_eq!(project.json("tenant list").1["tenants"][0]["schema_missing"], true);
    assert_eq!(project.json("status --tenants").1["list"][1]["schema_missing"], true);
    project.db.run("ALTER SCHEMA other RENAME TO org_b");
    assert!(project.json("tenant show b").1["tenant"].get("schema_missing").is_none());
    // Its rows can be removed.
    assert!(project.run("tenant show a").ok().stdout.contains("status    schema missing\n"));
    let _dropped = project.run("tenant drop a --confirm a").ok();
}

#[test]
fn pages_hold_every_tenant_once() {
    let project = Project::with_tenants(&[]);
    // An underscore sorts differently in languages than in bytes.
    let names = ["a", "a1", "a_b", "aa", "ab", "b", "b_1", "b1"];
    project.create(&names);
    let mut sorted = names.map(str::to_owned);
    sorted.sort();
    for size in [1, 3, 8] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let (page, next) = slugs(&project, &format!("--limit {size}{after}"));
            assert!(page.len() <= size);
            seen.extend(page);
            let Some(next) = next.as_str() else { break };
            // Who is gone meanwhile is no hindrance.
            after = format!(" --after {next}");
        }
        assert_eq!(seen, sorted, "{size}");
    }
    assert!(project.run("tenant list --limit 2").ok().stdout.ends_with("there are more: --after a1\n"));
    assert_eq!(project.run("tenant list --limit 0").code, 2);
}

#[test]
fn show_lists_sizes_and_rows() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run(
        "INSERT INTO org_acme.workspaces (name) SELECT repeat('x', 200) FROM generate_series(1, 500); \
         CREATE TABLE org_acme.parts (id int) PARTITION BY RANGE (id); \
         CREATE TABLE org_acme.part PARTITION OF org_acme.parts DEFAULT; INSERT INTO org_acme.parts VALUES (1), (2)",
    );
    let rows = |shown: &Value, name: &str| {
        let tables = shown["tables"].as_array().unwrap();
        tables.iter().find(|table| table["name"] == name).unwrap()["rows"].clone()
    };
    let (_, fresh) = project.json("tenant show acme");
    assert_eq!((rows(&fresh, "workspaces"), &fresh["counted"]), (Value::Null, &false.into()));
    project.db.run("ANALYZE org_acme.workspaces");
    let (_, shown) = project.json("tenant show acme");
    assert_eq!((rows(&shown, "workspaces"), rows(&shown, "parts")), (500.into(), Value::Null));
    let bytes = project.db.value(
        "SELECT sum(pg_total_relation_size(oid))::text FROM pg_class \
         WHERE relnamespace = 'org_acme'::regnamespace AND relkind = 'r'",
    );
    assert_eq!(shown["size_bytes"].to_string(), bytes);
    let (_, counted) = project.json("tenant show acme --count");
    assert_eq!((rows(&counted, "parts"), rows(&counted, "part")), (2.into(), 2.into()));
    assert_eq!((rows(&counted, "mappings"), &counted["counted"]), (0.into(), &true.into()));
    assert_eq!((&counted["version"], &counted["role"]), (&"1.0.4".into(), &Value::Null));
    assert_eq!(counted["history"].as_array().unwrap().len(), 2);

    let text = project.run("tenant show acme --count").ok().stdout;
    assert!(text.contains("workspaces     500 ") && text.contains(" KiB in 6 tables\n"), "{text}");
}

#[test]
fn show_checks_drift_only_on_request() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run("ALTER TABLE org_acme.workspaces ADD COLUMN odd int");
    let (_, shown) = project.json("tenant show acme");
    assert_eq!(shown["drift"], Value::Null);
    assert!(!project.dir.path().join(".tenure").exists());
    let (code, shown) = project.json("tenant show acme --drift");
    assert_eq!((code, &shown["drift"]["differences"][0]["change"]), (0, &"column added: odd integer".into()));
}

#[test]
fn a_name_does_nothing_to_the_terminal() {
    let project = Project::with_tenants(&[]);
    project.run_words(["tenant", "create", "acme", "--name", "a\n\u{1b}[31mb"]).passes();
    for line in ["tenant list", "tenant show acme"] {
        let shown = project.run(line).ok();
        assert!(shown.stdout.contains("a\\n\\u{1b}[31mb") && !shown.stdout.contains('\u{1b}'), "{shown}");
    }
    assert_eq!(project.json("tenant show acme").1["name"], "a\n\u{1b}[31mb");
}

#[test]
fn a_registry_row_without_a_schema_does_not_hide_tenants() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run(
        "ALTER TABLE datalinx_platform.organizations ALTER COLUMN schema_name DROP NOT NULL, ALTER COLUMN schema_name TYPE text, \
            ALTER COLUMN slug DROP NOT NULL; \
         INSERT INTO datalinx_platform.organizations (name, slug, schema_name) VALUES ('A', 'soon', NULL), ('B', 'blank', ''), \
            ('C', 'long', repeat('x', 64)), ('D', NULL, 'org_d')",
    );
    let (listed, _) = slugs(&project, "");
    assert_eq!(listed, ["acme", "org_d"]);
    assert_eq!(project.json("tenant list").1["without_schema"], 3);
    let said = "3 registry rows have no schema; `tenure tenant create --from-registry` creates them\n";
    assert!(project.run("tenant list").ok().stdout.ends_with(said));
    assert_eq!(project.json("status").1["tenants"]["unknown"], 4);
    for line in ["status --tenants", "drift", "tenant audit", "tenant list --limit 1"] {
        let output = project.run(line);
        // The platform was changed by hand.
        assert!(
            output.code == i32::from(line == "drift") && !output.stderr.contains("error"),
            "{line}: {output}"
        );
    }
    for line in ["tenant show soon", "tenant show long"] {
        let document = project.expect_error(line, "registry-invalid");
        let hint = document["error"]["hint"].as_str().unwrap();
        assert!(hint.contains("schema_name"), "{hint}");
    }
    project.run("tenant create blank").passes();
    assert_eq!(project.json("tenant list").1["without_schema"], 2);
}

#[test]
fn a_column_of_the_registry_that_is_not_there_is_the_settings_fault() {
    let project = Project::with_tenants(&["acme"]);
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    project.file("tenure.toml", "[tenants.columns]\nschema = \"schema_nam\"\n");
    for line in ["status", "migrate up", "tenant list"] {
        let (code, document) = project.json(line);
        let error = &document["error"];
        assert_eq!(
            (code, &error["code"], &error["sqlstate"]),
            (1, &"registry-invalid".into(), &"42703".into()),
            "{line}"
        );
        assert!(error["hint"].as_str().unwrap().contains("[tenants.columns]"), "{line}: {error}");
    }
}
