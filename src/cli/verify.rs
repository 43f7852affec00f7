//! `tenure verify`

use std::path::{Path, PathBuf};

use super::Context;
use super::args::VerifyArgs;
use crate::error::{Code, Failure};
use crate::project::{self, Project, Review};
use crate::report;
use crate::settings::Settings;
use crate::verify::Policy;

pub(super) fn run(context: &Context, args: &VerifyArgs) -> Result<u8, Failure> {
    let review = if args.files.is_empty() {
        let project = context.project()?;
        Review::of(
            &project,
            project.chain.migrations().iter().chain(project.chain.downs()),
            project.templates.values(),
        )?
    } else {
        some_files(context, &args.files, &args.base)?
    };
    let ui = args.output.map_or(context.ui, |format| context.ui.with_format(format));
    ui.result(&review, |paint| report::findings(&review.findings, &review.summary, paint))?;
    Ok(review.denial().map_or(0, |denial| denial.class().exit_code()))
}

/// A file of the project's migrations is judged as part of it, any other on its own.
fn some_files(context: &Context, files: &[PathBuf], base: &[PathBuf]) -> Result<Review, Failure> {
    let source = |file: &PathBuf| project::read(&context.here.join(file), &file.display().to_string());
    let base = base.iter().map(source).collect::<Result<Vec<_>, _>>()?;
    let root = context.root();
    let migrations =
        root.as_ref().ok().and_then(|root| root.path.join(project::MIGRATIONS).canonicalize().ok());
    let inside = |file: &Path| {
        let folder = context.here.join(file).canonicalize().ok()?.parent()?.to_owned();
        (Some(folder) == migrations).then(|| file.file_name()).flatten().map(ToOwned::to_owned)
    };
    let (mut names, mut loose) = (Vec::new(), Vec::new());
    for file in files {
        match inside(file) {
            Some(name) => names.push(name.to_string_lossy().into_owned()),
            None => loose.push(source(file)?),
        }
    }
    if names.is_empty() {
        let settings = match root {
            Ok(root) => root.settings,
            // A file can be judged anywhere; settings that are wrong are still wrong.
            Err(failure) if failure.code == Code::NoProject => Settings::default(),
            Err(failure) => return Err(failure),
        };
        let policy = Policy::new(&settings.verify.levels)?;
        return Review::of_loose(loose, base, &policy, &settings.platform_schema());
    }
    let project = root?.load()?;
    let mut review = Review::of(&project, chosen(&project, &names)?, [])?;
    let policy = project::policy(&project)?;
    review.add(Review::of_loose(loose, base, &policy, &project.settings.platform_schema())?);
    Ok(review)
}

fn chosen<'a>(project: &'a Project, names: &[String]) -> Result<Vec<&'a crate::chain::Migration>, Failure> {
    let all = || project.chain.migrations().iter().chain(project.chain.downs());
    names
        .iter()
        .map(|name| {
            all().find(|migration| migration.file == *name).ok_or_else(|| {
                Failure::new(Code::MigrationName, format!("{name} is not a migration of this project"))
            })
        })
        .collect()
}
