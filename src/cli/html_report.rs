//! `tenure report`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::{Context, database, io, ui};
use crate::error::{Code, Failure};
use crate::output::{Text, plural};
use crate::report;

/// The path that means stdout.
const STDOUT: &str = "-";

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Write the page to this file; `-` writes it to stdout
    #[arg(long, value_name = "FILE", required = true)]
    html: PathBuf,
    /// Also compare the tenants' schemas with the files, as `tenure drift`; takes longer
    #[arg(long)]
    drift: bool,
}

/// The result of `report --html FILE`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct ReportWritten<'a> {
    file: &'a str,
    tenants: usize,
    bytes: usize,
}

pub(super) async fn run(context: &Context, args: &ReportArgs) -> Result<u8, Failure> {
    let is_stdout = args.html == Path::new(STDOUT);
    if is_stdout && context.ui.format == super::args::Format::Json {
        return Err(Failure::new(Code::Usage, "--html - and --format json both write to stdout")
            .hint("name a file, or omit --format json"));
    }
    // An unwritable file is reported before the database is read.
    let target = if is_stdout { None } else { Some(Target::open(&context.here.join(&args.html))?) };
    let (project, missing_file) = database::project_or_partial(context).await?;
    let mut connection = database::connect_for_state(context, &project).await?;
    let environment = args.drift.then(database::environment);
    let report =
        Box::pin(report::read(&mut connection, &project, missing_file, environment.as_ref())).await?;
    connection.close().await;
    let html = ui::without_given(&report.html()).into_owned();
    let Some(target) = target else {
        ui::print_page(&html)?;
        return Ok(0);
    };
    target.write(&html)?;
    let shown = args.html.display().to_string();
    let document = ReportWritten { file: &shown, tenants: report.tenants(), bytes: html.len() };
    context.ui.result(&document, |paint| {
        let tenants = plural(report.tenants(), "tenant");
        Text::of_line(format_args!(
            "{}  {shown}: {tenants}, {} KiB",
            paint.good("wrote"),
            html.len().div_ceil(1024)
        ))
    })?;
    Ok(0)
}

/// The file of the page.
enum Target {
    /// A new file next to it, which takes its place when it is complete.
    Replaced { temporary: NamedTempFile, path: PathBuf },
    /// A device or a pipe.
    Direct(PathBuf),
}

impl Target {
    fn open(path: &Path) -> Result<Self, Failure> {
        // A link keeps its place.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        match path.metadata() {
            Ok(found) if found.is_dir() => {
                return Err(io(&path, &std::io::Error::from(std::io::ErrorKind::IsADirectory)));
            }
            Ok(found) if !found.is_file() => return Ok(Self::Direct(path)),
            Ok(found) if found.permissions().readonly() => {
                return Err(io(&path, &std::io::Error::from(std::io::ErrorKind::PermissionDenied)));
            }
            Ok(_) | Err(_) => {}
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        let temporary = NamedTempFile::new_in(folder)
            // Its text names the temporary file.
            .map_err(|error| io(&path, &std::io::Error::from(error.kind())))?;
        Ok(Self::Replaced { temporary, path })
    }

    fn write(self, html: &str) -> Result<(), Failure> {
        match self {
            Self::Replaced { mut temporary, path } => {
                temporary.write_all(html.as_bytes()).map_err(|error| io(&path, &error))?;
                temporary.persist(&path).map_err(|error| io(&path, &error.error))?;
                Ok(())
            }
            Self::Direct(path) => {
                let written = std::fs::File::options()
                    .write(true)
                    .open(&path)
                    .and_then(|mut file| file.write_all(html.as_bytes()));
                written.map_err(|error| io(&path, &error))
            }
        }
    }
}
