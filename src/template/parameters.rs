//! Template parameters: the `-- Parameter:` lines at the top of its files, and the values that replace `{name}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{AFTER_CREATE, TemplateError};
use crate::chain::ChainError;
use crate::error::{Code, Failure, Place, Source, did_you_mean};
use crate::ident::{Identifier, MAX_IDENTIFIER_BYTES, literal};
use crate::sql::{ParameterKind, ParameterValues, Script, Statement, TemplateParameter, opening_lines};

/// Reserved names: the placeholder of a tenant's schema.
const RESERVED: &[&str] = &["org_schema", "org_role"];

/// The syntax of a line, for messages.
const GRAMMAR: &str = "NAME literal|identifier [= 'DEFAULT' | sample 'TEXT']";

/// A declared parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its name and how it is quoted.
    pub parameter: TemplateParameter,
    /// The value for tenants that set none.
    pub default: Option<String>,
    /// The value for test tenants; by default the parameter's name.
    sample: Option<String>,
    /// Whether the schema may depend on it: it is used in a statement that does not only write rows.
    pub affects_schema: bool,
    /// Whether it is used in the template's own files, not only in `after_create`.
    pub in_schema_files: bool,
    place: Place,
}

/// The parameters of a template, in declaration order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<Declared>);

/// The parameter values of one tenant, including defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoundParameters {
    /// The values by name.
    pub given: BTreeMap<String, String>,
    /// The values as SQL.
    pub values: ParameterValues,
    /// The values on which the schema may depend.
    pub schema_values: BTreeMap<String, String>,
    /// Whether the template's own files get only default values.
    pub is_default: bool,
}

impl Parameters {
    /// Reads the lines at the top of a template's files.
    pub(super) fn read(sources: &[Arc<Source>]) -> Result<Self, Vec<TemplateError>> {
        let (mut all, mut errors) = (Self::default(), Vec::new());
        for source in sources {
            for (range, line) in opening_lines(&source.text) {
                let Some((key, value)) = line.split_once(':') else { continue };
                if !key.trim().eq_ignore_ascii_case("parameter") {
                    continue;
                }
                let place = Place::at(source, range);
                match all.declare(value.trim(), &place) {
                    Ok(declared) => all.0.push(declared),
                    Err(why) => errors.push(ChainError::Header { why, place }.into()),
                }
            }
        }
        if errors.is_empty() { Ok(all) } else { Err(errors) }
    }

    /// One line: `plan literal`, `seats literal = '5'`, `t identifier sample 'accounts'`.
    fn declare(&self, line: &str, place: &Place) -> Result<Declared, String> {
        let grammar = || format!("expected `{GRAMMAR}`");
        let (name, rest) = line.split_once(char::is_whitespace).ok_or_else(grammar)?;
        let rest = rest.trim_start();
        let (kind, rest) = rest.split_at(rest.find([' ', '\t', '=']).unwrap_or(rest.len()));
        let kind = match kind {
            "literal" => ParameterKind::Literal,
            "identifier" => ParameterKind::Identifier,
            other => return Err(format!("a parameter is a literal or an identifier, not {other:?}")),
        };
        let rest = rest.trim();
        let (default, sample) = match (rest.strip_prefix('='), rest.strip_prefix("sample")) {
            (Some(text), _) => (Some(unquoted(text.trim()).ok_or_else(grammar)?), None),
            (None, Some(text)) => (None, Some(unquoted(text.trim()).ok_or_else(grammar)?)),
            (None, None) if rest.is_empty() => (None, None),
            (None, None) => return Err(grammar()),
        };
        let mut letters = name.bytes();
        let is_name = letters.next().is_some_and(|b| b.is_ascii_lowercase())
            && letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && name.len() <= MAX_IDENTIFIER_BYTES;
        if !is_name {
            return Err(format!(
                "{name:?} is not a parameter name: a lower-case letter followed by lower-case letters, digits and _"
            ));
        }
        if RESERVED.contains(&name) {
            return Err(format!("{{{name}}} is the tenant's schema, so a parameter cannot have that name"));
        }
        if self.0.iter().any(|other| other.parameter.name == name) {
            return Err(format!("the parameter {name:?} is declared twice"));
        }
        let parameter = TemplateParameter { name: name.to_owned(), kind };
        for text in default.iter().chain(&sample) {
            let _sql = sql(&parameter, text)?;
        }
        Ok(Declared {
            parameter,
            default,
            sample,
            affects_schema: false,
            in_schema_files: false,
            place: place.clone(),
        })
    }

    /// The declarations for the parser.
    pub(super) fn names(&self) -> Vec<TemplateParameter> {
        self.0.iter().map(|declared| declared.parameter.clone()).collect()
    }

    /// Finds their uses in the template's own files.
    pub(super) fn find_uses(&mut self, files: &[(Script, Vec<Statement>)]) {
        for declared in &mut self.0 {
            let name = &declared.parameter.name;
            let is_used_in = |script: &Script, statement: &Statement| {
                script.uses_in(statement).any(|one| one.name == *name)
            };
            for (script, statements) in files {
                for statement in statements.iter().filter(|statement| is_used_in(script, statement)) {
                    declared.in_schema_files = true;
                    declared.affects_schema |= !statement.only_writes_rows();
                }
            }
        }
    }

    /// An error for the first parameter that is used in none of the scripts.
    pub(super) fn unused(&self, scripts: &[&Script]) -> Option<TemplateError> {
        let unused = self.0.iter().find(|declared| {
            !scripts.iter().any(|script| script.uses.iter().any(|one| one.name == declared.parameter.name))
        })?;
        Some(TemplateError::UnusedParameter {
            name: unused.parameter.name.clone(),
            place: unused.place.clone(),
        })
    }

    /// Iterates over the parameters.
    pub fn iter(&self) -> impl Iterator<Item = &Declared> {
        self.0.iter()
    }

    /// Whether the schema may depend on one of them.
    pub fn affect_schema(&self) -> bool {
        self.0.iter().any(|declared| declared.affects_schema)
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parameters of the template's own files without a default.
    pub fn required(&self) -> Vec<&str> {
        let all = self.0.iter().filter(|declared| declared.in_schema_files && declared.default.is_none());
        all.map(|declared| declared.parameter.name.as_str()).collect()
    }

    /// A value for each parameter, for test tenants.
    pub fn samples(&self) -> BTreeMap<String, String> {
        let sample = |declared: &Declared| {
            let text = declared.default.as_ref().or(declared.sample.as_ref());
            text.unwrap_or(&declared.parameter.name).clone()
        };
        self.0.iter().map(|declared| (declared.parameter.name.clone(), sample(declared))).collect()
    }

    /// Binds the defaults, for a pool schema.
    pub fn defaults(&self) -> BoundParameters {
        let mut bound = BoundParameters { is_default: true, ..BoundParameters::default() };
        for declared in &self.0 {
            // Defaults were validated when they were read.
            if let Some(text) = &declared.default
                && let Ok(sql) = sql(&declared.parameter, text)
            {
                bound.add(declared, text, sql);
            }
        }
        bound
    }

    /// Binds the values of one tenant.
    pub fn bind(&self, given: &BTreeMap<String, String>, template: &str) -> Result<BoundParameters, Failure> {
        let invalid = |message: String| Failure::new(Code::ParameterInvalid, message);
        let names = || self.0.iter().map(|declared| declared.parameter.name.as_str());
        if let Some(unknown) = given.keys().find(|key| !names().any(|name| name == *key)) {
            let failure = invalid(format!("the template {template:?} has no parameter {unknown:?}"));
            let hint = did_you_mean(unknown, names()).unwrap_or_else(|| {
                if self.0.is_empty() {
                    "declare it with a line `-- Parameter: NAME literal` at the top of one of its files"
                        .to_owned()
                } else {
                    format!("its parameters: {}", names().collect::<Vec<_>>().join(", "))
                }
            });
            return Err(failure.hint(hint));
        }
        let mut bound = BoundParameters { is_default: true, ..BoundParameters::default() };
        for declared in &self.0 {
            let name = &declared.parameter.name;
            let Some(text) = given.get(name).or(declared.default.as_ref()) else {
                return Err(invalid(format!("the template {template:?} needs a value for {name:?}"))
                    .hint(format!("use --set {name}=VALUE, or the column set.{name} in a list")));
            };
            let sql = sql(&declared.parameter, text)
                .map_err(|why| invalid(format!("the value of {name:?} is invalid: {why}")))?;
            bound.add(declared, text, sql);
        }
        Ok(bound)
    }

    /// The declarations of the parameters that are used in one of `texts`, except those declared in `after_create`.
    pub(super) fn lines(&self, texts: &[&str]) -> String {
        let used = |declared: &&Declared| {
            let place = format!("{{{}}}", declared.parameter.name);
            let is_of_after = declared.place.file().contains(&format!("/{AFTER_CREATE}/"));
            !is_of_after && texts.iter().any(|text| text.contains(&place))
        };
        let line = |declared: &Declared| {
            let kind = match declared.parameter.kind {
                ParameterKind::Literal => "literal",
                ParameterKind::Identifier => "identifier",
            };
            let quoted = |text: &String| format!("'{}'", text.replace('\'', "''"));
            let value = match (&declared.default, &declared.sample) {
                (Some(text), _) => format!(" = {}", quoted(text)),
                (None, Some(text)) => format!(" sample {}", quoted(text)),
                (None, None) => String::new(),
            };
            format!("-- Parameter: {} {kind}{value}\n", declared.parameter.name)
        };
        self.0.iter().filter(used).map(line).collect()
    }
}

impl BoundParameters {
    fn add(&mut self, declared: &Declared, text: &str, sql: String) {
        let name = &declared.parameter.name;
        self.values.insert(name, sql);
        self.is_default &= !declared.in_schema_files || declared.default.as_deref() == Some(text);
        self.given.insert(name.clone(), text.to_owned());
        if declared.affects_schema {
            self.schema_values.insert(name.clone(), text.to_owned());
        }
    }
}

/// The SQL that replaces a parameter, or why the value is invalid.
fn sql(parameter: &TemplateParameter, text: &str) -> Result<String, String> {
    if text.contains('\0') {
        return Err("it contains a NUL character, which text in PostgreSQL cannot contain".to_owned());
    }
    match parameter.kind {
        ParameterKind::Literal => Ok(literal(text)),
        ParameterKind::Identifier => {
            Identifier::new(text).map(|name| name.quoted()).map_err(|error| error.to_string())
        }
    }
}

/// The content of a string literal such as `'it''s'`; `None` for any other text.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let text = inner.replace("''", "\0");
    (!text.contains('\'')).then(|| text.replace('\0', "'"))
}
