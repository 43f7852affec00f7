//! Schemas that are made in advance: filled once, taken once, kept up to date, and nobody's until then.

use std::collections::BTreeSet;

use insta::assert_snapshot;

use crate::support::{Project, csv};

/// The seeds' platform, and so many schemas in the pool.
pub(crate) fn with_pool(count: usize) -> Project {
    let project = Project::with_tenants(&[]);
    let _filled = project.run(&format!("tenant pool fill {count}")).ok();
    project
}

/// The rows of the pool: how many, and their places.
pub(crate) fn pool(project: &Project) -> String {
    project.db.value(
        "SELECT count(*) || ':' || coalesce(string_agg(pool_slot::text, ',' ORDER BY pool_slot), '') \
         FROM datalinx_platform.tenant_version WHERE status = 'pooled'",
    )
}

pub(crate) fn schemas(project: &Project) -> String {
    project.db.value("SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'tenure_pool_%'")
}

#[test]
fn a_filled_pool_is_nobodys_and_a_new_tenant_takes_from_it() {
    let project = with_pool(2);
    let fresh = Project::with_tenants(&["acme"]);
    assert_eq!((pool(&project), schemas(&project)), ("2:1,2".to_owned(), "2".to_owned()));
    let (_, list) = project.json("tenant list");
    assert_eq!(list["tenants"].as_array().map(Vec::len), Some(0));
    let (_, status) = project.json("status --tenants");
    assert_eq!((&status["tenants"]["total"], status["list"].as_array().map(Vec::len)), (&0.into(), Some(0)));
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["total"]), (0, &0.into()));

    let (code, made) = project.json("tenant create acme");
    assert_eq!((code, &made["created"][0]["schema"]), (0, &"org_acme".into()), "{made}");
    assert!(pool(&project).starts_with("1:"));
    assert_eq!(schemas(&project), "1");
    assert_eq!(project.db.dump_of("org_acme"), fresh.db.dump_of("org_acme"));
    let rows = "SELECT concat_ws(' ', schema_name, version, template, status, pool_slot, made_from, proved_at) \
                FROM datalinx_platform.tenant_version WHERE status <> 'pooled'";
    assert_eq!(project.db.value(rows), fresh.db.value(rows));
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &1.into()), "{drift}");
    let renamed = "SELECT kind || ' ' || (name LIKE 'tenure_pool_%')::text FROM datalinx_platform.migration_history \
                   WHERE schema_name = 'org_acme'";
    assert_eq!(project.db.column(renamed), ["rename true"]);
    // The second and last, and then one that is made anew.
    project.create(&["b", "c"]);
    assert_eq!((pool(&project), schemas(&project)), ("0:".to_owned(), "0".to_owned()));
    assert_eq!(project.db.dump_of("org_c"), project.db.dump_of("org_b"));
}

#[test]
fn to_fill_is_to_fill_up() {
    let project = Project::with_tenants(&[]);
    assert_snapshot!(project.run("tenant pool list"), @"
    exit code: 0
    ----- stdout -----
    no schemas; create some in advance with `tenure tenant pool fill N`

    ----- stderr -----
    ");
    assert_snapshot!(project.run("tenant pool fill 3 --jobs 2"), @"
    exit code: 0
    ----- stdout -----
    done: 3 schemas of the template default at 1.0.4; 3 created, 0 removed

    ----- stderr -----
    ");
    assert_snapshot!(project.run("tenant pool fill 3"), @"
    exit code: 0
    ----- stdout -----
    nothing to do: 3 schemas of the template default at 1.0.4; 0 created, 0 removed

    ----- stderr -----
    ");
    let _made = project.run("tenant create acme").ok();
    assert_snapshot!(project.run("tenant pool fill 4"), @"
    exit code: 0
    ----- stdout -----
    done: 4 schemas of the template default at 1.0.4; 2 created, 0 removed

    ----- stderr -----
    ");
    assert_eq!(pool(&project), "4:1,2,3,4");
    let (_, list) = project.json("tenant pool list");
    let states: BTreeSet<_> =
        list["pool"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, BTreeSet::from(["ready"]));
    assert_snapshot!(project.run("tenant pool drain --template other"), @"
    exit code: 0
    ----- stdout -----
    nothing to do: 0 schemas removed

    ----- stderr -----
    ");
    assert_snapshot!(project.run("tenant pool drain"), @"
    exit code: 0
    ----- stdout -----
    done: 4 schemas removed

    ----- stderr -----
    ");
    assert_eq!((pool(&project), schemas(&project)), ("0:".to_owned(), "0".to_owned()));
    assert_eq!(project.repeated_units(), [""; 0]);
}

#[test]
fn two_that_fill_at_once_fill_once_and_many_that_take_take_one_each() {
    let project = Project::with_tenants(&[]);
    let [one, two] = [(); 2].map(|()| project.start("tenant pool fill 12 --jobs 3 --format json"));
    let made: i64 = [one, two]
        .map(|running| {
            let output = running.end().ok();
            let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
            document["made"].as_i64().unwrap()
        })
        .iter()
        .sum();
    assert_eq!(
        (made, pool(&project), schemas(&project)),
        (12, "12:1,2,3,4,5,6,7,8,9,10,11,12".to_owned(), "12".to_owned())
    );
    let slugs: Vec<String> = (0..10).map(|number| format!("t{number}")).collect();
    let lists: Vec<_> =
        slugs.chunks(5).map(|slugs| csv(&slugs.iter().map(String::as_str).collect::<Vec<_>>())).collect();
    for (number, list) in lists.iter().enumerate() {
        project.file(&format!("{number}.csv"), list);
    }
    let running = [0, 1].map(|number| project.start(&format!("tenant create --from {number}.csv --jobs 4")));
    for running in running {
        running.end().passes();
    }
    assert_eq!((pool(&project).starts_with("2:"), schemas(&project)), (true, "2".to_owned()));
    let taken =
        "SELECT count(DISTINCT name)::text FROM datalinx_platform.migration_history WHERE kind = 'rename'";
    assert_eq!(project.db.value(taken), "10");
}

#[test]
fn a_migration_takes_the_pool_along_and_counts_it_nowhere() {
    let project = with_pool(2);
    project.create(&["acme"]);
    let _filled = project.run("tenant pool fill 2").ok();
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    let (_, plan) = project.json("migrate up --plan");
    assert_eq!(plan["steps"][0]["tenants"], 1);
    let (code, migrated) = project.json("migrate up");
    assert_eq!(code, 0, "{migrated}");
    assert_eq!(
        migrated["tenants"],
        serde_json::json!({ "total": 1, "migrated": 1, "unchanged": 0, "failed": 0 })
    );
    let (_, list) = project.json("tenant pool list");
    for row in list["pool"].as_array().unwrap() {
        assert_eq!((&row["version"], &row["state"]), (&"1.0.5".into(), &"ready".into()));
    }
    // A step that has nothing for tenants, and one that runs alone.
    project.migration("1.0.5", "1.0.6", "users", "ALTER TABLE users ADD COLUMN nick text;");
    project.migration(
        "1.0.6",
        "1.0.7",
        "index",
        "CREATE INDEX CONCURRENTLY workspaces_note ON workspaces (note);",
    );
    let (code, migrated) = project.json("migrate up");
    assert_eq!((code, &migrated["tenants"]["migrated"]), (0, &1.into()), "{migrated}");
    let _made = project.run("tenant create b").ok();
    assert_eq!(schemas(&project), "1");
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &2.into()), "{drift}");
    // Where there is nobody but the pool, it is moved all the same.
    let alone = with_pool(1);
    alone.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    let (code, migrated) = alone.json("migrate up");
    assert_eq!((code, &migrated["tenants"]["total"]), (0, &0.into()), "{migrated}");
    let (_, list) = alone.json("tenant pool list");
    assert_eq!((&list["pool"][0]["version"], &list["pool"][0]["state"]), (&"1.0.5".into(), &"ready".into()));
}

#[test]
fn taking_from_the_pool_does_not_wait() {
    let project = with_pool(1);
    project.create(&["acme"]);
    let _filled = project.run("tenant pool fill 1").ok();
    let name =
        project.db.value("SELECT schema_name FROM datalinx_platform.tenant_version WHERE status = 'pooled'");
    project.db.run(&format!("DROP TABLE {name}.workspaces CASCADE"));
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    project.migration(
        "1.0.5",
        "1.0.6",
        "both",
        "ALTER TABLE users ADD COLUMN nick text;\nALTER TABLE workspaces ADD COLUMN nick text;",
    );
    let (code, migrated) = project.json("migrate up");
    assert_eq!((code, &migrated["platform"]["to"]), (0, &"1.0.6".into()), "{migrated}");
    assert_eq!(
        migrated["tenants"],
        serde_json::json!({ "total": 1, "migrated": 1, "unchanged": 0, "failed": 0 })
    );
    let (_, list) = project.json("tenant pool list");
    assert_eq!(list["pool"][0]["state"], "behind");
    // It is not taken, and the next filling replaces it.
    let _made = project.run("tenant create b").ok();
    assert_eq!(
        (schemas(&project), project.db.dump_of("org_b")),
        ("1".to_owned(), project.db.dump_of("org_acme"))
    );
    let (code, filled) = project.json("tenant pool fill 1");
    assert_eq!((code, &filled["made"], &filled["removed"]), (0, &1.into(), &1.into()), "{filled}");
    // Of a template that says something else now, too.
    project.file("tenant_templates/default/900.sql", "CREATE TABLE {org_schema}.later (id int);\n");
    let _made = project.run("tenant create c").ok();
    assert_eq!(
        (schemas(&project), project.db.value("SELECT to_regclass('org_c.later')::text")),
        ("1".to_owned(), "org_c.later".to_owned())
    );
    let (_, filled) = project.json("tenant pool fill 2");
    assert_eq!((&filled["made"], &filled["removed"]), (&2.into(), &1.into()), "{filled}");
}
