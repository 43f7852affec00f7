//! Replays a project's files to compute the schema before each of them: the platform by the chain, a tenant by its
//! template and then the chain; at the versions of a real database, its catalog. The replay runs once, and only as far as needed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Base, Project};
use crate::chain::{Migration, Version};
use crate::sql::{Scope, Script};
use crate::template::Template;
use crate::verify::{Kind, Schema, ScriptReplay};

/// A file to replay.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    /// An up or down migration.
    Migration(&'a Migration),
    /// A template, and its scripts.
    Template(&'a Template, &'a [&'a Script]),
}

/// A file with the context of its statements.
#[derive(Debug)]
pub(super) struct ReplayedFile<'a> {
    pub(super) script: &'a Script,
    pub(super) replay: ScriptReplay<'a>,
    pub(super) kind: Kind<'a>,
}

/// The state of the replay.
#[derive(Debug)]
pub(super) struct SchemaReplay<'a> {
    project: &'a Project,
    base: Option<&'a Base>,
    platform: String,
    /// The next step of the chain.
    next: usize,
    state: Schema,
    /// The versions whose state is stored for later use.
    keep: BTreeSet<&'a Version>,
    kept: BTreeMap<&'a Version, Schema>,
}

impl<'a> SchemaReplay<'a> {
    /// Starts a replay that can later return the requested files.
    pub(super) fn of(project: &'a Project, targets: &[Target<'a>], base: Option<&'a Base>) -> Self {
        let platform = project.settings.platform_schema().as_str().to_owned();
        let chain = project.chain.migrations();
        let keep = targets.iter().flat_map(|target| match target {
            Target::Migration(migration) if chain_index(chain, migration).is_some() => [None, None],
            Target::Migration(migration) => [Some(migration.from()), None],
            Target::Template(template, _) => {
                let has_more = !template.after_create.is_empty();
                [Some(&template.version), chain.last().map(Migration::to).filter(|_| has_more)]
            }
        });
        let keep = keep.flatten();
        let whole = chain.first().is_some_and(|first| *first.from() == Version::ZERO);
        let shared = project.settings.shared_path();
        let state = Schema::of_project(&platform, whole).with_shared_schemas(shared.names());
        let mut replay =
            Self { project, base, platform, next: 0, state, keep: keep.collect(), kept: BTreeMap::new() };
        if let Some(first) = chain.first() {
            replay.on_version(first.from());
        }
        replay
    }

    /// Replays a target. Up migrations must be requested first, in the order of the chain.
    pub(super) fn files(&mut self, target: Target<'a>) -> Vec<ReplayedFile<'a>> {
        match target {
            Target::Migration(migration) => {
                let replay = match chain_index(self.project.chain.migrations(), migration) {
                    Some(at) if at >= self.next => {
                        while self.next < at {
                            self.step();
                        }
                        self.step()
                    }
                    _ => None,
                };
                let replay = replay.unwrap_or_else(|| {
                    let before = self.at(migration.from());
                    before.replay(&migration.script, migration.scoped())
                });
                let is_reverse = migration.from() > migration.to();
                let kind = if is_reverse { Kind::Reverse } else { Kind::Migration };
                vec![ReplayedFile { script: &migration.script, replay, kind }]
            }
            Target::Template(template, scripts) => {
                let mut state = self.at(&template.version);
                state.replace_tenant(&Schema::empty(&self.platform));
                let files = template.files.iter().enumerate();
                let file = |(index, (script, statements)): (usize, &'a (Script, Vec<_>))| {
                    let of_tenant = statements.iter().map(|statement| (statement, Some(Scope::Tenant)));
                    let replay = state.replay(script, of_tenant);
                    state.clone_from(&replay.after);
                    ReplayedFile { script, replay, kind: Kind::Template(&scripts[..index]) }
                };
                let mut files: Vec<_> = files.map(file).collect();
                // `after_create` files run in a tenant at the latest version.
                let end = self.project.chain.latest();
                for (script, statements) in &template.after_create {
                    let of_tenant = statements.iter().map(|statement| (statement, Some(Scope::Tenant)));
                    let replay = self.at(&end).replay(script, of_tenant);
                    files.push(ReplayedFile {
                        script,
                        replay,
                        kind: Kind::Template(&scripts[..files.len()]),
                    });
                }
                files
            }
        }
    }

    /// Replays the next migration.
    fn step(&mut self) -> Option<ScriptReplay<'a>> {
        let migration = self.project.chain.migrations().get(self.next)?;
        let replay = self.state.replay(&migration.script, migration.scoped());
        self.next += 1;
        self.state.clone_from(&replay.after);
        self.on_version(migration.to());
        Some(replay)
    }

    fn on_version(&mut self, version: &'a Version) {
        // With several templates, the schema of a tenant is unknown.
        if let Some(template) = self.project.only_template()
            && template.version == *version
        {
            self.state.replace_tenant(&tenant_schema(template, &self.platform));
        }
        if let Some(base) = self.base {
            base.apply(version, &mut self.state);
        }
        if self.keep.contains(version) {
            self.kept.insert(version, self.state.clone());
        }
    }

    /// The schemas at `version`; unknown if it is not in the chain.
    fn at(&mut self, version: &Version) -> Schema {
        while !self.kept.contains_key(version) && self.step().is_some() {}
        self.kept.get(version).cloned().unwrap_or_else(|| Schema::unknown(&self.platform))
    }
}

/// The index of the migration in the chain.
fn chain_index(chain: &[Migration], migration: &Migration) -> Option<usize> {
    let at = chain.binary_search_by(|step| step.to().cmp(migration.to())).ok()?;
    (chain[at].file == migration.file).then_some(at)
}

impl Project {
    /// The schemas after the whole chain, with a tenant of the default template.
    pub fn latest_schema(&self) -> Schema {
        let platform = self.settings.platform_schema().as_str().to_owned();
        let chain = self.chain.migrations();
        let template = self.template(None).ok();
        let whole = chain.first().is_some_and(|first| *first.from() == Version::ZERO);
        let shared = self.settings.shared_path();
        let mut state = Schema::of_project(&platform, whole).with_shared_schemas(shared.names());
        let enter = |state: &mut Schema, version: &Version| {
            if let Some(template) = template.filter(|template| template.version == *version) {
                state.replace_tenant(&tenant_schema(template, &platform));
            }
        };
        if let Some(first) = chain.first() {
            enter(&mut state, first.from());
        }
        for migration in chain {
            state = state.replay(&migration.script, migration.scoped()).after;
            enter(&mut state, migration.to());
        }
        state
    }
}

/// The schema that the template creates.
fn tenant_schema(template: &Template, platform: &str) -> Schema {
    let mut state = Schema::empty(platform);
    for (script, statements) in &template.files {
        state.begin_file();
        for statement in statements {
            state.apply(script, statement, Some(Scope::Tenant));
        }
    }
    state
}
