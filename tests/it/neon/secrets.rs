//! The key and the passwords are nowhere but where they belong: the key in its header, a URL in the one result
//! that it is.

use super::Fixture;
use crate::support::{ALWAYS, Fault, Output, SchemaReplay, Verb};

#[test]
fn no_secret_is_in_what_a_failure_prints() {
    type Plant = fn(&Fixture);
    let faults: [(Verb, Fault); 5] = [
        (Verb::Create, Fault::Busy),
        (Verb::Create, Fault::Html(502)),
        (Verb::Create, Fault::Refused(401, "", "bad key")),
        (Verb::Project, Fault::Refused(404, "", "project not found")),
        (Verb::Uri, Fault::Refused(404, "", "role not found")),
    ];
    for (verb, fault) in faults {
        let fixture = Fixture::new();
        let what = format!("{verb:?} {fault:?}");
        fixture.neon.plant(verb, ALWAYS, fault);
        fails_without_a_secret(&fixture, &what);
    }
    let plants: [(&str, Plant); 4] = [
        ("wrong target", |fixture| {
            fixture.neon.set(|settings| settings.wrong_target = Some("main".to_owned()));
        }),
        ("operation", |fixture| fixture.neon.set(|settings| settings.courses.push(error()))),
        ("refuses", |fixture| fixture.neon.set(|settings| settings.refusals = u32::MAX)),
        ("passwords changed", |fixture| fixture.neon.set(|settings| settings.wrong_passwords = true)),
    ];
    for (what, plant) in plants {
        let fixture = Fixture::new();
        plant(&fixture);
        fails_without_a_secret(&fixture, what);
    }
}

fn error() -> SchemaReplay {
    SchemaReplay { states: vec!["running".to_owned(), "error".to_owned()], error: Some("no room".to_owned()) }
}

fn fails_without_a_secret(fixture: &Fixture, what: &str) {
    fixture.project.file("tenure.toml", "[branch]\nretry_timeout = \"1s\"\nready_timeout = \"2s\"\n");
    // The JSON of a failure is made of the same text.
    let output = fixture.run("-vv branch create --provider neon pr-1");
    assert_ne!(output.code, 0, "{what}: {output}");
    holds_no_secret(fixture, &output, what);
}

#[test]
fn a_url_is_in_the_result_and_nowhere_else() {
    let fixture = Fixture::new();
    let output = fixture.run("-vv --format json branch create --provider neon pr-1").ok();
    let shown = Output { stdout: String::new(), ..output };
    holds_no_secret(&fixture, &shown, "create");
    for line in ["-vv branch list --provider neon", "-vv branch delete pr-1 --provider neon"] {
        holds_no_secret(&fixture, &fixture.run(line).ok(), line);
    }
    // The key is in the header of each request, and in no path, query or body.
    for seen in fixture.neon.requests() {
        let key = fixture.neon.environment()[0].1.clone();
        assert_eq!(seen.authorization, Some(format!("Bearer {key}")));
        assert!(!format!("{} {:?} {:?}", seen.path, seen.query, seen.body).contains(&key));
    }
}

#[test]
fn on_github_the_secrets_are_masked_before_they_are_printed() {
    let fixture = Fixture::new();
    let github = [("GITHUB_ACTIONS", "true")];
    let output = fixture.run_env(&github, "branch create --provider neon pr-1 --format json").ok();
    let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let url = document["database_url"].as_str().unwrap();
    let password = url::Url::parse(url).unwrap().password().unwrap().to_owned();
    for secret in [url, &password, document["pooled_url"].as_str().unwrap()] {
        let mask = format!("::add-mask::{secret}");
        assert!(
            output.stderr.lines().any(|line| line == mask),
            "{}",
            output.stderr.replace(&password, "***")
        );
    }
}

/// Neither the key nor any password is in what a run printed.
fn holds_no_secret(fixture: &Fixture, output: &Output, what: &str) {
    for secret in fixture.neon.secrets() {
        let text = format!("{}{}", output.stdout, output.stderr);
        assert!(!text.contains(&secret), "{what}: {}", text.replace(&secret, "HERE IT IS"));
    }
}
