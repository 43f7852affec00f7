//! `tenure diagram`: the tables of the files or of a database as SVG, Mermaid and Graphviz.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use quick_xml::events::Event;
use serde_json::{Value, json};

use crate::support::Project;

/// Whether every element of the document is closed, and its texts.
fn texts(svg: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(svg);
    reader.config_mut().check_end_names = true;
    let (mut depth, mut texts) = (0, Vec::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Text(text) => texts.push((*text).to_owned()),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    texts
}

fn table<'a>(document: &'a Value, name: &str) -> &'a Value {
    let clusters = document["clusters"].as_array().unwrap().iter();
    let mut tables = clusters.flat_map(|cluster| cluster["tables"].as_array().unwrap());
    tables.find(|table| table["name"] == name).unwrap_or_else(|| panic!("{name} in {document}"))
}

#[test]
fn the_seeds_are_drawn_from_files_without_a_database() {
    let project = Project::seeds();
    let run =
        |line: &str| project.run_env(&[("DATABASE_URL", "postgresql://me@127.0.0.1:1/x")], line).ok().stdout;
    let svg = run("diagram");
    let found = texts(&svg);
    for name in [
        "organizations",
        "users",
        "service_accounts",
        "workspaces",
        "data_sources",
        "varchar(255)",
        "uuid",
        "PK",
        "FK",
    ] {
        assert!(found.iter().any(|text| text == name), "{name}: {found:?}");
    }
    assert!(svg.contains("prefers-color-scheme:dark") && !svg.contains("migration_history"), "{svg}");
    assert_eq!(svg, run("diagram --output svg --from files"), "it is always the same");
    let mermaid = run("diagram --output mermaid");
    assert!(
        mermaid.starts_with("erDiagram\n")
            && mermaid.contains("platform_users[\"datalinx_platform.users\"] {"),
        "{mermaid}"
    );
    assert!(mermaid.contains("        uuid id PK\n"), "{mermaid}");
    assert!(
        mermaid.contains("platform_organizations |o--o{ platform_users : \"organization_id\""),
        "{mermaid}"
    );
    assert!(mermaid.contains("platform_organizations ||--o{ platform_service_accounts"), "{mermaid}");
    let dot = run("diagram --output dot");
    assert!(
        dot.starts_with("digraph") && dot.contains("arrowtail=crowodot") && dot.ends_with("}\n"),
        "{dot}"
    );
}

#[test]
fn files_and_database_give_the_same_tables() {
    let project = Project::with_tenants(&["acme", "globex"]);
    let before = project.db.dump(&[]);
    let (_, mut files) = project.json("diagram");
    for line in ["diagram --from database --tenant acme", "diagram --tenant globex"] {
        let (code, mut database) = project.json(line);
        assert_eq!(code, 0, "{database}");
        for document in [&mut files, &mut database] {
            // A unique index and a unique constraint may be named in another order.
            document["references"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
        }
        assert_eq!(files["clusters"], database["clusters"], "{line}");
        assert_eq!(files["references"], database["references"], "{line}");
    }
    assert_eq!(
        table(&files, "users")["columns"][2],
        json!({"name": "email", "type": "varchar(255)", "not_null": true, "primary": false, "keys": ["UK"]})
    );
    assert_eq!(project.db.dump(&[]), before, "it wrote something");
    project.db.run("CREATE TABLE org_acme.extra (id int PRIMARY KEY)");
    let (_, database) = project.json("diagram --tenant acme");
    assert_eq!(table(&database, "extra")["columns"][0]["type"], "int4");
}

#[test]
fn a_role_without_rights_on_tables_can_draw_a_database() {
    let project = Project::with_tenants(&["acme"]);
    let role = format!("draws_{}", project.db.name);
    project.db.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA datalinx_platform TO {role}; \
         GRANT SELECT ON ALL TABLES IN SCHEMA datalinx_platform TO {role}"
    ));
    let output = project.run_env(&[("DATABASE_URL", &project.db.url_as(&role))], "diagram --from database");
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    assert!(output.clone().ok().stdout.contains("workspaces"), "{output}");
}

#[test]
fn keys_references_and_partitions() {
    let project = Project::seeds();
    project.without_rules();
    project.next_migration(
        "-- Scope: tenant\n\
         CREATE TABLE one (id bigint PRIMARY KEY, parent bigint REFERENCES one (id), workspace_id uuid NOT NULL UNIQUE REFERENCES workspaces (id),\n\
             org uuid REFERENCES datalinx_platform.organizations (id), tags text[] NOT NULL, price numeric(10, 2));\n\
         CREATE TABLE two (a bigint, b int, PRIMARY KEY (a, b), FOREIGN KEY (a) REFERENCES one (id) ON DELETE CASCADE);\n\
         CREATE TABLE events (at date NOT NULL) PARTITION BY RANGE (at);\n\
         CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');\n\
         CREATE TABLE gone (id int); DROP TABLE gone; ALTER TABLE two RENAME COLUMN b TO c;",
    );
    let (_, document) = project.json("diagram --output mermaid");
    let text = document["text"].as_str().unwrap();
    for line in [
        "tenant_one |o--o{ tenant_one : \"parent\"",
        "tenant_workspaces ||--o| tenant_one : \"workspace_id\"",
        "platform_organizations |o--o{ tenant_one : \"org\"",
        "tenant_one ||--o{ tenant_two : \"a\"",
        "        int8 a PK, FK",
        "        int4 c PK",
        "        numeric(10_2) price",
        "        text[] tags",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("events_1") && !text.contains("gone"), "{text}");
    assert_eq!(table(&document, "events")["partitions"], 1);
    assert!(texts(&project.run("diagram").ok().stdout).iter().any(|text| text == "events (1 partition)"));
}

#[test]
fn hostile_names_stay_texts() {
    let project = Project::seeds();
    project.without_rules();
    project.next_migration(
        "-- Scope: tenant\nCREATE TABLE \"<script>alert(1)</script>\" (\"a\"\"b & ]]> é\" int PRIMARY KEY, \"x\u{202e}y\" text);\n\
         CREATE TABLE \"my table\" (id int PRIMARY KEY, r int REFERENCES \"<script>alert(1)</script>\" (\"a\"\"b & ]]> é\"));\n\
         CREATE TABLE \"my-table\" (id int REFERENCES \"my table\" (id));",
    );
    let svg = project.run("diagram").ok().stdout;
    assert!(!svg.contains("<script") && !svg.contains('\u{202e}'), "{svg}");
    assert!(texts(&svg).iter().any(|text| text.contains("alert")), "{svg}");
    let mermaid = project.run("diagram --output mermaid").ok().stdout;
    let ids: Vec<&str> = mermaid
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.split_once('[').map(|(id, _)| id))
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    assert!(
        mermaid.contains("tenant_my_table ||--o{") || mermaid.contains("tenant_my_table |o--o{"),
        "{mermaid}"
    );
    for line in mermaid.lines().filter(|line| line.contains("alert") && line.contains('[')) {
        assert_eq!(line.matches('"').count(), 2, "{line}");
    }
    let dot = project.run("diagram --output dot").ok().stdout;
    assert!(!dot.contains("<script"), "{dot}");
}

#[test]
fn empty_projects_databases_and_bad_arguments() {
    let project = Project::seeds();
    project.expect_error("diagram --from database", "diagram-empty");
    project.expect_error("diagram --from database --tenant nobody", "tenant-unknown");
    project.expect_error("diagram --from files --tenant acme", "usage");
    project.expect_error("diagram --tenant Acme;", "slug-invalid");
    project.expect_error("diagram --output png", "usage");
    let empty = Project::empty();
    empty.expect_error("diagram", "no-project");
    empty.file("tenure.toml", "");
    empty.expect_error("diagram", "no-migrations");
    empty.migration("0.0.0", "1.0.0", "nothing", "-- Scope: platform\nSELECT 1;");
    let document = empty.expect_error("diagram", "diagram-empty");
    assert!(document["error"]["hint"].is_string(), "{document}");
    let output = project.run_env(
        &[("DATABASE_URL", "postgresql://me@127.0.0.1:1/x"), ("TENURE_CONNECT_ATTEMPTS", "1")],
        "diagram --from database",
    );
    assert_eq!((output.code, output.stdout.as_str()), (3, ""), "{output}");
    // Without tenants, the platform is drawn.
    let _migrated = project.run("migrate up").ok();
    assert!(project.run("diagram --from database").ok().stdout.contains("users"));
}

#[test]
fn two_hundred_tables_take_a_second() {
    let project = Project::seeds();
    project.without_rules();
    let table = |at: usize| {
        let columns: Vec<_> =
            (0..at % 12).map(|column| format!(", column_{column} varchar(100) NOT NULL")).collect();
        let columns = columns.concat();
        let reference = |to: usize| format!(", ref_{to} bigint REFERENCES table_{to} (id)");
        let references: String = if at == 0 {
            String::new()
        } else {
            [at / 2, at / 5].into_iter().collect::<BTreeSet<_>>().into_iter().map(reference).collect()
        };
        format!("CREATE TABLE table_{at} (id bigint PRIMARY KEY{columns}{references});\n")
    };
    project.next_migration(&format!("-- Scope: tenant\n{}", (0..200).map(table).collect::<String>()));
    let began = Instant::now();
    let svg = project.run("diagram").ok().stdout;
    // The program is not optimized here.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(texts(&svg).iter().filter(|text| text.starts_with("table_")).count() / 2, 200);
}

#[test]
fn a_reference_between_odd_names_is_drawn() {
    let project = Project::seeds();
    let tables = "CREATE TABLE {org_schema}.\"a'b\" (id int PRIMARY KEY);\n\
                  CREATE TABLE {org_schema}.\"c\"\"d\" (\"x'y\" int REFERENCES {org_schema}.\"a'b\" (id));\n\
                  CREATE TABLE {org_schema}.\"e f\" (r int REFERENCES {org_schema}.\"c\"\"d\" (\"x'y\"), UNIQUE (r));\n\
                  ALTER TABLE {org_schema}.\"c\"\"d\" ADD UNIQUE (\"x'y\");\n";
    // The key of the third table needs the unique column.
    let lines: Vec<&str> = tables.lines().collect();
    let sorted = [lines[0], lines[1], lines[3], lines[2]].join("\n");
    project.file("tenant_templates/default/900_odd.sql", sorted);
    let references = |line: &str| {
        let (code, document) = project.json(line);
        assert_eq!(code, 0, "{document}");
        let clusters = document["clusters"].as_array().unwrap();
        let index = |reference: &Value, end: &str| {
            let at = |part: usize| usize::try_from(reference[end][part].as_u64().unwrap()).unwrap();
            clusters[at(0)]["tables"][at(1)]["name"].as_str().unwrap().to_owned()
        };
        let all = document["references"].as_array().unwrap().iter();
        all.map(|reference| (index(reference, "from"), index(reference, "to"))).collect::<BTreeSet<_>>()
    };
    let expected = [("c\"d", "a'b"), ("e f", "c\"d")].map(|(from, to)| (from.to_owned(), to.to_owned()));
    let of_files = references("diagram");
    assert!(expected.iter().all(|edge| of_files.contains(edge)), "{of_files:?}");
    project.run("migrate up").passes();
    project.run("tenant create acme").passes();
    let of_tenant = references("diagram --tenant acme");
    assert!(expected.iter().all(|edge| of_tenant.contains(edge)), "{of_tenant:?}");
}
