//! Passwords that could not be shown: no role keeps one that nobody has seen.

use std::process::Stdio;

use super::{drop_roles, isolated};
use crate::support::{Project, Running, Wire};
use crate::unwritable_output::{closed_pipe, full};

/// Runs a command whose stdout is `to`.
fn run_into(project: &Project, line: &str, to: Stdio) -> (i32, String) {
    let mut command = project.command(line.split_whitespace());
    let output = Running::start(command.stdout(to).stderr(Stdio::piped())).finish();
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stderr).unwrap())
}

/// The roles of tenants that may log in or have a password.
fn open_roles(project: &Project) -> Vec<String> {
    project.db.column(&format!(
        "SELECT rolname::text FROM pg_authid WHERE rolname ^@ '{}_org_' AND (rolcanlogin OR rolpassword IS NOT NULL) ORDER BY 1",
        project.db.name
    ))
}

#[test]
fn a_password_that_cannot_be_shown_is_taken_away() {
    let project = isolated();
    project.file("list.csv", "slug\none\ntwo\nthree\n");
    for (line, made_by) in [
        ("tenant create pw --login", 1),
        ("tenant create js --login --format json", 1),
        ("tenant create --from list.csv --login", 3),
        ("tenant login pw", 0),
        ("tenant login js --format json", 0),
    ] {
        if made_by == 0 {
            project.run("tenant create pw --if-not-exists").passes();
            project.run("tenant create js --if-not-exists").passes();
        }
        for (to, said) in [(full(), "No space left on device"), (closed_pipe(), "Broken pipe")] {
            let (code, stderr) = run_into(&project, line, to);
            assert_ne!(code, 0, "{line}: {stderr}");
            assert!(stderr.contains(said), "{line}: {stderr}");
            assert!(stderr.contains("tenure tenant login SLUG"), "{line}: {stderr}");
            assert_eq!(open_roles(&project), [""; 0], "{line}");
            let logins = "SELECT count(*)::text FROM datalinx_platform.tenant_version WHERE login";
            assert_eq!(project.db.value(logins), "0", "{line}");
            if line.starts_with("tenant create") {
                let made =
                    "SELECT count(*)::text FROM datalinx_platform.tenant_version WHERE status = 'active'";
                assert_eq!(project.db.value(made), made_by.to_string(), "{line}");
                // The names are to be free for the next way of not reading.
                let slugs = "SELECT slug::text FROM datalinx_platform.organizations WHERE slug !~ '^dropped'";
                for slug in project.db.column(slugs) {
                    project.run(&format!("tenant drop {slug} --confirm {slug}")).passes();
                }
            }
        }
    }
    // Where it is read, the role has it.
    project.run("tenant login pw").passes();
    assert_eq!(open_roles(&project), [format!("{}_org_pw", project.db.name)]);
    // What shows no password may be cut short.
    let (code, stderr) = run_into(&project, "tenant login pw --revoke", closed_pipe());
    assert_eq!(code, 0, "{stderr}");
    drop_roles(&project);
}

#[test]
fn a_password_is_shown_whatever_becomes_of_the_last_note() {
    let project = isolated();
    for line in ["tenant create pw --login", "tenant login pw"] {
        let wire = Wire::of(&project.db);
        let url = wire.url(&project.db);
        wire.lose_answer_to("SET finished_at");
        let output = project.run(&format!("--database-url {url} {line} --format json"));
        assert!(wire.has_lost(), "{line}");
        assert!(output.stdout.contains("password"), "{line}: {output}");
    }
    // The answer that the role has it is lost.
    let wire = Wire::of(&project.db);
    wire.lose_answer_to("tenure_role_login");
    let output =
        project.run(&format!("--database-url {} tenant login pw --format json", wire.url(&project.db)));
    assert!(output.code == 0 && output.stdout.contains("password"), "{output}");
    drop_roles(&project);
}
