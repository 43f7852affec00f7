//! What goes: by its name, by its age, at its end; and what stays.

use super::{Fixture, gone};
use crate::support::{Finish as _, Output, Session};

#[test]
fn a_branch_goes_with_who_uses_it_and_goes_once() {
    let fixture = Fixture::new();
    let branch = fixture.create("pr-1");
    let _used = Session::open(&branch.db.url);
    assert_eq!(
        fixture.json("delete pr-1"),
        (0, serde_json::json!({"outcome": "done", "name": "pr-1", "provider": "local", "deleted": true}))
    );
    assert_eq!(fixture.json("delete pr-1").1["deleted"], false);
    // By the name of its database, and from inside of it.
    let branch = fixture.create("pr-2");
    assert_eq!(fixture.json(&format!("delete {}", branch.db.name)).1["deleted"], true);
    assert!(fixture.copies().is_empty());
}

#[test]
fn gc_deletes_expired_branches_and_old_ones() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    let (over, alive, _foreign) =
        (fixture.create("ci/over"), fixture.create("ci/alive"), other.create("ci/other"));
    let _mine = fixture.create("mine");
    let comment = fixture.db().value(&format!(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{}'",
        over.db.name
    ));
    let end = over.document["expires_at"].as_str().unwrap();
    let past = comment.replace(end, "2026-01-01T00:00:00Z").replace('\'', "''");
    fixture.db().run(&format!("COMMENT ON DATABASE {} IS '{past}'", over.db.name));

    let (code, document) = fixture.json("gc --prefix ci/ --older-than 1d");
    assert_eq!((code, gone(&document), &document["kept"]), (0, vec!["ci/over"], &2.into()));
    assert_eq!(fixture.listed(), ["ci/alive", "mine"]);
    let (_, document) = fixture.json("gc --prefix ci/ --older-than 0s");
    assert_eq!(gone(&document), ["ci/alive"]);
    assert!(Session::try_open(&alive.db.url).is_err());
    assert_eq!((fixture.listed(), other.listed()), (vec!["mine".to_owned()], vec!["ci/other".to_owned()]));
}

#[test]
fn gc_reports_a_branch_that_cannot_be_deleted_and_deletes_the_others() {
    let fixture = Fixture::new();
    let (held, _free) = (fixture.create("ci/held"), fixture.create("ci/free"));
    // The server drops no database that subscribes.
    held.db.run("CREATE SUBSCRIPTION held CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)");
    let (code, document) = fixture.json("gc --prefix ci/ --older-than 0s");
    assert_eq!((code, &document["outcome"], gone(&document)), (4, &"partial".into(), vec!["ci/free"]));
    assert_eq!(
        (&document["failures"][0]["name"], &document["failures"][0]["code"]),
        (&"ci/held".into(), &"branch-refused".into())
    );
    held.db.run("DROP SUBSCRIPTION held");
    assert_eq!(fixture.json("gc --prefix ci/ --older-than 0s").0, 0);
}

#[test]
fn the_printed_delete_command_works_in_a_shell() {
    let fixture = Fixture::new();
    for name in ["pr-1", "it's $HOME `date`", "-x"] {
        let words = ["branch", "create", "--provider", "local", "--", name];
        let made = fixture.project.command(words).env("DATABASE_URL", &fixture.db().url).finish();
        let said = String::from_utf8(made.stdout).unwrap();
        let line =
            said.lines().find(|line| line.starts_with("delete it with")).unwrap_or_else(|| panic!("{said}"));
        let hint = line.strip_prefix("delete it with `").and_then(|line| line.strip_suffix('`')).unwrap();
        let mut shell = std::process::Command::new("sh");
        let tenure = std::path::Path::new(assert_cmd::cargo::cargo_bin!("tenure"));
        let path = std::env::join_paths(
            std::iter::once(tenure.parent().unwrap().to_owned())
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        // In CI, where the other provider's key is set too.
        shell.args(["-c", hint]).current_dir(fixture.project.dir.path());
        shell.env("PATH", path.unwrap()).env("DATABASE_URL", &fixture.db().url).env("NEON_API_KEY", "napi_x");
        let run = Output::of(&shell.finish());
        assert!(run.code == 0 && run.stdout.starts_with("deleted"), "{hint}: {run}");
        assert!(fixture.copies().is_empty(), "{hint}");
    }
}
