//! `tenure verify`

use std::cell::Cell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::args::Format;
use super::shadow::{self, ShadowArgs};
use super::{Context, explain, ui};
use crate::error::{Code, Failure, Place};
use crate::project::{self, MIGRATIONS, Project, Review, Root};
use crate::settings::Settings;
use crate::shadow::Observed;
use crate::verify::format::{self, Verified};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Files to judge [default: the whole chain and the templates]
    files: Vec<PathBuf>,
    /// SQL that makes the schema on which a file outside of the migrations is judged; may be repeated
    #[arg(long, value_name = "FILE", requires = "files")]
    base: Vec<PathBuf>,
    #[command(flatten)]
    shadow: ShadowArgs,
    /// What is written to stdout [default: as --format says]
    #[arg(long, value_enum, value_name = "FORMAT")]
    output: Option<OutputArg>,
    /// Judge nothing; list the rules, with the level that each has here
    #[arg(long, conflicts_with = "files")]
    rules: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputArg {
    /// The lines, with what is wrong under them
    Human,
    /// One JSON document
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// A comment for a pull request
    Markdown,
}

/// What was found, and what kept files from being judged.
struct Outcome {
    review: Review,
    failures: Vec<Failure>,
    /// The project's folder, if there is a project.
    root: Option<PathBuf>,
    /// What a shadow showed.
    seen: Observed,
}

impl Outcome {
    fn failed(failures: Vec<Failure>, root: Option<PathBuf>) -> Self {
        Self { review: Review::empty(), failures, root, seen: Observed::default() }
    }
}

pub(super) async fn run(context: &Context, args: &VerifyArgs) -> Result<u8, Failure> {
    let output = args.output.unwrap_or(match context.ui.format {
        Format::Human => OutputArg::Human,
        Format::Json => OutputArg::Json,
    });
    if args.rules {
        return list(context, output);
    }
    let outcome =
        if args.files.is_empty() { whole(context, args).await } else { some_files(context, args).await };
    show(context, output, args, &outcome)
}

fn list(context: &Context, output: OutputArg) -> Result<u8, Failure> {
    let format = match output {
        OutputArg::Human => Format::Human,
        OutputArg::Json => Format::Json,
        OutputArg::Sarif | OutputArg::Github | OutputArg::Markdown => {
            let message = "the rules are listed as text for people or as JSON";
            return Err(Failure::new(Code::Usage, message).hint("say --output human or --output json"));
        }
    };
    explain::list(context, context.ui.with_format(format))
}

fn show(context: &Context, output: OutputArg, args: &VerifyArgs, outcome: &Outcome) -> Result<u8, Failure> {
    let base = std::env::var_os("GITHUB_WORKSPACE").map_or_else(|| context.here.clone(), PathBuf::from);
    let loose: Vec<String> = args.files.iter().map(|file| file.display().to_string()).collect();
    let path = |file: &str| {
        // Those that were named stand below this folder, those of the project below its own.
        let folder = match &outcome.root {
            Some(root) if !loose.iter().any(|name| name == file) => root,
            _ => &context.here,
        };
        let whole = folder.join(file);
        let shown = whole.strip_prefix(&base).unwrap_or(Path::new(file));
        shown.strip_prefix(".").unwrap_or(shown).display().to_string()
    };
    let verified = Verified {
        findings: &outcome.review.findings,
        summary: &outcome.review.summary,
        failures: &outcome.failures,
        effects: args.shadow.wanted().then_some(outcome.seen.effects.as_slice()),
        unchecked: &outcome.seen.unchecked,
        path: &path,
    };
    match output {
        OutputArg::Human => {
            let ui = context.ui.with_format(Format::Human);
            for failure in &outcome.failures {
                ui.failure(failure, None);
            }
            if outcome.failures.is_empty() || verified.summary.files > 0 {
                ui.result(&(), |paint| verified.text(paint))?;
            }
        }
        OutputArg::Json => ui::print(&format!("{}\n", verified.json()))?,
        OutputArg::Sarif => {
            let text = format::sarif(&verified).map_err(|error| Failure::new(Code::Io, error.to_string()))?;
            ui::print(&text)?;
        }
        OutputArg::Github => ui::print(&format::github(&verified))?,
        OutputArg::Markdown => ui::print(&format::markdown(&verified))?,
    }
    Ok(verified.exit_code())
}

/// The whole chain and the templates, as far as they can be read.
async fn whole(context: &Context, args: &VerifyArgs) -> Outcome {
    let root = match context.root() {
        Ok(root) => root,
        Err(failure) => return Outcome::failed(vec![failure], None),
    };
    let all = |project: &Project| {
        let chain = &project.chain;
        chain.migrations().iter().chain(chain.downs()).map(|migration| migration.file.clone()).collect()
    };
    judged(context, root, args, (&all, true)).await
}

/// What is asked for: the names of migrations, and whether templates are judged too.
type Asked<'a> = (&'a dyn Fn(&Project) -> HashSet<String>, bool);

async fn judged(context: &Context, root: Root, args: &VerifyArgs, (names, templates): Asked<'_>) -> Outcome {
    let survey = root.survey();
    let (project, mut failures) = (survey.project, survey.failures);
    let (names, mut seen) = (names(&project), Observed::default());
    let all = project.chain.migrations().iter().chain(project.chain.downs());
    let migrations: Vec<_> = all.filter(|migration| names.contains(&migration.file)).collect();
    // What cannot be read cannot be run.
    if args.shadow.wanted() && failures.is_empty() {
        match Box::pin(shadow::observe(context, &project, &migrations, &args.shadow)).await {
            Ok(all) => seen = all,
            Err(failure) => failures.push(failure),
        }
    }
    let templates = project.templates.values().filter(|_| templates);
    let review = Review::of(&project, migrations, templates, &seen.witnesses).unwrap_or_else(|failure| {
        failures.push(failure);
        Review::empty()
    });
    let root = Some(project.root.clone());
    // The program ends soon: to free the trees of thousands of files one by one would only take time.
    std::mem::forget(project);
    Outcome { review, failures, root, seen }
}

/// A file of the project's migrations is judged as part of it, any other on its own.
async fn some_files(context: &Context, args: &VerifyArgs) -> Outcome {
    let source = |file: &PathBuf| project::read(&context.here.join(file), &file.display().to_string());
    let base = match args.base.iter().map(source).collect::<Result<Vec<_>, _>>() {
        Ok(base) => base,
        Err(failure) => return Outcome::failed(vec![failure], None),
    };
    let files = &args.files;
    let root = context.root();
    let migrations = root.as_ref().ok().and_then(|root| root.path.join(MIGRATIONS).canonicalize().ok());
    let inside = |file: &Path| {
        let folder = context.here.join(file).canonicalize().ok()?.parent()?.to_owned();
        (Some(folder) == migrations).then(|| file.file_name()).flatten().map(ToOwned::to_owned)
    };
    let (mut names, mut loose) = (Vec::new(), Vec::new());
    for file in files {
        match inside(file) {
            Some(name) => names.push(name.to_string_lossy().into_owned()),
            None => loose.push((context.here.join(file), file.display().to_string())),
        }
    }
    if let (Some(name), false) = (names.first(), base.is_empty()) {
        let message = format!(
            "--base is for files outside of {MIGRATIONS}/, and {name} is judged on what comes before it"
        );
        return Outcome::failed(
            vec![Failure::new(Code::Usage, message).hint("leave --base out, or the file")],
            None,
        );
    }
    if args.shadow.wanted() && !loose.is_empty() {
        return Outcome::failed(vec![shadow::no_file_but_migrations()], None);
    }
    let settings = match &root {
        Ok(root) => root.settings.clone(),
        // A file can be judged anywhere; settings that are wrong are still wrong.
        Err(failure) if failure.code == Code::NoProject => Settings::default(),
        Err(failure) => return Outcome::failed(vec![failure.clone()], None),
    };
    let path = root.as_ref().ok().map(|root| root.path.clone());
    let policy = match project::policy(&settings) {
        Ok(policy) => policy,
        Err(failure) => return Outcome::failed(vec![failure], path),
    };
    let mut outcome = match root {
        Ok(root) if !names.is_empty() => {
            let asked: HashSet<String> = names.iter().cloned().collect();
            let mut strangers = names;
            let there = Cell::new(Vec::new());
            let wanted = |project: &Project| {
                let all = project.chain.migrations().iter().chain(project.chain.downs());
                there.set(all.map(|migration| migration.file.clone()).collect());
                asked.clone()
            };
            let mut outcome = judged(context, root, args, (&wanted, false)).await;
            let there = there.take();
            strangers.retain(|name| !there.contains(name));
            // One that is wrong was told; any other is none of the chain's.
            strangers.retain(|name| {
                let file = format!("{MIGRATIONS}/{name}");
                let is_it = |place: &Place| place.file() == file;
                let told = outcome.failures.iter().filter_map(|failure| failure.place.as_ref()).any(is_it);
                !told && (outcome.failures.is_empty() || Path::new(name).extension() != Some("sql".as_ref()))
            });
            outcome.failures.extend(strangers.into_iter().map(|name| {
                let message = format!("{name} is not a migration of this project");
                Failure::new(Code::MigrationName, message).at(Place::File(format!("{MIGRATIONS}/{name}")))
            }));
            outcome
        }
        _ => Outcome { review: Review::empty(), failures: Vec::new(), root: path, seen: Observed::default() },
    };
    let (review, failures) = Review::of_loose(&loose, &base, &policy, &settings);
    outcome.review.add(review);
    outcome.failures.extend(failures);
    outcome
}
