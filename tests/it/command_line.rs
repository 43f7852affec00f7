//! What every verb takes: the project's folder, the database, the format, colours, quiet; what the help
//! says; and that a reader who has gone away is no reason to panic.

use std::process::Stdio;

use crate::support::{Finish as _, Output, Project, Running};

#[test]
fn the_project_is_found_here_in_a_parent_or_by_flag() {
    let project = Project::seeds();
    project.file("sub/folder/notes.txt", "");
    let root = project.dir.path().to_str().unwrap().to_owned();
    let elsewhere = Project::empty();
    let status = |of: &Project, sub: &str, arguments: &str, variable: &str| {
        let mut command = of.command(arguments.split_whitespace());
        command.current_dir(of.dir.path().join(sub));
        if !variable.is_empty() {
            command.env("TENURE_PROJECT", variable);
        }
        Output::of(&command.finish())
    };
    for found in [
        status(&project, "", "status", ""),
        status(&project, "sub/folder", "status", ""),
        status(&project, "sub", "status -C ..", ""),
        status(&project, "sub", "-C ../ status", ""),
        status(&elsewhere, "", &format!("status -C {root}"), ""),
        status(&elsewhere, "", &format!("status --project={root}"), ""),
        status(&elsewhere, "", "status", &root),
        status(&elsewhere, "", &format!("status -C {root}"), "/nowhere"),
    ] {
        assert!(found.ok().stdout.starts_with("platform  datalinx_platform  0.0.0"));
    }
    for lost in [
        status(&elsewhere, "", "status", ""),
        status(&project, "", "status -C nowhere", ""),
        status(&project, "", "status -C migrations/v0.0.0_to_v1.0.0_create_platform.sql", ""),
        status(&project, "", "status", "/nowhere"),
    ] {
        assert_eq!(lost.code, 2, "{lost}");
        assert!(lost.stderr.starts_with("error[no-project]"), "{lost}");
    }
    // A folder that is named is taken at its word: no parent is looked at.
    let named = status(&project, "", "status -C sub", "");
    assert_eq!(named.code, 2, "{named}");
}

#[test]
fn the_format_flag_beats_the_environment() {
    let project = Project::seeds();
    assert!(
        project
            .run_env(&[("TENURE_FORMAT", "json")], "status")
            .ok()
            .stdout
            .starts_with("{\"outcome\":\"done\",\"platform\"")
    );
    let human = project.run_env(&[("TENURE_FORMAT", "json")], "status --format human").ok();
    assert!(human.stdout.starts_with("platform"), "{human}");
    let odd = project.run_env(&[("TENURE_FORMAT", "xml")], "status");
    assert_eq!(odd.code, 2, "{odd}");
}

#[test]
fn colours_need_a_terminal_or_a_setting() {
    let project = Project::seeds();
    for (environment, line, coloured) in [
        (vec![], "status", false),
        (vec![("CLICOLOR_FORCE", "1")], "status", true),
        (vec![("CLICOLOR_FORCE", "1")], "status --color never", false),
        (vec![("CLICOLOR_FORCE", "0")], "status", false),
        (vec![("CLICOLOR_FORCE", "")], "status", false),
        (vec![("CLICOLOR_FORCE", ""), ("CLICOLOR", "1")], "status", false),
        (vec![("NO_COLOR", "1")], "status", false),
        (vec![("NO_COLOR", "1")], "status --color always", true),
        (vec![], "status --color always", true),
        (vec![("CLICOLOR_FORCE", "1")], "status --format json", false),
        (vec![], "status --format json --color always", false),
    ] {
        let output = project.run_env(&environment, line).ok();
        assert_eq!(output.stdout.contains('\u{1b}'), coloured, "{environment:?} {line}");
    }
    let traced = project.run("status -vv --color never").ok();
    assert!(!traced.stderr.contains('\u{1b}'), "{traced}");
    let wrong = "migrate up --to 9.9.9 --color";
    for (when, coloured) in [("always", true), ("never", false), ("auto", false)] {
        assert_eq!(project.run(&format!("{wrong} {when}")).stderr.contains('\u{1b}'), coloured, "{when}");
    }
}

#[test]
fn quiet_says_only_what_went_wrong_and_loud_says_what_is_done() {
    let project = Project::seeds();
    project.next_migration("CREATE INDEX slow ON datalinx_platform.users (email);");
    let loud = project.run("migrate up --to 1.0.4 -v").ok();
    assert!(loud.stderr.contains("done datalinx_platform  v1.0.0_to_v1.0.1_add_mfa_columns.sql"), "{loud}");
    let normal = project.run("migrate up --plan").ok();
    let quiet = project.run("migrate up -q").ok();
    assert_eq!(quiet.stderr, "", "{normal}");
    assert!(quiet.stdout.starts_with("done"), "{quiet}");
    let wrong = project.run("migrate up -q --to 7.7.7");
    assert!(wrong.stderr.starts_with("error[version-not-in-chain]"), "{wrong}");
}

#[test]
fn a_warning_does_not_stop_a_run() {
    let project = Project::seeds();
    assert!(project.run("migrate up").ok().stdout.starts_with("done"));
    project.next_migration("CREATE INDEX slow ON datalinx_platform.users (email);");
    let told = project.run("migrate up").ok();
    assert!(told.stderr.contains("warning[index-locks-writes]"), "{told}");
    assert!(told.stdout.starts_with("done"), "{told}");
}

#[test]
fn in_ci_a_database_must_be_named() {
    let project = Project::seeds();
    for url in ["", " "] {
        let output = project.run_env(&[("DATABASE_URL", url), ("CI", "true")], "status --format json");
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!((output.code, &document["error"]["code"]), (2, &"no-database-url".into()), "{output}");
    }
    assert!(!project.dir.path().join(".tenure").exists(), "no private server was begun");
}

#[test]
fn the_flag_beats_the_environment() {
    let (project, other) = (Project::seeds(), Project::seeds());
    assert!(project.run("migrate up").ok().stdout.starts_with("done"));
    let output = other.run(&format!("status --database-url {}", project.db.url)).ok();
    assert!(output.stdout.contains("1.0.4  up to date"), "{output}");
    let output = other.run_env(
        &[("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x")],
        &format!("status --database-url {}", other.db.url),
    );
    assert!(output.ok().stdout.contains("0.0.0"));
}

/// Which of a program's two voices nobody hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unheard {
    Stdout,
    Stderr,
    Both,
}

/// Runs it with the far ends of these pipes closed, before it writes anything.
fn unread(project: &Project, line: &str, unheard: Unheard) -> Option<i32> {
    let pipe = |heard: Unheard| {
        let (_reader, writer) = std::io::pipe().unwrap();
        if unheard == heard { Stdio::null() } else { Stdio::from(writer) }
    };
    let mut command = project.command(line.split_whitespace());
    Running::start(command.stdout(pipe(Unheard::Stderr)).stderr(pipe(Unheard::Stdout))).finish().status.code()
}

#[test]
fn a_reader_who_is_gone_is_no_failure() {
    let project = Project::seeds();
    for (line, code) in [
        ("--help", 0),
        ("--version", 0),
        ("completions bash", 0),
        ("status", 0),
        ("status --format json", 0),
        ("verify", 0),
        ("verify -v", 0),
        ("migrate up -v", 0),
        ("migrate up -vvv", 0),
        ("tenant show nobody", 1),
        ("tenant show nobody --format json", 1),
        ("migrate upp", 2),
        ("migrate upp --format json", 2),
    ] {
        for unheard in [Unheard::Stdout, Unheard::Stderr, Unheard::Both] {
            assert_eq!(unread(&project, line, unheard), Some(code), "{line}: {unheard:?}");
        }
    }
}

/// The verbs, as the help lists them: `["", "migrate", "migrate up", …]`.
pub fn verbs(project: &Project, of: &str, found: &mut Vec<(String, String)>) {
    let help = project.run(&format!("{of} --help")).ok().stdout;
    let listed = help.split("Commands:\n").nth(1).unwrap_or_default().split("\n\n").next().unwrap();
    let names: Vec<String> = listed
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .map(|name| format!("{of} {name}").trim().to_owned())
        .collect();
    found.push((of.to_owned(), help));
    for name in names {
        verbs(project, &name, found);
    }
}

#[test]
fn every_verb_has_a_man_page_and_every_shell_a_script() {
    let project = Project::empty();
    let mut found = Vec::new();
    verbs(&project, "", &mut found);
    let written = project.run("man pages/man1 --format json").ok();
    assert_eq!(written.stdout, "{\"outcome\":\"done\",\"dir\":\"pages/man1\"}\n");
    for (verb, _) in &found {
        let name = format!("tenure {verb}").trim().replace(' ', "-");
        let page = std::fs::read_to_string(project.dir.path().join(format!("pages/man1/{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}");
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = project.run(&format!("completions {shell}")).ok().stdout;
        assert!(script.contains("TENURE_COMPLETE"), "{shell}: {script}");
    }
}

#[test]
fn the_version_is_the_packages() {
    let project = Project::empty();
    assert_eq!(project.run("--version").ok().stdout, format!("tenure {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_empty_url_is_no_wish_for_the_private_server() {
    let project = Project::seeds();
    for line in [["status", "--database-url", ""], ["status", "--database-url", "  "]] {
        let output = project.run_words(line.into_iter().chain(["--format", "json"]));
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!((output.code, &document["error"]["code"]), (2, &"database-url".into()), "{output}");
    }
    assert!(!project.dir.path().join(".tenure").exists(), "no server was made");
}

#[test]
fn an_empty_variable_is_not_set() {
    let project = Project::seeds();
    let with = |variables: &[&str], line: &str| {
        let mut command = project.command(line.split_whitespace());
        for variable in variables {
            command.env(variable, "");
        }
        Output::of(&command.finish())
    };
    let all = ["TENURE_FORMAT", "TENURE_PROJECT", "TENURE_CONNECT_ATTEMPTS"];
    let output = with(&all, "status").ok();
    assert!(output.stdout.starts_with("platform"), "{output}");
    let output = with(&["DATABASE_URL", "CI"], "verify").ok();
    assert!(output.stdout.contains("nothing found"), "{output}");
    let mut command = project.command(["status"]);
    let output = Output::of(&command.env("DATABASE_URL", "").env("CI", "true").finish());
    assert!(output.code == 2 && output.stderr.contains("no-database-url"), "{output}");
}

#[test]
fn a_flag_goes_before_the_environment_also_where_the_line_is_wrong() {
    let project = Project::seeds();
    let json = &[("TENURE_FORMAT", "json")];
    for line in
        ["--format human status --bogus", "status --bogus --format=human", "verify --bogus --output human"]
    {
        let output = project.run_env(json, line);
        assert!(output.stdout.is_empty() && output.stderr.contains("--bogus"), "{line}: {output}");
    }
    let output = project.run_env(&[("TENURE_FORMAT", "human")], "status --bogus --format json");
    assert!(output.stdout.starts_with("{\"outcome\":\"failed\",\"error\""), "{output}");
}

#[test]
fn a_usage_error_names_the_help_of_its_verb() {
    let project = Project::seeds();
    for (line, help) in [
        ("tenant create", "tenure tenant create --help"),
        ("-C tenant tenant create a --from b.csv", "tenure tenant create --help"),
        ("migrate up --bogus", "tenure migrate up --help"),
        ("migrate upp", "tenure migrate --help"),
        ("--color never status everything", "tenure status --help"),
        ("statuss", "tenure --help"),
        ("--bogus", "tenure --help"),
    ] {
        let (_, document) = project.json(line);
        let hint = document["error"]["hint"].as_str().unwrap();
        assert_eq!(hint, format!("see `{help}`"), "{line}");
    }
}
