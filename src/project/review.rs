//! Runs `verify` on a project's migrations and templates, each with the schema before it, and collects the findings.
//! Files are verified in parallel.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::policy::{lowered, policy};
use super::schema_replay::{ReplayedFile, SchemaReplay, Target};
use super::workers::parallel_map;
use super::{Base, Project, read_given};
use crate::chain::{Migration, ScopeLines};
use crate::error::{Code, Failure, Place, Source};
use crate::ident::Identifier;
use crate::settings::Settings;
use crate::sql::{FileKind, MetadataFilter, Scope, Script};
use crate::template::Template;
use crate::verify::{
    File, Finding, Kind, Lowered, ObservedEffects, Policy, ProjectSchemas, Schema, Summary, verify,
};

/// The observed effects of migrations that ran on a shadow or branch, by file name.
pub type EffectsByFile = HashMap<String, ObservedEffects>;

/// What to judge, and with what knowledge.
#[derive(Debug, Clone, Copy, Default)]
pub struct Focus<'a> {
    /// Judge only these files; the others are read for the schema.
    pub only: Option<&'a HashSet<String>>,
    /// The catalog of a real database.
    pub base: Option<&'a Base>,
}

/// The result of verifying some files.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct Review {
    /// The findings, in the order of the files and of their text.
    pub findings: Vec<Finding>,
    /// The counts.
    pub summary: Summary,
    /// The lowered settings.
    pub lowered: Vec<Lowered>,
}

impl Review {
    /// Verifies migrations, with the observed effects of some of them, then templates.
    pub fn of<'a>(
        project: &Project,
        migrations: impl IntoIterator<Item = &'a Migration>,
        templates: impl IntoIterator<Item = &'a Template>,
        effects: &EffectsByFile,
        Focus { only, base: catalog }: Focus<'_>,
    ) -> Result<Self, Failure> {
        let is_wanted = |script: &Script| only.is_none_or(|names| names.contains(&script.source.file));
        let (settings, base) = (&project.settings, project.policy.as_ref());
        let policy = policy(settings, base)?;
        let lowered = lowered(settings, base, &policy)?;
        let migrations = migrations.into_iter().filter(|migration| is_wanted(&migration.script));
        let migrations: Vec<&Migration> = migrations.collect();
        let templates = templates.into_iter().filter(|template| template.scripts().any(is_wanted));
        let templates: Vec<&Template> = templates.collect();
        let scripts: Vec<Vec<&Script>> = templates.iter().map(|of| of.scripts().collect()).collect();
        let of_templates = templates.iter().zip(&scripts).map(|(of, scripts)| Target::Template(of, scripts));
        let targets: Vec<_> = migrations.into_iter().map(Target::Migration).chain(of_templates).collect();
        let mut replay = SchemaReplay::of(project, &targets, catalog);
        // One thread replays the schema for the next file while others verify files.
        let files = targets.into_iter().flat_map(|target| replay.files(target));
        let files = files.filter(|file| is_wanted(file.script));
        let judged = parallel_map(files, |file| file.judge(&policy, settings, effects));
        let mut review = Self { lowered, ..Self::from_files(judged) };
        review.summary.read = only.map(|_| project.scripts().count());
        if let Some(catalog) = catalog {
            review.findings.iter_mut().for_each(|finding| catalog.add_rows(finding));
        }
        Ok(review)
    }

    /// Verifies files outside the project's folders, each separately, on the schema that `base` creates or a database has;
    /// without a base it is unknown. `files` are paths with their names for output. Failures of unreadable files are returned too.
    pub fn of_files(
        root: Option<&Path>,
        files: &[(PathBuf, String)],
        (base, catalog): (&[Arc<Source>], Option<&Base>),
        policy: &Policy,
        settings: &Settings,
    ) -> (Self, Vec<Failure>) {
        let before = match catalog.map_or_else(|| schema_of(base, settings), |catalog| Ok(catalog.model())) {
            Ok(before) => before,
            Err(failure) => return (Self::empty(), vec![failure]),
        };
        let tried = parallel_map(files.iter(), |(path, shown)| {
            review_file(read_given(root, path, shown)?, &before, policy, settings)
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

    /// Verifies one text on the schema that `base` creates.
    pub fn of_text(
        source: Arc<Source>,
        base: &[Arc<Source>],
        policy: &Policy,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        let judged = review_file(source, &schema_of(base, settings)?, policy, settings)?;
        Ok(Self::from_files(vec![judged]))
    }

    /// The review of no files.
    pub fn empty() -> Self {
        Self::from_files(Vec::new())
    }

    /// Combines the findings of several files, each with its number of statements.
    fn from_files(judged: Vec<(Vec<Finding>, usize)>) -> Self {
        let (files, statements) = (judged.len(), judged.iter().map(|(_, statements)| statements).sum());
        let findings: Vec<Finding> = judged.into_iter().flat_map(|(findings, _)| findings).collect();
        Self { summary: Summary::of(&findings, files, statements), findings, lowered: Vec::new() }
    }

    /// Appends the findings of another review.
    pub fn add(&mut self, other: Self) {
        let (files, statements) =
            (self.summary.files + other.summary.files, self.summary.statements + other.summary.statements);
        self.findings.extend(other.findings);
        self.summary = Summary::of(&self.findings, files, statements);
    }

    /// The first finding that denies, as a failure.
    pub fn denial(&self) -> Option<Failure> {
        let first = self.findings.iter().find(|finding| finding.denies())?;
        let failure = Failure::new(Code::FindingDenied, format!("{} [{}]", first.message, first.rule));
        let hint = [Some(first.help.clone()), first.acceptance()].into_iter().flatten().collect::<Vec<_>>();
        Some(Failure { place: first.place().cloned(), ..failure.hint(hint.join("; ")) })
    }

    /// The accepted findings of `file` as JSON for the history.
    pub fn allowed_json(&self, file: &str) -> String {
        let allowed: Vec<_> = self
            .findings
            .iter()
            .filter(|finding| finding.place().is_some_and(|place| place.file() == file))
            .filter_map(|finding| {
                let because = finding.allowed.as_ref()?;
                let line = finding.place().and_then(Place::start).map(|start| start.line);
                Some(serde_json::json!({ "rule": finding.rule, "line": line, "because": because }))
            })
            .collect();
        serde_json::Value::Array(allowed).to_string()
    }
}

/// Verifies a file outside the project's folders.
fn review_file(
    source: Arc<Source>,
    before: &Schema,
    policy: &Policy,
    settings: &Settings,
) -> Result<(Vec<Finding>, usize), Failure> {
    let script = Script::parse(source)?;
    let platform = settings.platform_schema();
    let filter = MetadataFilter { platform: platform.as_str(), file: FileKind::Standalone };
    let body = filter.body(&script, |_| Some(Scope::Platform))?;
    // Only `Scope` lines determine the scope, since the names of the project are unknown.
    let lines = ScopeLines::read(&script)?;
    let scoped = body.statements.iter().map(|statement| (statement, lines.at(statement.range.start)));
    let replay = before.replay(&script, scoped);
    Ok(ReplayedFile { script: &script, replay, kind: Kind::Loose }.judge(
        policy,
        settings,
        &EffectsByFile::new(),
    ))
}

/// The schema that these files create, in order.
fn schema_of(base: &[Arc<Source>], settings: &Settings) -> Result<Schema, Failure> {
    let platform = settings.platform_schema();
    if base.is_empty() {
        return Ok(Schema::unknown(platform.as_str()));
    }
    let mut schema = Schema::of_base(platform.as_str());
    for source in base {
        let script = Script::parse(Arc::clone(source))?;
        let lines = ScopeLines::read(&script)?;
        schema.begin_file();
        for statement in &script.statements {
            schema.apply(&script, statement, lines.at(statement.range.start));
        }
    }
    Ok(schema)
}

impl ReplayedFile<'_> {
    fn judge(&self, policy: &Policy, settings: &Settings, effects: &EffectsByFile) -> (Vec<Finding>, usize) {
        let platform = settings.platform_schema();
        let shared: Vec<String> = settings.shared_path().names().map(str::to_owned).collect();
        let columns = &settings.tenants.columns;
        let columns = [&columns.id, &columns.name, &columns.slug, &columns.schema].map(Identifier::as_str);
        let name = self.script.source.file.rsplit('/').next().unwrap_or_default();
        let file = File {
            script: self.script,
            replay: &self.replay,
            kind: self.kind,
            observed_effects: effects
                .get(name)
                .filter(|_| matches!(self.kind, Kind::Migration | Kind::Reverse)),
            schemas: ProjectSchemas {
                platform: platform.as_str(),
                prefix: &settings.tenants.schema_prefix,
                shared: &shared,
                registry: (settings.tenants.registry.as_str(), &columns),
            },
        };
        (verify(&file, policy), self.replay.statements.len())
    }
}
