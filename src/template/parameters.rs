//! What a template asks of each tenant: the `-- Parameter:` lines at the top of its files, and the values that
//! take the place of `{name}` in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{AFTER_CREATE, TemplateError};
use crate::chain::ChainError;
use crate::error::{Code, Failure, Place, Source, nearest};
use crate::ident::{Identifier, MAX_IDENTIFIER_BYTES, literal};
use crate::sql::{ParameterKind, ParameterValues, Script, Statement, TemplateParameter, opening_lines};

/// Names that say something else already: the placeholder of a tenant's schema.
const RESERVED: &[&str] = &["org_schema"];

/// What a line looks like, for the hint.
const GRAMMAR: &str = "NAME literal|identifier [= 'DEFAULT' | sample 'TEXT']";

/// One parameter of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its name and how it is quoted.
    pub parameter: TemplateParameter,
    /// The value of a tenant that brings none.
    pub default: Option<String>,
    /// What stands there where the template is only tried; the name itself where nothing is said.
    sample: Option<String>,
    /// Whether the schema's shape may depend on it: it stands in a statement that does more than write rows.
    pub affects_schema: bool,
    /// Whether it stands in what makes the schema, rather than only in what is run after that.
    pub in_schema_files: bool,
    place: Place,
}

/// The parameters of a template, in the order in which they are declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<Declared>);

/// The values that one tenant brings, with the defaults for the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoundParameters {
    /// As they were given, by name.
    pub given: BTreeMap<String, String>,
    /// As SQL.
    pub values: ParameterValues,
    /// Those that the schema's shape may depend on.
    pub schema_values: BTreeMap<String, String>,
    /// Whether what makes the schema has only defaults in it.
    pub is_default: bool,
}

impl Parameters {
    /// Reads the lines at the top of a template's files.
    pub(super) fn read(sources: &[Arc<Source>]) -> Result<Self, Vec<TemplateError>> {
        let (mut all, mut wrong) = (Self::default(), Vec::new());
        for source in sources {
            for (range, line) in opening_lines(&source.text) {
                let Some((key, value)) = line.split_once(':') else { continue };
                if !key.trim().eq_ignore_ascii_case("parameter") {
                    continue;
                }
                let place = Place::at(source, range);
                match all.declare(value.trim(), &place) {
                    Ok(declared) => all.0.push(declared),
                    Err(why) => wrong.push(ChainError::Header { why, place }.into()),
                }
            }
        }
        if wrong.is_empty() { Ok(all) } else { Err(wrong) }
    }

    /// One line: `plan literal`, `seats literal = '5'`, `t identifier sample 'accounts'`.
    fn declare(&self, line: &str, place: &Place) -> Result<Declared, String> {
        let grammar = || format!("it is not `{GRAMMAR}`");
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
                "{name:?} is no name for a parameter: a lower-case letter, then lower-case letters, digits and _"
            ));
        }
        if RESERVED.contains(&name) {
            return Err(format!("{{{name}}} stands for the tenant's schema, so no parameter has that name"));
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

    /// As the parser wants them.
    pub(super) fn names(&self) -> Vec<TemplateParameter> {
        self.0.iter().map(|declared| declared.parameter.clone()).collect()
    }

    /// Learns where they stand in the files that make the schema.
    pub(super) fn find_uses(&mut self, files: &[(Script, Vec<Statement>)]) {
        for declared in &mut self.0 {
            let name = &declared.parameter.name;
            let stands_in = |script: &Script, statement: &Statement| {
                script.uses_in(statement).any(|one| one.name == *name)
            };
            for (script, statements) in files {
                for statement in statements.iter().filter(|statement| stands_in(script, statement)) {
                    declared.in_schema_files = true;
                    declared.affects_schema |= !statement.only_writes_rows();
                }
            }
        }
    }

    /// One that stands in none of the scripts.
    pub(super) fn unused(&self, scripts: &[&Script]) -> Option<TemplateError> {
        let unused = self.0.iter().find(|declared| {
            !scripts.iter().any(|script| script.uses.iter().any(|one| one.name == declared.parameter.name))
        })?;
        Some(TemplateError::UnusedParameter {
            name: unused.parameter.name.clone(),
            place: unused.place.clone(),
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Declared> {
        self.0.iter()
    }

    /// Whether a schema's shape may depend on one of them.
    pub fn affect_schema(&self) -> bool {
        self.0.iter().any(|declared| declared.affects_schema)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those without a default, as far as they stand in what makes the schema.
    pub fn required(&self) -> Vec<&str> {
        let all = self.0.iter().filter(|declared| declared.in_schema_files && declared.default.is_none());
        all.map(|declared| declared.parameter.name.as_str()).collect()
    }

    /// A value for each, for a tenant that only shows what the template makes.
    pub fn samples(&self) -> BTreeMap<String, String> {
        let sample = |declared: &Declared| {
            let text = declared.default.as_ref().or(declared.sample.as_ref());
            text.unwrap_or(&declared.parameter.name).clone()
        };
        self.0.iter().map(|declared| (declared.parameter.name.clone(), sample(declared))).collect()
    }

    /// The defaults, for a schema that is made before anybody brings values.
    pub fn defaults(&self) -> BoundParameters {
        let mut bound = BoundParameters { is_default: true, ..BoundParameters::default() };
        for declared in &self.0 {
            // A default was tried when it was read.
            if let Some(text) = &declared.default
                && let Ok(sql) = sql(&declared.parameter, text)
            {
                bound.add(declared, text, sql);
            }
        }
        bound
    }

    /// The values of one tenant.
    pub fn bind(&self, given: &BTreeMap<String, String>, template: &str) -> Result<BoundParameters, Failure> {
        let refused = |message: String| Failure::new(Code::ParameterInvalid, message);
        let names = || self.0.iter().map(|declared| declared.parameter.name.as_str());
        if let Some(unknown) = given.keys().find(|key| !names().any(|name| name == *key)) {
            let near = nearest(unknown, names());
            let failure = refused(format!("the template {template:?} has no parameter {unknown:?}"));
            return Err(match (near.is_empty(), self.0.is_empty()) {
                (false, _) => failure.hint(format!("did you mean {}?", near.join(" or "))),
                (true, false) => failure.hint(format!("it has: {}", names().collect::<Vec<_>>().join(", "))),
                (true, true) => failure
                    .hint("a line `-- Parameter: NAME literal` at the top of one of its files declares one"),
            });
        }
        let mut bound = BoundParameters { is_default: true, ..BoundParameters::default() };
        for declared in &self.0 {
            let name = &declared.parameter.name;
            let Some(text) = given.get(name).or(declared.default.as_ref()) else {
                return Err(refused(format!("the template {template:?} asks for a value of {name:?}"))
                    .hint(format!("--set {name}=VALUE gives it; in a list, the column set.{name}")));
            };
            let sql = sql(&declared.parameter, text)
                .map_err(|why| refused(format!("the value of {name:?} cannot be used: {why}")))?;
            bound.add(declared, text, sql);
        }
        Ok(bound)
    }

    /// The lines that declare those parameters again that stand in one of `texts`, unless a file that is run
    /// after a tenant is made declares them itself.
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

/// A value as it takes the place of its parameter, or why it cannot.
fn sql(parameter: &TemplateParameter, text: &str) -> Result<String, String> {
    if text.contains('\0') {
        return Err("it holds a NUL, which no text in PostgreSQL can".to_owned());
    }
    match parameter.kind {
        ParameterKind::Literal => Ok(literal(text)),
        ParameterKind::Identifier => {
            Identifier::new(text).map(|name| name.quoted()).map_err(|error| error.to_string())
        }
    }
}

/// The text of `'it''s'`, if nothing else stands there.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let text = inner.replace("''", "\0");
    (!text.contains('\'')).then(|| text.replace('\0', "'"))
}
