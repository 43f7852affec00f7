//! `tenure` without a command: the state of the project, or how to begin. Starts no server.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, database};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::migrate::{self, Check, List, Status};
use crate::output::{Paint, Text, plural};
use crate::postgres::{Connection, DatabaseUrl};
use crate::project::{LoadedProject, Root};

/// The ways to begin outside of a project.
const BEGIN: &[(&str, &str)] = &[
    ("tenure demo", "run an example with three tenants on a private server"),
    ("tenure init", "create a project in this folder"),
    ("tenure --help", "show all commands"),
];

/// The state of a project.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Overview {
    project: String,
    platform: String,
    migrations: usize,
    latest: Version,
    /// The first error of the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
    templates: Vec<String>,
    /// The state of the database, or why it is unknown.
    database: Database,
    /// The next command.
    next: &'static str,
}

/// The result outside of a project.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct NoProject {
    /// Always `null`.
    project: Option<String>,
    /// Commands to begin with.
    next: Vec<&'static str>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
enum Database {
    Known {
        platform: Option<Version>,
        pending: usize,
        tenants: usize,
        behind: usize,
    },
    Unknown {
        reason: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<&'static str>,
    },
}

/// A failure.
#[derive(Debug, JsonSchema, Serialize)]
struct Problem {
    code: &'static str,
    message: String,
}

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let root = match context.root() {
        Ok(root) => root,
        Err(failure) if failure.code == Code::NoProject && context.global.project.is_none() => {
            let next: Vec<&str> = BEGIN.iter().map(|(line, _)| *line).collect();
            let document = NoProject { project: None, next };
            context.ui.result(&document, begin)?;
            return Ok(0);
        }
        Err(failure) => return Err(failure),
    };
    let LoadedProject { project, failures } = root.clone().load_with_failures();
    let error = failures.into_iter().next();
    let (database, next) = match (&error, connected(context, &root).await) {
        (Some(failure), _) if failure.code == Code::NoMigrations => {
            (unknown("there are no migrations".to_owned(), None), "tenure migrate new NAME")
        }
        (Some(_), _) => (unknown("the files must be correct first".to_owned(), None), "tenure verify"),
        (None, Err(Some(failure))) => {
            (unknown(failure.to_string(), Some(failure.code.as_str())), "tenure doctor")
        }
        (None, Err(None)) => {
            let reason = "no DATABASE_URL, and the private server is not running";
            (unknown(reason.to_owned(), None), "tenure migrate up")
        }
        (None, Ok(mut connection)) => {
            let status =
                migrate::status(&mut connection, &project, List::Counts, None, Check::Versions).await?;
            connection.close().await;
            (known(&status), next(&status))
        }
    };
    let error = error.map(|failure| Problem { code: failure.code.as_str(), message: failure.to_string() });
    let overview = Overview {
        project: root.path.display().to_string(),
        platform: root.settings.platform_schema().to_string(),
        migrations: project.chain.migrations().len(),
        latest: project.chain.latest(),
        error,
        templates: project.templates.keys().cloned().collect(),
        database,
        next,
    };
    context.ui.result(&overview, |paint| text(&overview, paint))?;
    Ok(0)
}

/// A connection, made without a retry. The error is `None` if there is no database to connect to.
async fn connected(context: &Context, root: &Root) -> Result<Connection, Option<Failure>> {
    let url = match database::given_url(context) {
        Some(url) => DatabaseUrl::parse(url)?,
        None => database::running_private_server(&root.path).await.ok_or(None)?,
    };
    Ok(Connection::open(&url).await?)
}

fn unknown(reason: String, code: Option<&'static str>) -> Database {
    Database::Unknown { reason, code }
}

fn known(status: &Status) -> Database {
    Database::Known {
        platform: status.platform.version.clone(),
        pending: status.platform.pending.len(),
        tenants: status.tenants.total,
        behind: status.tenants.behind,
    }
}

fn next(status: &Status) -> &'static str {
    if !status.trouble.is_empty() {
        "tenure status"
    } else if !status.platform.pending.is_empty() || status.tenants.behind > 0 {
        "tenure migrate up"
    } else if status.tenants.total == 0 {
        "tenure tenant create SLUG"
    } else {
        "tenure migrate new NAME"
    }
}

fn begin(paint: Paint) -> Text {
    let mut text = Text::of_line("no project here; to begin:");
    for (line, effect) in BEGIN {
        text.line(format_args!("  {}{}", paint.bold(&format!("{line:<15}")), paint.dim(effect)));
    }
    text
}

fn text(overview: &Overview, paint: Paint) -> Text {
    let database = match &overview.database {
        Database::Unknown { reason, .. } => reason.clone(),
        Database::Known { platform, pending, tenants, behind } => {
            let version = platform.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
            let pending = match pending {
                0 => "up to date".to_owned(),
                pending => format!("{} pending", plural(*pending, "migration")),
            };
            let behind = if *behind > 0 { format!(", {behind} behind") } else { String::new() };
            format!("platform at {version}, {pending}; {}{behind}", plural(*tenants, "tenant"))
        }
    };
    let templates =
        if overview.templates.is_empty() { "none".to_owned() } else { overview.templates.join(", ") };
    let chain = match &overview.error {
        Some(problem) => format!("{} [{}]", problem.message, problem.code),
        None => {
            format!("{}, the latest version is {}", plural(overview.migrations, "migration"), overview.latest)
        }
    };
    let mut text = Text::default();
    for (key, value) in [
        ("project", format!("{} (platform schema {})", overview.project, overview.platform)),
        ("chain", chain),
        ("templates", templates),
        ("database", database),
        ("next", paint.bold(overview.next)),
    ] {
        text.line(format_args!("{}{value}", paint.dim(&format!("{key:<11}"))));
    }
    text
}
