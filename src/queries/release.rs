//! A release's queries, each once, and what of its files is no query that could be checked: counted with the
//! reason, since nothing may pass for checked that was not.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Place, Source};
use crate::ident::SchemaName;
use crate::sql::{ORG_SCHEMA, Origin, Rendered, Script, Statement};

/// Which schemas are tenants': a query that names one is the same query for every tenant.
#[derive(Debug, Clone, Copy)]
pub struct Tenants<'a> {
    /// What their names begin with; where that is nothing, no name is taken for a tenant's.
    pub prefix: &'a str,
    /// The platform's, which may begin so too.
    pub platform: &'a str,
}

impl Tenants<'_> {
    /// Whether `schema` is a tenant's by its name.
    pub fn contains(&self, schema: &str) -> bool {
        !self.prefix.is_empty() && schema != self.platform && schema.starts_with(self.prefix)
    }
}

/// One query.
#[derive(Debug, Clone)]
pub struct Query {
    /// The name that its file gives it: sqlc's `-- name: GetUser :one`.
    pub name: Option<String>,
    /// Where it stands.
    pub place: Place,
    /// Its text, with `{org_schema}` where it names a tenant's schema.
    pub text: String,
    /// How often the server ran it, where its file says that.
    pub calls: Option<u64>,
    /// How many others were the same.
    pub repeats: usize,
    script: Script,
}

impl Query {
    /// Its name, or its place.
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.place),
            None => self.place.to_string(),
        }
    }

    /// Its parsed text and the one statement in it.
    pub fn parsed(&self) -> (&Script, &Statement) {
        (&self.script, &self.script.statements[0])
    }

    /// Its text for the tenant `schema`.
    pub fn rendered(&self, schema: &SchemaName) -> Rendered {
        let mut rendered = Rendered::default();
        rendered.push_from(&self.text, Origin { file: 0, range: 0..self.text.len() }, &schema.in_text());
        rendered
    }

    /// Whether it names a tenant's schema, so that no search path decides whose it is.
    pub fn names_tenant(&self) -> bool {
        self.text.contains(ORG_SCHEMA)
    }
}

/// What stands where a query should, and why it is none that can be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Where.
    pub place: Place,
    /// Why.
    pub why: String,
}

/// The queries of a release.
#[derive(Debug, Clone, Default)]
pub struct Release {
    /// Each once, in the order of the files.
    pub queries: Vec<Arc<Query>>,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
    known: HashMap<String, usize>,
}

impl Release {
    /// How many queries were read, the same ones counted too.
    pub fn total(&self) -> usize {
        self.queries.iter().map(|query| query.repeats + 1).sum()
    }

    /// Adds the statement that `range` of `source` holds, where it is a query.
    pub(super) fn add_statement(
        &mut self,
        script: &Script,
        statement: &Statement,
        name: Option<String>,
        tenants: Tenants<'_>,
    ) {
        let place = script.place(statement);
        if !statement.is_query() {
            return self.skip(place, format!("{} is not a query", statement.verb()));
        }
        let text = statement.with_placeholders(script, |schema| tenants.contains(schema));
        self.add(name, place, text, None);
    }

    /// Adds a text that is one statement.
    pub(super) fn add_text(&mut self, place: Place, text: &str, calls: Option<u64>, tenants: Tenants<'_>) {
        let script = match Script::parse(Source::new(place.file(), text)) {
            Ok(script) => script,
            Err(error) => return self.skip(place, error.to_string()),
        };
        match script.statements.as_slice() {
            [] => self.skip(place, "it is empty".to_owned()),
            [statement] if statement.is_query() => {
                let neutral = statement.with_placeholders(&script, |schema| tenants.contains(schema));
                self.add(None, place, neutral, calls);
            }
            [statement] => self.skip(place, format!("{} is not a query", statement.verb())),
            _ => self.skip(place, "it is several statements, and a driver prepares one".to_owned()),
        }
    }

    fn add(&mut self, name: Option<String>, place: Place, text: String, calls: Option<u64>) {
        let script = match Script::parse(Source::new(place.file(), text.clone())) {
            Ok(script) if script.statements.len() == 1 => script,
            Ok(_) => {
                return self.skip(place, "it is several statements, and a driver prepares one".to_owned());
            }
            Err(error) => return self.skip(place, error.to_string()),
        };
        let canonical_text = script.statements[0].canonical_text(&script, true);
        if let Some(known) = self.known.get(&canonical_text) {
            let query = Arc::make_mut(&mut self.queries[*known]);
            query.repeats += 1;
            query.calls = match (query.calls, calls) {
                (Some(one), Some(other)) => Some(one.saturating_add(other)),
                (one, other) => one.or(other),
            };
            return;
        }
        self.known.insert(canonical_text, self.queries.len());
        self.queries.push(Arc::new(Query { name, place, text, calls, repeats: 0, script }));
    }

    /// Notes what cannot be checked.
    pub(super) fn skip(&mut self, place: Place, why: impl Into<String>) {
        self.skipped.push(Skipped { place, why: why.into() });
    }
}

/// The place of the bytes `range` in `source`, kept inside of it.
pub(super) fn place(source: &Arc<Source>, range: Range<usize>) -> Place {
    let end = range.end.min(source.text.len());
    Place::at(source, range.start.min(end)..end)
}
