//! `tenure` without a command: the state of the project, or how to begin. Starts no server.

use serde::Serialize;

use super::{Context, connect, database};
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::migrate::{self, Check, List, Status};
use crate::output::{Paint, Text, plural};
use crate::postgres::Connection;
use crate::project::{LoadedProject, Root};

/// The ways to begin outside of a project.
const BEGIN: &[(&str, &str)] = &[
    ("tenure demo", "run an example with three tenants on a private server"),
    ("tenure init", "create a project in this folder"),
    ("tenure --help", "show all commands"),
];

/// The state of a project.
#[derive(Debug, Serialize)]
struct Overview {
    project: String,
    platform: String,
    migrations: usize,
    latest: Version,
    templates: Vec<String>,
    /// The state of the database, or why it is unknown.
    database: Database,
    /// The next command.
    next: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Database {
    Known { platform: Option<Version>, pending: usize, tenants: usize, behind: usize },
    Unknown { reason: String },
}

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let root = match context.root() {
        Ok(root) => root,
        Err(failure) if failure.code == Code::NoProject && context.global.project.is_none() => {
            let next: Vec<&str> = BEGIN.iter().map(|(line, _)| *line).collect();
            let document = serde_json::json!({ "project": null, "next": next });
            context.ui.result(&document, begin)?;
            return Ok(0);
        }
        Err(failure) => return Err(failure),
    };
    let LoadedProject { project, failures } = root.clone().load_with_failures();
    let (database, next) = match failures.into_iter().next() {
        Some(failure) => {
            (Database::Unknown { reason: format!("the files have an error: {failure}") }, "tenure verify")
        }
        None => match connected(context, &root).await {
            Err(reason) => (Database::Unknown { reason }, "tenure migrate up"),
            Ok(mut connection) => {
                let status =
                    migrate::status(&mut connection, &project, List::Counts, None, Check::Versions).await?;
                connection.close().await;
                (known(&status), next(&status))
            }
        },
    };
    let overview = Overview {
        project: root.path.display().to_string(),
        platform: root.settings.platform_schema().to_string(),
        migrations: project.chain.migrations().len(),
        latest: project.chain.latest(),
        templates: project.templates.keys().cloned().collect(),
        database,
        next,
    };
    context.ui.result(&overview, |paint| text(&overview, paint))?;
    Ok(0)
}

/// A connection, or why there is none.
async fn connected(context: &Context, root: &Root) -> Result<Connection, String> {
    if let Some(url) = database::given_url(context) {
        return connect::connect(context, url, None).await.map_err(|failure| failure.to_string());
    }
    match database::running_private_server(&root.path).await {
        Some(url) => Connection::open(&url).await.map_err(|failure| failure.to_string()),
        None => Err("no DATABASE_URL, and the private server is not running".to_owned()),
    }
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
        Database::Unknown { reason } => reason.clone(),
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
    let mut text = Text::default();
    for (key, value) in [
        ("project", format!("{} (platform schema {})", overview.project, overview.platform)),
        (
            "chain",
            format!(
                "{}, the latest version is {}",
                plural(overview.migrations, "migration"),
                overview.latest
            ),
        ),
        ("templates", templates),
        ("database", database),
        ("next", paint.bold(overview.next)),
    ] {
        text.line(format_args!("{}{value}", paint.dim(&format!("{key:<11}"))));
    }
    text
}
