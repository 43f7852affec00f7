//! Extracts the queries of the running release from `pg_stat_statements`: each once for all tenants, without other
//! statements.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Source;
use crate::sql::{Name, RELATIONS, Script, Statement, cast_typed_parameters};

/// One row of `pg_stat_statements`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistic {
    /// The text, if the server still stores it and the role may read it.
    pub query: Option<String>,
    /// The number of executions.
    pub calls: u64,
}

/// The schemas and objects whose queries are captured.
#[derive(Debug, Clone, Default)]
pub struct CaptureScope {
    /// The platform's schema.
    pub platform: String,
    /// The tenants' schemas.
    pub tenants: BTreeSet<String>,
    /// The tables, views and functions in all of them: a query may name them without a schema.
    pub objects: BTreeSet<String>,
}

/// A captured query.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Capture {
    /// The text, with `{org_schema}` for a tenant's schema.
    pub query: String,
    /// The number of executions for all tenants.
    pub calls: u64,
}

/// The number of statements that are left out, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct LeftOut {
    /// Utility statements: they may contain a password.
    pub utility: usize,
    /// They use other schemas.
    pub elsewhere: usize,
    /// They are Tenure's own.
    pub own: usize,
    /// They are in a migration or a template.
    pub migrations: usize,
    /// They contain string constants, which may be user data.
    pub literals: usize,
    /// Their text is missing or cannot be parsed.
    pub unreadable: usize,
    /// The role may not read them.
    pub forbidden: usize,
}

/// The result of a capture.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Captured {
    /// The queries, the most frequent first.
    pub queries: Vec<Capture>,
    /// The statements that are left out.
    pub left_out: LeftOut,
}

/// The statements of a project's own files, which are not queries of the application.
#[derive(Debug, Clone, Default)]
pub struct ProjectStatements(BTreeSet<String>);

impl ProjectStatements {
    /// Adds the statements of a file.
    pub fn add(&mut self, script: &Script) {
        self.0.extend(script.statements.iter().map(|statement| statement.canonical_text(script, false)));
    }

    fn contains(&self, script: &Script, statement: &Statement) -> bool {
        self.0.contains(&statement.canonical_text(script, false))
    }
}

/// Extracts the queries from `statistics`.
pub fn capture(statistics: &[Statistic], scope: &CaptureScope, files: &ProjectStatements) -> Captured {
    let mut captured = Captured::default();
    let mut known: HashMap<String, Capture> = HashMap::new();
    for statistic in statistics {
        let left_out = &mut captured.left_out;
        let text = match statistic.query.as_deref().map(str::trim) {
            Some("<insufficient privilege>") => {
                left_out.forbidden += 1;
                continue;
            }
            text => cast_typed_parameters(text.unwrap_or_default()),
        };
        let parsed = Script::parse(Source::new("pg_stat_statements", text));
        let Some((script, statement)) = parsed.ok().and_then(|script| {
            let [statement] = script.statements.as_slice() else { return None };
            let statement = statement.clone();
            Some((script, statement))
        }) else {
            left_out.unreadable += 1;
            continue;
        };
        let query = statement.with_placeholders(&script, |schema| scope.tenants.contains(schema));
        let Ok(neutral) = Script::parse(Source::new("pg_stat_statements", query.clone())) else {
            left_out.unreadable += 1;
            continue;
        };
        let reason = if !statement.is_query() {
            Some(&mut left_out.utility)
        } else if statement.has_string_literal(&script) {
            Some(&mut left_out.literals)
        } else if statement.uses_tenure_objects(&scope.platform) {
            Some(&mut left_out.own)
        } else if !statement.names.iter().any(|name| scope.contains(name)) {
            Some(&mut left_out.elsewhere)
        } else if neutral.statements.first().is_some_and(|statement| files.contains(&neutral, statement)) {
            Some(&mut left_out.migrations)
        } else {
            None
        };
        if let Some(reason) = reason {
            *reason += 1;
            continue;
        }
        let Some(canonical_text) =
            neutral.statements.first().map(|statement| statement.canonical_text(&neutral, true))
        else {
            continue;
        };
        let one = known.entry(canonical_text).or_insert(Capture { query, calls: 0 });
        one.calls = one.calls.saturating_add(statistic.calls);
    }
    let ordered: BTreeMap<_, _> =
        known.into_values().map(|one| ((std::cmp::Reverse(one.calls), one.query.clone()), one)).collect();
    captured.queries = ordered.into_values().collect();
    captured
}

impl CaptureScope {
    /// Whether a name refers to an object in one of the schemas.
    fn contains(&self, name: &Name) -> bool {
        let object = RELATIONS.contains(&name.kind)
            || format!("{:?}", name.kind).starts_with("CALL")
            || format!("{:?}", name.kind).starts_with("PROCEDURE");
        match name.schema.as_deref() {
            Some(schema) => schema == self.platform || self.tenants.contains(schema),
            None => object && self.objects.contains(&name.name),
        }
    }
}

/// Writes the queries as CSV that [`super::read`] can read.
pub fn to_csv(queries: &[Capture]) -> Result<String, csv::Error> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(["calls", "query"])?;
    for one in queries {
        rows.write_record([one.calls.to_string().as_str(), one.query.as_str()])?;
    }
    let bytes = rows.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queries::{Format, Release, Tenants, read};

    fn scope() -> CaptureScope {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        CaptureScope {
            platform: "p".to_owned(),
            tenants: names(&["org_a", "org_b"]),
            objects: names(&["users", "workspaces", "shout"]),
        }
    }

    fn statistics(rows: &[(&str, u64)]) -> Vec<Statistic> {
        rows.iter()
            .map(|(query, calls)| Statistic { query: Some((*query).to_owned()), calls: *calls })
            .collect()
    }

    #[test]
    fn queries_of_many_tenants_are_one() {
        let rows = statistics(&[
            ("SELECT * FROM org_a.workspaces WHERE id = $1", 3),
            ("SELECT * FROM org_b.workspaces WHERE id = $1", 4),
            ("SELECT * FROM workspaces", 1),
            ("select * from Workspaces /* again */", 1),
            ("SELECT shout($1)", 9),
        ]);
        let captured = capture(&rows, &scope(), &ProjectStatements::default());
        let shown: Vec<_> = captured.queries.iter().map(|one| (one.calls, one.query.as_str())).collect();
        assert_eq!(
            shown,
            [
                (9, "SELECT shout($1)"),
                (7, "SELECT * FROM {org_schema}.workspaces WHERE id = $1"),
                (2, "SELECT * FROM workspaces"),
            ]
        );
    }

    #[test]
    fn other_statements_are_left_out_and_counted() {
        let mut files = ProjectStatements::default();
        let migration = "UPDATE users SET name = 'x' WHERE id > 5; UPDATE {org_schema}.workspaces SET n = 1;";
        files.add(&Script::parse(Source::new("m.sql", migration)).unwrap());
        let mut rows = statistics(&[
            ("ALTER ROLE a PASSWORD 'secret'", 1),
            ("SELECT * FROM pg_class", 1),
            ("SELECT * FROM org_c.workspaces", 1),
            ("SELECT p.tenure_advance($1)", 1),
            ("UPDATE users SET name = $1 WHERE id > $2", 1),
            ("UPDATE org_a.workspaces SET n = $1", 1),
            ("<insufficient privilege>", 1),
            ("SELECT FROM WHERE", 1),
            ("SELECT * FROM users WHERE email = 'a@b.example'", 1),
        ]);
        rows.push(Statistic { query: None, calls: 1 });
        let captured = capture(&rows, &scope(), &files);
        assert!(captured.queries.is_empty(), "{captured:?}");
        let expected = LeftOut {
            utility: 1,
            elsewhere: 2,
            own: 1,
            migrations: 2,
            unreadable: 2,
            literals: 1,
            forbidden: 1,
        };
        assert_eq!(captured.left_out, expected);
    }

    #[test]
    fn a_written_file_can_be_read() {
        let queries = [Capture { query: "SELECT \"a,\",\n $1 FROM {org_schema}.t".to_owned(), calls: 2 }];
        let source = Source::new("q.csv", to_csv(&queries).unwrap());
        let mut release = Release::default();
        read(&mut release, &source, Format::Csv, Tenants { prefix: "org_", platform: "p" }).unwrap();
        assert_eq!(
            (release.queries[0].text.as_str(), release.queries[0].calls),
            (queries[0].query.as_str(), Some(2))
        );
    }
}
