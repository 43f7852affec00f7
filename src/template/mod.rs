//! Tenant templates: the files of `tenant_templates/<name>/`, which create a tenant's schema at one version, in the order
//! of their names. Parsing, parameters, compilation with later migrations, and squashing are here.
//! No file or database access belongs here.

mod compiled;
mod family;
mod parameters;
mod result;
mod squash;
pub mod text;
mod uses;

pub use self::result::{Checked, CheckedTemplate, Proof, SharedKeyJson, Squashed};
use std::sync::Arc;

pub use self::compiled::{Compiled, SharedKey};
pub use self::parameters::{BoundParameters, Declared, Parameters};
pub use self::squash::{Layout, NewFile, SchemaDump};
use crate::chain::{Chain, ChainError, Checksum, Migration, TableUse, Version, template_line, uses_lines};
use crate::error::{Code, Failure, Place, Source};
use crate::ident::SchemaName;
use crate::sql::{
    FileKind, MetadataFilter, Scope, ScopedNames, Script, Statement, TemplateParameter, TenantObjects,
    expect_in_order,
};

/// The folder of the templates in a project.
pub const TEMPLATES: &str = "tenant_templates";

/// A parsed and checked template.
#[derive(Debug, Clone)]
pub struct Template {
    /// The folder's name.
    pub name: String,
    /// The version of the schema that it creates.
    pub version: Version,
    /// The checksum of all files, in order.
    pub checksum: Checksum,
    /// The files, each with the statements to run.
    pub files: Vec<(Script, Vec<Statement>)>,
    /// The files of the folder [`AFTER_CREATE`], which run last in a new tenant.
    pub after_create: Vec<(Script, Vec<Statement>)>,
    /// Its parameters.
    pub parameters: Parameters,
    /// The platform tables that a tenant's role may use, without duplicates.
    pub uses: Vec<TableUse>,
}

/// The subfolder of a template with the files that run last in a new tenant.
pub const AFTER_CREATE: &str = "after_create";

/// Why a template is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages explain the fields")]
pub enum TemplateError {
    /// No file, or no statement in any.
    #[error("the template {name:?} contains no statement")]
    Empty { name: String, place: Place },
    /// No `-- Template:` line.
    #[error("no file of the template {name:?} has a line `-- Template: vX` at its top")]
    NoVersion { name: String, place: Place },
    /// More than one `-- Template:` line.
    #[error("a template has only one version line, and another file already has it")]
    TwoVersions { place: Place },
    /// The version is not one of the chain.
    #[error("the template {name:?} is at {version}, which is not in the chain")]
    UnknownVersion { name: String, version: Version, place: Place },
    /// A `-- Uses:` line for an object that is not in the platform.
    #[error("the platform's migrations create no table or view {table}")]
    NotOfPlatform { table: String, place: Place },
    /// A statement that cannot run in a transaction.
    #[error("a template runs in one transaction, and this statement cannot")]
    NotTransactional { place: Place },
    /// A parameter without a use.
    #[error("the parameter {name:?} is declared but not used in the template")]
    UnusedParameter { name: String, place: Place },
    /// A statement in `after_create` that may change the schema.
    #[error("files in after_create may only write rows, but {statement} changes the schema")]
    NotOnlyRows { statement: String, place: Place },
    /// An error in its headers or SQL.
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
                "add the line with the version of the schema that the files create",
            ),
            TemplateError::TwoVersions { place } => (Code::HeaderInvalid, place, "keep one of the lines"),
            TemplateError::UnknownVersion { place, .. } => {
                (Code::TemplateInvalid, place, "use the version of the chain that the files correspond to")
            }
            TemplateError::NotOfPlatform { place, .. } => (
                Code::HeaderInvalid,
                place,
                "remove the line, or use a table of the platform schema; a tenant's role may always use its own tables",
            ),
            TemplateError::NotTransactional { place } => {
                (Code::TemplateInvalid, place, "remove CONCURRENTLY: a new schema has no concurrent users")
            }
            TemplateError::UnusedParameter { place, .. } => (
                Code::TemplateInvalid,
                place,
                "remove the line, or use the parameter: write its name in braces",
            ),
            TemplateError::NotOnlyRows { place, .. } => {
                (Code::TemplateInvalid, place, "move the statement into a file of the template itself")
            }
        };
        Self::new(code, message).at(place).hint(hint)
    }
}

impl Template {
    /// Its files, in order, then those of `after_create`.
    pub fn scripts(&self) -> impl Iterator<Item = &Script> {
        self.files.iter().chain(&self.after_create).map(|(script, _)| script)
    }

    /// The same, to change them.
    pub fn scripts_mut(&mut self) -> impl Iterator<Item = &mut Script> {
        self.files.iter_mut().chain(&mut self.after_create).map(|(script, _)| script)
    }

    /// Reads the template `name` from its files, sorted by name, and returns all errors. The names that valid files create
    /// are added to `known`.
    pub fn read(
        name: &str,
        folder: &str,
        mut sources: Vec<Arc<Source>>,
        platform: &SchemaName,
        known: &mut ScopedNames,
    ) -> Result<Self, Vec<TemplateError>> {
        sources.sort_by(|a, b| a.file.cmp(&b.file));
        let whole = || Place::File(folder.to_owned());
        let parameters = Parameters::read(&sources);
        let (mut version, mut uses, mut errors) = (None, Vec::new(), Vec::new());
        let (mut files, mut after_create) = (Vec::with_capacity(sources.len()), Vec::new());
        let mut text = String::new();
        let names = parameters.as_ref().map(Parameters::names).unwrap_or_default();
        let after = format!("{folder}/{AFTER_CREATE}/");
        for source in sources {
            text.push_str(&source.text);
            let is_after = source.file.starts_with(&after);
            match file(Arc::clone(&source), platform, &mut version, &names) {
                Ok((script, statements, more)) => {
                    uses.extend(more);
                    let read = (script, statements);
                    if is_after {
                        errors.extend(first_not_writing_rows(&read));
                        after_create.push(read);
                    } else {
                        files.push(read);
                    }
                }
                // If the declarations are invalid, the meaning of braces is unknown.
                Err(_) if parameters.is_err() => known.add_unreadable(Some(source)),
                Err(error) => {
                    known.add_unreadable(Some(source));
                    errors.push(error);
                }
            }
        }
        let mut parameters = parameters.unwrap_or_else(|more| {
            errors.extend(more);
            Parameters::default()
        });
        // A file with errors may contain the statements.
        if errors.is_empty() && files.iter().all(|(_, statements)| statements.is_empty()) {
            errors.push(TemplateError::Empty { name: name.to_owned(), place: whole() });
        }
        if errors.is_empty() {
            let scripts: Vec<&Script> = files.iter().chain(&after_create).map(|(script, _)| script).collect();
            errors.extend(parameters.unused(&scripts));
        }
        for statement in files.iter_mut().flat_map(|(_, statements)| statements) {
            known.apply(statement, Scope::Tenant);
        }
        known.end_of_file();
        let mut in_order: Vec<_> = files
            .iter_mut()
            .flat_map(|(script, statements)| {
                let script = &*script;
                statements.iter_mut().map(move |statement| {
                    let text = script.text(statement);
                    (statement, text)
                })
            })
            .collect();
        expect_in_order(&mut in_order);
        parameters.find_uses(&files);
        match version {
            Some(version) if errors.is_empty() => {
                let (name, checksum, uses) = (name.to_owned(), Checksum::of(&text), uses::merge(uses));
                Ok(Self { name, version, checksum, files, after_create, parameters, uses })
            }
            None if errors.is_empty() => {
                Err(vec![TemplateError::NoVersion { name: name.to_owned(), place: whole() }])
            }
            _ => Err(errors),
        }
    }

    /// The objects that its files create in a tenant's schema.
    pub fn objects(&self) -> TenantObjects {
        let mut objects = TenantObjects::default();
        for (script, statements) in &self.files {
            for statement in statements {
                objects.apply(statement, script.text(statement));
            }
        }
        objects
    }

    /// The migrations whose tenant parts migrate a schema of this template to `version`; `None` if the template is ahead of
    /// `version`.
    pub fn steps_to<'a>(&self, chain: &'a Chain, version: &Version) -> Option<&'a [Migration]> {
        chain.migrations().get(chain.position(&self.version)?..chain.position(version)?)
    }

    /// Checks that the template's version is in the chain.
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

/// Parses a file and returns its statements to run. Sets `version` if the file has the version line.
fn file(
    source: Arc<Source>,
    platform: &SchemaName,
    version: &mut Option<Version>,
    parameters: &[TemplateParameter],
) -> Result<(Script, Vec<Statement>, Vec<TableUse>), TemplateError> {
    let script = Script::parse_with(source, parameters).map_err(ChainError::from)?;
    if let Some((found, range)) = template_line(&script)?
        && version.replace(found).is_some()
    {
        return Err(TemplateError::TwoVersions { place: Place::at(&script.source, range) });
    }
    let uses = uses_lines(&script, platform)?;
    let filter = MetadataFilter { platform: platform.as_str(), file: FileKind::Template };
    let body = filter.body(&script, |_| Some(Scope::Tenant)).map_err(ChainError::from)?;
    match body.statements.iter().find(|statement| !statement.transactional) {
        Some(statement) => Err(TemplateError::NotTransactional { place: script.place(statement) }),
        None => Ok((script, body.statements, uses)),
    }
}

/// The first statement of a file that changes the schema. User code is not checked.
fn first_not_writing_rows((script, statements): &(Script, Vec<Statement>)) -> Option<TemplateError> {
    let other = statements.iter().find(|statement| !statement.leaves_schema_unchanged())?;
    Some(TemplateError::NotOnlyRows { statement: other.verb(), place: script.place(other) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Template, TemplateError> {
        let platform = SchemaName::existing("datalinx_platform").unwrap();
        let sources = files.iter().map(|(name, text)| Source::new(*name, *text)).collect();
        let folder = "tenant_templates/default";
        Template::read("default", folder, sources, &platform, &mut ScopedNames::default())
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
    fn invalid_templates_are_errors() {
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

    #[test]
    fn parameters_are_declared_at_the_top_and_valid_in_every_file() {
        let template = read(&[
            ("a.sql", "-- Template: v1.0.0\n-- Parameter: plan literal\n-- parameter: seats literal='it''s'\nSELECT 1"),
            (
                "b.sql",
                "-- Parameter: t identifier sample 'accounts'\nINSERT INTO a VALUES ({plan}); CREATE TABLE {t} (a text DEFAULT {seats})",
            ),
        ])
        .unwrap();
        let of = |declared: &Declared| {
            (declared.parameter.name.clone(), declared.affects_schema, declared.default.clone())
        };
        let all: Vec<_> = template.parameters.iter().map(of).collect();
        let parameter =
            |name: &str, shapes, default: Option<&str>| (name.to_owned(), shapes, default.map(str::to_owned));
        assert_eq!(
            all,
            [
                parameter("plan", false, None),
                parameter("seats", true, Some("it's")),
                parameter("t", true, None)
            ]
        );
        let samples: Vec<_> = template.parameters.samples().into_values().collect();
        assert_eq!(samples, ["plan", "it's", "accounts"]);
        assert_eq!(template.parameters.required(), ["plan", "t"]);
    }

    #[test]
    fn an_invalid_declaration_is_an_error() {
        for line in [
            "plan",
            "plan text",
            "plan literal '5'",
            "plan literal = 5",
            "plan literal = 'a'b'",
            "plan literal = 'a' sample 'b'",
            "Plan literal",
            "org_schema literal",
            "plan identifier = ''",
            "plan literal\n-- Parameter: plan literal",
        ] {
            let text = format!("-- Template: v1.0.0\n-- Parameter: {line}\nSELECT {{plan}}");
            assert!(
                matches!(read(&[("a.sql", &text)]), Err(TemplateError::File(ChainError::Header { .. }))),
                "{line}"
            );
        }
        let unused = read(&[(
            "a.sql",
            "-- Template: v1.0.0\n-- Parameter: plan literal\nSELECT '{\"plan\": 1}' -- {plan}",
        )]);
        assert!(matches!(unused, Err(TemplateError::UnusedParameter { .. })));
        let late =
            read(&[("a.sql", "-- Template: v1.0.0\nSELECT 1;\n-- Parameter: plan literal\nSELECT {plan}")]);
        assert!(matches!(late, Err(TemplateError::File(_))));
    }

    #[test]
    fn values_are_quoted_by_their_kind_or_an_error() {
        let template = read(&[(
            "a.sql",
            "-- Template: v1.0.0\n-- Parameter: plan literal = 'free'\n-- Parameter: t identifier\nCREATE TABLE {t} (a text DEFAULT {plan})",
        )])
        .unwrap();
        let bind = |given: &[(&str, &str)]| {
            let given = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            template.parameters.bind(&given, "default")
        };
        assert!(!bind(&[("t", "a\"; DROP TABLE b; --")]).unwrap().is_default);
        let long = "x".repeat(64);
        for (given, says, hint) in [
            (vec![], "needs a value for \"t\"", "--set t=VALUE"),
            (vec![("t", "a"), ("pan", "b")], "has no parameter \"pan\"", "did you mean plan?"),
            (vec![("t", "a"), ("xyz", "b")], "has no parameter \"xyz\"", "its parameters: plan, t"),
            (vec![("t", "a"), ("plan", "a\0b")], "contains a NUL", ""),
            (vec![("t", "")], "is not an identifier", ""),
            (vec![("t", long.as_str())], "longer than 63 bytes", ""),
        ] {
            let failure = bind(&given).unwrap_err();
            assert_eq!(failure.code, Code::ParameterInvalid);
            assert!(failure.message.contains(says), "{failure}");
            assert!(failure.hint.unwrap_or_default().contains(hint), "{says}");
        }
    }

    #[test]
    fn after_create_files_only_write_rows() {
        let with = |sql: &str| {
            read(&[
                ("t/a.sql", "-- Template: v1.0.0\nCREATE TABLE a (id int)"),
                ("tenant_templates/default/after_create/1.sql", sql),
            ])
        };
        let template = with("INSERT INTO a VALUES (1); SELECT f(); DO $$ BEGIN END $$;").unwrap();
        assert_eq!((template.files.len(), template.after_create.len()), (1, 1));
        for sql in
            ["CREATE TABLE b (id int)", "ALTER TABLE a ADD c int", "GRANT SELECT ON a TO r", "TRUNCATE a"]
        {
            assert!(matches!(with(sql), Err(TemplateError::NotOnlyRows { .. })), "{sql}");
        }
    }
}
