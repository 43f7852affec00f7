//! A project's files as verification sees them: each migration and template handed to `verify` with
//! what is known of it, and the findings from_files. Files are judged side by side.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::schema_replay::{ReplayedFile, SchemaReplay, Target};
use super::workers::parallel_map;
use super::{Project, read};
use crate::chain::{Migration, ScopeLines};
use crate::error::{Code, Failure, Source};
use crate::settings::Settings;
use crate::sql::{FileKind, MetadataFilter, Scope, Script};
use crate::template::Template;
use crate::verify::{File, Finding, Kind, ObservedEffects, Policy, ProjectSchemas, Schema, Summary, verify};

/// What was seen of migrations that ran somewhere, by the names of their files.
pub type EffectsByFile = HashMap<String, ObservedEffects>;

/// What verification found in some files.
#[derive(Debug, Clone, Serialize)]
pub struct Review {
    /// In the order of the files, then of their text.
    pub findings: Vec<Finding>,
    /// In numbers.
    pub summary: Summary,
}

impl Review {
    /// Reviews migrations, of which `effects` saw some run, then templates.
    pub fn of<'a>(
        project: &Project,
        migrations: impl IntoIterator<Item = &'a Migration>,
        templates: impl IntoIterator<Item = &'a Template>,
        effects: &EffectsByFile,
    ) -> Result<Self, Failure> {
        let policy = policy(&project.settings)?;
        let migrations: Vec<&Migration> = migrations.into_iter().collect();
        let templates: Vec<&Template> = templates.into_iter().collect();
        let scripts: Vec<Vec<&Script>> = templates
            .iter()
            .map(|of| of.files.iter().chain(&of.after_create).map(|(script, _)| script).collect())
            .collect();
        let of_templates = templates.iter().zip(&scripts).map(|(of, scripts)| Target::Template(of, scripts));
        let targets: Vec<_> = migrations.into_iter().map(Target::Migration).chain(of_templates).collect();
        let mut replay = SchemaReplay::of(project, &targets);
        // While one thread judges a file, another follows what the next one meets.
        let files = targets.into_iter().flat_map(|targets| replay.files(targets));
        let judged = parallel_map(files, |file| file.judge(&policy, &project.settings, effects));
        Ok(Self::from_files(judged))
    }

    /// Reviews files outside of a project's folders, each on its own, on the schema that `base` makes; without
    /// one nothing is known of it. And what is wrong with those that cannot be read. `files` are paths, each
    /// with how it is shown.
    pub fn of_files(
        files: &[(PathBuf, String)],
        base: &[Arc<Source>],
        policy: &Policy,
        settings: &Settings,
    ) -> (Self, Vec<Failure>) {
        let before = match schema_of(base, settings) {
            Ok(before) => before,
            Err(failure) => return (Self::empty(), vec![failure]),
        };
        let tried = parallel_map(files.iter(), |(path, shown)| {
            review_file(read(path, shown)?, &before, policy, settings)
        });
        let (mut judged, mut failures) = (Vec::new(), Vec::new());
        for file in tried {
            match file {
                Ok(file) => judged.push(file),
                Err(failure) => failures.push(failure),
            }
        }
        (Self::from_files(judged), failures)
    }

    /// Reviews one text by itself, on the schema that `base` makes.
    pub fn of_text(
        source: Arc<Source>,
        base: &[Arc<Source>],
        policy: &Policy,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        let judged = review_file(source, &schema_of(base, settings)?, policy, settings)?;
        Ok(Self::from_files(vec![judged]))
    }

    /// Of no file.
    pub fn empty() -> Self {
        Self::from_files(Vec::new())
    }

    /// The findings of several files, each with how many statements it has.
    fn from_files(judged: Vec<(Vec<Finding>, usize)>) -> Self {
        let (files, statements) = (judged.len(), judged.iter().map(|(_, statements)| statements).sum());
        let findings: Vec<Finding> = judged.into_iter().flat_map(|(findings, _)| findings).collect();
        Self { summary: Summary::of(&findings, files, statements), findings }
    }

    /// Adds another review's findings behind these.
    pub fn add(&mut self, other: Self) {
        let (files, statements) =
            (self.summary.files + other.summary.files, self.summary.statements + other.summary.statements);
        self.findings.extend(other.findings);
        self.summary = Summary::of(&self.findings, files, statements);
    }

    /// The first finding that denies, as a failure.
    pub fn denial(&self) -> Option<Failure> {
        let first = self.findings.iter().find(|finding| finding.denies())?;
        Some(
            Failure::new(Code::FindingDenied, format!("{} [{}]", first.message, first.rule))
                .at(first.place.clone())
                .hint(first.help.clone()),
        )
    }

    /// The findings of `file` that were accepted, as the JSON that goes into the history.
    pub fn allowed_json(&self, file: &str) -> String {
        let allowed: Vec<_> = self
            .findings
            .iter()
            .filter(|finding| finding.place.file() == file)
            .filter_map(|finding| {
                let because = finding.allowed.as_ref()?;
                let line = finding.place.start().map(|start| start.line);
                Some(serde_json::json!({ "rule": finding.rule, "line": line, "because": because }))
            })
            .collect();
        serde_json::Value::Array(allowed).to_string()
    }
}

/// The policy that settings make.
pub fn policy(settings: &Settings) -> Result<Policy, Failure> {
    let verify = &settings.verify;
    Policy::new(&verify.levels).map_err(|error| {
        let place = verify.places.get(error.key()).cloned();
        let failure = Failure::from(error);
        place.map_or_else(|| failure.clone(), |place| failure.clone().at(place))
    })
}

/// Judges a file outside of a project's folders.
fn review_file(
    source: Arc<Source>,
    before: &Schema,
    policy: &Policy,
    settings: &Settings,
) -> Result<(Vec<Finding>, usize), Failure> {
    let script = Script::parse(source)?;
    let platform = settings.platform_schema();
    let books = MetadataFilter { platform: platform.as_str(), file: FileKind::Standalone };
    let body = books.body(&script, |_| Some(Scope::Platform))?;
    // A scope where a line says it; names of a project that nobody knows say nothing.
    let lines = ScopeLines::read(&script)?;
    let scoped = body.statements.iter().map(|statement| (statement, lines.at(statement.range.start)));
    let walk = before.walk(&script, scoped);
    Ok(ReplayedFile { script: &script, walk, kind: Kind::Loose }.judge(
        policy,
        settings,
        &EffectsByFile::new(),
    ))
}

/// The schema that these files make, one after the other.
fn schema_of(base: &[Arc<Source>], settings: &Settings) -> Result<Schema, Failure> {
    let platform = settings.platform_schema();
    if base.is_empty() {
        return Ok(Schema::unknown(platform.as_str()));
    }
    let mut schema = Schema::empty(platform.as_str());
    for source in base {
        schema.begin_file();
        schema.learn_script(&Script::parse(Arc::clone(source))?);
    }
    Ok(schema)
}

impl ReplayedFile<'_> {
    fn judge(&self, policy: &Policy, settings: &Settings, effects: &EffectsByFile) -> (Vec<Finding>, usize) {
        let platform = settings.platform_schema();
        let shared: Vec<String> = settings.shared_path().names().map(str::to_owned).collect();
        let name = self.script.source.file.rsplit('/').next().unwrap_or_default();
        let file = File {
            script: self.script,
            walk: &self.walk,
            kind: self.kind,
            observed_effects: effects.get(name).filter(|_| matches!(self.kind, Kind::Migration)),
            schemas: ProjectSchemas {
                platform: platform.as_str(),
                prefix: &settings.tenants.schema_prefix,
                shared: &shared,
            },
        };
        (verify(&file, policy), self.walk.context.len())
    }
}
