//! The examples of `--help` and the man pages, by command. A test parses each of them.

use clap::Command;

/// A command line and what it does.
pub(super) type Example = (&'static str, &'static str);

/// The examples of a command, such as `migrate up`.
pub(super) fn of(command: &str) -> &'static [Example] {
    EXAMPLES.iter().find(|(name, _)| *name == command).map_or(&[], |(_, examples)| examples)
}

/// The command with its examples, and those of its subcommands, at the end of `--help`; `path` is its name in the list.
pub(super) fn added_to(command: Command, path: &str) -> Command {
    let command = match of(path) {
        [] => command,
        examples => command.after_long_help(section(examples)),
    };
    command.mut_subcommands(|verb| {
        let path = format!("{path} {}", verb.get_name());
        added_to(verb, path.trim())
    })
}

fn section(examples: &[Example]) -> String {
    let lines = examples.iter().map(|(line, effect)| format!("  # {effect}\n  {line}"));
    format!("Examples:\n{}", lines.collect::<Vec<_>>().join("\n\n"))
}

const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "",
        &[
            ("tenure init", "Create a project in the current folder"),
            ("tenure migrate up", "Migrate the platform and all tenants"),
            ("tenure tenant create acme", "Create a tenant"),
            ("tenure status --tenants", "Show all versions"),
        ],
    ),
    (
        "migrate up",
        &[
            ("tenure migrate up --plan", "Show the steps without running them"),
            (
                "tenure migrate up --canary 5",
                "Migrate five tenants first, then the others if all five succeed",
            ),
            ("tenure migrate up --tenant acme --to 1.4.0", "Migrate one tenant to a version"),
            (
                "tenure migrate up --branch neon --report report.md",
                "Run on a copy of the database and report",
            ),
        ],
    ),
    (
        "migrate new",
        &[
            ("tenure migrate new \"add phone\"", "Create the file of the next patch version"),
            (
                "tenure migrate new --from-django monitor",
                "Write the next migration of a Django app as a file",
            ),
            (
                "tenure migrate new \"split names\" --scope tenant --bump minor",
                "For tenants, as a minor version",
            ),
        ],
    ),
    (
        "migrate history",
        &[
            ("tenure migrate history", "Show the migrations of the platform"),
            ("tenure migrate history --tenant acme", "Show those of a tenant"),
        ],
    ),
    ("migrate baseline", &[("tenure migrate baseline 2.0.0", "Declare that the database has version 2.0.0")]),
    ("migrate repair", &[("tenure migrate repair --yes", "Accept edited files without a question")]),
    (
        "status",
        &[
            ("tenure status --check", "Exit with 1 if anything is behind or differs"),
            ("tenure status --tenants --format json", "List all tenants with their versions as JSON"),
        ],
    ),
    (
        "wait",
        &[(
            "tenure wait --version 1.4.0 --timeout 10m",
            "Wait until the platform and all tenants have the version",
        )],
    ),
    ("run list", &[("tenure run list --output csv", "List the recorded runs as CSV")]),
    (
        "run show",
        &[(
            "tenure run show 8a2e4f0c-3b0d-4d51-9d43-4e9a7a2f6f10",
            "Show units, failures and slowest tenants",
        )],
    ),
    ("report", &[("tenure report --html report.html", "Write a page about the fleet")]),
    (
        "diagram",
        &[
            ("tenure diagram >schema.svg", "Draw the tables that the files define"),
            ("tenure diagram --output mermaid --from database", "Draw those of the database, as Mermaid"),
        ],
    ),
    (
        "tenant create",
        &[
            ("tenure tenant create acme --name \"Acme Corp\"", "Create a tenant with a display name"),
            ("tenure tenant create --from tenants.csv --if-not-exists", "Create many; skip existing ones"),
            (
                "tenure tenant create --from-registry --where \"plan = 'pro'\"",
                "Create the schemas of registry rows without one",
            ),
        ],
    ),
    ("tenant pool fill", &[("tenure tenant pool fill 20", "Keep 20 schemas ready for new tenants")]),
    ("tenant pool list", &[("tenure tenant pool list", "Show the schemas that are ready")]),
    ("tenant pool drain", &[("tenure tenant pool drain", "Drop the schemas that are not in use")]),
    (
        "tenant list",
        &[
            ("tenure tenant list --status suspended", "List the suspended tenants"),
            ("tenure tenant list --at 1.3.0 --limit 50", "List 50 tenants at a version"),
        ],
    ),
    ("tenant show", &[("tenure tenant show acme --count --drift", "Count its rows and compare its schema")]),
    ("tenant suspend", &[("tenure tenant suspend acme", "Suspend a tenant")]),
    ("tenant resume", &[("tenure tenant resume acme", "Resume it")]),
    (
        "tenant adopt",
        &[
            (
                "tenure tenant adopt org_acme --slug acme --version 1.4.0",
                "Register an existing schema that has version 1.4.0",
            ),
            ("tenure tenant adopt --all", "Register every schema of the registry that matches the files"),
        ],
    ),
    (
        "tenant clone",
        &[
            ("tenure tenant clone acme acme_test", "Copy the schema without rows"),
            ("tenure tenant clone acme acme_test --data", "Copy the rows too"),
        ],
    ),
    ("tenant export", &[("tenure tenant export acme --to acme.tenant", "Write a tenant to a file")]),
    (
        "tenant import",
        &[("tenure tenant import acme.tenant --as acme_copy", "Create a tenant from the file")],
    ),
    (
        "tenant restore",
        &[("tenure tenant restore acme --from acme.tenant", "Replace a tenant by its export")],
    ),
    ("tenant rename", &[("tenure tenant rename acme acme_corp", "Change slug and schema name")]),
    (
        "tenant drop",
        &[
            ("tenure tenant drop acme --confirm acme", "Drop a tenant without a question"),
            ("tenure tenant drop --purge", "Delete the dropped tenants whose retention has ended"),
        ],
    ),
    ("tenant undrop", &[("tenure tenant undrop acme", "Restore a dropped tenant")]),
    (
        "tenant login",
        &[
            ("tenure tenant login acme", "Print a new password for the tenant's role"),
            ("tenure tenant login acme --revoke", "Disable its login"),
        ],
    ),
    ("tenant grant", &[("tenure tenant grant", "Create missing roles and privileges of all tenants")]),
    ("tenant audit", &[("tenure tenant audit --output sarif", "Write the findings for code scanning")]),
    ("template check", &[("tenure template check --shadow", "Also create a tenant on a throwaway database")]),
    ("template squash", &[("tenure template squash default", "Write the template for the latest version")]),
    (
        "template from-schema",
        &[("tenure template from-schema org_acme --name large", "Write a template that creates this schema")],
    ),
    (
        "verify",
        &[
            ("tenure verify", "Check all migrations and templates"),
            ("tenure verify --shadow --queries queries/", "Also run them and the queries of the release"),
            ("tenure verify --since origin/main --output github", "Report on the files of a pull request"),
        ],
    ),
    (
        "explain",
        &[
            ("tenure explain drop-column", "Explain a rule"),
            ("tenure explain chain-gap", "Explain an error code"),
        ],
    ),
    ("drift", &[("tenure drift --tenant acme", "Compare one tenant's schema with its version")]),
    ("queries capture", &[("tenure queries capture --to queries/1.4.0.sql", "Save the release's queries")]),
    (
        "branch create",
        &[
            (
                "tenure branch create test --provider neon --expires 1h",
                "Create a branch on Neon for one hour",
            ),
            ("tenure branch create test --provider local", "Copy the database on its own server"),
        ],
    ),
    ("branch list", &[("tenure branch list --provider local", "List the copies")]),
    ("branch delete", &[("tenure branch delete test --provider local", "Delete a branch")]),
    (
        "branch gc",
        &[("tenure branch gc --prefix tenure/ --older-than 1d", "Delete branches that are older than a day")],
    ),
    (
        "init",
        &[
            ("tenure init", "Create a project in the current folder"),
            ("tenure init --platform shop", "Name the platform's schema shop"),
            ("tenure init --from-database", "Write and prove the files of an existing database"),
        ],
    ),
    ("demo", &[("tenure demo", "Run the example")]),
    ("dev start", &[("tenure dev start", "Start the project's private server")]),
    ("dev stop", &[("tenure dev stop", "Stop it")]),
    ("dev reset", &[("tenure dev reset --yes", "Delete its data without a question")]),
    ("dev psql", &[("tenure dev psql", "Open psql")]),
    (
        "dev url",
        &[("DATABASE_URL=$(tenure dev url) python manage.py runserver", "Pass its URL to a program")],
    ),
    ("doctor", &[("tenure doctor", "Check server, role and connection")]),
    (
        "restore-point",
        &[("tenure restore-point", "Show the settings for a restore to before the latest run")],
    ),
    (
        "completions",
        &[
            ("tenure completions bash >/etc/bash_completion.d/tenure", "Install the completions for bash"),
            ("tenure completions zsh >~/.zfunc/_tenure", "For zsh"),
        ],
    ),
    ("man", &[("tenure man ~/.local/share/man/man1", "Install the man pages")]),
];

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::args::Cli;

    /// The command lines of `example`: without an assignment before it, a redirection, and a command that uses its output.
    fn words(example: &str) -> Vec<String> {
        let line =
            example.rsplit_once("$(").map_or(example, |(_, inner)| inner.split(')').next().unwrap_or(""));
        let line = line.split(" >").next().unwrap_or(line);
        shlex::split(line).unwrap()
    }

    #[test]
    fn every_example_is_a_valid_command_line() {
        for (command, examples) in EXAMPLES {
            for (line, effect) in *examples {
                let parsed = Cli::command().try_get_matches_from(words(line));
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                assert!(line.contains(command), "{line} is not an example of {command}");
                assert!(!effect.ends_with('.') && effect.chars().next().unwrap().is_uppercase(), "{effect}");
            }
        }
    }

    #[test]
    fn every_command_has_an_example() {
        fn visit(command: &clap::Command, path: &str) {
            for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
                let path = format!("{path} {}", verb.get_name());
                if verb.has_subcommands() {
                    visit(verb, &path);
                } else {
                    assert!(!of(path.trim()).is_empty(), "{path} has no example");
                }
            }
        }
        visit(&Cli::command(), "");
        assert!(
            EXAMPLES.iter().all(|(name, _)| EXAMPLES.iter().filter(|(other, _)| other == name).count() == 1)
        );
    }
}
