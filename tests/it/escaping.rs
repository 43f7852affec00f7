//! No text from outside reaches a terminal, a log or a report as it is: names in the database, messages of the server, file
//! names, words of the command line, in every output format.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::support::{Finish as _, Output, OwnServer, Project, Session};

/// Names and messages that would control a terminal, begin a line of their own, give a command to a CI runner or hide text.
pub const HOSTILE: [&str; 3] = [
    "x\u{1b}]0;t\u{7}\nerror: fake\r\n::error::a",
    "::add-mask::b\u{9b}31m\u{202e} ##[error]c",
    "##vso[task.complete]d\u{2028}\u{200b}\u{e0041}\n= help: fake\n--> fake",
];

/// Whether the character controls a terminal or is invisible.
fn is_hidden(letter: char) -> bool {
    (letter.is_control() && letter != '\n')
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0041}')
}

/// Asserts that the output is safe, in a format whose own commands begin with `own`.
#[track_caller]
fn assert_safe(text: &str, own: &[&str]) {
    assert!(!text.contains(is_hidden), "{text:?}");
    assert!(!text.contains("##[") && !text.contains("##vso["), "{text}");
    for line in text.lines().map(str::trim) {
        let is_own = own.iter().any(|own| line.starts_with(own));
        assert!(is_own || !line.starts_with("::"), "{line:?} in {text}");
        for fake in ["error: fake", "= help: fake", "--> fake"] {
            assert!(!line.starts_with(fake), "{line:?} in {text}");
        }
    }
}

/// Asserts that both outputs are safe, in a format whose own commands begin with `own`.
#[track_caller]
pub fn assert_output_safe(output: &Output, own: &[&str]) {
    assert_safe(&output.stdout, own);
    assert_safe(&output.stderr, &[]);
}

const FORMATS: [&str; 7] = ["human", "json", "sarif", "github", "markdown", "junit", "codequality"];

/// The runner's commands that a format consists of.
fn own(format: &str) -> &'static [&'static str] {
    if format == "github" { &["::error ", "::warning ", "::notice "] } else { &[] }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Tenants with tables, a view, and a comment of such names.
fn fleet() -> Project {
    let project = Project::with_tenants(&["one", "two", "three"]);
    for name in HOSTILE.map(quoted) {
        project.db.run(&format!(
            "CREATE VIEW org_one.{name} AS SELECT id FROM org_two.workspaces; CREATE TABLE org_two.{name} (id int); \
             ALTER TABLE org_two.workspaces ADD COLUMN {name} int; \
             UPDATE datalinx_platform.organizations SET name = U&'{text}' WHERE slug = 'three'",
            text = unicode(HOSTILE[0])
        ));
    }
    project
}

/// The text in a `U&'…'` literal.
fn unicode(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, letter| {
        write!(escaped, "\\+{:06x}", u32::from(letter)).unwrap();
        escaped
    })
}

/// The text without colours.
fn colourless(text: &str) -> String {
    static COLOUR: LazyLock<Regex> = LazyLock::new(|| Regex::new("\u{1b}\\[[0-9;]*m").unwrap());
    COLOUR.replace_all(text, "").into_owned()
}

#[test]
fn only_one_place_writes_to_the_terminal() {
    let writes = Regex::new(r"\b(e?print(ln)?!|io::(stdout|stderr)\(\))").unwrap();
    let code = |text: &str| text.split("#[cfg(test)]").next().unwrap().to_owned();
    let found =
        crate::repo_lints::files("src", "rs").into_iter().filter(|(_, text)| writes.is_match(&code(text)));
    let found: Vec<_> = found.map(|(path, _)| path).collect();
    // An export is no text.
    assert_eq!(found, ["src/cli/ui.rs", "src/tenant/copy/export.rs"]);
}

#[test]
fn names_in_the_database_are_escaped_in_every_format() {
    let project = fleet();
    // An open session of a tenant has such a temporary table.
    let _session = Session::holding(
        &project.db,
        &format!("CREATE TEMPORARY VIEW {} AS SELECT id FROM org_one.workspaces", quoted(HOSTILE[0])),
    );
    for verb in ["tenant audit", "drift"] {
        for format in FORMATS {
            let output = project.run(&format!("{verb} --output {format}"));
            assert_eq!(output.code, 1, "{output}");
            assert!(output.stdout.contains("fake"), "{output}");
            assert_output_safe(&output, own(format));
        }
    }
    for line in ["tenant show two --drift", "tenant show three", "tenant list", "status --tenants"] {
        for format in ["human", "json"] {
            let output = project.run(&format!("{line} --format {format} -vv"));
            assert_eq!(output.code, 0, "{output}");
            assert_output_safe(&output, &[]);
        }
    }
    for (number, format) in ["human", "json"].iter().enumerate() {
        let output = project.run(&format!("tenant clone one copy{number} --format {format}"));
        assert_output_safe(&output, &[]);
    }
    let (_, document) = project.json("drift");
    assert!(document.to_string().contains("error: fake"), "JSON holds the name: {document}");
}

#[test]
fn colours_are_those_of_the_program() {
    let project = fleet();
    for verb in ["tenant audit", "drift", "tenant show two --drift"] {
        let output = project.run(&format!("{verb} --color always"));
        let plain = colourless(&output.stdout);
        assert_ne!(plain, output.stdout, "{output}");
        assert_safe(&plain, &[]);
        assert!(!output.stdout.contains("\u{1b}]0;"), "{output}");
    }
}

#[test]
fn messages_of_the_server_are_escaped_wherever_a_migration_fails() {
    for hostile in HOSTILE {
        let project = Project::with_tenants(&["one", "two"]);
        project.without_rules();
        project.next_migration(&format!(
            "-- Scope: tenant\nDO $x$ BEGIN RAISE EXCEPTION USING MESSAGE = U&'{0}', HINT = U&'{0}', DETAIL = U&'{0}'; END $x$;",
            unicode(hostile)
        ));
        let events = project.dir.path().join("events.jsonl");
        for flags in ["", "-v", "-vv", "--format json", "--color always -v"] {
            let output = project.run(&format!("migrate up --events events.jsonl {flags}"));
            assert_ne!(output.code, 0, "{output}");
            assert_safe(&colourless(&output.stderr), &[]);
            assert_safe(&output.stdout, &[]);
            assert!(flags.contains("always") || !output.stderr.contains('\u{1b}'), "{output}");
        }
        assert_safe(&std::fs::read_to_string(events).unwrap(), &[]);
        for format in FORMATS {
            assert_output_safe(&project.run(&format!("verify --shadow --output {format}")), own(format));
        }
    }
}

#[test]
fn names_of_files_and_their_contents_are_escaped() {
    for hostile in HOSTILE {
        let project = Project::seeds();
        project.next_migration(&format!(
            "-- Allow: drop-table because {reason} www.evil.example @team #1\nDROP TABLE users;\n\
             ALTER TABLE users DROP COLUMN {name};\n/* {hostile} */ DROP VIEW datalinx_platform.v;\n",
            reason = hostile.lines().next().unwrap(),
            name = quoted(hostile),
        ));
        project.file(&format!("tenant_templates/default/{}.sql", hostile.replace('/', "_")), "DROP TABLE a;");
        for format in FORMATS {
            let output = project.run(&format!("verify --output {format}"));
            assert_output_safe(&output, own(format));
            if format == "markdown" {
                let reason = output.stdout.lines().find(|line| line.contains("www.evil.example"));
                assert!(reason.unwrap_or_else(|| panic!("{output}")).ends_with("@team #1` |"), "{output}");
            }
        }
        // A name that is no migration's.
        let name = format!("{}.sql", hostile.replace('/', "_"));
        std::fs::write(project.dir.path().join("migrations").join(&name), "SELECT 1;").unwrap();
        let name = Path::new("migrations").join(name);
        for format in FORMATS {
            let words = ["verify", "--output", format].map(str::as_bytes).into_iter();
            for words in
                [words.clone().collect::<Vec<_>>(), words.chain([name.as_os_str().as_bytes()]).collect()]
            {
                let output = project.run_words(words.iter().map(|word| std::ffi::OsStr::from_bytes(word)));
                assert_eq!(output.code, 2, "{output}");
                assert_output_safe(&output, own(format));
            }
        }
    }
}

#[test]
fn words_of_the_command_line_are_escaped() {
    let project = Project::seeds();
    for hostile in HOSTILE {
        for words in [
            vec!["tenant", "create", hostile],
            vec!["tenant", "show", hostile, "--format", "json"],
            vec!["migrate", "up", "--jobs", hostile],
            vec!["migrate", "up", "--jobs", hostile, "--format", "json"],
            vec!["explain", hostile],
            vec![hostile],
            vec!["verify", "--policy-from", hostile],
            vec!["verify", "--since", hostile],
            vec!["-C", hostile, "status"],
            vec!["branch", "create", hostile, "--provider", "local"],
        ] {
            let output = project.run_words(&words);
            assert_ne!(output.code, 0, "{output}");
            assert_output_safe(&output, &[]);
        }
        for (variable, line) in [
            ("TENURE_FORMAT", "status"),
            ("TENURE_PROJECT", "status"),
            ("TENURE_BRANCH_NAME", "branch create --provider local"),
            ("TENURE_BRANCH_EXPIRES", "branch create x --provider local"),
        ] {
            let output = project.run_env(&[(variable, hostile)], line);
            assert_ne!(output.code, 0, "{output}");
            assert_output_safe(&output, &[]);
        }
    }
}

#[test]
fn names_of_branches_are_escaped() {
    let project = Project::with_tenants(&["one"]);
    let server = OwnServer::start(&[]);
    let home = server.database("home");
    home.run("CREATE ROLE other LOGIN");
    let made: Vec<String> = HOSTILE
        .iter()
        .map(|name| {
            // As Tenure names and marks a copy; anybody who may create databases can do this.
            let run = uuid::Uuid::new_v4();
            let database = format!("tenure_making_{}", run.simple());
            let mark = serde_json::json!({
                "tenure-run": run.to_string(), "branch": name, "home": "home", "parent": name,
                "created_at": "2020-01-01T00:00:00Z", "expires_at": format!("2020-01-02T00:00:00Z{name}"),
            });
            let mark = mark.to_string().replace('\'', "''");
            home.run(&format!("CREATE DATABASE {database}"));
            home.run(&format!("COMMENT ON DATABASE {database} IS '{mark}'"));
            database
        })
        .collect();
    for name in HOSTILE.map(quoted) {
        home.run(&format!("CREATE DATABASE {name}"));
        home.run(&format!("CREATE ROLE {name} LOGIN"));
    }
    let run = |url: &str, words: &[&str]| {
        let output = Output::of(&project.command(words).env("DATABASE_URL", url).finish());
        assert_output_safe(&output, &[]);
        output
    };
    for format in ["human", "json"] {
        let listed = run(&home.url, &["--format", format, "-vv", "branch", "list", "--provider", "local"]);
        assert!(listed.code == 0 && listed.stdout.contains("fake"), "{listed}");
        for name in HOSTILE {
            let of = |verb| ["--format", format, "-vv", "branch", verb, name, "--provider", "local"];
            let _refused = run(&home.url, &of("create"));
            let _refused = run(&home.url.replace("/home", "/nowhere"), &of("delete"));
        }
    }
    // Those of another owner fail, with their names; then all are deleted.
    let gc = ["branch", "gc", "--provider", "local", "--prefix", "", "--older-than", "1s", "-vv", "--format"];
    for (url, format, code) in
        [(home.url_as("other"), "human", 1), (home.url_as("other"), "json", 1), (home.url.clone(), "json", 0)]
    {
        let collected = run(&url, &[&gc[..], &[format]].concat());
        let said = format!("{}{}", collected.stdout, collected.stderr);
        assert!(collected.code == code && said.contains("fake"), "{collected}");
    }
    let left =
        format!("SELECT count(*)::text FROM pg_database WHERE datname = ANY ('{{{}}}')", made.join(","));
    assert_eq!(home.value(&left), "0");
}
