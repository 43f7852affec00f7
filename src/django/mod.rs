//! Migrations of a Django project as files of the chain. The project's own `manage.py sqlmigrate` writes the SQL. Only runs
//! `manage.py`; the caller writes the files.

mod file;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

pub use self::file::{NewMigration, SqlFile};
use crate::chain::{Bump, FileName};
use crate::error::{Code, Failure, did_you_mean};
use crate::program::{self, Needs};
use crate::project::Project;
use crate::sql::Scope;

/// How long `manage.py` may run.
const LIMIT: Duration = Duration::from_mins(2);

const SCRIPT: &str = include_str!("migration.py");

/// The start of the line with the script's answer.
const ANSWER: &str = "tenure-answer ";

/// A Django migration to write.
#[derive(Debug, Clone, Copy)]
pub struct DjangoRequest<'a> {
    /// The label of the app.
    pub app: &'a str,
    /// The migration or the start of its name; by default the first that has no file and is not applied.
    pub name: Option<&'a str>,
    /// The part of the version to increment.
    pub bump: Bump,
    /// The scope of the statements of a project without django-tenants.
    pub scope: Option<Scope>,
}

/// The SQL of a migration in the public schema, and with django-tenants in that of a tenant.
#[derive(Debug, Clone, Deserialize)]
struct Sql {
    platform: String,
    tenant: Option<String>,
}

/// What the script prints.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    Problem {
        problem: String,
        names: Vec<String>,
        #[serde(default)]
        name: String,
    },
    Written(Written),
}

#[derive(Debug, Deserialize)]
struct Written {
    name: String,
    forwards: Sql,
    backwards: Option<Sql>,
    /// Why there is no way back.
    irreversible: Option<String>,
    /// The schema of `django_migrations`, if that table exists.
    schema_of_records: Option<String>,
}

/// The next file of `project` from a migration of its Django app, and the file that undoes it.
pub async fn new_migration(project: &Project, request: DjangoRequest<'_>) -> Result<NewMigration, Failure> {
    let files = project.chain.migrations().iter().flat_map(|migration| migration.script.django_migrations());
    let files: Vec<(String, String)> = files.collect();
    let question = serde_json::json!({ "app": request.app, "wanted": request.name, "files": files });
    // A JSON text of strings and lists is Python, except for null.
    let code = format!(
        "import json\ntenure_request = json.loads({})\n{SCRIPT}",
        serde_json::Value::String(question.to_string())
    );
    let settings = &project.settings.django;
    let output = run(&project.root, &settings.manage, &code).await?;
    let answer = output.lines().find_map(|line| line.strip_prefix(ANSWER));
    let answer: Answer = answer
        .and_then(|answer| serde_json::from_str(answer).ok())
        .ok_or_else(|| failed("it printed no answer".to_owned()))?;
    match answer {
        Answer::Problem { problem, names, name } => Err(refused(&problem, &names, (request.app, &name))),
        Answer::Written(written) => {
            let from = project.chain.latest();
            let to = from.bumped(request.bump);
            let words = format!("{}_{}", request.app, written.name).to_lowercase();
            file::files(project, request, &written, FileName { from, to, name: words })
        }
    }
}

/// Runs `manage.py shell -c` in the project's folder and returns what it prints.
async fn run(folder: &Path, manage: &[String], code: &str) -> Result<String, Failure> {
    let Some((program, arguments)) = manage.split_first() else {
        return Err(failed("[django] manage is empty".to_owned()));
    };
    let mut command = Command::from(program::command(program, Needs::Everything));
    command.args(arguments).args(["shell", "-c", code]).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = match tokio::time::timeout(LIMIT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(failed(format!("{program}: {error}"))),
        Err(_) => return Err(failed(format!("it took longer than {} s", LIMIT.as_secs()))),
    };
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("it failed without a message");
        return Err(failed(last.trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn failed(why: String) -> Failure {
    Failure::new(Code::DjangoFailed, format!("running manage.py: {why}")).hint(
        "[django] manage in tenure.toml is the command, such as [\"python3\", \"manage.py\"]; it runs in the project's folder \
         and needs Django's database",
    )
}

/// The failure for an answer without SQL.
fn refused(problem: &str, names: &[String], (app, name): (&str, &str)) -> Failure {
    let list = names.join(", ");
    let failure = |message: String| Failure::new(Code::DjangoRefused, message);
    match problem {
        "unknown-app" => {
            let failure = failure(format!("Django has no app {app:?} with migrations"));
            let near = did_you_mean(app, names.iter().map(String::as_str));
            failure.hint(near.unwrap_or_else(|| format!("apps with migrations: {list}")))
        }
        "conflict" => failure(format!("the migrations of {app} end in several: {list}"))
            .hint("`manage.py makemigrations --merge` joins them"),
        "nothing" if names.is_empty() => failure(format!("every migration of {app} has a file"))
            .hint("`manage.py makemigrations` writes the next one after a change of the models"),
        "nothing" => failure(format!("the other migrations of {app} are applied in Django's database: {list}"))
            .hint("name one to write a file of it"),
        "unknown-name" => failure(format!("no or several migrations of {app} have that name"))
            .hint(format!("migrations: {list}")),
        "written" => failure(format!("{app}.{list} has a file already")),
        "needs" => failure(format!("{app}.{name} depends on migrations that have no file: {list}"))
            .hint("write those first, with --from-django of their app"),
        "not-sql" => failure(format!("{app}.{name} has operations that are not SQL: {list}")).hint(
            "move them into a migration of their own, which `manage.py migrate` runs after the release; or write them with \
             migrations.RunSQL",
        ),
        "no-tenant" => failure("django-tenants has no tenant with a schema, in which sqlmigrate could run".to_owned()),
        other => failed(format!("unknown answer {other:?}")),
    }
}
