//! A branch is made, waited for and found again, whatever its parent is like.

use serde_json::json;

use super::Fixture;
use crate::support::{Finish as _, Project, Session, Verb};

#[test]
fn a_branch_is_made_migrated_and_deleted_and_its_parent_never_changes() {
    let project = Project::with_tenants(&["acme"]);
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    let fixture = Fixture::with(project, |_| {});
    let before = fixture.project.db.dump(&[]);
    let made = fixture.create("pr-1");
    assert_eq!((&made["name"], &made["provider"]), (&json!("pr-1"), &json!("neon")));
    assert_eq!(made["id"], json!(fixture.neon.id_of("pr-1")));
    assert_eq!(made["database_url"], json!(fixture.neon.url("pr-1", false)));
    assert_eq!(made["pooled_url"], json!(fixture.neon.url("pr-1", true)));
    let [create] = fixture.neon.seen(Verb::Create).try_into().unwrap();
    let body = create.body.unwrap();
    assert_eq!(body["endpoints"], json!([{ "type": "read_write" }]), "no suspend_timeout_seconds");
    assert!(body["branch"]["expires_at"].is_string() && body["annotation_value"].is_object());
    assert!(create.user_agent.unwrap().starts_with("tenure/"));

    let url = made["database_url"].as_str().unwrap();
    let mut command = fixture.project.command(["migrate", "up"]);
    let migrated = command.env("DATABASE_URL", url).finish();
    assert!(migrated.status.success(), "{migrated:?}");
    let mut session = Session::open(url);
    let version = session.value("SELECT version FROM datalinx_platform.schema_version");
    assert_eq!(version, "1.0.5");
    drop(session);
    fixture.run("branch delete pr-1 --provider neon").passes();
    assert_eq!((fixture.neon.branches(), fixture.neon.ever_made()), (vec![], 1));
    assert_eq!(fixture.project.db.dump(&[]), before);
}

#[test]
fn several_roles_or_databases_on_the_parent_are_no_obstacle() {
    let fixture = Fixture::new();
    fixture.neon.second_role("reader");
    fixture.create("pr-1");
    fixture.neon.second_database("metrics");
    let (code, error, message) = fixture.refused("branch create --provider neon pr-2");
    assert_eq!((code, error.as_str()), (2, "settings"), "{message}");
    assert!(message.contains("neondb, metrics"), "{message}");
    // Nothing is left of the one that could not be used.
    assert_eq!(fixture.neon.branches(), ["pr-1"]);
    fixture.project.file("tenure.toml", "[branch]\ndatabase = \"metrics\"\nrole = \"reader\"\n");
    let url = fixture.create("pr-2")["database_url"].as_str().unwrap().to_owned();
    assert!(url.contains("//reader:") && url.contains("/metrics?"), "{url}");
}

#[test]
fn a_parent_is_named_by_its_name_or_its_id_and_names_may_contain_each_other() {
    let fixture = Fixture::with(Project::empty(), |settings| settings.page = 2);
    for name in ["ci/pr-14", "ci/pr-140", "staging-2"] {
        fixture.neon.foreign(name);
    }
    fixture.create("staging");
    fixture.create("ci/pr-1");
    assert_eq!(fixture.neon.ever_made(), 5);
    let (code, error, message) = fixture.refused("branch create --provider neon x --parent stag");
    assert_eq!((code, error.as_str()), (1, "branch-not-found"), "{message}");
    // Neon takes no children of a branch that ends.
    let (code, error, _) = fixture.refused("branch create --provider neon x --parent staging");
    assert_eq!((code, error.as_str()), (1, "branch-refused"));
    let main = fixture.neon.id_of("main");
    fixture.create(&format!("by-id --parent {main}"));
    fixture.create("by-name --parent main");
    let (_, listed) = fixture.json("branch list --provider neon");
    let mut names: Vec<_> = listed["branches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|branch| branch["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["by-id", "by-name", "ci/pr-1", "staging"], "ours only");
    assert!(
        fixture.neon.seen(Verb::List).iter().any(|seen| seen.query.iter().any(|(key, _)| key == "cursor"))
    );
}

#[test]
fn a_protected_parent_gives_its_copies_passwords_of_their_own() {
    let fixture = Fixture::new();
    fixture.neon.protect("main");
    let url = fixture.create("pr-1")["database_url"].as_str().unwrap().to_owned();
    assert_eq!(Session::open(&url).value("SELECT 1::text"), "1");
    let password = |url: &str| url::Url::parse(url).unwrap().password().map(str::to_owned);
    assert_ne!(password(&url), password(&fixture.neon.url("main", false)));
}

#[test]
fn a_schema_only_branch_gets_the_rows_that_say_its_versions() {
    let fixture = Fixture::with(Project::with_tenants(&["acme", "other"]), |_| {});
    let url = fixture.create("pr-1 --schema-only")["database_url"].as_str().unwrap().to_owned();
    let mut session = Session::open(&url);
    assert_eq!(session.value("SELECT version FROM datalinx_platform.schema_version"), "1.0.4");
    assert_eq!(session.value("SELECT count(*)::text FROM datalinx_platform.tenant_version"), "2");
    assert_eq!(session.value("SELECT count(*)::text FROM org_acme.workspaces"), "0");
    let mut command = fixture.project.command(["migrate", "up", "--format", "json"]);
    let migrated = command.env("DATABASE_URL", &url).finish();
    let text = String::from_utf8(migrated.stdout).unwrap();
    assert!(migrated.status.success() && text.contains("\"outcome\":\"nothing\""), "{text}");
}

#[test]
fn a_clock_that_is_wrong_does_not_end_a_branch_too_soon() {
    let fixture = Fixture::new();
    fixture.neon.skew(3 * 3600);
    let made = fixture.create("pr-1 --expires 1h");
    let expires = fixture.neon.branch_json("pr-1")["expires_at"].clone();
    assert!(made["expires_at"] == expires && expires.is_string(), "{made} {expires}");
    fixture.neon.later(std::time::Duration::from_mins(50));
    assert_eq!(fixture.neon.branches(), ["pr-1"]);
    fixture.neon.later(std::time::Duration::from_mins(15));
    assert_eq!(fixture.neon.branches(), [""; 0]);
}

#[test]
fn an_expiry_that_neon_rejects_is_left_out_and_reported() {
    let fixture = Fixture::with(Project::empty(), |settings| settings.takes_expiry = false);
    let output = fixture.run("branch create --provider neon pr-1").ok();
    assert!(output.stderr.contains("rejects an expiry time for the branch"), "{output}");
    assert_eq!(fixture.neon.seen(Verb::Create).len(), 2);
    assert_eq!(fixture.neon.branches(), ["pr-1"]);
}
