//! `migrate up`: the main job. Who is moved, in which order, and what the metadata hold afterwards.

use std::fmt::Write as _;

use insta::assert_snapshot;

use crate::support::{Project, Session};

#[test]
fn the_seeds_project_goes_from_nothing_to_the_newest_version() {
    let project = Project::seeds();
    assert_snapshot!(project.run("migrate up"), @r"
    exit code: 0
    ----- stdout -----
    done: the platform went from 0.0.0 to 1.0.4; 0 tenants; 4 units in N ms

    ----- stderr -----
    ");
    assert_eq!(project.db.value("SELECT version FROM datalinx_platform.schema_version"), "1.0.4");
    assert_snapshot!(project.run("migrate up"), @r"
    exit code: 0
    ----- stdout -----
    nothing to do: the platform is at 1.0.4; 0 tenants; 0 units in N ms

    ----- stderr -----
    ");
}

#[test]
fn tenants_made_at_different_times_end_at_one_version() {
    let project = Project::seeds();
    let _at_1_0_1 = project.run("migrate up --to 1.0.1").ok();
    project.create(&["early"]);
    let _at_1_0_2 = project.run("migrate up --to 1.0.2").ok();
    project.create(&["middle"]);
    assert_eq!(project.versions(), "platform 1.0.2, early 1.0.2, middle 1.0.2");
    assert_snapshot!(project.run("migrate up"), @r#"
    exit code: 0
    ----- stdout -----
    done: the platform went from 1.0.2 to 1.0.4; 2 tenants, 2 migrated; 3 units in N ms

    ----- stderr -----
    NOTICE: column "settings" of relation "workspaces" already exists, skipping (2 tenants)  v1.0.2_to_v1.0.3_add_workspace_settings.sql:5
    "#);
    project.create(&["late"]);
    assert_eq!(project.versions(), "platform 1.0.4, early 1.0.4, late 1.0.4, middle 1.0.4");
    assert_snapshot!(project.history(), @"
    datalinx_platform 0.0.0 -> 1.0.0 migrate
    datalinx_platform 1.0.0 -> 1.0.1 migrate
    org_early 0.0.0 -> 1.0.0 template
    datalinx_platform 1.0.1 -> 1.0.2 migrate
    org_middle 0.0.0 -> 1.0.0 template
    org_early 1.0.2 -> 1.0.3 migrate
    org_middle 1.0.2 -> 1.0.3 migrate
    datalinx_platform 1.0.2 -> 1.0.3 migrate
    datalinx_platform 1.0.3 -> 1.0.4 migrate
    org_late 0.0.0 -> 1.0.0 template
    org_late 1.0.2 -> 1.0.3 migrate
    ");
    let tenants = "SELECT concat_ws(' ', o.slug, o.name, o.schema_name, t.template, t.status) \
                   FROM datalinx_platform.organizations o \
                   JOIN datalinx_platform.tenant_version t USING (schema_name) ORDER BY 1";
    assert_snapshot!(project.db.column(tenants).join("\n"), @"
    early early org_early default active
    late late org_late default active
    middle middle org_middle default active
    ");
    let runs = "SELECT concat_ws(' ', command, outcome, counts::text) FROM datalinx_platform.run \
                WHERE finished_at >= started_at ORDER BY started_at";
    assert_snapshot!(project.db.column(runs).join("\n"), @r#"
    tenure migrate up done {"units": 2, "tenants": {"total": 0, "failed": 0, "migrated": 0, "unchanged": 0}}
    tenure tenant create done {"failed": 0, "created": 1, "existing": 0}
    tenure migrate up done {"units": 1, "tenants": {"total": 1, "failed": 0, "migrated": 1, "unchanged": 0}}
    tenure tenant create done {"failed": 0, "created": 1, "existing": 0}
    tenure migrate up done {"units": 3, "tenants": {"total": 2, "failed": 0, "migrated": 2, "unchanged": 0}}
    tenure tenant create done {"failed": 0, "created": 1, "existing": 0}
    "#);
    // Every row of the history belongs to one of those runs.
    let strays = "SELECT count(*)::text FROM datalinx_platform.migration_history h \
                  WHERE NOT EXISTS (SELECT FROM datalinx_platform.run r WHERE r.id = h.run_id)";
    assert_eq!(project.db.value(strays), "0");
}

#[test]
fn a_plan_is_shown_and_nothing_is_written() {
    let project = Project::seeds();
    assert_snapshot!(project.run("migrate up --plan"), @"
    exit code: 0
    ----- stdout -----
    step           platform  tenants  transaction  migration
    0.0.0 → 1.0.0  yes       –        yes          v0.0.0_to_v1.0.0_create_platform.sql
    1.0.0 → 1.0.1  yes       –        yes          v1.0.0_to_v1.0.1_add_mfa_columns.sql
    1.0.1 → 1.0.2  yes       –        yes          v1.0.1_to_v1.0.2_create_audit_log.sql
    1.0.2 → 1.0.3  –         –        yes          v1.0.2_to_v1.0.3_add_workspace_settings.sql
    1.0.3 → 1.0.4  yes       –        yes          v1.0.3_to_v1.0.4_create_service_accounts.sql

    ----- stderr -----
    ");
    assert_eq!(project.db.value("SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'data%'"), "0");

    let _at_1_0_2 = project.run("migrate up --to 1.0.2").ok();
    project.create(&["a", "b"]);
    let before = project.db.dump(&[]);
    let (code, plan) = project.json("migrate up --plan");
    assert_eq!(code, 0);
    assert_snapshot!(serde_json::to_string_pretty(&plan).unwrap(), @r#"
    {
      "outcome": "done",
      "steps": [
        {
          "migration": "v1.0.2_to_v1.0.3_add_workspace_settings.sql",
          "from": "1.0.2",
          "to": "1.0.3",
          "platform": false,
          "tenants": 2,
          "transactional": true
        },
        {
          "migration": "v1.0.3_to_v1.0.4_create_service_accounts.sql",
          "from": "1.0.3",
          "to": "1.0.4",
          "platform": true,
          "tenants": 0,
          "transactional": true
        }
      ]
    }
    "#);
    let (_, planned) = project.json("migrate up --plan --to 1.0.3 --tenant b");
    assert_eq!(planned["steps"][0]["tenants"], 1);
    let (_, planned) = project.json("migrate up --plan --to 1.0.3 --tenant b --tenant a --tenant b");
    assert_eq!(planned["steps"][0]["tenants"], 2);
    assert_eq!(project.db.dump(&[]), before);
}

#[test]
fn one_tenant_goes_ahead_and_the_others_follow() {
    let project = Project::with_tenants(&["a", "b", "c"]);
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    project.migration("1.0.5", "1.0.6", "plans", "CREATE TABLE datalinx_platform.plans (id int);");
    let (code, result) = project.json("migrate up --tenant b");
    assert_eq!(
        (code, &result["tenants"]["migrated"], &result["platform"]["to"]),
        (0, &1.into(), &"1.0.4".into())
    );
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.4, b 1.0.5, c 1.0.4");
    assert_eq!(project.run("migrate up --tenant b").ok().stdout.split(':').next(), Some("nothing to do"));
    let _rest = project.run("migrate up").ok();
    assert_eq!(project.versions(), "platform 1.0.6, a 1.0.6, b 1.0.6, c 1.0.6");
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn the_platform_may_go_first_and_the_tenants_catch_up() {
    let project = Project::seeds();
    let _at_1_0_2 = project.run("migrate up --to 1.0.2").ok();
    project.create(&["a", "b"]);
    assert_snapshot!(project.run("migrate up --platform-only"), @"
    exit code: 0
    ----- stdout -----
    done: the platform went from 1.0.2 to 1.0.4; 2 tenants, 2 unchanged; 1 unit in N ms

    ----- stderr -----
    ");
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.2, b 1.0.2");
    assert_eq!(project.run("status --check").code, 1);
    project.create(&["late"]);
    assert_snapshot!(project.run("migrate up"), @r#"
    exit code: 0
    ----- stdout -----
    done: the platform is at 1.0.4; 3 tenants, 2 migrated, 1 unchanged; 2 units in N ms

    ----- stderr -----
    NOTICE: column "settings" of relation "workspaces" already exists, skipping (2 tenants)  v1.0.2_to_v1.0.3_add_workspace_settings.sql:5
    "#);
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.4, b 1.0.4, late 1.0.4");
    assert_eq!(project.run("status --check").code, 0);
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn a_file_for_both_runs_on_the_platform_first() {
    let project = Project::with_tenants(&["a", "b"]);
    project.next_migration(
        "ALTER TABLE {org_schema}.workspaces ADD COLUMN plan int;\n\
         INSERT INTO {org_schema}.workspaces (name, plan) SELECT name, id FROM datalinx_platform.plans;\n\
         CREATE TABLE datalinx_platform.plans (id int, name text);\n\
         INSERT INTO datalinx_platform.plans VALUES (7, 'free');",
    );
    let (_, result) = project.json("migrate up");
    assert_eq!((&result["outcome"], &result["units"]), (&"done".into(), &3.into()));
    let of_both = "SELECT plan::text FROM org_a.workspaces UNION ALL SELECT plan::text FROM org_b.workspaces";
    assert_eq!(project.db.column(of_both), ["7", "7"]);
    let order =
        "SELECT schema_name FROM datalinx_platform.migration_history WHERE to_version = '1.0.5' ORDER BY id";
    assert_eq!(project.db.column(order), ["datalinx_platform", "org_a", "org_b"]);
}

#[test]
fn consecutive_tenant_steps_run_tenant_by_tenant_and_the_platform_row_moves_last() {
    let project = Project::with_tenants(&["a", "b"]);
    project.migration("1.0.4", "1.0.5", "one", "ALTER TABLE workspaces ADD COLUMN one int;");
    project.migration("1.0.5", "1.0.6", "two", "ALTER TABLE workspaces ADD COLUMN two int;");
    let holder = Session::holding(&project.db, "LOCK TABLE org_b.workspaces");
    let running = project.start("migrate up --jobs 1 --lock-timeout 0s");
    let _waiting = project.db.wait_for_waiting(1);
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.6, b 1.0.4");
    holder.release();
    let _done = running.end().ok();
    assert_eq!(project.versions(), "platform 1.0.6, a 1.0.6, b 1.0.6");
    let order = "SELECT schema_name || ' ' || to_version FROM datalinx_platform.migration_history \
                 WHERE from_version IN ('1.0.4', '1.0.5') AND kind = 'migrate' ORDER BY id";
    assert_snapshot!(project.db.column(order).join("\n"), @"
    org_a 1.0.5
    org_a 1.0.6
    org_b 1.0.5
    org_b 1.0.6
    datalinx_platform 1.0.5
    datalinx_platform 1.0.6
    ");
}

#[test]
fn a_files_own_transaction_and_version_are_done_once() {
    let project = Project::seeds();
    let _at_1_0_2 = project.run("migrate up --to 1.0.2").ok();
    project.create(&["a", "b", "c"]);
    project.db.run(
        "CREATE TABLE public.seen (version text, tx text DEFAULT pg_current_xact_id());
         CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS
         $$BEGIN INSERT INTO public.seen VALUES (NEW.version); RETURN NEW; END$$;
         CREATE TRIGGER see AFTER UPDATE ON datalinx_platform.schema_version
         FOR EACH ROW EXECUTE FUNCTION public.see();",
    );
    let _done = project.run("migrate up").ok();
    assert_eq!(project.db.column("SELECT version FROM public.seen ORDER BY version"), ["1.0.3", "1.0.4"]);
}

#[test]
fn scope_lines_say_what_names_do_not() {
    let project = Project::with_tenants(&["a", "b"]);
    project.db.run("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.seen (id serial, schema_name text)");
    project.next_migration(
        "-- Scope: tenant\n-- Allow: beyond-tenant because a test\n\
         INSERT INTO elsewhere.seen (schema_name) VALUES (current_schema());\n\
         -- Scope: platform\nINSERT INTO elsewhere.seen (schema_name) VALUES (current_schema());",
    );
    let _done = project.run("migrate up").ok();
    let seen = project.db.column("SELECT schema_name FROM elsewhere.seen ORDER BY id");
    assert_eq!(seen, ["datalinx_platform", "org_a", "org_b"]);
}

#[test]
fn the_placeholder_is_replaced_in_strings_and_in_code() {
    let project = Project::with_tenants(&["a", "b"]);
    project.migration(
        "1.0.4",
        "1.0.5",
        "sizes",
        "-- Scope: tenant\n-- Allow: opaque-code because it only adds a column\n\
         DO $$ BEGIN EXECUTE 'ALTER TABLE {org_schema}.workspaces ADD COLUMN made_in text DEFAULT ''{org_schema}'''; END $$;\n\
         INSERT INTO {org_schema}.workspaces (name) VALUES ('of {org_schema}');",
    );
    let _done = project.run("migrate up").ok();
    for tenant in ["org_a", "org_b"] {
        let said = project.db.value(&format!("SELECT name || ', ' || made_in FROM {tenant}.workspaces"));
        assert_eq!(said, format!("of {tenant}, {tenant}"));
    }
    let allowed =
        "SELECT allowed->0->>'rule' FROM datalinx_platform.migration_history WHERE to_version = '1.0.5'";
    assert_eq!(project.db.column(allowed), ["opaque-code"; 3]);
}

#[test]
fn tenants_may_be_called_as_the_words_of_sql() {
    let project = Project::seeds();
    project.file("tenure.toml", "[tenants]\nschema_prefix = \"\"\n");
    let _at_1_0_2 = project.run("migrate up --to 1.0.2").ok();
    project.create(&["user", "order"]);
    project.next_migration("ALTER TABLE {org_schema}.workspaces ADD COLUMN label text;\nCREATE INDEX labels ON workspaces (label);",
    );
    let _done = project.run("migrate up").ok();
    assert_eq!(project.versions(), "platform 1.0.5, order 1.0.5, user 1.0.5");
    let labelled = "SELECT schemaname FROM pg_indexes WHERE indexname = 'labels' ORDER BY 1";
    assert_eq!(project.db.column(labelled), ["order", "user"]);
}

#[test]
fn whatever_sql_holds_arrives_as_it_was_written() {
    let project = Project::with_tenants(&["a"]);
    let mut sql = String::from(
        "-- Grüße, 世界\nCREATE TABLE {org_schema}.\"größe 🦀\" (\"naïve\" text);\n\
         INSERT INTO {org_schema}.\"größe 🦀\" VALUES ('it''s; \\n 🦀'), (E'a\\tb'), ($x$;$$ -- no$x$);\n\
         SELECT id FROM {org_schema}.workspaces;\n\
         SELECT n.* FROM {org_schema}.\"größe 🦀\" n;\n\
         CREATE TABLE IF NOT EXISTS {org_schema}.workspaces (id int); -- a NOTICE, no error\n",
    );
    for number in 0..300 {
        writeln!(sql, "INSERT INTO {{org_schema}}.workspaces (name) VALUES ('w{number}');").unwrap();
    }
    project.migration("1.0.4", "1.0.5", "anything", &sql);
    let _done = project.run("migrate up").ok();
    assert_eq!(project.db.value("SELECT count(*)::text FROM org_a.workspaces"), "300");
    let texts = project.db.column("SELECT naïve FROM org_a.\"größe 🦀\" ORDER BY length(naïve)");
    assert_eq!(texts, ["a\tb", ";$$ -- no", "it's; \\n 🦀"]);
}
