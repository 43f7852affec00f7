//! A unit that fails: what is undone, who is not begun, what people are told, and that running the
//! command again does the rest.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{Project, Session};

/// A tenant step that a workspace without a name breaks, after it has already changed the schema.
const DIVIDES: &str = "ALTER TABLE {org_schema}.workspaces ADD COLUMN share int;\n\
                       CREATE TABLE {org_schema}.made (id int, created_at date, updated_at date);\n\
                       UPDATE {org_schema}.workspaces SET share = 100 / length(name) WHERE share IS NULL;";

/// Three tenants, and a step that fails on `broken`.
fn with_a_row_that_breaks(broken: &str) -> Project {
    let project = Project::with_tenants(&["a", "b", "c"]);
    project.next_migration(DIVIDES);
    project.db.run(&format!("INSERT INTO org_{broken}.workspaces (name) VALUES ('fine'), ('')"));
    project
}

/// What `status` shows of failures: the schemas, as `org_a v….sql:5 22012`.
fn kept(project: &Project) -> Vec<String> {
    let (_, status) = project.json("status");
    let list = status["failures"].as_array().cloned().unwrap_or_default();
    let text = |kept: &Value, key: &str| kept[key].as_str().unwrap().to_owned();
    list.iter()
        .map(|kept| {
            let [schema, file, state] = ["schema", "migration", "sqlstate"].map(|key| text(kept, key));
            format!("{schema} {file}:{} {state}", kept["line"])
        })
        .collect()
}

#[test]
fn status_shows_failures_until_the_tenant_is_past_the_step() {
    let project = with_a_row_that_breaks("b");
    project.db.run("INSERT INTO org_c.workspaces (name) VALUES ('')");
    assert_eq!(project.run("migrate up --on-failure continue").code, 4);
    let file = "v1.0.4_to_v1.0.5_next.sql";
    assert_eq!(kept(&project), [format!("org_b {file}:5 22012"), format!("org_c {file}:5 22012")]);
    let shown = project.run("status").ok().stdout;
    let rows = shown.lines().skip_while(|line| !line.starts_with("failed")).take(3).collect::<Vec<_>>();
    assert_eq!(rows[0], format!("failed    org_b, org_c  {file}:5"), "{shown}");
    assert_eq!(rows[1], format!("          {file} on {{org_schema}}: division by zero"), "{shown}");
    assert!(rows[2].contains(" by tenure in run "), "{shown}");
    // Only the newest failure of a tenant is shown, and none of a tenant that was mended.
    project.db.run("DELETE FROM org_b.workspaces WHERE name = ''");
    assert_eq!(project.run("migrate up --on-failure continue").code, 4);
    assert_eq!(kept(&project), [format!("org_c {file}:5 22012")]);
    assert_eq!(project.db.value("SELECT count(*)::text FROM datalinx_platform.migration_failure"), "3");
    project.db.run("DELETE FROM org_c.workspaces WHERE name = ''");
    let _done = project.run("migrate up").ok();
    assert_eq!(kept(&project), Vec::<String>::new());
}

#[test]
fn a_kept_failure_contains_neither_a_row_nor_a_literal() {
    let project = Project::with_tenants(&["a"]);
    project.without_rules();
    project.db.run("INSERT INTO org_a.workspaces (name) VALUES ('hunter2')");
    let steps = [
        (
            "CREATE UNIQUE INDEX twice ON workspaces ((1)) WHERE name = 'hunter2';\nINSERT INTO workspaces (name) VALUES ('hunter2');",
            "23505",
        ),
        ("DO $$ BEGIN RAISE EXCEPTION 'no %', (SELECT name FROM workspaces LIMIT 1); END $$;", "P0001"),
        ("DO $$ BEGIN EXECUTE 'SELECT ''hunter2'' ''hunter2'''; END $$;", "42601"),
    ];
    for (sql, sqlstate) in steps {
        project.migration("1.0.4", "1.0.5", "next", &format!("-- Scope: tenant\n{sql}"));
        assert_eq!(project.json("migrate up").1["failures"][0]["sqlstate"], sqlstate);
    }
    let all =
        project.db.column("SELECT f::text FROM datalinx_platform.migration_failure f ORDER BY failed_at");
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(!all.join(" ").contains("hunter2") && !all.join(" ").contains("……"), "{all:?}");
    // A failure of the platform is kept too.
    project.migration(
        "1.0.4",
        "1.0.5",
        "next",
        "-- Scope: platform\nSELECT 1 / count(*) FROM users WHERE false;",
    );
    assert_eq!(project.run("migrate up").code, 1);
    let schemas: Vec<_> =
        kept(&project).iter().map(|kept| kept.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(schemas, ["datalinx_platform", "org_a"]);
}

#[test]
fn a_missing_table_of_the_platform_is_named_as_such() {
    let project = Project::with_tenants(&["a"]);
    project.without_rules();
    for sql in [
        "CREATE TABLE {org_schema}.notes (author uuid REFERENCES users (id), created_at date, updated_at date);",
        "UPDATE {org_schema}.workspaces SET name = (SELECT max(slug) FROM organizations) WHERE name = '';",
        "CREATE VIEW {org_schema}.all_users AS SELECT count(*) AS count FROM users;",
    ] {
        project.migration("1.0.4", "1.0.5", "next", sql);
        let table = if sql.contains("users") { "users" } else { "organizations" };
        let output = project.run("migrate up");
        let hint = format!("= help: {table} is a table of the platform: write datalinx_platform.{table}\n");
        assert!(output.stderr.contains(&hint), "{output}");
    }
    project.migration(
        "1.0.4",
        "1.0.5",
        "next",
        "UPDATE {org_schema}.workspaces SET name = (SELECT x FROM nowhere) WHERE name = '';",
    );
    assert!(!project.run("migrate up").stderr.contains("table of the platform"));
}

#[test]
fn equal_failures_are_shown_once() {
    let slugs: Vec<String> = (10..15).map(|number| format!("t{number}")).collect();
    let project = Project::with_tenants(&slugs.iter().map(String::as_str).collect::<Vec<_>>());
    project.next_migration(DIVIDES);
    for slug in &slugs[..4] {
        project.db.run(&format!("INSERT INTO org_{slug}.workspaces (name) VALUES ('')"));
    }
    project.db.run("CREATE TABLE org_t14.made ()");
    let output = project.run("migrate up --on-failure continue");
    assert_eq!(output.stderr.matches("division by zero").count(), 1, "{output}");
    assert!(
        output.stderr.contains("v1.0.4_to_v1.0.5_next.sql on {org_schema}: division by zero"),
        "{output}"
    );
    let names = "  the same failure on 4 tenants: org_t10, org_t11, org_t12 and 1 more\n";
    assert!(output.stderr.contains(names), "{output}");
    assert!(output.stderr.contains("on org_t14: relation \"made\" already exists"), "{output}");
    assert!(!output.stderr.contains("--on-failure"), "{output}");
    let output = project.run("migrate up --jobs 1");
    let hint = "no further tenant was started; `--on-failure continue` migrates the others";
    assert!(output.stderr.contains(hint), "{output}");
}

#[test]
fn a_tenant_that_fails_is_as_before_and_mending_it_lets_the_rest_be_done() {
    let project = with_a_row_that_breaks("b");
    let before = project.db.dump_of("org_b");
    assert_snapshot!(project.run("migrate up --jobs 1"), @"
    exit code: 4
    ----- stdout -----

    ----- stderr -----
    error[unit-failed]: v1.0.4_to_v1.0.5_next.sql on org_b: division by zero
     --> migrations/v1.0.4_to_v1.0.5_next.sql:5:1
      |
    5 | UPDATE {org_schema}.workspaces SET share = 100 / length(name) WHERE share IS NULL;
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: SQLSTATE 22012
      = help: the unit was rolled back; correct the data and run the command again (a corrected file needs `tenure migrate repair` if other schemas have run it)

    partially done: the platform is at 1.0.4; 3 tenants, 1 migrated, 1 unchanged, 1 failed; 1 unit in N ms
    no further tenant was started; `--on-failure continue` migrates the others
    run `tenure migrate up` again to finish: 2 tenants
    ");
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.5, b 1.0.4, c 1.0.4");
    assert_eq!(project.db.dump_of("org_b"), before);
    let told = "SELECT count(*)::text FROM datalinx_platform.migration_history WHERE schema_name = 'org_b' AND to_version = '1.0.5'";
    assert_eq!(project.db.value(told), "0");
    let run = "SELECT outcome || ' ' || (counts->'tenants')::text FROM datalinx_platform.run ORDER BY started_at DESC LIMIT 1";
    assert_snapshot!(project.db.value(run), @r#"partial {"left": 2, "total": 3, "failed": 1, "migrated": 1, "unchanged": 1}"#);
    assert_snapshot!(project.run("status --tenants"), @"
    exit code: 0
    ----- stdout -----
    platform  datalinx_platform  1.0.4  1 migration behind 1.0.5
              pending: v1.0.4_to_v1.0.5_next.sql
    tenants   3, 1 current, 2 behind
              2 at 1.0.4
              1 at 1.0.5
    failed    org_b  v1.0.4_to_v1.0.5_next.sql:5
              v1.0.4_to_v1.0.5_next.sql on org_b: division by zero
              TIME by tenure in run UUID

    slug  schema  version  status
    a     org_a   1.0.5    active
    b     org_b   1.0.4    active
    c     org_c   1.0.4    active

    ----- stderr -----
    ");

    project.db.run("UPDATE org_b.workspaces SET name = 'mended' WHERE name = ''");
    let (code, result) = project.json("migrate up");
    assert_eq!((code, &result["tenants"]["migrated"], &result["units"]), (0, &2.into(), &2.into()));
    assert_eq!(project.versions(), "platform 1.0.5, a 1.0.5, b 1.0.5, c 1.0.5");
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn when_the_first_tenant_fails_nothing_of_the_fleet_has_moved() {
    let project = with_a_row_that_breaks("a");
    let before = project.db.dump_of("org_*");
    // Others that were begun at the same time would be done.
    let (code, result) = project.json("migrate up --jobs 1");
    assert_eq!((code, &result["outcome"]), (1, &"failed".into()));
    assert_eq!(
        result["tenants"].to_string(),
        r#"{"total":3,"migrated":0,"unchanged":2,"failed":1,"left":3}"#
    );
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.4, b 1.0.4, c 1.0.4");
    assert_eq!(project.db.dump_of("org_*"), before);
}

#[test]
fn a_platform_part_that_fails_leaves_everybody_where_they_were() {
    let project = Project::with_tenants(&["a"]);
    project.migration(
        "1.0.4",
        "1.0.5",
        "both",
        "CREATE TABLE datalinx_platform.made (id int, created_at date, updated_at date);\n\
         INSERT INTO datalinx_platform.made VALUES (1/0);\n\
         ALTER TABLE {org_schema}.workspaces ADD COLUMN more int;",
    );
    let records =
        ["run", "migration_failure"].map(|table| format!("--exclude-table-data=datalinx_platform.{table}"));
    let records = records.each_ref().map(String::as_str);
    let before = project.db.dump(&records);
    assert_snapshot!(project.run("migrate up"), @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[unit-failed]: v1.0.4_to_v1.0.5_both.sql on datalinx_platform: division by zero
     --> migrations/v1.0.4_to_v1.0.5_both.sql:4:1
      |
    4 | INSERT INTO datalinx_platform.made VALUES (1/0);
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: SQLSTATE 22012
      = help: the unit was rolled back; correct the data and run the command again (a corrected file needs `tenure migrate repair` if other schemas have run it)

    failed, nothing was migrated: the platform is at 1.0.4; 1 tenant, 1 unchanged; 0 units in N ms
    run `tenure migrate up` again to finish: 1 tenant
    ");
    assert_eq!(project.db.dump(&records), before);
}

#[test]
fn a_later_step_waits_for_the_tenant_that_failed() {
    let project = with_a_row_that_breaks("c");
    project.migration("1.0.5", "1.0.6", "plans", "CREATE TABLE datalinx_platform.plans (id int);");
    assert_eq!(project.run("migrate up").code, 4);
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.5, b 1.0.5, c 1.0.4");
    assert_eq!(
        project.db.value("SELECT coalesce(to_regclass('datalinx_platform.plans')::text, 'none')"),
        "none"
    );
}

/// What a failing tenant step is told as: `line:column sqlstate message`.
fn told(project: &Project, sql: &str) -> String {
    told_with(project, "", sql)
}

fn told_with(project: &Project, flags: &str, sql: &str) -> String {
    project.migration("1.0.4", "1.0.5", "fails", sql);
    let (code, result) = project.json(&format!("migrate up {flags}"));
    let failure = &result["failures"][0];
    let unit = "v1.0.4_to_v1.0.5_fails.sql on org_a_tenant_with_a_long_name: ";
    let message = failure["message"].as_str().unwrap_or_else(|| panic!("{result}"));
    let message = message.strip_prefix(unit).unwrap_or_else(|| panic!("{message}"));
    assert_eq!((code, failure["schema"].as_str()), (1, Some("org_a_tenant_with_a_long_name")));
    assert_eq!(project.versions(), "platform 1.0.4, a_tenant_with_a_long_name 1.0.4");
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("{}:{} {} {message}", failure["line"], failure["column"], shown(&failure["sqlstate"]))
}

#[test]
fn the_place_is_where_the_server_points_or_else_the_statement() {
    let project = Project::with_tenants(&["a_tenant_with_a_long_name"]);
    project.db.run(
        "CREATE FUNCTION public.fails() RETURNS int LANGUAGE plpgsql AS
         $$BEGIN PERFORM nope FROM pg_class; RETURN 1; END$$;",
    );
    let before = project.db.dump_of("org_a_tenant_with_a_long_name");
    let told = |sql: &str| told(&project, sql);
    // Lines 1 and 2 are the header.
    assert_snapshot!(told("SELECT id,\n       nope FROM {org_schema}.workspaces;"), @r#"4:8 42703 column "nope" does not exist"#);
    assert_snapshot!(told("SELECT id FROM {org_schema}.workspaces;\n  ALTER TABLE {org_schema}.nope ADD COLUMN c int;"), @r#"4:3 42P01 relation "org_a_tenant_with_a_long_name.nope" does not exist"#);
    assert_snapshot!(told("-- Scope: tenant\n-- Allow: opaque-code because a test\nSELECT 1;\nDO $$ BEGIN\nPERFORM nope FROM workspaces; END $$;"), @r#"7:1 42703 column "nope" does not exist, in line 2 of the block"#);
    assert_snapshot!(told("INSERT INTO {org_schema}.workspaces (name) VALUES ('x');\n-- Allow: opaque-code because a test\nINSERT INTO {org_schema}.workspaces (name)\nVALUES (public.fails());"), @r#"5:1 42703 column "nope" does not exist, in line 1 of fails()"#);
    assert_snapshot!(told("INSERT INTO {org_schema}.workspaces (name) VALUES ('ä🦀世界'); SELECT '🦀', nope FROM workspaces;"), @r#"3:73 42703 column "nope" does not exist"#);
    assert_snapshot!(told("SELECT '{org_schema}', '{org_schema}', w.id FROM {org_schema}.workspaces w WHERE nope = 1;"), @r#"3:82 42703 column "nope" does not exist"#);
    assert_snapshot!(told("SELECT id FROM {org_schema}.nope;"), @r#"3:16 42P01 relation "org_a_tenant_with_a_long_name.nope" does not exist"#);
    assert_snapshot!(told("INSERT INTO {org_schema}.workspaces (id, name)\nSELECT '1513a5d5-b8d8-4bd2-8a1e-d2ff3ab1b1b4', 'x' FROM generate_series(1, 2);"), @r#"3:1 23505 duplicate key value violates unique constraint "workspaces_pkey" (Key (id)=(…) already exists.)"#);
    // Rows and notices before it do not make the count of statements wrong.
    assert_snapshot!(told("INSERT INTO {org_schema}.workspaces (name) VALUES ('x'), ('y') RETURNING id;\nCREATE TABLE IF NOT EXISTS {org_schema}.workspaces (id int);\nALTER TABLE {org_schema}.nope ADD COLUMN c int;"), @r#"5:1 42P01 relation "org_a_tenant_with_a_long_name.nope" does not exist"#);
    assert_eq!(project.db.dump_of("org_a_tenant_with_a_long_name"), before);
}

#[test]
fn failures_at_commit_are_reported() {
    let project = Project::with_tenants(&["a_tenant_with_a_long_name"]);
    let sql = "CREATE TABLE {org_schema}.p (id uuid PRIMARY KEY, created_at date, updated_at date);\n\
               CREATE TABLE {org_schema}.q (p uuid PRIMARY KEY REFERENCES {org_schema}.p DEFERRABLE INITIALLY DEFERRED, created_at date, updated_at date);\n\
               INSERT INTO {org_schema}.q VALUES ('1513a5d5-b8d8-4bd2-8a1e-d2ff3ab1b1b4');";
    assert_snapshot!(told(&project, sql), @r#"null:null 23503 insert or update on table "q" violates foreign key constraint "q_p_fkey" (Key (p)=(…) is not present in table "p".)"#);
    assert_snapshot!(project.run("migrate up"), @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[unit-failed]: v1.0.4_to_v1.0.5_fails.sql on org_a_tenant_with_a_long_name: insert or update on table "q" violates foreign key constraint "q_p_fkey" (Key (p)=(…) is not present in table "p".)
    --> migrations/v1.0.4_to_v1.0.5_fails.sql
     = note: SQLSTATE 23503
     = help: the unit was rolled back; correct the data and run the command again (a corrected file needs `tenure migrate repair` if other schemas have run it)

    failed, nothing was migrated: the platform is at 1.0.4; 1 tenant, 1 failed; 0 units in N ms
    run `tenure migrate up` again to finish: 1 tenant
    "#);
}

#[test]
fn lock_timeout_limits_the_wait_for_a_lock() {
    let project = Project::with_tenants(&["a_tenant_with_a_long_name"]);
    let holder = Session::holding(&project.db, "LOCK TABLE org_a_tenant_with_a_long_name.workspaces");
    let sql =
        "CREATE TABLE {org_schema}.made (id int);\nALTER TABLE {org_schema}.workspaces ADD COLUMN c int;";
    assert_snapshot!(told_with(&project, "--lock-timeout 100ms", sql), @"4:1 55P03 canceling statement due to lock timeout");
    holder.release();
    let _done = project.run("migrate up").ok();
    assert_eq!(project.versions(), "platform 1.0.5, a_tenant_with_a_long_name 1.0.5");
}

#[test]
fn a_statement_runs_no_longer_than_asked() {
    let project = Project::with_tenants(&["a_tenant_with_a_long_name"]);
    let sql = "CREATE TABLE {org_schema}.made (id int);\nINSERT INTO {org_schema}.made\nSELECT 1 FROM pg_sleep(600);";
    assert_snapshot!(told_with(&project, "--statement-timeout 2s", sql), @"4:1 57014 canceling statement due to statement timeout");
}

#[test]
fn a_template_that_fails_leaves_no_tenant() {
    let project = Project::with_tenants(&[]);
    project.file(
        "tenant_templates/default/050_more.sql",
        "CREATE TABLE {org_schema}.more (id int);\nINSERT INTO more\nSELECT nope FROM workspaces;\n",
    );
    assert_snapshot!(project.run("tenant create acme"), @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[unit-failed]: creating org_acme: column "nope" does not exist
     --> tenant_templates/default/050_more.sql:3:8
      |
    3 | SELECT nope FROM workspaces;
      |        ^^^^
      |
      = note: SQLSTATE 42703
      = help: Perhaps you meant to reference the column "workspaces.name".
    "#);
    let (code, result) = project.json("tenant create acme");
    assert_eq!((code, &result["error"]["line"], &result["error"]["column"]), (1, &3.into(), &8.into()));
    assert_eq!(project.versions(), "platform 1.0.4");
    assert_eq!(project.db.column("SELECT slug FROM datalinx_platform.organizations"), [""; 0]);
    assert_eq!(project.db.value("SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'org%'"), "0");
}

#[test]
fn a_step_that_fails_in_tenant_create_is_reported_with_its_file() {
    let project = Project::with_tenants(&[]);
    // Without a tenant nobody has run it yet.
    project.migration(
        "1.0.4",
        "1.0.5",
        "fails",
        "ALTER TABLE {org_schema}.workspaces\nADD COLUMN more nope;",
    );
    let _migrated = project.run("migrate up").ok();
    assert_snapshot!(project.run("tenant create acme"), @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[unit-failed]: creating org_acme: type "nope" does not exist
     --> migrations/v1.0.4_to_v1.0.5_fails.sql:4:17
      |
    4 | ADD COLUMN more nope;
      |                 ^^^^
      |
      = note: SQLSTATE 42704
    "#);
    assert_eq!(project.versions(), "platform 1.0.5");
}

#[test]
fn an_empty_error_detail_is_left_out() {
    let project = Project::with_tenants(&["a"]);
    project.next_migration(
        "-- Scope: tenant\n-- Allow: opaque-code because a test\n\
         DO $$ BEGIN RAISE EXCEPTION 'not now' USING DETAIL = ''; END $$;",
    );
    let (code, result) = project.json("migrate up");
    let failure = &result["failures"][0];
    assert_eq!((code, &failure["sqlstate"]), (1, &"P0001".into()), "{result}");
    let message = failure["message"].as_str().unwrap();
    assert!(message.ends_with("not now, in line 1 of the block"), "{message}");
}
