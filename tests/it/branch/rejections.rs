//! What is refused, and how that is told: a source that others use, a role that may not, a name that is taken.

use super::Fixture;
use crate::support::{Database, Finish as _, Output, Session};

#[test]
fn create_refuses_a_source_in_use_and_names_its_sessions() {
    let fixture = Fixture::new();
    let mut puma = Session::open(&format!("{}&application_name=puma", fixture.db().url));
    puma.run("BEGIN; LOCK TABLE p.a");
    let second = Session::open(&format!("{}&application_name=puma", fixture.db().url));
    let (exit, code, message) = fixture.refused("create pr-1");
    assert_eq!((exit, code.as_str()), (1, "branch-in-use"), "{message}");
    assert!(
        message.contains("2 sessions of \"puma\" as \"tenure\"") && message.contains("--parent"),
        "{message}"
    );
    assert_eq!(puma.value("SELECT count(*)::text FROM p.a"), "100");
    assert!(fixture.copies().is_empty());
    drop((puma, second));
    let _made = fixture.create("pr-1");
}

#[test]
fn create_names_the_privilege_that_the_role_lacks() {
    let fixture = Fixture::new();
    let (db, role) = (fixture.db(), format!("{}_ci", fixture.db().name));
    db.run(&format!("CREATE ROLE {role} LOGIN"));
    let url = db.url_as(&role);
    let (exit, code, message) = fixture.refused_at(&url, "create pr-1");
    assert_eq!((exit, code.as_str()), (1, "permission-denied"), "{message}");
    assert!(message.contains(&format!("ALTER ROLE \"{role}\" CREATEDB")), "{message}");
    db.run(&format!("ALTER ROLE {role} CREATEDB"));
    let (_, code, message) = fixture.refused_at(&url, "create pr-1");
    assert_eq!(code, "permission-denied");
    assert!(message.contains("only its owner \"tenure\""), "{message}");
    // The owner needs no more, and what only a superuser may set is told.
    db.run(&format!(
        "ALTER DATABASE {0} OWNER TO {role}; ALTER DATABASE {0} SET log_statement = 'all'",
        db.name
    ));
    let output = fixture.run_at(&url, "branch create pr-1 --provider local").ok();
    assert!(output.stderr.contains("the copy does not have the setting log_statement"), "{output}");
    assert_eq!(fixture.json_at(&url, "delete pr-1").1["deleted"], true);
    db.run(&format!("ALTER DATABASE {} OWNER TO tenure; DROP ROLE {role}", db.name));
}

#[test]
fn databases_without_our_comment_are_never_touched() {
    let fixture = Fixture::new();
    let branch = fixture.create("pr-1");
    for comment in ["NULL", "'a database of ours'", "'{\"tenure-run\":\"mine\"}'"] {
        fixture.db().run(&format!("COMMENT ON DATABASE {} IS {comment}", branch.db.name));
        let (exit, code, _) = fixture.refused("create pr-1");
        assert_eq!((exit, code.as_str()), (1, "branch-exists"), "{comment}");
        let (_, code, _) = fixture.refused(&format!("delete {}", branch.db.name));
        assert_eq!(code, "branch-exists", "{comment}");
        assert_eq!(fixture.json("delete pr-1").1["deleted"], false);
        assert_eq!(fixture.json("gc --prefix pr --older-than 0s").1["outcome"], "nothing");
        assert_eq!(fixture.copies(), std::slice::from_ref(&branch.db.name), "{comment}");
    }
    let (_, code, _) = fixture.refused(&format!("delete {}", fixture.db().name));
    assert_eq!(code, "branch-exists");
}

#[test]
fn a_copy_that_took_the_place_of_its_source_is_nobodys_branch() {
    let fixture = Fixture::new();
    let branch = fixture.create("ci/pr-1");
    let (home, copy) = (fixture.db().name.clone(), branch.db.name.clone());
    let elsewhere = Database::fresh();
    elsewhere.run(&format!("ALTER DATABASE {home} RENAME TO {home}_bad"));
    elsewhere.run(&format!("ALTER DATABASE {copy} RENAME TO {home}"));
    assert!(fixture.listed().is_empty());
    let (_, document) = fixture.json("gc --prefix ci/ --older-than 0s");
    assert_eq!((&document["outcome"], &document["kept"]), (&"nothing".into(), &0.into()));
    for name in ["ci/pr-1", &home] {
        let (exit, code, message) = fixture.refused(&format!("delete {name}"));
        assert_eq!((exit, code.as_str()), (1, "branch-exists"), "{name}: {message}");
        assert!(message.contains(&format!("the database {home} exists")), "{message}");
    }
    // It is the test's database now, and has its rows.
    assert_eq!(fixture.db().value("SELECT count(*)::text FROM p.a"), "100");
    let _made = fixture.create("ci/pr-1");
    assert_eq!(fixture.listed(), ["ci/pr-1"]);
    // What bears this name is a database of the test like its copies, which go with it; the mark is for them.
    elsewhere.run(&format!("COMMENT ON DATABASE {home} IS NULL"));
}

#[test]
fn a_source_that_is_not_there_and_a_copy_without_rows_are_refused() {
    let fixture = Fixture::new();
    let (exit, code, _) = fixture.refused("create pr-1 --parent nowhere");
    assert_eq!((exit, code.as_str()), (1, "branch-not-found"));
    let (exit, code, _) = fixture.refused("create pr-1 --schema-only");
    assert_eq!((exit, code.as_str()), (2, "usage"));
    // The settings' parent is a branch of the provider that has branches.
    fixture.project.file("tenure.toml", "[branch]\nparent = \"main\"\n");
    let _made = fixture.create("pr-1");
}

#[test]
fn a_url_in_the_place_of_a_name_is_not_repeated() {
    let fixture = Fixture::new();
    for verb in ["create", "delete"] {
        for flags in ["", " --format json"] {
            let line =
                format!("branch {verb} postgresql://me:hunter2@db.example/app --provider local{flags}");
            let output = fixture.project.run(&line);
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(output.code == 2 && said.contains("a URL is not a branch name"), "{output}");
            assert!(!said.contains("hunter2"), "{output}");
        }
    }
    let odd = [" postgres://u:hunter2@h/d", "postgres://u:hunter2@h/d\n", "postgres://u:hun'hunter2 x@h/d"];
    for url in odd {
        for words in [
            vec!["branch", "create", url, "--provider", "local"],
            vec!["branch", "create", "x", url, "--provider", "local"],
            vec!["branch", "create", "x", "--parent", url, "--provider", "local"],
            vec!["branch", "create", "x", "--expires", url, "--provider", "local"],
            vec!["branch", "delete", url],
            vec!["status", url],
            vec!["verify", "--output", url],
            vec!["migrate", "up", "--branch", url],
            vec!["frobnicate", url],
            vec![url],
        ] {
            for format in ["human", "json"] {
                let mut command = fixture.project.command(words.iter().copied());
                let output = Output::of(&command.env("TENURE_FORMAT", format).finish());
                assert_eq!(output.code, 2, "{words:?}: {output}");
                assert!(
                    !format!("{}{}", output.stdout, output.stderr).contains("hunter2"),
                    "{words:?}: {output}"
                );
            }
        }
        for variable in ["TENURE_BRANCH_NAME", "TENURE_BRANCH_PARENT", "TENURE_BRANCH_EXPIRES"] {
            let environment = [(variable, url), ("DATABASE_URL", &fixture.db().url)];
            let run = fixture.project.run_env(&environment, "branch create --provider local");
            assert_eq!(run.code, 2, "{variable}: {run}");
            assert!(!run.stderr.contains("hunter2"), "{variable}: {run}");
        }
    }
}
