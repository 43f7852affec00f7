//! `tenant clone`: the new tenant is like the old one in everything, and in nothing where something went wrong.

use insta::assert_snapshot;
use serde_json::Value;

use super::{fill, rows, runs, state, with_everything};
use crate::support::{Project, Session, wait_until};

fn code(document: &Value) -> &str {
    document["error"]["code"].as_str().unwrap_or_default()
}

/// Without the foreign keys that lead out of the schema all is one transaction.
const NO_WAY_OUT: &str =
    "ALTER TABLE {org_schema}.pipeline_jobs DROP CONSTRAINT pipeline_jobs_created_by_fkey;";

/// A project of which no tenant has a key to a shared table.
fn closed() -> Project {
    let project = Project::seeds();
    project.file("tenant_templates/default/900_everything.sql", super::EVERYTHING);
    project.file("tenant_templates/default/950_closed.sql", NO_WAY_OUT);
    project.run("migrate up").passes();
    project.create(&["alpha"]);
    fill(&project.db, "org_alpha");
    project
}

#[test]
fn with_its_rows_it_is_the_same_in_everything() {
    for project in [with_everything(), closed()] {
        let words = ["tenant", "clone", "alpha", "beta", "--data", "--name", "Beta, Inc."];
        let cloned = project.run_words(words).ok();
        assert!(cloned.stdout.starts_with("cloned beta  org_beta  at 1.0.4  id "), "{cloned}");
        assert!(cloned.stdout.ends_with("\n26 rows of 16 tables copied\n"), "{cloned}");
        assert_eq!(rows(&project.db, "org_alpha"), rows(&project.db, "org_beta"));
        // Sequences too, and the state of triggers and rules.
        let (old, new) = (project.db.dump_of("org_alpha"), project.db.dump_of("org_beta"));
        assert!(old == new, "{old}\n---\n{new}");
        let (code, drift) = project.json("drift");
        assert_eq!((code, &drift["tenants"]["same"]), (0, &2.into()), "{drift}");
        assert_eq!(
            state(&project),
            [
                "alpha org_alpha 1.0.4 active",
                "beta org_beta 1.0.4 active",
                "schema org_alpha",
                "schema org_beta"
            ]
        );
        assert_eq!(runs(&project, "clone"), ["tenure tenant clone done beta"]);
        // Both go on by themselves.
        let next = |schema: &str| {
            let sql = format!(
                "INSERT INTO {schema}.people (name) VALUES ('next') RETURNING concat_ws(' ', id, old_id, ticket)"
            );
            project.db.value(&sql)
        };
        assert_eq!((next("org_alpha"), next("org_beta")), ("1003 4 120".to_owned(), "1003 4 120".to_owned()));
        let wrong = project.db.try_run("INSERT INTO org_beta.members VALUES (1, 77)");
        assert!(wrong.unwrap_err().starts_with("23503"));
        let name = "SELECT name FROM datalinx_platform.organizations WHERE slug = 'beta'";
        assert_eq!(project.db.value(name), "Beta, Inc.");
    }
}

#[test]
fn without_its_rows_it_has_those_of_the_template() {
    let project = with_everything();
    project.run("tenant suspend alpha").passes();
    let (code, cloned) = project.json("tenant clone alpha beta");
    assert_eq!((code, &cloned["rows"], &cloned["source"]), (0, &0.into(), &"alpha".into()), "{cloned}");
    assert_eq!(cloned["tenant"]["status"], "active");
    project.create(&["fresh"]);
    assert_eq!(rows(&project.db, "org_beta"), rows(&project.db, "org_fresh"));
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &3.into()), "{drift}");
}

#[test]
fn a_source_that_drifted_is_refused_with_what_is_different() {
    let project = Project::with_tenants(&["acme"]);
    project.db.run("ALTER TABLE org_acme.workspaces ADD COLUMN colour text");
    let before = state(&project);
    assert_snapshot!(project.run("tenant clone acme beta --data"), @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    org_acme
      table workspaces: column added: colour text
    error[clone-differs]: acme differs from its template and steps, so a clone would differ from it
     = help: correct it (see `tenure drift`), or copy it as it is: tenure tenant export, then import --as
    ");
    let (exit, document) = project.json("tenant clone acme beta");
    assert_eq!((exit, code(&document)), (1, "clone-differs"));
    assert_eq!(document["differences"][0]["change"], "column added: colour text");
    assert_eq!(state(&project), before);
}

#[test]
fn clone_refuses_sources_that_it_cannot_copy() {
    let project = Project::with_tenants(&["acme", "other", "behind"]);
    project.db.run(
        "UPDATE datalinx_platform.tenant_version SET version = '1.0.3' WHERE schema_name = 'org_behind'",
    );
    project.db.run("CREATE SCHEMA org_taken");
    let before = state(&project);
    for (line, wanted) in [
        ("tenant clone ghost beta", "tenant-unknown"),
        ("tenant clone acme other", "tenant-exists"),
        ("tenant clone acme acme", "tenant-exists"),
        ("tenant clone acme taken", "tenant-exists"),
        ("tenant clone acme Beta", "slug-invalid"),
        ("tenant clone acme pg_x", "schema-name-reserved"),
        ("tenant clone behind beta", "not-migrated"),
    ] {
        let (exit, document) = project.json(line);
        assert_eq!((exit, code(&document)), (1, wanted), "{line}: {document}");
    }
    project.db.run(
        "UPDATE datalinx_platform.tenant_version SET status = 'creating' WHERE schema_name = 'org_other'",
    );
    let (exit, document) = project.json("tenant clone other beta");
    assert_eq!((exit, code(&document)), (1, "tenant-state"), "{document}");
    project
        .db
        .run("UPDATE datalinx_platform.tenant_version SET status = 'active' WHERE schema_name = 'org_other'");
    assert_eq!(state(&project), before);
}

#[test]
fn rows_of_one_moment_are_copied_and_no_writer_waits() {
    let project = with_everything();
    // A table that is copied before the others is held, so that the copy is under way.
    let holder = Session::holding(&project.db, "LOCK TABLE org_alpha.teams IN ACCESS EXCLUSIVE MODE");
    let clone = project.start("tenant clone alpha beta --data --lock-timeout 1m");
    project.db.wait_for_waiting(1);
    let mut writer = Session::open(&project.db.url);
    writer.run("SET lock_timeout = '1s'; INSERT INTO org_alpha.people (name) VALUES ('late'); DELETE FROM org_alpha.notes");
    writer.run("INSERT INTO datalinx_platform.users (email) VALUES ('late@example.org')");
    writer.run("UPDATE datalinx_platform.users SET role = 'admin'");
    holder.release();
    clone.end().passes();
    let count = |sql: &str| project.db.value(sql);
    assert_eq!(count("SELECT count(*)::text FROM org_beta.people WHERE name = 'late'"), "0");
    assert_eq!(count("SELECT count(*)::text FROM org_beta.notes"), "2");
}

#[test]
fn a_clone_that_fails_half_way_leaves_nothing() {
    for project in [with_everything(), closed()] {
        let before = state(&project);
        let holder = Session::holding(&project.db, "LOCK TABLE org_alpha.kinds IN ACCESS EXCLUSIVE MODE");
        let (exit, document) = project.json("tenant clone alpha beta --data --lock-timeout 300ms");
        assert_eq!((exit, &document["error"]["sqlstate"]), (1, &"55P03".into()), "{document}");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("cloning alpha as beta: copying table kinds: "), "{message}");
        assert_eq!(state(&project), before);
        // The connection is cut while rows come in.
        let clone = project.start("tenant clone alpha beta --data --lock-timeout 1m --format json");
        let pid = project.db.wait_for_waiting(1).remove(0);
        project.db.run(&format!("SELECT pg_terminate_backend({pid})::text"));
        let output = clone.end();
        assert_ne!(output.code, 0, "{output}");
        assert_eq!(state(&project), before, "{output}");
        holder.release();
        project.run("tenant clone alpha beta --data").passes();
        assert_eq!(rows(&project.db, "org_alpha"), rows(&project.db, "org_beta"));
    }
}

#[test]
fn a_clone_whose_program_is_killed_leaves_at_most_a_tenant_that_says_so() {
    for project in [closed(), with_everything()] {
        let holder = Session::holding(&project.db, "LOCK TABLE org_alpha.kinds IN ACCESS EXCLUSIVE MODE");
        let clone = project.start("tenant clone alpha beta --data --lock-timeout 1m");
        let pid = project.db.wait_for_waiting(1).remove(0);
        clone.signal("KILL");
        assert_ne!(clone.end().code, 0);
        let gone = format!("SELECT count(*)::text FROM pg_stat_activity WHERE pid = {pid}");
        holder.release();
        wait_until("the server to notice", || project.db.value(&gone) == "0");
        let found = state(&project);
        let beta: Vec<_> = found.iter().filter(|line| line.starts_with("beta")).cloned().collect();
        assert_eq!(beta, ["beta org_beta 1.0.4 creating"], "{found:?}");
        // Nobody takes it for a tenant that can be used, or cloned.
        assert_eq!(project.db.value("SELECT count(*)::text FROM org_beta.people"), "0");
    }
}

#[test]
fn of_two_clones_of_one_name_one_is_made() {
    let project = Project::with_tenants(&["acme"]);
    let holder = Session::holding(&project.db, "SELECT FROM datalinx_platform.schema_version FOR UPDATE");
    let both = [project.start("tenant clone acme beta --data"), project.start("tenant clone acme beta")];
    project.db.wait_for_waiting(2);
    holder.release();
    let mut codes: Vec<i32> = both.into_iter().map(|running| running.end().code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 1]);
    assert_eq!(project.versions(), "platform 1.0.4, acme 1.0.4, beta 1.0.4");
}

#[test]
fn rows_that_would_be_left_out_are_refused() {
    let project = with_everything();
    project.db.run(
        "CREATE SCHEMA attic; CREATE TABLE attic.bikes () INHERITS (org_alpha.things); INSERT INTO attic.bikes VALUES (9, 'bike')",
    );
    let (exit, document) = project.json("tenant clone alpha beta --data");
    assert_eq!((exit, code(&document)), (1, "copy-refused"), "{document}");
    assert!(document["error"]["message"].as_str().unwrap().contains("attic.bikes"), "{document}");
    // Row security that hides rows from the role must not make a copy with holes.
    project.db.run("DROP SCHEMA attic CASCADE; ALTER TABLE org_alpha.notes FORCE ROW LEVEL SECURITY");
    let (exit, document) = project.json("tenant clone alpha beta --data");
    assert_eq!((exit, code(&document)), (1, "clone-differs"), "{document}");
}

#[test]
fn a_role_that_a_template_takes_on_ends_with_it() {
    let project = Project::seeds();
    let role = format!("maker_{}", project.db.name);
    project.db.run(&format!("CREATE ROLE {role}"));
    let small = format!("-- Template: v1.0.4\nCREATE TABLE {{org_schema}}.t (id int);\nSET ROLE {role};\n");
    project.file("tenant_templates/small/010_t.sql", small);
    project.run("migrate up").passes();
    project.run("tenant create acme --template small").passes();
    project.run("tenant clone acme beta --data").passes();
    project.db.run("DELETE FROM datalinx_platform.tenant_version WHERE schema_name = 'org_acme'");
    project.run("tenant adopt org_acme --slug acme --version 1.0.4 --template small").passes();
    assert_eq!(project.versions(), "platform 1.0.4, acme 1.0.4, beta 1.0.4");
    project.db.run(&format!("DROP ROLE {role}"));
}

#[test]
fn many_tables_are_copied_with_few_locks() {
    let project = Project::seeds();
    project.without_rules();
    let table = |n: usize| {
        let key = if n == 0 { String::new() } else { format!(" REFERENCES {{org_schema}}.t_{} (id)", n - 1) };
        format!(
            "CREATE TABLE {{org_schema}}.t_{n} (id integer PRIMARY KEY, before integer{key}, text text);\n"
        )
    };
    let tables: String = (0..250).map(table).collect();
    let view = "CREATE MATERIALIZED VIEW {org_schema}.last AS SELECT * FROM {org_schema}.t_0;";
    project.file("tenant_templates/default/900_many.sql", format!("{tables}{view}"));
    project.run("migrate up").passes();
    project.create(&["alpha"]);
    let insert = |n: usize| format!("INSERT INTO org_alpha.t_{n} VALUES (1, 1, 'x'), (2, NULL, NULL);");
    let rows: String = (0..250).map(insert).collect();
    project.db.run(&format!("{rows} REFRESH MATERIALIZED VIEW org_alpha.last"));
    let holder = Session::holding(&project.db, "LOCK TABLE org_alpha.t_249 IN ACCESS EXCLUSIVE MODE");
    let clone = project.start("tenant clone alpha beta --data --lock-timeout 1m");
    let pid = project.db.wait_for_waiting(1).remove(0);
    let locks = project.db.value(&format!("SELECT count(*)::text FROM pg_locks WHERE pid = {pid}"));
    assert!(locks.parse::<u32>().unwrap() < 1_000, "{locks} locks");
    // Rows of a later moment are not copied.
    project.db.run("INSERT INTO org_alpha.t_248 VALUES (3, NULL, 'later')");
    holder.release();
    let output = clone.end();
    assert_eq!(output.code, 0, "{output}");
    assert!(output.stdout.ends_with("\n500 rows of 254 tables copied\n"), "{output}");
    project.db.run("DELETE FROM org_alpha.t_248 WHERE id = 3");
    assert_eq!(super::rows(&project.db, "org_beta"), super::rows(&project.db, "org_alpha"));
    project.run("drift").passes();
    // A failure between the transactions leaves nothing.
    project
        .db
        .run("ALTER TABLE org_alpha.t_249 DISABLE TRIGGER ALL; INSERT INTO org_alpha.t_249 VALUES (3, 99)");
    project.db.run("ALTER TABLE org_alpha.t_249 ENABLE TRIGGER ALL");
    let (exit, document) = project.json("tenant clone alpha gamma --data");
    assert_eq!((exit, &document["error"]["sqlstate"]), (1, &"23503".into()), "{document}");
    assert!(!state(&project).iter().any(|line| line.contains("gamma")), "{:?}", state(&project));
}
