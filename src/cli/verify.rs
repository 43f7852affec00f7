//! `tenure verify`

use std::cell::Cell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;

use super::args::Format;
use super::report::{self, OutputArg, ReportArgs};
use super::shadow::{self, ShadowArgs};
use super::signals::cancel_when_given_up;
use super::{Context, connect, explain, ui, unless_interrupted};
use crate::chain::Migration;
use crate::error::{Code, Failure, Place};
use crate::migrate;
use crate::project::{self, Base, Focus, MIGRATIONS, Project, Review, Root};
use crate::settings::Settings;
use crate::shadow::ShadowResult;
use crate::verify::DatabaseCatalog;
use crate::verify::format::{Report, Verified};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Files to check [default: all migrations and templates]
    files: Vec<PathBuf>,
    /// SQL that creates the schema for checking a file outside migrations/; repeatable
    #[arg(long, value_name = "FILE", requires = "files")]
    base: Vec<PathBuf>,
    /// Report only on migrations and templates that are new or changed since the merge base of HEAD and this
    /// commit, such as the target branch of a pull request; the others are read for the schema
    #[arg(long, value_name = "REF", conflicts_with_all = ["files", "rules"])]
    since: Option<String>,
    /// Take the schema from the catalog of this database, or from a snapshot file that --save wrote; files that
    /// it has applied are not judged
    #[arg(long, value_name = "URL|FILE", conflicts_with_all = ["base", "rules"])]
    schema_from: Option<String>,
    /// Write the schema of --schema-from to this file
    #[arg(long, value_name = "FILE", requires = "schema_from")]
    save: Option<PathBuf>,
    /// Take the settings that make verification less strict from the tenure.toml of a git commit, such as the
    /// base of a pull request, or from a file whose name ends in .toml
    #[arg(long, value_name = "REF|FILE", conflicts_with = "rules")]
    policy_from: Option<String>,
    #[command(flatten)]
    shadow: ShadowArgs,
    #[command(flatten)]
    report: ReportArgs,
    /// List the rules with their levels in this project
    #[arg(long, conflicts_with = "files")]
    rules: bool,
}

/// The findings, and the failures of files that could not be checked.
struct Outcome {
    review: Review,
    failures: Vec<Failure>,
    /// The project folder, if there is a project.
    root: Option<PathBuf>,
    /// The observations on the shadow.
    seen: ShadowResult,
}

impl Outcome {
    fn failed(failures: Vec<Failure>, root: Option<PathBuf>) -> Self {
        Self { review: Review::empty(), failures, root, seen: ShadowResult::default() }
    }
}

pub(super) async fn run(context: &Context, args: &VerifyArgs) -> Result<u8, Failure> {
    let output = context.output(args.report.output);
    if args.rules {
        return list(context, output);
    }
    let outcome =
        if args.files.is_empty() { whole(context, args).await } else { verify_files(context, args).await };
    show(context, output, args, &outcome)
}

fn list(context: &Context, output: OutputArg) -> Result<u8, Failure> {
    let format = match output {
        OutputArg::Human => Format::Human,
        OutputArg::Json => Format::Json,
        _ => {
            let message = "the rules can be listed as text or as JSON";
            return Err(Failure::new(Code::Usage, message).hint("use --output human or --output json"));
        }
    };
    explain::list(context, context.ui.with_format(format))
}

fn show(context: &Context, output: OutputArg, args: &VerifyArgs, outcome: &Outcome) -> Result<u8, Failure> {
    let standalone: Vec<String> = args.files.iter().map(|file| file.display().to_string()).collect();
    let path = |file: &str| {
        // Given files are relative to the current folder, files of the project to the project folder.
        let folder = match &outcome.root {
            Some(root) if !standalone.iter().any(|name| name == file) => root,
            _ => &context.here,
        };
        context.path_in_workspace(folder, file)
    };
    let verified = Verified {
        findings: &outcome.review.findings,
        summary: &outcome.review.summary,
        failures: &outcome.failures,
        lowered: &outcome.review.lowered,
        effects: args.shadow.wanted().then_some(outcome.seen.effects.as_slice()),
        unchecked: &outcome.seen.unchecked,
        path: &path,
        blob: &report::blob_url(),
    };
    match output {
        OutputArg::Human => {
            let ui = context.ui.with_format(Format::Human);
            for failure in &outcome.failures {
                ui.failure(failure);
            }
            if outcome.failures.is_empty() || verified.summary.files > 0 {
                ui::print(&verified.text(ui.stdout_paint()))?;
            }
        }
        OutputArg::Json => {
            let went = if verified.exit_code() == 0 { ui::Outcome::Done } else { ui::Outcome::Failed };
            let ui = context.ui.with_format(Format::Json);
            ui.outcome(went, &verified.json(), |paint| verified.text(paint))?;
        }
        _ => {
            report::print(output, &Report::from(&verified))?;
        }
    }
    Ok(verified.exit_code())
}

/// The project, with the policy of the base.
fn root(context: &Context, args: &VerifyArgs) -> Result<Root, Failure> {
    let root = context.root()?;
    match &args.policy_from {
        Some(from) => root.with_policy_from(from, &context.here),
        None => Ok(root),
    }
}

/// Checks all migrations and templates that can be read.
async fn whole(context: &Context, args: &VerifyArgs) -> Outcome {
    let root = match root(context, args) {
        Ok(root) => root,
        Err(failure) => return Outcome::failed(vec![failure], None),
    };
    let all = |project: &Project| {
        let chain = &project.chain;
        chain.migrations().iter().chain(chain.downs()).map(|migration| migration.file.clone()).collect()
    };
    check_migrations(context, root, args, (&all, true)).await
}

/// The migrations to check, and whether to check templates.
type Asked<'a> = (&'a dyn Fn(&Project) -> HashSet<String>, bool);

async fn check_migrations(
    context: &Context,
    root: Root,
    args: &VerifyArgs,
    (names, templates): Asked<'_>,
) -> Outcome {
    let survey = root.load_with_failures();
    let (project, mut failures) = (survey.project, survey.failures);
    let focused = focus(context, &project, args, failures.is_empty()).await;
    let (only, base) = match focused {
        Ok(focus) => focus,
        Err(failure) => return Outcome::failed(vec![failure], Some(project.root)),
    };
    let (names, mut seen) = (names(&project), ShadowResult::default());
    let all = project.chain.migrations().iter().chain(project.chain.downs());
    let is_wanted = |migration: &&Migration| {
        let file = &migration.script.source.file;
        names.contains(&migration.file) && only.as_ref().is_none_or(|only| only.contains(file))
    };
    let migrations: Vec<_> = all.filter(is_wanted).collect();
    for migration in migrations.iter().filter(|migration| migration.script.statements.is_empty()) {
        context.ui.note(&format!("{} contains no statement: it only moves the version", migration.file));
    }
    // Run nothing on the shadow if a file is invalid.
    let has_work = only.is_none() || !migrations.is_empty();
    if args.shadow.wanted() && has_work && failures.is_empty() {
        match Box::pin(shadow::observe(context, &project, &migrations, &args.shadow)).await {
            Ok(all) => seen = all,
            Err(failure) => failures.push(failure),
        }
    }
    let templates = project.templates.values().filter(|_| templates);
    let focus = Focus { only: only.as_ref(), base: base.as_ref() };
    let review =
        Review::of(&project, migrations, templates, &seen.effects_by_file, focus).unwrap_or_else(|failure| {
            failures.push(failure);
            Review::empty()
        });
    let root = Some(project.root.clone());
    // The program ends soon: do not spend time on freeing the syntax trees of thousands of files.
    std::mem::forget(project);
    Outcome { review, failures, root, seen }
}

/// The files to judge, if not all, and the base of the schema.
async fn focus(
    context: &Context,
    project: &Project,
    args: &VerifyArgs,
    is_valid: bool,
) -> Result<(Option<HashSet<String>>, Option<Base>), Failure> {
    let changed = args.since.as_deref().map(|name| project.changed_since(name)).transpose()?;
    // The versions of a database cannot be found in a chain with gaps.
    if !is_valid {
        return Ok((changed, None));
    }
    let base = base(context, project, args).await?;
    // A file that is given by name is judged, applied or not.
    let pending = base.as_ref().filter(|_| args.files.is_empty()).map(|base| base.pending(project));
    let only = match (changed, pending) {
        (Some(changed), Some(pending)) => Some(changed.intersection(&pending).cloned().collect()),
        (changed, pending) => changed.or(pending),
    };
    Ok((only, base))
}

/// The base of the schema in `--schema-from`.
async fn base(context: &Context, project: &Project, args: &VerifyArgs) -> Result<Option<Base>, Failure> {
    let Some(from) = args.schema_from.as_deref() else { return Ok(None) };
    let (catalog, base) = if from.contains("://") {
        let mut connection = Box::pin(unless_interrupted(connect::connect(context, from, None))).await?;
        cancel_when_given_up(connection.connector());
        let read = Box::pin(unless_interrupted(migrate::read_base(&mut connection, project))).await?;
        connection.close().await;
        read
    } else {
        let source = project::read_given(Some(&project.root), &context.here.join(from), from)?;
        let catalog = DatabaseCatalog::read(&source.text).map_err(|why| {
            Failure::new(Code::SnapshotInvalid, format!("{from} cannot be read: {why}"))
                .at(Place::File(from.to_owned()))
                .hint("write a new one: `tenure verify --schema-from URL --save FILE`")
        })?;
        let base = Base::of(project, &catalog)?;
        (catalog, base)
    };
    if let Some(file) = &args.save {
        let text = catalog.file_text().map_err(|error| Failure::new(Code::Io, error.to_string()))?;
        let shown = file.display();
        std::fs::write(context.here.join(file), text)
            .map_err(|error| Failure::new(Code::Io, format!("writing {shown}: {error}")))?;
        context.ui.note(&format!("the schema was written to {shown}"));
    }
    Ok(Some(base))
}

/// The base for files outside of the chain.
async fn standalone_base(context: &Context, args: &VerifyArgs) -> Result<Option<Base>, Failure> {
    let project = root(context, args)?.load()?;
    base(context, &project, args).await
}

/// Checks the given files: a migration as part of the chain, any other file on its own.
async fn verify_files(context: &Context, args: &VerifyArgs) -> Outcome {
    // Also a project with invalid settings has a folder.
    let folder = Root::folder(context.global.project.as_deref(), &context.here).ok();
    let source = |file: &PathBuf| {
        project::read_given(folder.as_deref(), &context.here.join(file), &file.display().to_string())
    };
    let schema = match args.base.iter().map(source).collect::<Result<Vec<_>, _>>() {
        Ok(schema) => schema,
        Err(failure) => return Outcome::failed(vec![failure], None),
    };
    let files = &args.files;
    let root = root(context, args);
    let migrations = root.as_ref().ok().and_then(|root| root.path.join(MIGRATIONS).canonicalize().ok());
    let inside = |file: &Path| {
        let migrations = migrations.as_ref()?;
        let path = context.here.join(file).canonicalize().ok()?;
        (path.parent()? == migrations).then(|| file.file_name()).flatten().map(ToOwned::to_owned)
    };
    let (mut names, mut standalone) = (Vec::new(), Vec::new());
    for file in files {
        match inside(file) {
            Some(name) => names.push(name.to_string_lossy().into_owned()),
            None => standalone.push((context.here.join(file), file.display().to_string())),
        }
    }
    if let (Some(name), false) = (names.first(), schema.is_empty()) {
        let message = format!(
            "--base applies to files outside {MIGRATIONS}/, but {name} is a migration: its base is the chain before it"
        );
        return Outcome::failed(
            vec![Failure::new(Code::Usage, message).hint("omit --base or the file")],
            None,
        );
    }
    if args.shadow.wanted() && !standalone.is_empty() {
        return Outcome::failed(vec![shadow::no_file_but_migrations()], None);
    }
    let settings = match &root {
        Ok(root) => root.settings.clone(),
        // A file can be checked without a project, but not with invalid settings.
        Err(failure) if failure.code == Code::NoProject && args.policy_from.is_none() => Settings::default(),
        Err(failure) => return Outcome::failed(vec![failure.clone()], None),
    };
    let path = root.as_ref().ok().map(|root| root.path.clone());
    let base = root.as_ref().ok().and_then(|root| root.policy.clone());
    let policy = project::policy(&settings, base.as_ref())
        .and_then(|policy| Ok((project::lowered(&settings, base.as_ref(), &policy)?, policy)));
    let (lowered, policy) = match policy {
        Ok(policy) => policy,
        Err(failure) => return Outcome::failed(vec![failure], path),
    };
    let mut outcome = match root {
        Ok(root) if !names.is_empty() => {
            let asked: HashSet<String> = names.iter().cloned().collect();
            let mut unknown = names;
            let existing = Cell::new(Vec::new());
            let wanted = |project: &Project| {
                let all = project.chain.migrations().iter().chain(project.chain.downs());
                existing.set(all.map(|migration| migration.file.clone()).collect());
                asked.clone()
            };
            let mut outcome = check_migrations(context, root, args, (&wanted, false)).await;
            let existing = existing.take();
            unknown.retain(|name| !existing.contains(name));
            // Invalid files were already reported; the others do not belong to the chain.
            unknown.retain(|name| {
                let file = format!("{MIGRATIONS}/{name}");
                let is_file = |place: &Place| place.file() == file;
                let is_reported =
                    outcome.failures.iter().filter_map(|failure| failure.place.as_ref()).any(is_file);
                !is_reported
                    && (outcome.failures.is_empty() || Path::new(name).extension() != Some("sql".as_ref()))
            });
            outcome.failures.extend(unknown.into_iter().map(|name| {
                let message = format!("{name} is not a migration of this project");
                Failure::new(Code::MigrationName, message).at(Place::File(format!("{MIGRATIONS}/{name}")))
            }));
            outcome
        }
        _ => Outcome {
            review: Review::empty(),
            failures: Vec::new(),
            root: path,
            seen: ShadowResult::default(),
        },
    };
    let catalog = match (&args.schema_from, standalone.is_empty()) {
        (Some(_), false) => match standalone_base(context, args).await {
            Ok(base) => base,
            Err(failure) => {
                outcome.failures.push(failure);
                return outcome;
            }
        },
        _ => None,
    };
    let base = (schema.as_slice(), catalog.as_ref());
    let (review, failures) = Review::of_files(folder.as_deref(), &standalone, base, &policy, &settings);
    outcome.review.add(review);
    outcome.review.lowered = lowered;
    outcome.failures.extend(failures);
    outcome
}
