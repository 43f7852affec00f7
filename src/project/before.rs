//! The schemas as they are before each file of a project: the platform's by the chain, the tenant's by the
//! template and then the chain.

use std::collections::{BTreeMap, BTreeSet};

use super::Project;
use crate::chain::{Migration, Version};
use crate::sql::Scope;
use crate::template::Template;
use crate::verify::Schema;

/// The state of the schemas at some versions.
pub(super) struct Before {
    platform: String,
    at: BTreeMap<Version, Schema>,
}

impl Before {
    /// Follows the chain of `project`, and keeps the states that the files of `wanted` begin from.
    pub(super) fn of(project: &Project, wanted: &[&Migration], templates: &[&Template]) -> Self {
        let platform = project.settings.platform_schema().as_str().to_owned();
        let versions: BTreeSet<&Version> = wanted
            .iter()
            .map(|migration| migration.from())
            .chain(templates.iter().map(|template| &template.version))
            .collect();
        // What nobody asks for is not worth the walk.
        let chain = if versions.is_empty() { &[] } else { project.chain.migrations() };
        let whole = chain.first().is_some_and(|first| *first.from() == Version::ZERO);
        let mut state = Schema::of_project(&platform, whole);
        let mut at = BTreeMap::new();
        let ends = chain.last().map(Migration::to);
        let steps = chain.iter().map(|migration| (migration.from(), Some(migration)));
        for (version, migration) in steps.chain(ends.map(|version| (version, None))) {
            // Tenants of several templates differ, and nobody knows in what.
            if let [template] = project.templates.values().collect::<Vec<_>>().as_slice()
                && template.version == *version
            {
                state.adopt_tenant(&tenant_of(template, &platform));
            }
            if versions.contains(version) {
                at.insert(version.clone(), state.clone());
            }
            let Some(migration) = migration else { continue };
            state.begin_file();
            for (statement, scope) in &migration.statements {
                state.learn(&migration.script, statement, Some(*scope));
            }
        }
        Self { platform, at }
    }

    /// What a migration meets.
    pub(super) fn migration(&self, migration: &Migration) -> Schema {
        self.at.get(migration.from()).cloned().unwrap_or_else(|| Schema::unknown(&self.platform))
    }

    /// What the first file of a template meets: the platform as it is then, and an empty schema.
    pub(super) fn template(&self, template: &Template) -> Schema {
        let there = self.at.get(&template.version).cloned();
        let mut state = there.unwrap_or_else(|| Schema::unknown(&self.platform));
        state.adopt_tenant(&Schema::empty(&self.platform));
        state
    }
}

/// What the template makes.
fn tenant_of(template: &Template, platform: &str) -> Schema {
    let mut state = Schema::empty(platform);
    for (script, statements) in &template.files {
        state.begin_file();
        for statement in statements {
            state.learn(script, statement, Some(Scope::Tenant));
        }
    }
    state
}
