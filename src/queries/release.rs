//! The queries of a release, each once, and the statements of its files that cannot be checked, each with the reason.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Place, Source};
use crate::ident::SchemaName;
use crate::sql::{ORG_ROLE, ORG_SCHEMA, Origin, Rendered, Script, Statement, TenantNames};

/// Recognizes tenant schemas: queries that differ only in the tenant schema are the same query.
#[derive(Debug, Clone, Copy)]
pub struct Tenants<'a> {
    /// The prefix of tenant schemas; if it is empty, no schema is recognized.
    pub prefix: &'a str,
    /// The platform schema, which may have the same prefix.
    pub platform: &'a str,
}

impl Tenants<'_> {
    /// Whether `schema` is the name of a tenant schema.
    pub fn contains(&self, schema: &str) -> bool {
        !self.prefix.is_empty() && schema != self.platform && schema.starts_with(self.prefix)
    }
}

/// One query.
#[derive(Debug, Clone)]
pub struct Query {
    /// Its name in the file: sqlc's `-- name: GetUser :one`.
    pub name: Option<String>,
    /// Its position.
    pub place: Place,
    /// Its text, with `{org_schema}` for a tenant's schema.
    pub text: String,
    /// The number of executions, if its file contains it.
    pub calls: Option<u64>,
    /// The number of other equal queries.
    pub repeats: usize,
    script: Script,
}

impl Query {
    /// Its name and position, or only its position.
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

    /// Its text for the tenant schema.
    pub fn rendered(&self, schema: &SchemaName) -> Rendered {
        let mut rendered = Rendered::default();
        let schema = schema.in_text();
        // A query runs as the application's role.
        let names = TenantNames { schema: &schema, role: ORG_ROLE };
        rendered.push_from(&self.text, Origin { file: 0, range: 0..self.text.len() }, names);
        rendered
    }

    /// Whether it names a tenant schema, so that it does not depend on the search path.
    pub fn names_tenant(&self) -> bool {
        self.text.contains(ORG_SCHEMA)
    }
}

/// A statement that cannot be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its position.
    pub place: Place,
    /// The reason.
    pub why: String,
}

/// The queries of a release.
#[derive(Debug, Clone, Default)]
pub struct Release {
    /// Each once, in the order of the files.
    pub queries: Vec<Arc<Query>>,
    /// The statements that cannot be checked.
    pub skipped: Vec<Skipped>,
    known: HashMap<String, usize>,
}

impl Release {
    /// The number of queries, including repetitions.
    pub fn total(&self) -> usize {
        self.queries.iter().map(|query| query.repeats + 1).sum()
    }

    /// Adds a statement if it is a query; otherwise records it as skipped.
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

    /// Adds a text that contains one statement.
    pub(super) fn add_text(&mut self, place: Place, text: &str, calls: Option<u64>, tenants: Tenants<'_>) {
        let script = match Script::parse(Source::new(place.file(), text)) {
            Ok(script) => script,
            Err(error) => return self.skip(place, error.to_string()),
        };
        match script.statements.as_slice() {
            [] => self.skip(place, "it is empty".to_owned()),
            [statement] if statement.is_query() => {
                let text = statement.with_placeholders(&script, |schema| tenants.contains(schema));
                self.add(None, place, text, calls);
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

    /// Records a statement that cannot be checked.
    pub(super) fn skip(&mut self, place: Place, why: impl Into<String>) {
        self.skipped.push(Skipped { place, why: why.into() });
    }
}

/// The place of the bytes `range` in `source`, clamped to its length.
pub(super) fn place(source: &Arc<Source>, range: Range<usize>) -> Place {
    let end = range.end.min(source.text.len());
    Place::at(source, range.start.min(end)..end)
}
