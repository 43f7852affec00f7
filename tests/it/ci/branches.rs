//! Dry runs, branches made and branches deleted, against a server of Neon's API.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use super::Fixture;
use super::runner::Job;
use crate::support::{ALWAYS, Fault, Project, Running, Session, Verb, wait_until};

#[test]
fn a_dry_run_reports_and_leaves_nothing() {
    let fixture = Fixture::new();
    let before = fixture.project.db.dump(&[]);
    let ran = fixture.uses("dry-run", &[]);
    assert_eq!((ran.code, ran.outputs["verdict"].as_str()), (0, "pass"), "{ran:?}");
    let report = std::fs::read_to_string(&ran.outputs["report_file"]).unwrap();
    assert!(report.contains("workspaces") && ran.summary.contains(&report), "{report}");
    assert_eq!((fixture.neon.branches(), fixture.neon.ever_made()), (vec![], 1));
    let [create] = fixture.neon.seen(Verb::Create).try_into().unwrap();
    assert_eq!(create.body.unwrap()["branch"]["name"], "tenure/pr-42");
    assert_eq!(fixture.project.db.dump(&[]), before);
    fixture.holds_no_secret(&ran);
}

#[test]
fn a_dry_run_can_use_a_copy_on_an_own_server() {
    let fixture = Fixture::new();
    let before = fixture.project.db.dump(&[]);
    let url = fixture.project.db.url.clone();
    let local = |more: &[(&str, &str)]| {
        let given = [("command", "dry-run"), ("provider", "local")];
        fixture.job.uses(&[&given[..], more].concat())
    };
    let ran = local(&[("database_url", &url)]);
    assert_eq!((ran.code, ran.outputs["verdict"].as_str()), (0, "pass"), "{ran:?}");
    let report = std::fs::read_to_string(&ran.outputs["report_file"]).unwrap();
    assert!(report.contains("workspaces") && !report.contains("://"), "{report}");
    assert_eq!(fixture.project.db.dump(&[]), before);
    assert_eq!(fixture.neon.ever_made(), 0);
    let ran = local(&[]);
    assert_eq!((ran.code, ran.outputs["verdict"].as_str()), (1, "not-verified"), "{ran:?}");
    assert!(ran.summary.contains("database_url is empty"), "{}", ran.summary);
    let ran = fixture.job.uses(&[("command", "dry-run"), ("provider", "elsewhere"), ("database_url", &url)]);
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn only_what_was_found_out_is_a_verdict() {
    type Spoil = fn(&Fixture);
    let cases: [(&str, i32, Spoil); 4] = [
        ("fail", 1, |fixture| {
            fixture.project.migration("1.0.5", "1.0.6", "wrong", "ALTER TABLE workspaces DROP COLUMN more;");
        }),
        ("not-verified", 2, |fixture| {
            fixture.project.file("migrations/v1.0.5_to_v1.0.6_gap.sql", "no header");
        }),
        ("not-verified", 1, |fixture| fixture.neon.set(|settings| settings.branches = 1)),
        ("not-verified", 2, |fixture| {
            fixture.neon.plant(Verb::Project, ALWAYS, Fault::Refused(401, "", "bad key"));
        }),
    ];
    for (verdict, code, spoil) in cases {
        let fixture = Fixture::new();
        spoil(&fixture);
        let ran = fixture.uses("dry-run", &[]);
        assert_eq!((ran.outputs["verdict"].as_str(), ran.code), (verdict, code), "{ran:?}");
        assert!(std::fs::read_to_string(&ran.outputs["report_file"]).unwrap().contains("Tenure"));
        assert!(fixture.neon.branches().is_empty());
        fixture.holds_no_secret(&ran);
    }
}

#[test]
fn a_message_of_the_server_gives_the_runner_no_command() {
    for hostile in [
        "x\\000a::error::owned",
        "::add-mask::owned",
        "a\\202e ##[error]owned\\000d\\000a::set-output name=a::b",
    ] {
        let fixture = Fixture::new();
        fixture.project.without_rules();
        fixture.project.migration(
            "1.0.5",
            "1.0.6",
            "wrong",
            &format!(
                "-- Scope: tenant\nDO $x$ BEGIN RAISE EXCEPTION USING MESSAGE = U&'{hostile}'; END $x$;"
            ),
        );
        let ran = fixture.uses("dry-run", &[]);
        assert_ne!(ran.code, 0, "{ran:?}");
        assert!(ran.log.contains("::stop-commands::"), "{}", ran.log);
        let token = ran.log.split("::stop-commands::").nth(1).unwrap().lines().next().unwrap();
        assert!(
            token.len() == 32 && ran.log.lines().any(|line| line == format!("::{token}::")),
            "{}",
            ran.log
        );
        let own = ["::stop-commands::", "::add-mask::napi", "::add-mask::postgres", &format!("::{token}::")];
        for line in ran.log.lines().map(str::trim) {
            let is_own = own.iter().any(|own| line.starts_with(own));
            assert!(is_own || !line.starts_with("::") || !line.contains("owned"), "{}", ran.log);
        }
        assert!(!ran.log.contains("##[") && !ran.log.contains('\u{202e}'), "{}", ran.log);
    }
}

#[test]
fn without_a_key_a_dry_run_says_why_and_is_not_green() {
    let project = Project::seeds();
    let fork = Job::new(project.dir.path()).fork();
    let ran = fork.uses(&[("command", "dry-run")]);
    assert_eq!((ran.code, ran.outputs["verdict"].as_str()), (1, "not-verified"), "{ran:?}");
    assert!(ran.log.contains("::notice title=Not verified on a branch::"), "{}", ran.log);
    assert!(ran.summary.contains("forks have no secrets"), "{}", ran.summary);
    let ran = fork.uses(&[("command", "dry-run"), ("without_key", "notice"), ("comment", "true")]);
    assert_eq!((ran.code, ran.outputs["verdict"].as_str()), (0, "not-verified"), "{ran:?}");
    assert!(ran.log.contains("::notice title=No comment::"), "{}", ran.log);

    let ours = Job::new(project.dir.path());
    let ran = ours.uses(&[("command", "dry-run")]);
    assert_eq!((ran.code, ran.outputs["verdict"].as_str()), (1, "not-verified"), "{ran:?}");
    assert!(ran.summary.contains("api_key is empty"), "{}", ran.summary);
}

#[test]
fn a_job_that_is_cancelled_deletes_its_branch() {
    let fixture = Fixture::new();
    // It is still waited for when the end comes.
    fixture.neon.set(|settings| settings.step = std::time::Duration::from_secs(2));
    let given = fixture.given();
    let mut all = vec![("command", "dry-run")];
    all.extend(given.iter().map(|(name, value)| (*name, value.as_str())));
    let ran = fixture.job.uses_with(&all, std::collections::BTreeMap::new(), |command| {
        let running = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let is_the_run = format!("{:?}", command.get_envs()).contains("WITHOUT_KEY");
        if is_the_run {
            wait_until("the branch", || !fixture.neon.branches().is_empty());
            // The runner tells the shell alone.
            running.signal("INT");
        }
        running.finish()
    });
    assert_ne!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.outputs["verdict"], "not-verified", "{ran:?}");
    assert_eq!((fixture.neon.branches(), fixture.neon.ever_made()), (vec![], 1), "{ran:?}");
}

#[test]
fn a_branch_is_made_as_the_inputs_say_and_its_url_is_no_output() {
    let fixture = Fixture::new();
    fixture.neon.second_role("reader");
    fixture.neon.second_database("other");
    fixture.project.file("tenure.toml", "[branch]\nparent = \"nobody's\"\ndatabase = \"none\"\n");
    let inputs = [
        ("branch_name", "preview/42"),
        ("parent_branch", "main"),
        ("database", "other"),
        ("role", "reader"),
        ("expires_at", "2099-01-01T00:00:00Z"),
    ];
    let late = fixture.uses("create", &inputs);
    assert!(late.code == 2 && late.log.contains("TENURE_BRANCH_EXPIRES"), "at most 30 days: {late:?}");
    let soon = time::OffsetDateTime::now_utc() + time::Duration::hours(5);
    let soon =
        soon.replace_nanosecond(0).unwrap().format(&time::format_description::well_known::Rfc3339).unwrap();
    let inputs = [inputs[0], inputs[1], inputs[2], inputs[3], ("expires_at", soon.as_str())];
    let ran = fixture.uses("create", &inputs);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        (ran.outputs["branch_name"].as_str(), ran.outputs["created"].as_str()),
        ("preview/42", "true")
    );
    assert_eq!(ran.outputs["branch_id"], fixture.neon.id_of("preview/42"));
    let end = fixture.neon.branch_json("preview/42")["expires_at"].as_str().unwrap().to_owned();
    assert_eq!(end[..15], soon[..15], "{end} {soon}");
    fixture.holds_no_secret(&ran);
    let file = std::path::Path::new(&ran.outputs["db_url_file"]);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let url = std::fs::read_to_string(file).unwrap();
    assert!(url.contains("reader") && url.contains("/other"), "{url}");
    assert_eq!(Session::open(url.trim()).value("SELECT 1::text"), "1");
    let masked = format!("::add-mask::{}", url.trim());
    assert!(ran.log.lines().any(|line| line == masked));

    let again = fixture.uses("create", &inputs);
    assert_eq!((again.code, again.outputs["created"].as_str()), (0, "false"), "{again:?}");
    // This server takes no TLS, so asking for it shows.
    let sure = fixture.uses("create", &[inputs[0], inputs[1], inputs[2], inputs[3], ("ssl", "verify-full")]);
    assert!(sure.code != 0 && sure.log.contains("TLS"), "{sure:?}");
    let wrong = fixture.uses("create", &[("ssl", "omit")]);
    assert!(wrong.code == 2 && wrong.log.contains("TENURE_BRANCH_SSLMODE"), "{wrong:?}");
    let wrong = fixture.uses("create", &[("branch_type", "other")]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[test]
fn a_branch_without_rows_can_be_asked_for() {
    let fixture = Fixture::new();
    let ran = fixture.uses("create", &[("branch_type", "schema-only")]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        fixture.neon.database("tenure/pr-42").value("SELECT count(*)::text FROM org_acme.workspaces"),
        "0"
    );
}

#[test]
fn a_pull_request_that_is_closed_takes_its_branch_with_it() {
    let fixture = Fixture::new();
    fixture.uses("create", &[]);
    assert_eq!(fixture.neon.branches(), ["tenure/pr-42"]);
    // Merged: the reference is the branch that it went into, and nothing is checked out.
    let empty = tempfile::tempdir().unwrap();
    let closed = Job::new(empty.path()).with("GITHUB_REF", "refs/heads/main");
    let given = fixture.given();
    let mut all = vec![("command", "delete")];
    all.extend(given.iter().map(|(name, value)| (*name, value.as_str())));
    for _ in 0..2 {
        let ran = closed.uses(&all);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(fixture.neon.branches().is_empty());
        fixture.holds_no_secret(&ran);
    }
    let fork = Job::new(empty.path()).fork().uses(&[("command", "delete")]);
    assert!(fork.code == 0 && fork.log.contains("::notice title=No branch::"), "{fork:?}");
    let ours = Job::new(empty.path()).uses(&[("command", "delete")]);
    assert!(ours.code == 2 && ours.log.contains("the key for Neon's API is missing"), "{ours:?}");
}
