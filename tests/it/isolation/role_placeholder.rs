//! `{org_role}` in templates and migrations: the role of the tenant, whatever its name is.

use super::{drop_roles, isolated, with_roles};
use crate::support::Project;

/// A template's file with a policy for the tenant's role, also in code.
const POLICY: &str = "CREATE TABLE notes (id int PRIMARY KEY, body text);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes TO {org_role} USING (id > 0);
-- Allow: opaque-code because it is one policy
DO $$ BEGIN EXECUTE 'CREATE POLICY more ON {org_schema}.notes FOR DELETE TO {org_role} USING (true)'; END $$;
";

/// A step with a policy.
const STEP: &str = "-- Scope: tenant\nCREATE TABLE {org_schema}.drafts (id int PRIMARY KEY, body text, \
    created_at timestamptz, updated_at timestamptz);\n\
    ALTER TABLE {org_schema}.drafts ENABLE ROW LEVEL SECURITY;\n\
    CREATE POLICY own ON {org_schema}.drafts TO {org_role} USING (id > 0);\n";

/// The policies with the roles that they are for.
fn policies(project: &Project) -> Vec<String> {
    project.db.column(
        "SELECT format('%s.%s %s: %s', schemaname, tablename, policyname, array_to_string(roles, ',')) FROM pg_policies ORDER BY 1",
    )
}

/// The policies that tenants must have.
fn expected(project: &Project, schemas: &[&str]) -> Vec<String> {
    let of = |schema: &&str| {
        let role = format!("{}_{schema}", project.db.name);
        ["drafts own", "notes more", "notes own"].map(|policy| format!("{schema}.{policy}: {role}"))
    };
    schemas.iter().flat_map(of).collect()
}

fn project() -> Project {
    let project = isolated();
    project.file("tenant_templates/default/050_notes.sql", POLICY);
    project
}

#[test]
fn the_role_follows_its_tenant_everywhere() {
    let project = project();
    project.create(&["one", "two"]);
    project.migration("1.0.4", "1.0.5", "drafts", STEP);
    project.run("verify").passes();
    project.run("verify --shadow").passes();
    project.run("template check --shadow").passes();
    project.run("migrate up").passes();
    project.run("tenant create three").passes();
    assert_eq!(policies(&project), expected(&project, &["org_one", "org_three", "org_two"]));

    project.run("tenant rename three four").passes();
    project.run("tenant clone one five --data").passes();
    project.run("tenant export two --to two.tenure").passes();
    project.run("tenant import two.tenure --as six").passes();
    let all = ["org_five", "org_four", "org_one", "org_six", "org_two"];
    assert_eq!(policies(&project), expected(&project, &all));
    let (code, drifted) = project.json("drift");
    assert_eq!((code, &drifted["differences"]), (0, &serde_json::json!([])), "{drifted}");
    project.run("template squash").passes();
    project.run("template check --shadow").passes();
    project.run("tenant create seven").passes();
    let role = format!("{}_org_seven", project.db.name);
    assert_eq!(policies(&project).iter().filter(|policy| policy.ends_with(&role)).count(), 3);
    drop_roles(&project);
}

#[test]
fn a_tenant_without_a_role_fails_and_the_message_says_what_to_do() {
    let project = Project::with_tenants(&["one"]);
    project.migration("1.0.4", "1.0.5", "drafts", STEP);
    let document = project.expect_error("verify", "settings");
    assert_eq!(document["error"]["line"], 6, "{document}");
    assert!(document["error"]["hint"].as_str().unwrap().contains("roles = true"), "{document}");
    with_roles(&project);
    let output = project.run("migrate up");
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("tenure tenant grant"), "{output}");
    assert_eq!(policies(&project), [""; 0]);
    project.run("tenant grant").passes();
    project.run("migrate up").passes();
    assert_eq!(policies(&project), expected(&project, &["org_one"])[..1]);
    drop_roles(&project);
}

#[test]
fn a_pool_schema_has_no_role() {
    let project = project();
    let document = project.expect_error("tenant pool fill 1", "not-poolable");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains("{org_role} is in tenant_templates/default/050_notes.sql:3:1, "), "{message}");
    drop_roles(&project);
}

#[test]
fn the_platform_has_no_tenant_role() {
    let project = isolated();
    let step = "-- Scope: platform\nGRANT SELECT ON datalinx_platform.users TO {org_role};\n";
    project.migration("1.0.4", "1.0.5", "bad", step);
    project.expect_error("verify", "scope-unclear");
    project.file(
        "tenant_templates/default/006_parameter.sql",
        "-- Parameter: org_role text = 'a'\nCOMMENT ON SCHEMA {org_schema} IS {org_role};\n",
    );
    let (code, document) = project.json("verify");
    assert_eq!(code, 2, "{document}");
}

#[test]
fn an_imported_tenant_has_no_policy_of_the_original() {
    let project = project();
    project.create(&["one"]);
    let role = format!("{}_org_one", project.db.name);
    project.db.run(&format!(
        "CREATE POLICY \"both\" ON org_one.notes FOR UPDATE TO pg_monitor, {role} USING (true); \
         CREATE POLICY others ON org_one.notes FOR INSERT TO pg_monitor WITH CHECK (true)"
    ));
    project.run("tenant export one --to one.tenure").passes();
    project.run("tenant import one.tenure --as two").passes();
    let of = |schema: &str| -> Vec<String> {
        let prefix = format!("{schema}.");
        policies(&project).into_iter().filter_map(|it| Some(it.strip_prefix(&prefix)?.to_owned())).collect()
    };
    let two = format!("{}_org_two", project.db.name);
    assert_eq!(
        of("org_two"),
        [
            format!("notes both: pg_monitor,{two}"),
            format!("notes more: {two}"),
            "notes others: pg_monitor".to_owned(),
            format!("notes own: {two}"),
        ]
    );
    project.run("tenant restore one --from one.tenure").passes();
    assert_eq!(of("org_one").len(), 4);
    assert!(of("org_one").contains(&format!("notes own: {role}")), "{:?}", of("org_one"));

    let other = Project::seeds();
    other.run("migrate up").passes();
    let file = project.dir.path().join("one.tenure");
    let line = format!("tenant import {} --as three", file.display());
    let document = other.expect_error(&line, "settings");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains("the policy more on notes is for the tenant's role"), "{message}");
    assert_eq!(other.db.value("SELECT count(*)::text FROM pg_namespace WHERE nspname = 'org_three'"), "0");
    drop_roles(&project);
}
