//! `verify --shadow`: the migrations run on a throwaway database, and what they do there is judged, not only
//! what they say.

use serde_json::{Value, json};

use crate::support::Project;

/// The seeds' project with one more step.
fn project_with(sql: &str) -> Project {
    let project = Project::seeds();
    project.next_migration(sql);
    project
}

/// What is found on the test's own database as the shadow: exit code and document.
fn verified(project: &Project, more: &str) -> (i32, Value) {
    let url = project.db.url.clone();
    let words = ["--format", "json", "verify", "--shadow-url", url.as_str()];
    let output = project.run_words(words.into_iter().chain(more.split_whitespace()));
    (output.code, serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output}")))
}

/// The findings as lines: `deny drop-column 5 effect`, those that were accepted behind a dash.
fn lines(document: &Value) -> Vec<String> {
    let line = |finding: &Value| {
        let word = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let accepted = if finding["allowed"] == true { "- " } else { "" };
        format!("{accepted}{} {} {} {}", word("level"), word("rule"), finding["line"], word("evidence"))
    };
    document["findings"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn the_seeds_pass_and_their_locks_are_reported() {
    let project = Project::seeds();
    let (code, document) = verified(&project, "");
    assert_eq!((code, &document["findings"]), (0, &json!([])));
    let effects = document["effects"].as_array().unwrap();
    let of_users: Vec<&Value> = effects
        .iter()
        .filter(|effect| effect["file"].as_str().unwrap().contains("add_mfa_columns"))
        .flat_map(|effect| effect["tables"].as_array().unwrap())
        .collect();
    let table = json!({
        "schema": "datalinx_platform", "table": "users", "lock": "ACCESS EXCLUSIVE", "rewritten": false, "scanned": false,
    });
    assert_eq!(of_users, [&table]);
    let left = project.db.column("SELECT nspname::text FROM pg_namespace WHERE nspname ~ 'org_|datalinx'");
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn hidden_effects_are_found_at_their_statement() {
    let project = project_with(
        "-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN colour text;\nDO $$ BEGIN\n  EXECUTE 'ALTER TABLE ' || 'work' || 'spaces DROP COLUMN description';\nEND $$;",
    );
    let (code, document) = verified(&project, "");
    assert_eq!(code, 1);
    assert_eq!(lines(&document), ["- deny opaque-code 5 effect", "deny drop-column 5 effect"]);
    assert_eq!(document["findings"][1]["scope"], "tenant");
    // An Allow line accepts it as it does what a text says.
    project.migration(
        "1.0.4",
        "1.0.5",
        "next",
        "-- Scope: tenant\n-- Allow: drop-column workspaces.description because 2.0 was the last to read it\nDO $$ BEGIN\n  EXECUTE 'ALTER TABLE ' || 'work' || 'spaces DROP COLUMN description';\nEND $$;",
    );
    let (code, document) = verified(&project, "");
    assert_eq!(code, 0, "{document}");
    assert_eq!(lines(&document), ["- deny opaque-code 5 effect", "- deny drop-column 5 effect"]);
    // By the text alone nobody can say what the line is for; it is no mistake.
    let (code, document) = project.json("verify");
    assert_eq!((code, lines(&document)), (1, vec!["deny opaque-code 5 text".to_owned()]));
}

#[test]
fn code_that_does_no_harm_is_cleared() {
    let project = project_with(
        "-- Scope: tenant\nDO $$ BEGIN\n  EXECUTE format('ALTER TABLE %I ADD COLUMN %I text', 'workspaces', 'colour');\nEND $$;",
    );
    let (code, document) = verified(&project, "");
    assert_eq!((code, lines(&document)), (0, vec!["- deny opaque-code 4 effect".to_owned()]));
    assert_eq!(document["findings"][0]["because"], "the shadow observed all of its effects");
    assert_eq!(project.json("verify").0, 1);
}

#[test]
fn a_program_is_not_run_to_see_what_it_does() {
    let project = Project::seeds();
    let file = std::env::temp_dir().join(format!("tenure_{}_program", std::process::id()));
    let shown = file.display();
    for (sql, own) in [
        (format!("COPY users TO PROGRAM 'cat >{shown}'"), false),
        (format!("COPY users FROM PROGRAM 'touch {shown}'"), true),
        (format!("COPY (SELECT 1) TO '{shown}'"), false),
    ] {
        project.migration("1.0.4", "1.0.5", "more", &format!("-- Scope: platform\n{sql};"));
        project.migration(
            "1.0.5",
            "1.0.6",
            "then",
            "-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN c text;",
        );
        let (code, document) = if own { project.json("verify --shadow") } else { verified(&project, "") };
        assert_eq!(code, 1, "{sql}: {document:#}");
        assert_eq!(
            lines(&document),
            ["deny not-observed 4 effect", "deny opaque-code 4 text"],
            "{sql}: {document:#}"
        );
        // Nor on the way to a step behind it.
        let (_, document) = verified(&project, "migrations/v1.0.5_to_v1.0.6_then.sql");
        let error = &document["error"];
        assert_eq!((&error["code"], &error["line"]), (&json!("leaves-database"), &json!(4)), "{document:#}");
        assert!(!file.exists(), "{sql}");
    }
}

#[test]
fn rows_and_values_are_watched() {
    let project = project_with(
        "-- Scope: platform\nDO $$ BEGIN DELETE FROM audit_log; END $$;\nDO $$ BEGIN UPDATE organizations SET name = upper(name); END $$;",
    );
    let (code, document) = verified(&project, "");
    assert_eq!(code, 1);
    // Each effect is in the finding of the text, which one Allow line accepts.
    assert_eq!(
        lines(&document),
        ["deny delete-without-where 4 text", "deny update-without-where 5 text"],
        "{document:#}"
    );
    let observed: Vec<_> =
        document["findings"].as_array().unwrap().iter().map(|it| &it["observed"][0]).collect();
    assert_eq!(
        observed,
        [
            "`table audit_log: rows are missing` after a run on sample rows",
            "`table organizations: column name holds other values` after a run on sample rows"
        ]
    );
}

#[test]
fn a_failing_statement_is_reported_with_its_place() {
    let project = project_with(
        "-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN a text;\nALTER TABLE workspaces ADD COLUMN a text;",
    );
    let (code, document) = verified(&project, "");
    assert_eq!((code, lines(&document)), (1, vec!["deny execution-fails 5 effect".to_owned()]));
    let message = document["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("already exists"), "{message}");
}

#[test]
fn only_an_empty_database_is_taken() {
    let project = Project::seeds();
    project.db.run("CREATE TABLE precious (id int)");
    let (code, document) = verified(&project, "");
    assert_eq!((code, &document["error"]["code"]), (1, &json!("shadow-not-empty")), "{document}");
    assert_eq!(project.db.value("SELECT count(*)::text FROM precious"), "0");
    project.file("other.sql", "SELECT 1;");
    let (code, document) = verified(&project, "other.sql");
    assert_eq!((code, &document["error"]["code"]), (2, &json!("usage")), "{document}");
}

#[test]
fn the_old_releases_queries_decide() {
    let drop = "-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN colour text;\nALTER TABLE workspaces DROP COLUMN description;";
    let project = project_with(drop);
    project.file(
        "old/list.sql",
        "-- name: ListWorkspaces :many\nSELECT id, name, description FROM workspaces;\n",
    );
    let (code, document) = verified(&project, "--queries old");
    assert_eq!(code, 1);
    assert_eq!(lines(&document), ["deny query-breaks 5 queries", "deny drop-column 5 text"]);
    let message = document["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("ListWorkspaces") && message.contains("\"description\""), "{message}");
    // A release that does not need the column lets it go, if the project says that queries decide.
    project.file("old/list.sql", "SELECT id, name FROM workspaces;\n");
    let (code, document) = verified(&project, "--queries old");
    assert_eq!((code, lines(&document)), (1, vec!["deny drop-column 5 text".to_owned()]));
    project.file("tenure.toml", "[verify]\ncontract = \"queries\"\n");
    let (code, document) = verified(&project, "--queries old");
    assert_eq!((code, lines(&document)), (0, vec!["- deny drop-column 5 queries".to_owned()]), "{document}");
    // What could not be checked proves nothing.
    project.file("old/more.sql", "SELECT nothing FROM nowhere;\n");
    let (code, document) = verified(&project, "--queries old");
    assert_eq!((code, document["unchecked"].as_array().unwrap().len()), (1, 1), "{document}");
}

#[test]
fn migrate_up_looks_first() {
    let project = project_with(
        "-- Scope: tenant\n-- Allow: opaque-code because it only tidies up\nDO $$ BEGIN EXECUTE 'DROP TABLE map' || 'pings CASCADE'; END $$;",
    );
    project.run("migrate up --to 1.0.4").passes();
    project.create(&["acme"]);
    let refused = project.run("migrate up --shadow");
    project.run("dev stop").passes();
    assert_eq!(refused.code, 1, "{refused}");
    assert!(
        refused.stderr.contains("drop-table") && refused.stderr.contains("nothing was written"),
        "{refused}"
    );
    assert_eq!(project.db.value("SELECT (to_regclass('org_acme.mappings') IS NOT NULL)::text"), "true");
}

#[test]
fn repeatable_statements_are_run_twice() {
    let project = project_with(
        "-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN IF NOT EXISTS a text, ADD COLUMN b text;\n\
         ALTER TABLE workspaces ADD COLUMN IF NOT EXISTS c text;\nCREATE INDEX IF NOT EXISTS by_c ON workspaces (c);\n\
         CREATE OR REPLACE VIEW w AS SELECT id FROM workspaces;",
    );
    let (_, document) = verified(&project, "");
    let told: Vec<String> =
        lines(&document).into_iter().filter(|line| line.contains("not-repeatable")).collect();
    assert_eq!(told, ["warn not-repeatable 4 effect"]);
    let messages = document["findings"].to_string();
    assert!(messages.contains("a second run fails: ") && messages.contains("already exists"), "{messages}");
}

#[test]
fn a_file_that_undoes_a_step_brings_back_what_was_there() {
    let project =
        project_with("-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN a text, ADD COLUMN b text;");
    let undo = |sql: &str| {
        project.migration(
            "1.0.5",
            "1.0.4",
            "less",
            &format!("-- Scope: tenant\n-- Allow: drop-column because it undoes\n{sql}"),
        );
        let (_, document) = verified(&project, "");
        let found: Vec<Value> = document["findings"].as_array().unwrap().clone();
        found.into_iter().filter(|finding| finding["rule"] == "reverse-differs").collect::<Vec<_>>()
    };
    assert!(undo("ALTER TABLE workspaces DROP COLUMN a, DROP COLUMN b;").is_empty());
    let found = undo("ALTER TABLE workspaces DROP COLUMN a;");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["file"], "migrations/v1.0.5_to_v1.0.4_less.sql");
    assert!(found[0]["message"].as_str().unwrap().contains("column added: b"), "{found:?}");
    let found = undo("ALTER TABLE workspaces DROP COLUMN nothing;");
    assert!(found[0]["message"].as_str().unwrap().contains("cannot reverse the step"), "{found:?}");
}

#[test]
fn an_effect_on_the_platform_names_no_tenant_schema() {
    let project = Project::seeds();
    project.next_migration(
        "-- Scope: platform\nDO $$ BEGIN
           EXECUTE 'CREATE FUNCTION datalinx_platform.f() RETURNS text LANGUAGE sql AS ''SELECT 1::text''';
           EXECUTE 'ALTER TABLE datalinx_platform.users ALTER COLUMN role SET DEFAULT datalinx_platform.f()'; END $$;",
    );
    let (_, document) = project.json("verify --shadow");
    let text = document["findings"].to_string();
    assert!(text.contains(" to f()` makes"), "{document:#}");
    assert!(!text.contains("{org_schema}"), "{document:#}");
}
