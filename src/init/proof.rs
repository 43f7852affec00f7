//! Proves the files: a fresh database that they create is compared with the given one. It is on a throwaway server of the same major
//! version.

use super::baseline::Filtered;
use super::existing::Existing;
use crate::chain::Version;
use crate::drift::{self, Drifted};
use crate::error::{Code, Failure, Source};
use crate::executor::RetryPolicy;
use crate::ident::SchemaName;
use crate::migrate;
use crate::postgres::Connection;
use crate::postgres::catalog::{
    self, Change, Fingerprint, Kind, ObjectKey, SchemaDifference, SchemaSnapshot,
};
use crate::postgres::server::{Binaries, Environment};
use crate::project::{Project, TEMPLATES};
use crate::shadow::{MissingExtension, Shadow, ShadowRequest, is_own};
use crate::sql::{STAND_IN, ScopedNames};
use crate::template::{NewFile, Template};
use crate::tenant;

/// The command in the run's row on the throwaway server.
const COMMAND: &str = "tenure init";

/// The files of a template, and the schema that they create.
pub(super) struct ProvedTemplate {
    pub(super) files: Vec<NewFile>,
    expected: (Fingerprint, SchemaSnapshot),
    /// The differences between that schema and the one that the files were written from.
    pub(super) differences: Vec<SchemaDifference>,
}

/// A fresh database with the platform that the files create.
pub(super) struct FreshDatabase {
    shadow: Shadow,
}

impl FreshDatabase {
    /// Creates it by running the chain up to `version`.
    pub(super) async fn create(
        project: &Project,
        existing: &Existing,
        version: &Version,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let binaries = Binaries::find_major(environment, existing.major)?;
        let environment = Environment { bindir: Some(binaries.folder().to_owned()), ..environment.clone() };
        let extensions = existing.server_objects.extension_names();
        let request = ShadowRequest {
            url: None,
            extensions: &extensions,
            missing: MissingExtension::Ignored,
            environment: &environment,
        };
        let mut shadow = Box::pin(Shadow::for_chain(project, request)).await?;
        existing.server_objects.create(&mut shadow, &[]).await?;
        let how = (version, RetryPolicy { retries: 0 });
        let failed =
            migrate::replay_on_throwaway_database(&mut shadow.connection, project, how, COMMAND).await?;
        match failed {
            Some(failure) => {
                shadow.close().await?;
                Err(Failure {
                    code: Code::FilesDiffer,
                    message: format!("the files were written, but on an empty database {}", failure.message),
                    ..failure
                }
                .hint("mend the files; `tenure verify --shadow` runs them on an empty database again"))
            }
            None => Ok(Self { shadow }),
        }
    }

    /// Tries the variants of a template in order. Returns the first that creates a schema like `source`, or else the one with the
    /// fewest differences.
    pub(super) async fn choose(
        &mut self,
        project: &Project,
        name: &str,
        (variants, filtered): (Vec<Vec<NewFile>>, &Filtered),
        source: (&SchemaName, &SchemaSnapshot),
    ) -> Result<ProvedTemplate, (Failure, Vec<NewFile>)> {
        let mut best: Option<ProvedTemplate> = None;
        let mut first: Option<(Failure, Vec<NewFile>)> = None;
        for files in variants {
            match self.try_one(project, (name, &files, filtered), source).await {
                Ok((expected, differences)) => {
                    let is_equal = differences.is_empty();
                    if best.as_ref().is_none_or(|best| differences.len() < best.differences.len()) {
                        best = Some(ProvedTemplate { files, expected, differences });
                    }
                    if is_equal {
                        break;
                    }
                }
                Err(failure) => first = first.or(Some((failure, files))),
            }
        }
        match (best, first) {
            (Some(best), _) => Ok(best),
            (None, Some(first)) => Err(first),
            (None, None) => {
                Err((Failure::new(Code::TemplateInvalid, "the schema has no objects"), Vec::new()))
            }
        }
    }

    async fn try_one(
        &mut self,
        project: &Project,
        (name, files, filtered): (&str, &[NewFile], &Filtered),
        (schema, source): (&SchemaName, &SchemaSnapshot),
    ) -> Result<((Fingerprint, SchemaSnapshot), Vec<SchemaDifference>), Failure> {
        let template = read(project, name, files)?;
        let connection = &mut self.shadow.connection;
        let at = (&template, &template.version);
        let made = tenant::expected_schema(connection, project, at).await;
        if made.is_err() {
            // The statement after a failed one would be part of its transaction.
            let _rolled_back = connection.run("ROLLBACK").await;
        }
        let expected = made?;
        let without = |snapshot: &SchemaSnapshot| snapshot.clone().without(|key| key.kind == Kind::Extension);
        let names = [schema];
        let mut changes = Change::between_tenants(&without(&expected.1), &without(source), &names);
        changes.retain(|change| !filtered.explains(STAND_IN, change));
        Ok((expected, lines(schema, changes)))
    }

    /// The differences of the shared schemas in the given database.
    pub(super) async fn shared_differences(
        &mut self,
        connection: &mut Connection,
        existing: &Existing,
        filtered: &Filtered,
    ) -> Result<Vec<SchemaDifference>, Failure> {
        let mut found = Vec::new();
        for schema in &existing.shared {
            let own = |key: &ObjectKey| key.kind == Kind::Extension || is_own(key);
            let expected = catalog::snapshot(&mut self.shadow.connection, schema).await?.without(own);
            let seen = catalog::snapshot(connection, schema).await?.without(own);
            let mut changes = Change::between(&expected, &seen);
            changes.retain(|change| !filtered.explains(schema.as_str(), change));
            found.extend(lines(schema, changes));
        }
        Ok(found)
    }

    pub(super) async fn close(self) -> Result<(), Failure> {
        self.shadow.close().await
    }
}

impl ProvedTemplate {
    /// Compares all tenants with the schema that the template creates.
    pub(super) async fn compare(
        &self,
        connection: &mut Connection,
        existing: &Existing,
        (version, template): (&Version, &str),
    ) -> Result<Drifted, Failure> {
        drift::compare_as(connection, (version, template), &existing.tenants, self.expected.clone()).await
    }
}

/// The differences in definitions, a line each.
fn lines(schema: &SchemaName, changes: Vec<Change>) -> Vec<SchemaDifference> {
    let changes = changes.into_iter().filter(|change| !change.is_access());
    changes
        .map(|change| SchemaDifference {
            schema: schema.clone(),
            object: change.object.to_string(),
            change: change.line(),
        })
        .collect()
}

/// The template of files that may not be on disk yet.
pub(super) fn read(project: &Project, name: &str, files: &[NewFile]) -> Result<Template, Failure> {
    let folder = format!("{TEMPLATES}/{name}");
    let sources =
        files.iter().map(|(file, text)| Source::new(format!("{folder}/{file}"), text.as_str())).collect();
    let platform = project.settings.platform_schema();
    Template::read(name, &folder, sources, &platform, &mut ScopedNames::default()).map_err(|errors| {
        let first = errors.into_iter().next().map(Failure::from);
        first.unwrap_or_else(|| Failure::new(Code::TemplateInvalid, "the template cannot be read"))
    })
}
