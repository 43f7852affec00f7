//! The first minute with the program: `init`, the program without a command, completions, man pages, suggestions.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::support::{Finish as _, Output, Project};

#[test]
fn a_new_project_migrates_without_a_warning() {
    let project = Project::empty();
    for line in ["init", "migrate up", "tenant create acme", "status", "verify", "drift", "tenant list"] {
        let output = project.run(line).ok();
        for word in ["warning", "error"] {
            assert!(!output.to_string().contains(word), "{line}: {output}");
        }
    }
    assert_eq!(project.run("status --check").code, 0);
}

#[test]
fn init_names_the_platform() {
    for name in ["shop", "Shop & Co", "order", "Ünïcode", "public"] {
        let project = Project::empty();
        project.run_words(["init", "--platform", name]).passes();
        project.run("migrate up").passes();
        project.run("tenant create acme").passes();
        project.run("verify --shadow").passes();
        let (_, status) = project.json("status");
        assert_eq!(status["platform"]["schema"], name, "{status}");
    }
    let project = Project::empty();
    let long = "x".repeat(64);
    for name in ["", "pg_x", "information_schema", "org_x", "a\"b", "a{b}", "a\nb", long.as_str()] {
        let output = project.run_words(["init", "--platform", name]);
        assert_eq!(output.code, 2, "{output}");
        assert!(!project.dir.path().join("tenure.toml").exists(), "{name:?}");
    }
}

#[test]
fn without_a_command_the_state_or_the_beginning_is_shown() {
    let project = Project::empty();
    assert_snapshot!(project.run("").ok().stdout, @r"
    no project here; to begin:
      tenure demo    run an example with three tenants on a private server
      tenure init    create a project in this folder
      tenure --help  show all commands
    ");
    let (code, begin) = project.json("");
    assert_eq!((code, &begin["project"]), (0, &serde_json::Value::Null));
    project.run("init").passes();
    let next = |project: &Project| project.json("").1["next"].as_str().unwrap().to_owned();
    assert_eq!(next(&project), "tenure migrate up");
    project.run("migrate up").passes();
    assert_eq!(next(&project), "tenure tenant create SLUG");
    project.run("tenant create acme").passes();
    assert_eq!(next(&project), "tenure migrate new NAME");
    let shown = project.run("").ok().stdout;
    assert_eq!(shown.lines().count(), 5, "{shown}");
    assert!(shown.contains("platform at 1.0.0, up to date; 1 tenant\n"), "{shown}");
    project.next_migration("ALTER TABLE workspaces ADD COLUMN a int;");
    let shown = project.run("").ok().stdout;
    assert!(
        shown.contains("1 migration pending; 1 tenant, 1 behind\nnext       tenure migrate up"),
        "{shown}"
    );
    // Neither a wrong file nor a server that is not reachable is a failure, and no server is started.
    let unreachable = [("DATABASE_URL", "postgresql://x:secret@127.0.0.1:1/d")];
    let output = project.run_env(&unreachable, "--connect-attempts 1").ok();
    assert!(output.stdout.contains("127.0.0.1:1") && !output.to_string().contains("secret"), "{output}");
    let output = project.run_env(&[("DATABASE_URL", "")], "").ok();
    assert!(output.stdout.contains("the private server is not running"), "{output}");
    assert!(!project.dir.path().join(".tenure").exists());
    project.next_migration("ALTER TABEL workspaces;");
    assert_eq!(next(&project), "tenure verify");
}

#[test]
fn a_command_of_another_tool_is_explained() {
    let project = Project::empty();
    for (line, meant) in [
        ("migrate up --dry-run", "`tenure migrate up --plan`"),
        ("migrate up --dry-run --tenant x", "`tenure migrate up --branch local`"),
        ("migrate run", "`tenure migrate up`"),
        ("-C . migrate run", "`tenure migrate up`"),
        ("migrate apply", "`tenure migrate up`"),
        ("migrate create x", "`tenure migrate new NAME`"),
        ("rollback", "`tenure migrate new NAME`"),
        ("migrate rollback", "`tenure restore-point`"),
        ("down", "`tenure restore-point`"),
        ("up", "`tenure migrate up`"),
        ("lint", "`tenure verify`"),
    ] {
        let output = project.run(line);
        assert_eq!(output.code, 2, "{line}: {output}");
        assert!(output.stderr.contains("help: ") && output.stderr.contains(meant), "{line}: {output}");
        let document = project.expect_error(line, "usage");
        assert!(document["error"]["hint"].as_str().unwrap().contains(meant), "{line}: {document}");
    }
    for line in ["migrate up --dri", "migrate upp", "tenant rollback", "rollbac"] {
        let output = project.run(line);
        assert!(output.code == 2 && !output.stderr.contains("help: "), "{line}: {output}");
    }
}

#[test]
fn a_file_of_variables_is_read_only_on_request() {
    let project = Project::with_tenants(&["acme"]);
    let url = project.run_env(&[], "tenant list").ok();
    assert!(url.stdout.contains("acme"), "{url}");
    let text = format!("# a comment\nexport DATABASE_URL='{}'\nTENURE_FORMAT=json\n", project.db.url);
    project
        .file(".env", &text)
        .file("other.env", "TENURE_FORMAT=json\nDATABASE_URL=postgresql://x:hunter2@127.0.0.1:1/d\n");
    let unset = [("DATABASE_URL", ""), ("CI", "true")];
    let output = project.run_env(&unset, "tenant list");
    assert!(output.code == 2 && output.stderr.contains("no-database-url"), "{output}");
    for line in ["tenant list --env-file .env", "--env-file=.env tenant list"] {
        let output = project.run_env(&unset, line).ok();
        let list: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(list["tenants"][0]["slug"], "acme", "{line}: {output}");
    }
    // What is set already wins, and so does a flag.
    let set = [("DATABASE_URL", project.db.url.as_str()), ("TENURE_FORMAT", "human")];
    let output = project.run_env(&set, "tenant list --env-file other.env").ok();
    assert!(output.stdout.starts_with("slug"), "{output}");
    let output = project.run_env(&unset, "tenant list --env-file .env --format human").ok();
    assert!(output.stdout.starts_with("slug"), "{output}");
    let output = project.run_env(&unset, "tenant list --env-file other.env --connect-attempts 1");
    assert!(output.code == 3 && !output.to_string().contains("hunter2"), "{output}");
    project.file("bad.env", "DATABASE_URL=postgresql://x:hunter2@h/d\nhunter2 'open\n");
    for (file, code) in [("bad.env", 2), ("none.env", 2), ("", 2)] {
        let output = project.run_words(["tenant", "list", "--env-file", file]);
        assert!(output.code == code || file.is_empty(), "{file}: {output}");
        assert!(output.code != 0 && !output.to_string().contains("hunter2"), "{file}: {output}");
        let output = project.run_words(["tenant", "list", "--env-file", file, "--format", "json"]);
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert!(document["error"]["code"].is_string(), "{file}: {output}");
    }
    assert_eq!(project.run("tenant list --env-file").code, 2);
}

#[test]
fn an_unknown_slug_gets_a_suggestion() {
    let project = Project::seeds();
    project.run("migrate up").passes();
    for slug in ["acme", "acme_corp", "globex"] {
        project.run(&format!("tenant create {slug}")).passes();
    }
    project.run("tenant drop globex --confirm globex").passes();
    for (line, hint) in [
        ("tenant show acm", "did you mean acme?"),
        ("tenant suspend acme_crop", "did you mean acme_corp?"),
        ("tenant resume acm", "did you mean acme?"),
        ("tenant rename acm other", "did you mean acme?"),
        ("tenant drop acm --confirm acm", "did you mean acme?"),
        ("tenant clone acm other", "did you mean acme?"),
        ("tenant export acm --to x", "did you mean acme?"),
        ("tenant audit --tenant acm", "did you mean acme?"),
        ("migrate up --tenant acm", "did you mean acme?"),
        ("drift --tenant acm", "did you mean acme?"),
        ("tenant show zzz", "`tenure tenant list` shows the tenants"),
        ("tenant suspend globex", "it was dropped: `tenure tenant undrop globex` restores it"),
        ("tenant undrop globx", "did you mean globex?"),
        ("tenant undrop acme", "`tenure tenant list --status dropped` lists the dropped tenants"),
    ] {
        let document = project.expect_error(line, "tenant-unknown");
        assert_eq!(document["error"]["hint"], hint, "{line}");
    }
}

#[test]
fn a_missing_argument_shows_the_usage_without_variables() {
    let project = Project::seeds();
    for (line, usage) in [
        ("tenant show", "Usage: tenure tenant show <SLUG>\n"),
        ("tenant rename a", "Usage: tenure tenant rename <OLD> <NEW>\n"),
        ("migrate baseline", "Usage: tenure migrate baseline <VERSION>\n"),
        ("status --bogus", "Usage: tenure status [OPTIONS]\n"),
    ] {
        let output = project.run_env(&[("TENURE_PROJECT", "."), ("TENURE_CONNECT_ATTEMPTS", "2")], line);
        assert_eq!(output.code, 2, "{output}");
        assert!(output.stderr.contains(usage), "{line}: {output}");
    }
    // The value of a variable can be wrong too.
    let output = project.run_env(&[("TENURE_CONNECT_ATTEMPTS", "x")], "status");
    assert!(output.code == 2 && output.stderr.contains("'x'"), "{output}");
}

#[test]
fn a_message_says_what_to_correct() {
    let project = Project::empty();
    project.run("init").passes();
    project.run("migrate up").passes();
    project.run("tenant create acme").passes();
    project.file("short.csv", "slug,name\nglobex\n");
    project.file("quoted.csv", "slug,name\nglobex,Globex, Inc\n");
    for (line, code, hint) in [
        ("tenant login acme", "tenant-without-role", "set roles = true under [tenants]"),
        ("tenant create --from /dev/stdin", "io", "pass `--from -`"),
        ("tenant create --from short.csv", "csv-invalid", "a value for each column"),
        ("tenant create --from quoted.csv", "csv-invalid", "in double quotes"),
    ] {
        let mut command = project.command(line.split_whitespace().chain(["--format", "json"]));
        // A pipe, not a file.
        command.stdin(std::process::Stdio::piped());
        let output = Output::of(&command.finish());
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(document["error"]["code"], code, "{line}: {output}");
        assert!(document["error"]["hint"].as_str().unwrap().contains(hint), "{line}: {output}");
    }
    for (settings, hint) in [
        ("[platfrom]\nschema = \"x\"", "did you mean platform?"),
        ("[platform]\nshema = \"x\"", "did you mean schema?"),
        ("[migrate]\nlock_timout = \"5s\"", "did you mean lock_timeout?"),
        ("[tenants.columns]\nslugg = \"x\"", "did you mean slug?"),
        ("[verify]\ncontract = \"quieries\"", "did you mean queries?"),
        ("[platform]\nlock_timeout = \"1s\"", "lock_timeout belongs to [migrate]"),
        (
            "[tenants]\nslug = \"x\"",
            "the characters of slugs are \"identifier\" or \"dns\"; the column is slug in [tenants.columns]",
        ),
        ("[branch]\nzzz = 1", "docs/reference.md lists the settings"),
    ] {
        project.file("tenure.toml", settings);
        assert_eq!(project.expect_error("verify", "settings")["error"]["hint"], hint, "{settings}");
    }
    project.file("tenure.toml", "[platform]\nschema = \"platform\"\n");
    for (sql, code, text) in [
        (
            "ALTER TABLE usrs ADD COLUMN a int;",
            "scope-unclear",
            "no file creates \"usrs\"; did you mean users?",
        ),
        ("DROP VIEW zzzzzz;", "scope-unclear", "no file creates \"zzzzzz\""),
        ("CREATE TABLE invoices (id int);", "scope-unclear", "\"invoices\" is a new name"),
        ("BEGIN; ALTER TABLE users ADD COLUMN a int;", "transaction-control", "it does not close"),
        ("ALTER TABLE users ADD COLUMN a strng;", "unit-failed", "correct the file and run"),
        ("ALTER TABLE workspaces ADD COLUMN a strng;", "unit-failed", "correct the file, or this schema"),
    ] {
        project.next_migration(sql);
        let output = project.run("migrate up");
        let is_told = output.stderr.contains(&format!("error[{code}]")) && output.stderr.contains(text);
        assert!(output.code > 0 && is_told, "{sql}: {output}");
        for entry in std::fs::read_dir(project.dir.path().join("migrations")).unwrap() {
            let path = entry.unwrap().path();
            if path.to_str().unwrap().contains("v1.0.0_to_") {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

#[test]
fn a_missing_privilege_is_named_with_its_grant() {
    let project = Project::empty();
    project.run("init").passes();
    project.run("migrate up").passes();
    let role = format!("limited_{}", project.db.value("SELECT current_database()").replace('-', "_"));
    project.db.run(&format!("CREATE ROLE {role} LOGIN"));
    let url = project.db.url_as(&role);
    let output = project.run_env(&[("DATABASE_URL", url.as_str())], "status");
    assert!(output.stderr.contains("error[permission-denied]"), "{output}");
    let grant = format!("GRANT USAGE, CREATE ON SCHEMA platform TO {role}");
    assert!(output.stderr.contains(&grant), "{output}");
    project.db.run(&grant);
    let output = project.run_env(&[("DATABASE_URL", url.as_str())], "status");
    assert!(output.stderr.contains("GRANT ALL ON TABLE "), "{output}");
    project.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// The words that bash completes in `line`, whose last word is incomplete.
fn completed(project: &Project, line: &str) -> Vec<String> {
    let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
    let script = format!(
        "source <(tenure completions bash); COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9; \
         _clap_complete_tenure tenure '{}' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words.len() - 1,
        line.rsplit(' ').next().unwrap()
    );
    let program = Path::new(assert_cmd::cargo::cargo_bin!("tenure")).parent().unwrap();
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(project.dir.path()).env_clear();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).env("DATABASE_URL", &project.db.url).env("HOME", project.dir.path());
    let output = Output::of(&command.finish());
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{line}: {output}");
    output.stdout.lines().filter(|word| !word.is_empty()).map(|word| word.trim_end().to_owned()).collect()
}

#[test]
fn bash_completes_names_of_the_project_and_the_database() {
    let project = Project::seeds();
    project.run("migrate up").passes();
    for slug in ["acme", "acme_corp", "globex"] {
        project.run(&format!("tenant create {slug}")).passes();
    }
    project.run("tenant drop globex --confirm globex").passes();
    project.db.run("CREATE SCHEMA org_old");
    for (line, expected) in [
        ("tenure migr", vec!["migrate"]),
        ("tenure tenant show a", vec!["acme", "acme_corp"]),
        ("tenure tenant show acme", vec!["acme", "acme_corp"]),
        ("tenure tenant rename acme_", vec!["acme_corp"]),
        ("tenure migrate up --tenant acme_", vec!["acme_corp"]),
        ("tenure tenant undrop g", vec!["globex"]),
        ("tenure tenant create a", vec![]),
        ("tenure tenant adopt org_", vec!["org_old"]),
        ("tenure migrate up --to 1.0.", vec!["1.0.4", "1.0.3", "1.0.2", "1.0.1", "1.0.0"]),
        ("tenure explain drop-col", vec!["drop-column"]),
        ("tenure explain chain-g", vec!["chain-gap"]),
    ] {
        // A loaded machine may exceed the limit.
        let tries = std::iter::repeat_with(|| completed(&project, line)).take(5);
        let words: Vec<_> = tries.take_while(|words| *words != expected).collect();
        assert!(words.len() < 5, "{line}: {words:?} instead of {expected:?}");
    }
    // Nothing is started, and nothing waits for a database that does not answer.
    let lonely = Project::seeds();
    let began = Instant::now();
    let words = completed(&lonely, "tenure tenant show --database-url=postgresql://192.0.2.1/x a");
    assert!(words.is_empty() && began.elapsed() < Duration::from_secs(2), "{words:?}: {:?}", began.elapsed());
}

#[test]
fn a_man_page_has_examples_exit_codes_and_the_environment() {
    let project = Project::empty();
    project.run("man pages").passes();
    for page in ["tenure", "tenure-migrate-up", "tenure-tenant-pool-fill", "tenure-dev-url"] {
        let text = std::fs::read_to_string(project.dir.path().join(format!("pages/{page}.1"))).unwrap();
        for part in [".SH \"EXIT STATUS\"", ".SH ENVIRONMENT", ".SH EXAMPLES", "DATABASE_URL", "130"] {
            assert!(text.contains(part), "{page}: {part} is missing in {text}");
        }
    }
    let help = project.run("migrate up --help").ok().stdout;
    assert!(
        help.contains("Examples:\n  # Show the steps without running them\n  tenure migrate up --plan\n"),
        "{help}"
    );
}
