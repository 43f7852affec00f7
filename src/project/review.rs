//! A project's files as verification sees them: each migration and template handed to `verify` with
//! what is known of it, and the findings gathered.

use std::sync::Arc;

use serde::Serialize;

use super::Project;
use super::before::Before;
use crate::chain::{Migration, ScopeLines};
use crate::error::{Code, Failure, Source};
use crate::ident::SchemaName;
use crate::sql::{Bookkeeping, FileKind, Scope, Script, Statement};
use crate::template::Template;
use crate::verify::{File, Finding, Kind, Policy, Schema, Summary, verify};

/// What verification found in some files.
#[derive(Debug, Clone, Serialize)]
pub struct Review {
    /// In the order of the files, then of their text.
    pub findings: Vec<Finding>,
    /// In numbers.
    pub summary: Summary,
}

/// Gathers findings file by file.
struct Reviewer<'a> {
    policy: &'a Policy,
    platform: &'a SchemaName,
    findings: Vec<Finding>,
    files: usize,
    statements: usize,
}

impl Review {
    /// Reviews migrations, then templates.
    pub fn of<'a>(
        project: &Project,
        migrations: impl IntoIterator<Item = &'a Migration>,
        templates: impl IntoIterator<Item = &'a Template>,
    ) -> Result<Self, Failure> {
        let (policy, platform) = (policy(project)?, project.settings.platform_schema());
        let mut reviewer = Reviewer::new(&policy, &platform);
        let migrations: Vec<_> = migrations.into_iter().collect();
        let templates: Vec<_> = templates.into_iter().collect();
        let before = Before::of(project, &migrations, &templates);
        for migration in migrations {
            let state = before.migration(migration);
            let statements: Vec<_> =
                migration.statements.iter().map(|(statement, scope)| (statement, Some(*scope))).collect();
            reviewer.file(&migration.script, &statements, Kind::Migration, &state);
        }
        for template in templates {
            let mut state = before.template(template);
            let scripts: Vec<&Script> = template.files.iter().map(|(script, _)| script).collect();
            for (index, (script, statements)) in template.files.iter().enumerate() {
                let statements: Vec<_> =
                    statements.iter().map(|statement| (statement, Some(Scope::Tenant))).collect();
                reviewer.file(script, &statements, Kind::Template(&scripts[..index]), &state);
                state.begin_file();
                for (statement, scope) in &statements {
                    state.learn(script, statement, *scope);
                }
            }
        }
        Ok(reviewer.finish())
    }

    /// Reviews files outside of a project's folders, each on its own, on the schema that `base` makes; without
    /// one nothing is known of it.
    pub fn of_loose(
        sources: Vec<Arc<Source>>,
        base: Vec<Arc<Source>>,
        policy: &Policy,
        platform: &SchemaName,
    ) -> Result<Self, Failure> {
        let mut reviewer = Reviewer::new(policy, platform);
        let mut before = if base.is_empty() {
            Schema::unknown(platform.as_str())
        } else {
            Schema::empty(platform.as_str())
        };
        for source in base {
            before.begin_file();
            before.learn_script(&Script::parse(source)?);
        }
        for source in sources {
            let script = Script::parse(source)?;
            let books = Bookkeeping { platform: platform.as_str(), file: FileKind::Loose };
            let body = books.body(&script, |_| Some(Scope::Platform))?;
            // A scope where a line says it; names of a project that nobody knows say nothing.
            let lines = ScopeLines::read(&script)?;
            let scope = |statement: &Statement| lines.at(statement.range.start);
            let statements: Vec<_> =
                body.statements.iter().map(|statement| (statement, scope(statement))).collect();
            reviewer.file(&script, &statements, Kind::Loose, &before);
        }
        Ok(reviewer.finish())
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

/// The policy of a project's settings.
pub fn policy(project: &Project) -> Result<Policy, Failure> {
    Ok(Policy::new(&project.settings.verify.levels)?)
}

impl<'a> Reviewer<'a> {
    fn new(policy: &'a Policy, platform: &'a SchemaName) -> Self {
        Self { policy, platform, findings: Vec::new(), files: 0, statements: 0 }
    }

    fn file(
        &mut self,
        script: &Script,
        statements: &[(&Statement, Option<Scope>)],
        kind: Kind<'_>,
        before: &Schema,
    ) {
        let file = File { script, statements, kind, before, platform: self.platform.as_str() };
        self.findings.extend(verify(&file, self.policy));
        self.files += 1;
        self.statements += statements.len();
    }

    fn finish(self) -> Review {
        let summary = Summary::of(&self.findings, self.files, self.statements);
        Review { findings: self.findings, summary }
    }
}
