//! Django beside Tenure: `makemigrations` goes on as before, its migrations become files, and both tools find nothing to do at every
//! point. With the real Django and django-tenants, which `script/setup --for-tests` installs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::docs::run_blocks;
use crate::support::{Database, Finish as _, Output, Project};

/// The folder of Python with Django. Says on stderr where it is missing; in CI it must be there.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/official/django/bin");
    if folder.join("python").is_file() && folder.with_file_name("installed").is_file() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "Django is missing: script/setup --for-tests");
    #[expect(clippy::print_stderr, reason = "a test that is passed over must not look like one that ran")]
    {
        eprintln!("SKIPPED: Django is not installed; `script/setup --for-tests` does it");
    }
    None
}

/// A Django project with its database.
struct Django {
    project: Project,
    python: PathBuf,
}

impl Django {
    /// The files of `tests/it/existing/django/NAME` in `project`.
    fn new(project: Project, name: &str) -> Option<Self> {
        let python = python()?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/existing/django");
        let folders = match name {
            "plain" => vec![(root.join("plain"), ""), (root.join("tenants/monitor"), "monitor")],
            other => vec![(root.join(other), "")],
        };
        for (from, to) in folders {
            copy(&from, &project.dir.path().join(to));
        }
        Some(Self { project, python })
    }

    /// With the settings of Tenure, and the command of `manage.py`.
    fn settings(&self, settings: &str) {
        let python = self.python.join("python");
        let manage = format!("[django]\nmanage = ['{}', \"manage.py\"]\n", python.display());
        self.project.file("tenure.toml", format!("{settings}{manage}record = true\n"));
    }

    fn manage(&self, line: &str) -> Output {
        self.python(&std::iter::once("manage.py").chain(line.split_whitespace()).collect::<Vec<_>>())
    }

    fn python(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.python.join("python"));
        command
            .args(arguments)
            .current_dir(self.project.dir.path())
            .env("DATABASE_URL", &self.project.db.url);
        Output::of(&command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null()).finish())
    }

    /// Replaces `from` in a file.
    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "{file}: {text}");
        self.project.file(file, text.replace(from, to));
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.project.dir.path().join(file)).unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() && !path.ends_with("__pycache__") {
            copy(&path, &target);
        } else if path.is_file() {
            std::fs::copy(&path, target).unwrap();
        }
    }
}

/// One more field of the model `Endpoints`.
const FIELD: (&str, &str) =
    ("    is_active", "    region = models.CharField(max_length=50, null=True)\n    is_active");

#[test]
fn the_migrations_of_an_app_become_files() {
    let Some(django) = Django::new(Project::seeds(), "plain") else { return };
    let project = &django.project;
    django.settings("[verify.levels]\n");
    project.run("migrate up").passes();
    django.manage("makemigrations monitor").passes();
    let (exit, new) = project.json("migrate new --from-django monitor");
    let reverse = "migrations/v1.0.5_to_v1.0.4_monitor_0001_initial.sql";
    assert_eq!(
        (exit, &new["django"], &new["reverse"]),
        (0, &json!("monitor.0001_initial"), &json!(reverse)),
        "{new}"
    );
    assert_eq!(new["file"], "migrations/v1.0.4_to_v1.0.5_monitor_0001_initial.sql");
    assert!(django.read(reverse).contains("DROP TABLE \"monitor_endpoints\""), "{}", django.read(reverse));
    // Not applied yet.
    assert_eq!(django.manage("migrate --check").code, 1);
    project.run("migrate up").passes();
    let both_are_content = || {
        django.manage("makemigrations --check --dry-run").passes();
        django.manage("migrate --check").passes();
        let said = django.manage("migrate").ok();
        assert!(said.stdout.contains("No migrations to apply"), "{said}");
        project.run("status --check").passes();
        project.run("verify").passes();
    };
    both_are_content();
    django.edit("monitor/models.py", FIELD.0, FIELD.1);
    django.manage("makemigrations monitor").passes();
    let refused = project.expect_error("migrate new --from-django monitor 0001", "django-refused");
    assert!(refused["error"]["message"].as_str().unwrap().contains("has a file already"), "{refused}");
    let (exit, new) = project.json("migrate new --from-django monitor");
    assert_eq!((exit, &new["django"]), (0, &json!("monitor.0002_endpoints_region")), "{new}");
    let text = django.read(new["file"].as_str().unwrap());
    assert!(
        text.contains("-- Django: monitor.0002_endpoints_region\nBEGIN;\n-- Scope: platform\n"),
        "{text}"
    );
    project.run("migrate up").passes();
    both_are_content();
    let rows = "SELECT name FROM datalinx_platform.django_migrations ORDER BY id";
    assert_eq!(project.db.column(rows), ["0001_initial", "0002_endpoints_region"]);
    let refused = project.expect_error("migrate new --from-django monitor", "django-refused");
    assert!(
        refused["error"]["message"].as_str().unwrap().contains("every migration of monitor has a file"),
        "{refused}"
    );
    // A fresh database of the files is one that Django knows.
    let fresh = Database::fresh();
    assert_eq!(project.run_env(&[("DATABASE_URL", &fresh.url)], "migrate up").code, 0);
    assert_eq!(fresh.column(rows), ["0001_initial", "0002_endpoints_region"]);
}

#[test]
fn what_is_not_sql_is_refused_by_name() {
    let Some(django) = Django::new(Project::seeds(), "plain") else { return };
    let project = &django.project;
    django.settings("");
    project.run("migrate up").passes();
    django.manage("makemigrations monitor").passes();
    let operation = |name: &str, after: &str, operations: &str| {
        project.file(
            &format!("monitor/migrations/{name}.py"),
            format!(
                "from django.db import migrations\n\nclass Migration(migrations.Migration):\n    \
                 dependencies = [('monitor', '{after}')]\n    operations = [{operations}]\n"
            ),
        );
    };
    operation("0002_fill", "0001_initial", "migrations.RunPython(lambda apps, editor: None)");
    let refused = project.expect_error("migrate new --from-django monitor 0002", "django-refused");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("depends on migrations that have no file: monitor.0001_initial"), "{message}");
    project.run("migrate new --from-django monitor").passes();
    let before = project.run("migrate new x --scope platform").ok();
    let refused = project.expect_error("migrate new --from-django monitor", "django-refused");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("monitor.0002_fill") && message.contains("RunPython (Raw Python operation)"),
        "{message}"
    );
    std::fs::remove_file(project.dir.path().join(before.stdout.trim())).unwrap();
    // SQL without a way back, and a step that changes no table.
    operation("0002_fill", "0001_initial", "migrations.RunSQL('COMMENT ON TABLE monitor_endpoints IS NULL')");
    let (exit, new) = project.json("migrate new --from-django monitor");
    assert_eq!(exit, 0, "{new}");
    assert!(
        new["reverse"].is_null() && new["irreversible"].as_str().unwrap().contains("is not reversible"),
        "{new}"
    );
    operation("0003_nothing", "0002_fill", "");
    project.run("migrate new --from-django monitor").passes();
    project.run("migrate up").passes();
    django.manage("migrate --check").passes();
    let refused = project.expect_error("migrate new --from-django moniter", "django-refused");
    assert!(refused["error"]["hint"].as_str().unwrap().contains("monitor"), "{refused}");
    let output = project.run("migrate new --from-django monitor 0001").stderr;
    assert!(output.contains("django-refused"), "{output}");
    project.file("config.py", "SECRET_KEY = ''");
    project.expect_error("migrate new --from-django monitor", "django-failed");
}

/// A django-tenants project with this many tenants.
fn with_tenants(tenants: usize) -> Option<Django> {
    let django = Django::new(Project::empty(), "tenants")?;
    django.manage("makemigrations").passes();
    django.manage("migrate_schemas --shared").passes();
    let script = format!(
        "import os, django\nos.environ['DJANGO_SETTINGS_MODULE'] = 'config'\ndjango.setup()\n\
         from customers.models import Client\n\
         for number in range({tenants}):\n    Client(schema_name='customer%02d' % number, name='Customer').save(verbosity=0)\n"
    );
    django.python(&["-c", &script]).passes();
    Some(django)
}

#[test]
fn django_tenants_and_tenure_are_content_at_every_point() {
    let Some(django) = with_tenants(3) else { return };
    let project = &django.project;
    let (exit, done) = project.json("init --from-database --yes");
    assert_eq!((exit, &done["proved"], &done["baseline"]), (0, &json!(true), &json!(true)), "{done}");
    assert_eq!(
        (&done["registry"], &done["tenants"]["same"]),
        (&json!("public.customers_client"), &json!(3)),
        "{done}"
    );
    let settings = django.read("tenure.toml");
    django.settings(&settings);
    let (exit, adopted) = project.json("tenant adopt --all --detect");
    assert_eq!((exit, adopted["tenants"].as_array().map(Vec::len)), (0, Some(3)), "{adopted}");
    let both_are_content = || {
        django.manage("makemigrations --check --dry-run").passes();
        for schema in ["customer00", "customer02"] {
            let said = django.manage(&format!("tenant_command migrate --check --schema={schema}"));
            assert_eq!(said.code, 0, "{schema}: {said}");
        }
        let said = django.manage("migrate_schemas").ok();
        assert!(
            said.stdout.contains("No migrations to apply") && !said.stdout.contains("Applying"),
            "{said}"
        );
        assert_eq!(project.run("migrate up --plan").code, 0);
        project.run("verify").passes();
    };
    both_are_content();
    // A field of each tenant.
    django.edit("monitor/models.py", FIELD.0, FIELD.1);
    django.manage("makemigrations monitor").passes();
    let (exit, new) = project.json("migrate new --from-django monitor");
    assert_eq!(exit, 0, "{new}");
    let text = django.read(new["file"].as_str().unwrap());
    assert!(text.contains("-- Scope: tenant\n") && text.contains("ADD COLUMN \"region\""), "{text}");
    let (exit, migrated) = project.json("migrate up");
    assert_eq!((exit, &migrated["tenants"]["migrated"]), (0, &json!(3)), "{migrated}");
    both_are_content();
    // A field of the platform.
    django.edit(
        "customers/models.py",
        "    auto_create",
        "    plan = models.CharField(max_length=20, null=True)\n    auto_create",
    );
    django.manage("makemigrations customers").passes();
    project.run("migrate new --from-django customers").passes();
    project.run("migrate up").passes();
    both_are_content();
    // A tenant that Django has made since.
    let script = "import os, django\nos.environ['DJANGO_SETTINGS_MODULE'] = 'config'\ndjango.setup()\n\
                  from customers.models import Client\nClient(schema_name='later', name='Later').save(verbosity=0)\n";
    django.python(&["-c", script]).passes();
    let (exit, adopted) = project.json("tenant adopt --all --detect");
    assert_eq!((exit, &adopted["tenants"][0]["version"]), (0, &json!("1.0.2")), "{adopted}");
    both_are_content();
}

#[test]
fn the_guide_for_django_tenants_is_true() {
    let Some(django) = with_tenants(50) else { return };
    let path = format!("{}:{}", django.python.display(), std::env::var("PATH").unwrap());
    let commands = run_blocks(&django.project, "docs/django.md", Some(&path));
    assert_eq!(commands, 3);
}
