//! The catalog of a real database as the base of a verification: which files it has applied, and its schemas as the model before
//! the others.

use std::collections::HashSet;
use std::ops::Range;

use super::Project;
use crate::chain::{Migration, Version};
use crate::error::{Failure, Place};
use crate::sql::{Scope, Statement};
use crate::verify::{DatabaseCatalog, Finding, RuleId, Schema, is_plain_row_write};

/// The base.
#[derive(Debug, Clone)]
pub struct Base {
    /// The platform's version, and the model of its schema and of those that are not a tenant's.
    platform: (Version, Schema),
    /// The versions of the tenants, and the model of the schema that most of them share.
    tenants: Vec<(Version, Option<Schema>)>,
    estimates: Vec<EstimatedRows>,
}

/// A statement that changes rows, and in words how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EstimatedRows {
    /// Its file.
    pub file: String,
    /// Its bytes in the file.
    pub range: Range<usize>,
    /// `about 12 rows of the platform`.
    pub rows: String,
}

/// A pending DELETE or UPDATE.
#[derive(Debug, Clone)]
pub struct PendingWrite<'a> {
    /// The migration.
    pub migration: &'a Migration,
    /// The statement.
    pub statement: &'a Statement,
    /// Where it runs.
    pub scope: Scope,
}

impl Base {
    /// The base of `catalog`. Fails if a version is not in the chain.
    pub fn of(project: &Project, catalog: &DatabaseCatalog) -> Result<Self, Failure> {
        project.chain.find_platform(&catalog.version)?;
        let platform = project.settings.platform_schema();
        let shared = project.settings.shared_path();
        let mut tenants = Vec::new();
        for tenant in &catalog.tenants {
            project.chain.find_tenant(&tenant.version, "of a tenant")?;
            let schema =
                tenant.schema.as_ref().map(|schema| catalog.tenant_schema(platform.as_str(), schema));
            tenants.push((tenant.version.clone(), schema));
        }
        let schema = catalog.platform_schema(platform.as_str()).with_shared_schemas(shared.names());
        Ok(Self { platform: (catalog.version.clone(), schema), tenants, estimates: Vec::new() })
    }

    /// The model for a file outside of the chain: with the schema of the tenants at the highest version.
    pub(super) fn model(&self) -> Schema {
        let mut model = self.platform.1.clone();
        match self.tenants.iter().max_by_key(|(version, _)| version.clone()) {
            Some((_, Some(schema))) => model.take_tenant(schema),
            _ => model.forget_tenant(),
        }
        model
    }

    /// The files that are not applied to the whole database: pending migrations, reverse files and templates.
    pub fn pending(&self, project: &Project) -> HashSet<String> {
        let chain = project.chain.migrations().iter();
        let applied = chain.filter(|migration| self.has_applied(migration));
        let applied: HashSet<&str> = applied.map(|migration| migration.script.source.file.as_str()).collect();
        let all = project.scripts().map(|script| script.source.file.clone());
        all.filter(|file| !applied.contains(file.as_str())).collect()
    }

    fn has_applied(&self, migration: &Migration) -> bool {
        let versions = self.tenants.iter().map(|(version, _)| version).chain([&self.platform.0]);
        versions.min().is_some_and(|lowest| migration.to() <= lowest)
    }

    /// Applies the base to the model of the chain at `version`.
    pub(super) fn apply(&self, version: &Version, state: &mut Schema) {
        if self.platform.0 == *version {
            let with_tenant = self.tenants.iter().any(|(own, schema)| own == version && schema.is_some());
            state.take_platform(&self.platform.1, with_tenant);
        }
        for (_, schema) in self.tenants.iter().filter(|(own, _)| own == version) {
            if let Some(schema) = schema {
                state.take_tenant(schema);
            }
        }
    }

    /// The pending statements of migrations that delete or update rows and call no functions of users, which the planner might
    /// execute.
    pub fn pending_writes<'a>(&self, project: &'a Project) -> Vec<PendingWrite<'a>> {
        let pending = project.chain.migrations().iter().filter(|migration| !self.has_applied(migration));
        let writes = pending.flat_map(|migration| {
            migration.scoped().filter_map(move |(statement, scope)| Some((migration, statement, scope?)))
        });
        writes
            .filter(|(migration, _, scope)| *scope == Scope::Tenant || *migration.to() > self.platform.0)
            .filter(|(migration, statement, _)| {
                // Whatever the server reads as a string, it is one statement.
                let text = &migration.script.source.text[statement.range.clone()];
                is_plain_row_write(statement) && !text.contains(';')
            })
            .map(|(migration, statement, scope)| PendingWrite { migration, statement, scope })
            .collect()
    }

    /// Adds what the planner estimates.
    #[must_use]
    pub fn with_estimates(mut self, estimates: Vec<EstimatedRows>) -> Self {
        self.estimates = estimates;
        self
    }

    /// Adds the number of rows to a finding about rows.
    pub(super) fn add_rows(&self, finding: &mut Finding) {
        const ROWS: [RuleId; 4] = [
            RuleId::DeleteRows,
            RuleId::DeleteWithoutWhere,
            RuleId::OverwriteRows,
            RuleId::UpdateWithoutWhere,
        ];
        let Some(Place::Span(source, range)) = finding.place().filter(|_| ROWS.contains(&finding.rule))
        else {
            return;
        };
        let found = self.estimates.iter().find(|estimate| {
            estimate.file == source.file
                && estimate.range.start <= range.start
                && range.end <= estimate.range.end
        });
        if let Some(found) = found {
            finding.message = format!("{}; the planner estimates {}", finding.message, found.rows);
        }
    }
}
