//! No output contains a row, a password of the command line, or a file outside of the project, and no program that Tenure
//! starts gets its credentials.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::{Finish as _, Output, Project, Session};

/// A project with a tenant, whose rows the texts are.
fn with_rows(texts: &[&str]) -> Project {
    let project = Project::with_tenants(&["a"]);
    for text in texts {
        let text = text.replace('\'', "''");
        project.db.run(&format!("INSERT INTO org_a.workspaces (name) VALUES ('{text}')"));
    }
    project
}

/// What the program prints, writes to the events file and keeps in its tables when the next step fails in every format.
fn everything_of_a_failure(project: &Project, sql: &str) -> String {
    project.next_migration_again(sql);
    let mut all = String::new();
    for flags in ["", " --format json", " -v", " -vv"] {
        let output = project.run(&format!("migrate up --retries 0 --events events.jsonl{flags}"));
        assert!(output.code == 1 || output.code == 4, "{sql}: {output}");
        all += &output.stdout;
        all += &output.stderr;
    }
    all += &std::fs::read_to_string(project.dir.path().join("events.jsonl")).unwrap();
    for line in ["status", "migrate history", "tenant show a", "restore-point", "doctor"] {
        let output = project.run(line);
        all += &output.stdout;
        all += &output.stderr;
    }
    all + &project.db.dump(&["--schema=datalinx_platform", "--data-only"])
}

impl Project {
    /// Replaces the pending step.
    fn next_migration_again(&self, sql: &str) {
        let allow = "-- Allow: opaque-code because a test\n".repeat(sql.matches("DO $x$").count());
        self.migration("1.0.4", "1.0.5", "next", &format!("-- Scope: tenant\n{allow}{sql}"));
    }
}

#[test]
fn a_failure_contains_the_names_and_no_value_of_a_row() {
    for (text, sql, shown) in [
        (
            "hunter2@example.com",
            "SELECT name::int FROM workspaces;",
            "invalid input syntax for type integer: \"…\"",
        ),
        (
            "a\" hunter2 \"b",
            "SELECT name::int FROM workspaces;",
            "invalid input syntax for type integer: \"…\"",
        ),
        (
            "99999999991234",
            "SELECT name::int FROM workspaces;",
            "value \"…\" is out of range for type integer",
        ),
        ("1990-02-31", "SELECT name::date FROM workspaces;", "date/time field value out of range: \"…\""),
        (
            "55571234",
            "SELECT make_date(name::int, 13, 1) FROM workspaces;",
            "date field value out of range: …",
        ),
        (
            "{\"a\": hunter2}",
            "SELECT name::json FROM workspaces;",
            "invalid input syntax for type json (Token \"…\" is invalid.)",
        ),
        ("hunter2 ' x", "SELECT name::tsquery FROM workspaces;", "syntax error in tsquery: \"…\""),
        (
            "hunter2) = (b",
            "CREATE TABLE {org_schema}.made (name text PRIMARY KEY);\n\
             INSERT INTO {org_schema}.made SELECT name FROM workspaces UNION ALL SELECT name FROM workspaces;",
            "unique constraint \"made_pkey\" (Key (name)=(…) already exists.)",
        ),
        (
            "hunter2",
            "CREATE TABLE {org_schema}.made (name text);\n\
             INSERT INTO {org_schema}.made SELECT name FROM workspaces UNION ALL SELECT name FROM workspaces;\n\
             CREATE UNIQUE INDEX made_name ON {org_schema}.made (lower(name));",
            "could not create unique index \"made_name\" (Key (lower(name))=(…) is duplicated.)",
        ),
        (
            "hunter2",
            "CREATE TABLE {org_schema}.made (name text CONSTRAINT short CHECK (length(name) < 3));\n\
             INSERT INTO {org_schema}.made SELECT name FROM workspaces;",
            "relation \"made\" violates check constraint \"short\" (Failing row contains (…).)",
        ),
        (
            "hunter2",
            "DO $x$ BEGIN RAISE EXCEPTION 'the row % is wrong', (SELECT name FROM workspaces) USING ERRCODE = 'unique_violation'; END $x$;",
            "whose text may contain values and is not shown",
        ),
        (
            "hunter2",
            "DO $x$ BEGIN RAISE EXCEPTION 'it is wrong' USING DETAIL = (SELECT name FROM workspaces), HINT = (SELECT name FROM workspaces); END $x$;",
            ": it is wrong",
        ),
        (
            "hunter2",
            "DO $x$ BEGIN RAISE EXCEPTION 'it is wrong' USING ERRCODE = 'TN001', DETAIL = (SELECT name FROM workspaces); END $x$;",
            ": it is wrong",
        ),
        (
            "hunter2",
            "DO $x$ BEGIN RAISE NOTICE '%', (SELECT name FROM workspaces); PERFORM 1/0; END $x$;",
            "division by zero",
        ),
    ] {
        let project = with_rows(&[text]);
        let all = everything_of_a_failure(&project, sql);
        assert!(all.contains(shown) || all.contains(&shown.replace('"', "\\\"")), "{sql}: {all}");
        // A short number would be in an id or a time by chance.
        for secret in [text, "hunter2"].into_iter().filter(|secret| text.contains(secret)) {
            assert!(!all.contains(secret), "{sql}: {secret} in {all}");
        }
    }
}

#[test]
fn values_are_masked_in_messages_of_a_translated_server_too() {
    let project = with_rows(&["hunter2"]);
    let translated = "SET LOCAL lc_messages = 'de_DE.UTF-8'";
    if project.db.try_run(&format!("BEGIN; {translated}; COMMIT")).is_err() {
        return;
    }
    let all = everything_of_a_failure(
        &project,
        "SET LOCAL lc_messages = 'de_DE.UTF-8';\nSELECT name::int FROM workspaces;",
    );
    assert!(!all.contains("hunter2"), "{all}");
}

#[test]
fn names_made_from_rows_are_in_no_report_of_a_dry_run() {
    let project = Project::with_tenants(&["a", "b"]);
    for (slug, text) in [("a", "hunter2@example.com"), ("b", "hunter2 other")] {
        project.db.run(&format!("INSERT INTO org_{slug}.workspaces (name) VALUES ('{text}')"));
    }
    let run = |sql: &str, more: &str| {
        project.next_migration_again(sql);
        let mut command = project
            .command(format!("migrate up --branch local --report report.md {more}").split_whitespace());
        let output = Output::of(&command.env("DATABASE_URL", &project.db.url).finish());
        let report = std::fs::read_to_string(project.dir.path().join("report.md")).unwrap();
        (output, report)
    };
    let made = |statement: &str| {
        // Without the rows, as on the shadow, it does nothing.
        format!(
            "-- Allow: opaque-code because x\nDO $x$ DECLARE a text := (SELECT max(name) FROM workspaces WHERE length(name) > 10); BEGIN IF a <> '' THEN EXECUTE format('{statement}', a); END IF; END $x$;\n"
        )
    };
    let statements = [
        "CREATE TABLE %I (id int PRIMARY KEY)",
        "ALTER TABLE workspaces ADD COLUMN %I text",
        "ALTER TABLE workspaces ADD COLUMN extra2 text DEFAULT %L",
        "COMMENT ON TABLE workspaces IS %L",
        "CREATE FUNCTION %I(a int) RETURNS int LANGUAGE sql AS ''SELECT 1''",
        "CREATE COLLATION %I FROM \"C\"",
    ];
    for more in ["", "--format json"] {
        let sql: Vec<_> = statements.iter().map(|statement| made(statement)).collect();
        let (output, report) =
            run(&format!("{}ALTER TABLE workspaces ADD COLUMN extra text;", sql.concat()), more);
        assert_eq!(output.code, 0, "{output}");
        let all = format!("{}{}{report}", output.stdout, output.stderr);
        assert!(!all.contains("hunter2") && all.contains("extra") && all.contains('…'), "{all}");
    }
    // Of a statement that fails in code, only the SQLSTATE is published.
    for sql in [
        "DO $x$ BEGIN EXECUTE format('DROP TABLE %I', (SELECT name FROM workspaces LIMIT 1)); END $x$;",
        "DO $x$ BEGIN RAISE EXCEPTION '%', (SELECT name FROM workspaces LIMIT 1); END $x$;",
        "DO $x$ BEGIN RAISE EXCEPTION '%', (SELECT name FROM workspaces LIMIT 1) USING ERRCODE = 'TN001'; END $x$;",
        "SELECT name::int FROM workspaces;",
    ] {
        let guarded = sql.replace(
            "BEGIN ",
            "BEGIN IF NOT EXISTS (SELECT FROM workspaces WHERE length(name) > 10) THEN RETURN; END IF; ",
        );
        let (output, report) = run(&guarded, "");
        assert_ne!(output.code, 0, "{sql}: {output}");
        assert!(!format!("{output}{report}").contains("hunter2"), "{sql}: {output} {report}");
        assert!(report.contains("SQLSTATE"), "{report}");
    }
}

#[test]
fn the_events_file_is_only_readable_by_its_owner() {
    let project = Project::with_tenants(&["a"]);
    project.next_migration("ALTER TABLE workspaces ADD COLUMN note text;");
    project.run("migrate up --events events.jsonl").passes();
    let mode = std::fs::metadata(project.dir.path().join("events.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The variables of an operator or of CI, with credentials.
const CREDENTIALS: &[(&str, &str)] = &[
    ("NEON_API_KEY", "hunter2"),
    ("GITHUB_TOKEN", "hunter2"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ("PGPASSFILE", "/hunter2"),
];

#[test]
fn a_hook_gets_the_database_url_and_no_other_credential() {
    let project = Project::with_tenants(&[]);
    project.file("bin/hook", "#!/bin/sh\nenv > environment\n");
    let hook = project.dir.path().join("bin/hook");
    std::fs::set_permissions(hook, PermissionsExt::from_mode(0o755)).unwrap();
    project.file("tenure.toml", "[tenants]\nafter_create = [\"bin/hook\"]\n");
    let environment: Vec<_> = CREDENTIALS.iter().copied().chain([("LC_ALL", "C"), ("TZ", "UTC")]).collect();
    project.run_env(&environment, "tenant create a").passes();
    let seen = std::fs::read_to_string(project.dir.path().join("environment")).unwrap();
    assert!(!seen.contains("hunter2") && !seen.contains("TENURE_"), "{seen}");
    for name in ["PATH=", "HOME=", "TMPDIR=", "LC_ALL=C", "TZ=UTC", "DATABASE_URL=postgresql://"] {
        assert!(seen.lines().any(|line| line.starts_with(name)), "{name} in {seen}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_private_server_gets_no_variable_of_this_process() {
    let project = Project::empty();
    project.file("migrations/.keep", "");
    project.run_env(CREDENTIALS, "dev start").passes();
    // A session's process shows its own title in that place, so the first process of the server is asked.
    let pid = std::fs::read_to_string(project.dir.path().join(".tenure/server/data/postmaster.pid")).unwrap();
    let pid = pid.lines().next().unwrap();
    let found = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let found = String::from_utf8_lossy(&found).replace('\0', "\\000");
    assert!(found.contains("PATH"), "{found:?}");
    let names: Vec<_> = found.split("\\000").filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let allowed = ["PATH", "LD_LIBRARY_PATH", "LC_ALL"];
    let other: Vec<_> =
        names.iter().filter(|name| !allowed.contains(name) && !name.starts_with("PG")).collect();
    assert!(!found.contains("hunter2") && other.is_empty(), "{found:?}");
}

#[test]
fn client_programs_get_no_credential_but_that_of_the_connection() {
    let project = Project::with_tenants(&["a"]);
    let folder = project.dir.path().join("bin");
    let real = project.db.value("SELECT setting FROM pg_config() WHERE name = 'BINDIR'");
    std::fs::create_dir(&folder).unwrap();
    for program in ["pg_dump", "pg_restore"] {
        let file = folder.join(program);
        std::fs::write(
            &file,
            format!("#!/bin/sh\nenv >> {}/environment\nexec {real}/{program} \"$@\"\n", folder.display()),
        )
        .unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    }
    for program in ["initdb", "postgres", "pg_ctl", "psql"] {
        symlink(format!("{real}/{program}"), folder.join(program)).unwrap();
    }
    let folder = folder.display().to_string();
    let environment: Vec<_> = CREDENTIALS
        .iter()
        .copied()
        .filter(|(name, _)| *name != "PGPASSFILE")
        .chain([("TENURE_PG_BINDIR", folder.as_str())])
        .collect();
    project.run_env(&environment, "tenant export a --to a.tenure").passes();
    project.run_env(&environment, "tenant import a.tenure --as b").passes();
    let seen = std::fs::read_to_string(format!("{folder}/environment")).unwrap();
    assert!(!seen.contains("hunter2") && !seen.contains("DATABASE_URL") && seen.contains("PATH="), "{seen}");
}

#[test]
fn no_message_repeats_a_password_of_the_command_line() {
    let project = Project::with_tenants(&["a"]);
    let texts = [
        "postgres://me:hunter2@db.example/app",
        "postgresql://me:hunter%32@db.example/app?sslmode=require",
        "postgres://db.example/app?user=me&password=hunter2",
        "postgres://me:hunter2 x'\"|y@db.example/app",
        "me:hunter2@db.example/app",
        "host=db.example user=me password=hunter2",
        "host=db.example password='hunter2 x'",
    ];
    let commands: &[&[&str]] = &[
        &["verify", "@"],
        &["verify", "--base", "@", "migrations"],
        &["verify", "--queries", "@"],
        &["verify", "--shadow-url", "@"],
        &["verify", "--output", "@"],
        &["explain", "@"],
        &["-C", "@", "status"],
        &["--project=@", "status"],
        &["migrate", "up", "--to", "@"],
        &["migrate", "up", "--to=@"],
        &["migrate", "up", "--tenant", "@"],
        &["migrate", "up", "--lock-timeout", "@"],
        &["migrate", "up", "--jobs", "@"],
        &["migrate", "up", "--events", "@/x"],
        &["migrate", "up", "@"],
        &["migrate", "baseline", "@"],
        &["migrate", "new", "@", "--bump", "@"],
        &["migrate", "history", "--tenant", "@"],
        &["tenant", "create", "@"],
        &["tenant", "create", "--from", "@"],
        &["tenant", "create", "x", "--template", "@"],
        &["tenant", "create", "x", "--set", "@=1", "--set", "@=2"],
        &["tenant", "show", "@"],
        &["tenant", "drop", "a", "--confirm", "@"],
        &["tenant", "drop", "@", "--confirm", "@"],
        &["tenant", "rename", "a", "@"],
        &["tenant", "clone", "a", "@"],
        &["tenant", "export", "a", "--to", "@"],
        &["tenant", "import", "@"],
        &["tenant", "import", "x", "--as", "@"],
        &["tenant", "adopt", "@", "--slug", "x", "--version", "@"],
        &["tenant", "audit", "@"],
        &["drift", "--tenant", "@"],
        &["template", "check", "@"],
        &["template", "squash", "@"],
        &["branch", "create", "@", "--provider", "local"],
        &["branch", "delete", "@"],
        &["branch", "gc", "--prefix", "@", "--older-than", "@"],
        &["restore-point", "@"],
        &["queries", "capture", "--to", "@/x"],
        &["completions", "@"],
        &["demo", "--dir", "/proc/@"],
        &["@"],
        &["--@"],
        &["-@"],
    ];
    for (number, text) in texts.into_iter().enumerate() {
        // Every command with a usual text and with an odd one, some commands with all texts.
        let is_whole = number == 0 || text.contains('|');
        for command in commands.iter().step_by(if is_whole { 1 } else { 6 }) {
            // The odd text has the most forms.
            let formats: &[&str] = if text.contains('|') { &["human", "json"] } else { &["json"] };
            for format in formats {
                let words = command.iter().map(|word| word.replace('@', text));
                let output = Output::of(&project.command(words).env("TENURE_FORMAT", format).finish());
                let said = format!("{}{}", output.stdout, output.stderr);
                assert!(!said.contains("hunter"), "{command:?} {text}: {output}");
            }
        }
        for column in ["slug", "name", "template", "set.x"] {
            let cell = text.replace('"', "\"\"");
            let (header, line) = if column == "slug" {
                ("slug".to_owned(), format!("\"{cell}\""))
            } else {
                (format!("slug,{column}"), format!("Q,\"{cell}\""))
            };
            for csv in [
                format!("{header}\n{line}\n"),
                format!("{line}\n{header}\n"),
                format!("{header}\n{line},x\n"),
            ] {
                project.file("list.csv", csv);
                for format in
                    ["human", "json"].into_iter().filter(|format| *format == "human" || text.contains('|'))
                {
                    let output = project.run(&format!("tenant create --from list.csv --format {format}"));
                    let said = format!("{}{}", output.stdout, output.stderr);
                    assert!(output.code != 0 && !said.contains("hunter"), "{column} {text}: {output}");
                }
            }
        }
        let environment = [("TENURE_PROJECT", text), ("DATABASE_URL", "postgres://h/d")];
        for environment in [&environment[..1], &[("DATABASE_URL", text)]] {
            let output = project.run_env(environment, "status");
            assert!(
                !format!("{}{}", output.stdout, output.stderr).contains("hunter"),
                "{environment:?}: {output}"
            );
        }
    }
    for output in ["sarif", "github", "markdown"] {
        let output = project.run(&format!("verify {} --output {output}", texts[0]));
        assert!(output.code != 0 && !output.to_string().contains("hunter"), "{output}");
    }
}

/// A project with a file outside of it that contains a secret, and its path.
fn beside_a_secret() -> (Project, tempfile::TempDir, std::path::PathBuf) {
    let project = Project::seeds();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("other.sql");
    std::fs::write(&secret, "hunter2 is not SQL\n").unwrap();
    (project, outside, secret)
}

#[test]
fn links_that_leave_the_project_are_refused() {
    let (project, outside, secret) = beside_a_secret();
    project.file(".env.sql", "hunter2 is not SQL\n").file(".git/config.sql", "hunter2 is not SQL\n");
    std::fs::write(outside.path().join("tenure.toml"), "hunter2 = 1\n").unwrap();
    std::fs::write(outside.path().join(".neon"), "hunter2\n").unwrap();
    let root = project.dir.path();
    let linked = |at: &str, to: &std::path::Path, command: &str| {
        let link = root.join(at);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(to, &link).unwrap();
        let output = project.run(command);
        std::fs::remove_file(&link).unwrap();
        assert!(!format!("{}{}", output.stdout, output.stderr).contains("hunter2"), "{at}: {output}");
        assert_ne!(output.code, 0, "{at}: {output}");
        output
    };
    let folder = outside.path();
    for (at, to, command) in [
        ("migrations/v1.0.4_to_v1.0.5_x.sql", secret.as_path(), "verify"),
        ("migrations/v1.0.4_to_v1.0.5_x.sql", secret.as_path(), "migrate up --plan"),
        ("migrations/v1.0.4_to_v1.0.5_x.sql", secret.as_path(), "verify migrations/v1.0.4_to_v1.0.5_x.sql"),
        ("migrations/v1.0.4_to_v1.0.5_x.sql", std::path::Path::new("../.env.sql"), "verify"),
        ("migrations/v1.0.4_to_v1.0.5_x.sql", std::path::Path::new("../.git/config.sql"), "verify"),
        ("tenant_templates/default/900.sql", secret.as_path(), "template check"),
        ("tenant_templates/default/after_create/900.sql", secret.as_path(), "template check"),
        ("tenant_templates/other", folder, "template check"),
        ("tenure.toml", &folder.join("tenure.toml"), "status"),
        ("tenure.toml", &folder.join("missing"), "status"),
        ("queries/a.sql", secret.as_path(), "verify --shadow --queries queries"),
        ("linked", folder, "verify --shadow --queries linked"),
        ("queries.sql", secret.as_path(), "verify --shadow --queries queries.sql"),
        ("other.sql", secret.as_path(), "verify other.sql"),
        ("more", folder, "verify more/other.sql"),
        ("base.sql", secret.as_path(), "verify --base base.sql migrations/../base.sql"),
        (".neon", &folder.join(".neon"), "branch list --provider neon"),
    ] {
        if at == "tenure.toml" && root.join(at).exists() {
            std::fs::remove_file(root.join(at)).unwrap();
        }
        let output = linked(at, to, command);
        if at != ".neon" && !to.ends_with("missing") {
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(said.contains("is a symbolic link that leads"), "{at} {command}: {output}");
        }
    }
    // The folder of migrations itself.
    std::fs::remove_dir_all(root.join("migrations")).unwrap();
    let _refused = linked("migrations", folder, "verify");
}

#[test]
fn links_inside_of_the_project_and_files_of_the_operator_are_read() {
    let (project, _outside, secret) = beside_a_secret();
    let root = project.dir.path();
    std::fs::create_dir(root.join("shared")).unwrap();
    std::fs::rename(root.join("migrations"), root.join("shared/migrations")).unwrap();
    symlink("shared/migrations", root.join("migrations")).unwrap();
    project.file(
        "shared/template.sql",
        "CREATE TABLE linked (id int PRIMARY KEY, created_at date, updated_at date);",
    );
    symlink("../../shared/template.sql", root.join("tenant_templates/default/900.sql")).unwrap();
    project.run("verify").passes();
    // A file outside of the project is the operator's choice.
    std::fs::write(&secret, "CREATE TABLE t (id int);\n").unwrap();
    let output = project.run(&format!("verify {}", secret.display()));
    assert!(output.code < 2, "{output}");
}

#[test]
fn special_files_are_refused_and_do_not_block() {
    let project = Project::seeds();
    let root = project.dir.path();
    let pipe = |at: &str| {
        std::fs::create_dir_all(root.join(at).parent().unwrap()).unwrap();
        let made = std::process::Command::new("mkfifo").arg(root.join(at)).status().unwrap();
        assert!(made.success());
    };
    for (at, command) in [
        ("migrations/v1.0.4_to_v1.0.5_x.sql", "verify"),
        ("tenant_templates/default/900.sql", "template check"),
        ("queries/a.sql", "verify --shadow --queries queries"),
        ("tenure.toml", "status"),
        ("x.sql", "verify x.sql"),
        (".neon", "branch list --provider neon"),
    ] {
        pipe(at);
        let output = project.run(command);
        assert_ne!(output.code, 0, "{at}: {output}");
        std::fs::remove_file(root.join(at)).unwrap();
    }
    for device in ["/dev/zero", "/dev/tty"] {
        symlink(device, root.join("migrations/v1.0.4_to_v1.0.5_x.sql")).unwrap();
        assert_eq!(project.run("verify").code, 2);
        std::fs::remove_file(root.join("migrations/v1.0.4_to_v1.0.5_x.sql")).unwrap();
    }
}

#[test]
fn the_texts_of_other_sessions_are_not_shown() {
    let project = with_rows(&["w"]);
    let secret = "/* hunter2 */";
    let mut session = Session::open(&project.db.url);
    session.run(&format!("BEGIN {secret}; LOCK TABLE org_a.workspaces {secret}"));
    let all = everything_of_a_failure(
        &project,
        "SET LOCAL lock_timeout = '100ms';\nALTER TABLE workspaces ADD COLUMN note text;",
    );
    let copied = Output::of(
        &project
            .command(["branch", "create", "x", "--provider", "local"])
            .env("DATABASE_URL", &project.db.url)
            .finish(),
    );
    assert!(!all.contains("hunter2") && !copied.to_string().contains("hunter2"), "{all} {copied}");
}
