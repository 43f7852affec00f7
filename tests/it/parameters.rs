//! Parameters of templates: what each tenant brings is filled in, quoted by its kind, and wherever a template is
//! only tried something stands there.

use insta::assert_snapshot;

use crate::support::Project;

/// The seeds' platform, and a template that asks for something.
fn asking() -> Project {
    let project = Project::seeds();
    project.file(
        "tenant_templates/default/900_account.sql",
        "-- Parameter: plan literal = 'free'\n\
         -- Parameter: seats literal sample '5'\n\
         -- Parameter: owner_table identifier = 'owners'\n\
         -- Parameter: note literal = ''\n\
         CREATE TABLE {owner_table} (name text, plan text NOT NULL DEFAULT {plan}, seats int DEFAULT {seats});\n\
         CREATE TABLE notes (body text); -- {note} is only a value\n\
         INSERT INTO notes VALUES ({note}), ('{\"note\": 1}');\n",
    );
    let _migrated = project.run("migrate up").ok();
    project
}

#[test]
fn each_value_takes_its_place_and_no_other() {
    let project = asking();
    let odd = r"it's \ {org_schema} {plan}'; DROP SCHEMA public; --";
    let table = r#"a "b" {plan}"#;
    let words = ["tenant", "create", "acme", "--set", "seats=7", "--set"];
    let (note, owner) = (format!("note={odd}"), format!("owner_table={table}"));
    let _made = project.run_words(words.into_iter().chain([note.as_str(), "--set", &owner])).ok();
    assert_eq!(project.db.column("SELECT body FROM org_acme.notes ORDER BY 1"), [odd, "{\"note\": 1}"]);
    let defaults = "SELECT table_name || ': ' || string_agg(column_default, ', ' ORDER BY ordinal_position) \
                    FROM information_schema.columns WHERE table_schema = 'org_acme' AND column_name IN ('plan', 'seats') \
                    GROUP BY table_name";
    assert_eq!(project.db.value(defaults), format!("{table}: 'free'::text, 7"));
    // What only stands in a row is nobody's but the row's.
    let kept = "SELECT parameters::text FROM datalinx_platform.tenant_version";
    assert_snapshot!(project.db.value(kept), @r#"{"plan": "free", "seats": "7", "owner_table": "a \"b\" {plan}"}"#);
    let _other = project.run("tenant create other --set seats=1 --set plan=pro").ok();
    assert_eq!(project.db.value("SELECT body FROM org_other.notes WHERE body NOT LIKE '{%'"), "");
}

#[test]
fn a_list_has_a_column_for_each() {
    let project = asking();
    project.file("list.csv", "slug,set.plan,set.seats\na,pro,\nb,,9\nc,\"x, 'y'\",2\n");
    let _made = project.run("tenant create --from list.csv --set seats=3 --set plan=basic").ok();
    let defaults = "SELECT table_schema || ' ' || string_agg(column_default, ' ' ORDER BY ordinal_position) \
                    FROM information_schema.columns WHERE table_name = 'owners' AND column_default IS NOT NULL \
                    GROUP BY table_schema ORDER BY 1";
    assert_eq!(
        project.db.column(defaults),
        ["org_a 'pro'::text 3", "org_b 'basic'::text 9", "org_c 'x, ''y'''::text 2"]
    );
    project.file("list.csv", "slug,plan\nd,pro\n");
    let refused = project.run("tenant create --from list.csv");
    assert_eq!(refused.code, 2, "{refused}");
    project.file("list.csv", "slug,set.seats,set.pln\nd,1,\ne,1,pro\n");
    let (code, document) = project.json("tenant create --from list.csv");
    assert_eq!((code, &document["created"][0]["slug"]), (4, &"d".into()));
    assert_eq!(document["failures"][0]["code"], "parameter-invalid");
}

#[test]
fn invalid_parameter_values_are_refused_before_sending() {
    let project = asking();
    let before = project.db.dump(&[]);
    assert_snapshot!(project.run("tenant create acme"), @r#"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[parameter-invalid]: the template "default" needs a value for "seats"
     = help: use --set seats=VALUE, or the column set.seats in a list
    "#);
    assert_snapshot!(project.run("tenant create acme --set seats=1 --set plann=pro"), @r#"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[parameter-invalid]: the template "default" has no parameter "plann"
     = help: did you mean plan?
    "#);
    let long = format!("tenant create acme --set seats=1 --set owner_table={}", "x".repeat(64));
    for line in [
        long.as_str(),
        "tenant create acme --set seats=1 --set owner_table=",
        "tenant create acme --set seats",
        "tenant create acme --set seats=1 --set seats=2",
    ] {
        let refused = project.run(line);
        assert_eq!(refused.code, 2, "{line}: {refused}");
    }
    assert_eq!(project.db.dump(&[]), before);
}

#[test]
fn server_errors_point_to_the_parameters_place() {
    let project = asking();
    assert_snapshot!(project.run("tenant create acme --set seats=many"), @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[unit-failed]: creating org_acme: invalid input syntax for type integer: "…"
     --> tenant_templates/default/900_account.sql:5:93
      |
    5 | CREATE TABLE {owner_table} (name text, plan text NOT NULL DEFAULT {plan}, seats int DEFAULT {seats});
      |                                                                                             ^
      |
      = note: SQLSTATE 22P02
    "#);
    assert_eq!(project.db.value("SELECT count(*)::text FROM datalinx_platform.tenant_version"), "0");
    project.file("tenant_templates/default/901.sql", "SELECT 'the {plan} of ' || {plan};\n");
    assert_snapshot!(project.run("tenant create acme --set seats=1"), @"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[template-invalid]: {plan} is a parameter, and its value cannot be quoted inside a string, a body or a quoted name
     --> tenant_templates/default/901.sql:1:8
      |
    1 | SELECT 'the {plan} of ' || {plan};
      |        ^^^^^^^^^^^^^^^^
      |
      = help: use it outside the string, such as `'a ' || {key}` or `format('… %L …', {key})`; if the braces are no parameter, rename the parameter
    ");
}

#[test]
fn a_tenant_is_compared_with_one_that_brought_the_same() {
    let project = asking();
    project.file("list.csv", "slug,set.seats,set.plan\na,1,pro\nb,2,\nc,1,pro\nd,3,\"it's\"\n");
    let _made = project.run("tenant create --from list.csv").ok();
    let (code, drift) = project.json("drift");
    assert_eq!((code, &drift["tenants"]["same"]), (0, &4.into()), "{drift}");
    let seats = drift["references"].as_array().unwrap().iter().map(|one| one["parameters"]["seats"].as_str());
    assert_eq!(seats.collect::<Vec<_>>(), [Some("2"), Some("3"), Some("1")]);
    project.db.run("ALTER TABLE org_c.owners ALTER COLUMN plan SET DEFAULT 'free'");
    let (code, drift) = project.json("drift");
    assert_eq!((code, drift["differences"].as_array().map(Vec::len)), (1, Some(1)), "{drift}");
    assert_snapshot!(drift["differences"][0].to_string(), @r#"{"schema":"org_c","object":"table owners","change":"column plan: default changed from 'pro'::text to 'free'::text"}"#);
}

#[test]
fn trial_runs_use_sample_values() {
    let project = asking();
    let _verified = project.run("verify --shadow").ok();
    let _checked = project.run("template check --shadow").ok();
    assert_snapshot!(project.run("template squash"), @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[template-differs]: the schema of a tenant of "default" depends on its parameters (plan, seats, owner_table), and a dump would contain the values of one tenant
     = help: parameters may only be used in INSERT, UPDATE, DELETE and MERGE
    "#);
    // A parameter that only stands in rows is carried on, with the line that declares it.
    project.file(
        "tenant_templates/default/900_account.sql",
        "-- Parameter: note literal sample 'it''s'\nCREATE TABLE notes (body text);\nINSERT INTO notes VALUES ({note});\n",
    );
    let _squashed = project.run("template squash").ok();
    let first = std::fs::read_dir(project.dir.path().join("tenant_templates/default_v1.0.4")).unwrap();
    let mut names: Vec<_> = first.map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let text = std::fs::read_to_string(&names[0]).unwrap();
    assert!(text.starts_with("-- Template: v1.0.4\n-- Parameter: note literal sample 'it''s'\n"), "{text}");
    let _made = project.run("tenant create acme --template default_v1.0.4 --set note=hello").ok();
    assert_eq!(project.db.value("SELECT body FROM org_acme.notes"), "hello");
    let _checked = project.run("template check").ok();
}
