//! Neon's own command line against the test server: what the real client understands is true.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use url::Url;

use crate::support::{Fault, Finish as _, Neon, Output, PROJECT, Project, Session, Verb, wait_until};

/// Neon's command line, where it is installed: `script/setup --for-tests`.
struct Official<'a> {
    neon: &'a Neon,
    project: &'a Project,
}

impl<'a> Official<'a> {
    /// Says on stderr where it is missing; in CI it must be there.
    fn find(neon: &'a Neon, project: &'a Project) -> Option<Self> {
        let official = Self { neon, project };
        if Self::program().is_file() {
            return Some(official);
        }
        assert!(std::env::var_os("CI").is_none(), "Neon's command line is missing: script/setup --for-tests");
        #[expect(clippy::print_stderr, reason = "a test that is passed over must not look like one that ran")]
        {
            eprintln!("SKIPPED: Neon's command line is not installed; `script/setup --for-tests` does it");
        }
        None
    }

    fn program() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/official/node_modules/neon/dist/cli.js")
    }

    fn run(&self, line: &str) -> Output {
        let mut command = Command::new("node");
        command
            .arg(Self::program())
            .args(line.split_whitespace())
            .args(["--project-id", PROJECT, "--output", "json", "--no-analytics"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.project.dir.path())
            .env("CI", "true")
            .envs(self.neon.environment())
            .current_dir(self.project.dir.path());
        Output::of(&command.finish())
    }

    fn json(&self, line: &str) -> Value {
        let output = self.run(line).ok();
        serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("neon {line}: {error} in {output}"))
    }
}

#[test]
fn neons_own_command_line_understands_the_server() {
    let project = Project::with_tenants(&["acme"]);
    let neon = Neon::start(&project.db);
    let Some(official) = Official::find(&neon, &project) else { return };

    let made = official.json("branches create --name pr-1");
    let url = made["connection_uris"][0]["connection_uri"].as_str().unwrap();
    let mut session = Session::open(url);
    session.run("DROP SCHEMA org_acme CASCADE");
    drop(session);

    let listed = official.json("branches list");
    // It sorts them by the second that they were made in.
    let names: BTreeSet<_> =
        listed.as_array().unwrap().iter().filter_map(|branch| branch["name"].as_str()).collect();
    assert_eq!(names, BTreeSet::from(["main", "pr-1"]));
    let got = official.json("branches get pr-1");
    assert_eq!((&got["id"], &got["parent_id"]), (&neon.id_of("pr-1").into(), &neon.id_of("main").into()));

    // It makes the URL itself, of the endpoint's host: that is what ours says too.
    for (flag, pooled) in [("", false), ("--pooled", true)] {
        let shown = official.run(&format!("connection-string pr-1 {flag}")).ok().stdout;
        let (shown, ours) =
            (Url::parse(shown.trim()).unwrap(), Url::parse(&neon.url("pr-1", pooled)).unwrap());
        let parts =
            |url: &Url| (url.username().to_owned(), url.password().map(str::to_owned), url.path().to_owned());
        assert_eq!((shown.host_str(), parts(&shown)), (ours.host_str(), parts(&ours)));
    }

    let acme = "SELECT coalesce(to_regnamespace('org_acme')::text, 'gone')";
    assert_eq!(neon.database("pr-1").value(acme), "gone");
    let reset = official.json("branches reset pr-1 --parent");
    assert!(reset["last_reset_at"].is_string(), "{reset}");
    wait_until("the reset branch", || !neon.is_busy("pr-1"));
    assert_eq!(neon.database("pr-1").value(acme), "org_acme");

    let again = official.run("branches create --name pr-1");
    assert!(again.code == 1 && again.stderr.contains("branch already exists"), "{again}");
    official.run("branches delete pr-1").passes();
    assert_eq!((neon.branches(), neon.ever_made()), (vec![], 1));
    let gone = official.run("branches delete pr-1");
    assert!(gone.code == 1 && gone.stderr.contains("Branch pr-1 not found"), "{gone}");
    let main = official.run("branches delete main");
    assert!(main.code == 1 && main.stderr.contains("default branch"), "{main}");
    assert!(neon.seen(Verb::Unknown).is_empty(), "{:#?}", neon.seen(Verb::Unknown));
}

#[test]
fn neons_own_command_line_meets_the_same_faults() {
    let project = Project::empty();
    let neon = Neon::start(&project.db);
    let Some(official) = Official::find(&neon, &project) else { return };
    // It tries 423 again, and nothing else.
    neon.plant(Verb::Create, 1, Fault::Busy);
    official.run("branches create --name pr-1").passes();
    neon.plant(Verb::Create, 1, Fault::DroppedAfter);
    let lost = official.run("branches create --name pr-2");
    assert_eq!(lost.code, 1, "{lost}");
    // So it leaks a branch here, as was measured with an older one.
    assert_eq!(neon.branches(), ["pr-1", "pr-2"]);
    neon.set(|settings| settings.branches = 3);
    let full = official.run("branches create --name pr-3");
    assert!(full.code == 1 && full.stderr.contains("branches limit exceeded"), "{full}");
}

#[test]
fn each_sees_what_the_other_made_and_leaves_it_alone() {
    let fixture = super::Fixture::new();
    let Some(official) = Official::find(&fixture.neon, &fixture.project) else { return };
    let made = fixture.create("tenure/pr-1");
    let got = official.json("branches get tenure/pr-1");
    assert_eq!((&got["id"], &got["expires_at"]), (&made["id"], &made["expires_at"]));
    official.run("branches create --name theirs").passes();
    assert_eq!(fixture.not_created("theirs"), (1, "branch-exists".to_owned()));
    official.run("branches delete tenure/pr-1").passes();
    // What was deleted by others is gone, which is what was asked for.
    fixture.run("branch delete tenure/pr-1 --provider neon").passes();
    assert_eq!(fixture.neon.branches(), ["theirs"]);
}
