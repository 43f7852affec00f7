//! A project's files as verification sees them: each migration and template handed to `verify` with
//! what is known of it, and the findings gathered. Files are judged side by side.

use std::path::PathBuf;

use serde::Serialize;

use super::workers::each;
use super::{Project, read};
use crate::chain::Migration;
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::settings::Settings;
use crate::sql::{Bookkeeping, FileKind, Scope, Script, Statement};
use crate::template::Template;
use crate::verify::{File, Finding, Kind, Policy, Summary, verify};

/// What verification found in some files.
#[derive(Debug, Clone, Serialize)]
pub struct Review {
    /// In the order of the files, then of their text.
    pub findings: Vec<Finding>,
    /// In numbers.
    pub summary: Summary,
}

/// A file to judge.
struct Job<'a> {
    script: &'a Script,
    statements: Vec<(&'a Statement, Option<Scope>)>,
    kind: Kind<'a>,
}

impl Review {
    /// Reviews migrations, then templates.
    pub fn of<'a>(
        project: &Project,
        migrations: impl IntoIterator<Item = &'a Migration>,
        templates: impl IntoIterator<Item = &'a Template>,
    ) -> Result<Self, Failure> {
        let policy = policy(&project.settings)?;
        let mut jobs: Vec<Job<'_>> = migrations
            .into_iter()
            .map(|migration| Job {
                script: &migration.script,
                statements: migration.statements.iter().map(|(of, scope)| (of, Some(*scope))).collect(),
                kind: Kind::Migration,
            })
            .collect();
        let templates: Vec<&Template> = templates.into_iter().collect();
        let scripts: Vec<Vec<&Script>> =
            templates.iter().map(|of| of.files.iter().map(|(script, _)| script).collect()).collect();
        for (template, scripts) in templates.into_iter().zip(&scripts) {
            jobs.extend(template.files.iter().enumerate().map(|(index, (script, statements))| Job {
                script,
                statements: statements.iter().map(|of| (of, Some(Scope::Tenant))).collect(),
                kind: Kind::Template(&scripts[..index]),
            }));
        }
        let platform = project.settings.platform_schema();
        let judged = each(&jobs, |job| job.judge(&policy, &platform));
        Ok(Self::gathered(judged))
    }

    /// Reviews files outside of a project's folders, each on its own; and what is wrong with those that
    /// cannot be read. `files` are paths, each with how it is shown.
    pub fn of_loose(
        files: &[(PathBuf, String)],
        policy: &Policy,
        platform: &SchemaName,
    ) -> (Self, Vec<Failure>) {
        let tried = each(files, |(path, shown)| {
            let script = Script::parse(read(path, shown)?)?;
            let books = Bookkeeping { platform: platform.as_str(), file: FileKind::Loose };
            let body = books.body(&script, |_| Some(Scope::Platform))?;
            let statements = body.statements.iter().map(|statement| (statement, None)).collect();
            Ok(Job { script: &script, statements, kind: Kind::Loose }.judge(policy, platform))
        });
        let (mut judged, mut failures) = (Vec::new(), Vec::new());
        for file in tried {
            match file {
                Ok(file) => judged.push(file),
                Err(failure) => failures.push(failure),
            }
        }
        (Self::gathered(judged), failures)
    }

    /// Of no file.
    pub fn empty() -> Self {
        Self::gathered(Vec::new())
    }

    /// The findings of several files, each with how many statements it has.
    fn gathered(judged: Vec<(Vec<Finding>, usize)>) -> Self {
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
    Ok(Policy::new(&settings.verify.levels)?)
}

impl Job<'_> {
    fn judge(&self, policy: &Policy, platform: &SchemaName) -> (Vec<Finding>, usize) {
        let file = File {
            script: self.script,
            statements: &self.statements,
            kind: self.kind,
            platform: platform.as_str(),
        };
        (verify(&file, policy), self.statements.len())
    }
}
