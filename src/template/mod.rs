//! A tenant template: the files of `tenant_templates/<name>/`, run in order of name, that make a
//! tenant's schema at the version their header names. Pure: texts in, statements out.

mod compiled;
mod family;
mod squash;
mod uses;

use std::sync::Arc;

pub use self::compiled::{Compiled, SharedKey};
pub use self::squash::{Dumped, Layout, NewFile};
use crate::chain::{Chain, ChainError, Checksum, Migration, Use, Version, template_line, uses_lines};
use crate::error::{Code, Failure, Place, Source};
use crate::ident::SchemaName;
use crate::sql::{Bookkeeping, FileKind, Known, Scope, Script, Statement};

/// A template, read and checked.
#[derive(Debug, Clone)]
pub struct Template {
    /// The folder's name.
    pub name: String,
    /// The version of the schema that it makes.
    pub version: Version,
    /// Of all files, in order.
    pub checksum: Checksum,
    /// The files, each with what is to be run of it.
    pub files: Vec<(Script, Vec<Statement>)>,
    /// What of the platform a tenant's role may use; each table once.
    pub uses: Vec<Use>,
}

/// Why a folder is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages say")]
pub enum TemplateError {
    /// No file, or no statement in any.
    #[error("the template {name:?} has no statement")]
    Empty { name: String, place: Place },
    /// No `-- Template:` line.
    #[error("no file of the template {name:?} says `-- Template: vX` at its top")]
    NoVersion { name: String, place: Place },
    /// More than one.
    #[error("a template says its version once, and another file already does")]
    TwoVersions { place: Place },
    /// The version is not one of the chain.
    #[error("the template {name:?} is at {version}, which the chain does not know")]
    UnknownVersion { name: String, version: Version, place: Place },
    /// A `-- Uses:` line for what is not the platform's.
    #[error("{table} is not a table or view that the platform's migrations make")]
    NotOfPlatform { table: String, place: Place },
    /// A statement that cannot run in a transaction.
    #[error("a template runs in one transaction, and this statement cannot")]
    NotTransactional { place: Place },
    /// Its headers or SQL.
    #[error(transparent)]
    File(#[from] ChainError),
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Self {
        let message = error.to_string();
        let (code, place, hint) = match error {
            TemplateError::File(error) => return error.into(),
            TemplateError::Empty { place, .. } => {
                (Code::TemplateInvalid, place, "add a file with the tenant's tables")
            }
            TemplateError::NoVersion { place, .. } => (
                Code::HeaderMissing,
                place,
                "add the line, with the version of the schema that the files make",
            ),
            TemplateError::TwoVersions { place } => (Code::HeaderInvalid, place, "keep one of the lines"),
            TemplateError::UnknownVersion { place, .. } => (
                Code::TemplateInvalid,
                place,
                "use the version of the chain whose tenant schema the files make",
            ),
            TemplateError::NotOfPlatform { place, .. } => (
                Code::HeaderInvalid,
                place,
                "a tenant's role may use its own tables anyway; name one of the platform schema, or delete the line",
            ),
            TemplateError::NotTransactional { place } => {
                (Code::TemplateInvalid, place, "leave out CONCURRENTLY: a new schema has nobody to wait for")
            }
        };
        Self::new(code, message).at(place).hint(hint)
    }
}

impl Template {
    /// Reads the template `name` from its files, which are sorted by name here. What is wrong is told all at
    /// once; what can be understood all the same is taught to `known`.
    pub fn read(
        name: &str,
        folder: &str,
        mut sources: Vec<Arc<Source>>,
        platform: &SchemaName,
        known: &mut Known,
    ) -> Result<Self, Vec<TemplateError>> {
        sources.sort_by(|a, b| a.file.cmp(&b.file));
        let whole = || Place::File(folder.to_owned());
        let (mut version, mut uses, mut wrong) = (None, Vec::new(), Vec::new());
        let mut files = Vec::with_capacity(sources.len());
        let mut text = String::new();
        for source in sources {
            text.push_str(&source.text);
            match file(Arc::clone(&source), platform, &mut version) {
                Ok((script, statements, more)) => {
                    files.push((script, statements));
                    uses.extend(more);
                }
                Err(error) => {
                    known.miss(Some(source));
                    wrong.push(error);
                }
            }
        }
        // A file that is wrong may have what is missing.
        if wrong.is_empty() && files.iter().all(|(_, statements)| statements.is_empty()) {
            wrong.push(TemplateError::Empty { name: name.to_owned(), place: whole() });
        }
        for statement in files.iter().flat_map(|(_, statements)| statements) {
            known.learn(statement, Scope::Tenant);
        }
        match version {
            Some(version) if wrong.is_empty() => {
                let (checksum, uses) = (Checksum::of(&text), uses::merged(uses));
                Ok(Self { name: name.to_owned(), version, checksum, files, uses })
            }
            None if wrong.is_empty() => {
                Err(vec![TemplateError::NoVersion { name: name.to_owned(), place: whole() }])
            }
            _ => Err(wrong),
        }
    }

    /// The migrations whose tenant parts bring a schema of this template to `version`, with the range
    /// of the chain that they are; `None` if the template is ahead of `version`.
    pub fn steps_to<'a>(&self, chain: &'a Chain, version: &Version) -> Option<&'a [Migration]> {
        chain.migrations().get(chain.position(&self.version)?..chain.position(version)?)
    }

    /// Checks that the chain knows the template's version.
    pub fn check_against(&self, chain: &Chain) -> Result<(), TemplateError> {
        match chain.position(&self.version) {
            Some(_) => Ok(()),
            None => Err(TemplateError::UnknownVersion {
                name: self.name.clone(),
                version: self.version.clone(),
                place: Place::File(
                    self.files.first().map(|(script, _)| script.source.file.clone()).unwrap_or_default(),
                ),
            }),
        }
    }
}

/// One file, parsed, with what is to be run of it. The template's `version` is filled in where it stands.
fn file(
    source: Arc<Source>,
    platform: &SchemaName,
    version: &mut Option<Version>,
) -> Result<(Script, Vec<Statement>, Vec<Use>), TemplateError> {
    let script = Script::parse(source).map_err(ChainError::from)?;
    if let Some((found, range)) = template_line(&script)?
        && version.replace(found).is_some()
    {
        return Err(TemplateError::TwoVersions { place: Place::at(&script.source, range) });
    }
    let uses = uses_lines(&script, platform)?;
    let books = Bookkeeping { platform: platform.as_str(), file: FileKind::Template };
    let body = books.body(&script, |_| Some(Scope::Tenant)).map_err(ChainError::from)?;
    match body.statements.iter().find(|statement| !statement.transactional) {
        Some(alone) => Err(TemplateError::NotTransactional { place: script.place(alone) }),
        None => Ok((script, body.statements, uses)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Template, TemplateError> {
        let platform = SchemaName::existing("datalinx_platform").unwrap();
        let sources = files.iter().map(|(name, text)| Source::new(*name, *text)).collect();
        let folder = "tenant_templates/default";
        Template::read("default", folder, sources, &platform, &mut Known::default())
            .map_err(|errors| errors.into_iter().next().unwrap())
    }

    #[test]
    fn files_run_in_order_of_name() {
        let template = read(&[
            ("b.sql", "CREATE TABLE b (id int)"),
            ("a.sql", "-- Template: v1.0.0\nCREATE SCHEMA {org_schema}; CREATE TABLE a (id int)"),
        ])
        .unwrap();
        let texts: Vec<_> =
            template.files.iter().flat_map(|(script, all)| all.iter().map(|s| script.text(s))).collect();
        assert_eq!(texts, ["CREATE TABLE a (id int)", "CREATE TABLE b (id int)"]);
        assert_eq!(template.version.to_string(), "1.0.0");
    }

    #[test]
    fn what_is_no_template_is_refused() {
        assert!(matches!(read(&[("a.sql", "SELECT 1")]), Err(TemplateError::NoVersion { .. })));
        assert!(matches!(read(&[("a.sql", "-- Template: v1.0.0")]), Err(TemplateError::Empty { .. })));
        assert!(matches!(read(&[]), Err(TemplateError::Empty { .. })));
        assert!(matches!(read(&[("a.sql", "-- Template: one\nSELECT 1")]), Err(TemplateError::File(_))));
        let twice = [("a.sql", "-- Template: v1.0.0\nSELECT 1"), ("b.sql", "-- Template: v1.0.0\nSELECT 1")];
        assert!(matches!(read(&twice), Err(TemplateError::TwoVersions { .. })));
        let twice = [("a.sql", "-- Template: v1.0.0\n-- Template: v1.0.0\nSELECT 1")];
        assert!(matches!(read(&twice), Err(TemplateError::File(_))));
        let concurrent = [("a.sql", "-- Template: v1.0.0\nCREATE INDEX CONCURRENTLY i ON t (c)")];
        assert!(matches!(read(&concurrent), Err(TemplateError::NotTransactional { .. })));
    }
}
