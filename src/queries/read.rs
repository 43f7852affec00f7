//! Parses files with queries: SQL, the output of `cargo sqlx prepare`, and exports of `pg_stat_statements`. Text that is
//! not a query is recorded with a reason.

use std::sync::Arc;

use serde_json::Value;

use super::release::{Release, Tenants, place};
use crate::error::{Code, Failure, Place, Source};
use crate::sql::{Script, Statement, cast_typed_parameters};

/// The format of a file with queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// SQL statements.
    Sql,
    /// sqlx's `query-*.json`, or an export of `pg_stat_statements`.
    Json,
    /// An export of `pg_stat_statements`.
    Csv,
}

impl Format {
    /// The format of a file, from its extension.
    pub fn of(file: &str) -> Option<Self> {
        let (_, end) = file.rsplit_once('.')?;
        match end.to_ascii_lowercase().as_str() {
            "sql" => Some(Self::Sql),
            "json" | "jsonl" | "ndjson" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// Adds the queries of one file to `release`.
pub fn read(
    release: &mut Release,
    source: &Arc<Source>,
    format: Format,
    tenants: Tenants<'_>,
) -> Result<(), Failure> {
    match format {
        Format::Sql => sql(release, source, tenants),
        Format::Json => json(release, source, tenants)?,
        Format::Csv => csv(release, source, tenants)?,
    }
    Ok(())
}

/// Adds the statements of an SQL file. A file with a syntax error is recorded as skipped.
fn sql(release: &mut Release, source: &Arc<Source>, tenants: Tenants<'_>) {
    let script = match Script::parse(Arc::clone(source)) {
        Ok(script) => script,
        Err(error) => {
            let failure = Failure::from(error);
            let place = failure.place.unwrap_or_else(|| Place::File(source.file.clone()));
            return release
                .skip(place, format!("{}; the queries of this file are not checked", failure.message));
        }
    };
    let mut end = 0;
    for statement in &script.statements {
        // BEGIN and COMMIT around queries need no check.
        if !statement.is_begin_or_commit() {
            release.add_statement(&script, statement, name(&script, end, statement), tenants);
        }
        end = statement.range.end;
    }
}

/// The name of the statement, from a comment `-- name: …` between the previous statement and this one. `after` is the end of the
/// previous statement.
fn name(script: &Script, after: usize, statement: &Statement) -> Option<String> {
    let comments = script.comments.iter().rev();
    let near =
        comments.filter(|comment| comment.range.start >= after && comment.range.end <= statement.range.start);
    near.filter_map(|comment| comment.line.as_deref()).find_map(|line| {
        let rest = line.strip_prefix("name:").or_else(|| line.strip_prefix(":name"))?;
        rest.split_whitespace().next().map(str::to_owned)
    })
}

/// The failure for a file that is not in a known format.
fn invalid(source: &Arc<Source>, at: usize, message: impl Into<String>) -> Failure {
    Failure::new(Code::QueriesInvalid, message).at(place(source, at..at)).hint(
        "use .sql files, sqlx's .sqlx/query-*.json, or pg_stat_statements as CSV or JSON with a column query",
    )
}

/// Adds the queries of a file with one or more JSON documents. Fails if there is none.
fn json(release: &mut Release, source: &Arc<Source>, tenants: Tenants<'_>) -> Result<(), Failure> {
    let mut documents = serde_json::Deserializer::from_str(&source.text).into_iter::<Value>();
    let mut found = 0;
    loop {
        let start = documents.byte_offset();
        let Some(document) = documents.next() else { break };
        let document = document.map_err(|error| invalid(source, start, format!("invalid JSON: {error}")))?;
        let mut positions = KeyPositions { source, at: start };
        found += value(release, &document, &mut positions, tenants);
    }
    if found == 0 {
        return Err(invalid(source, 0, "the file contains no query"));
    }
    Ok(())
}

/// The positions of the `"query"` keys of a document, in order.
struct KeyPositions<'a> {
    source: &'a Arc<Source>,
    at: usize,
}

impl KeyPositions<'_> {
    /// The position of the next key, or the current position if there is none.
    fn next(&mut self) -> Place {
        let key = "\"query\"";
        let found = self.source.text[self.at..].find(key).map_or(self.at, |found| self.at + found);
        self.at = (found + key.len()).min(self.source.text.len());
        place(self.source, found..found)
    }
}

/// Adds the queries of all objects with a `query` key, at any depth. Returns their number.
fn value(
    release: &mut Release,
    value_: &Value,
    positions: &mut KeyPositions<'_>,
    tenants: Tenants<'_>,
) -> usize {
    match value_ {
        Value::Object(object) => match object.get("query") {
            Some(query @ (Value::String(_) | Value::Null)) => {
                let text = query.as_str().unwrap_or_default();
                let counted = object.get("calls").or_else(|| object.get("Calls"));
                let calls = counted.and_then(|calls| calls.as_u64().or_else(|| calls.as_str()?.parse().ok()));
                add_exported(release, positions.next(), text, calls, tenants);
                1
            }
            _ => object.values().map(|inner| value(release, inner, positions, tenants)).sum(),
        },
        Value::Array(values) => values.iter().map(|inner| value(release, inner, positions, tenants)).sum(),
        _ => 0,
    }
}

/// Adds the column `query` of a CSV file, with the column `calls` if it exists.
fn csv(release: &mut Release, source: &Arc<Source>, tenants: Tenants<'_>) -> Result<(), Failure> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(source.text.as_bytes());
    let csv_error = |error: &csv::Error| {
        let at =
            error.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
        invalid(source, at, format!("invalid CSV: {error}"))
    };
    let headers = rows.headers().map_err(|error| csv_error(&error))?.clone();
    let column = |name: &str| headers.iter().position(|header| header.trim().eq_ignore_ascii_case(name));
    let Some(query) = column("query") else {
        return Err(invalid(source, 0, "the first line has no column `query`"));
    };
    let calls = column("calls");
    for row in rows.records() {
        let row = row.map_err(|error| csv_error(&error))?;
        let at = row.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
        let calls = calls.and_then(|calls| row.get(calls)?.trim().parse().ok());
        add_exported(release, place(source, at..at), row.get(query).unwrap_or_default(), calls, tenants);
    }
    Ok(())
}

/// Adds a query from an export. A text that is empty, hidden or truncated is recorded as skipped.
fn add_exported(release: &mut Release, place: Place, text: &str, calls: Option<u64>, tenants: Tenants<'_>) {
    let text = text.trim();
    if text.is_empty() {
        release.skip(place, "it is empty");
    } else if text == "<insufficient privilege>" {
        release.skip(
            place,
            "the role that exported it may not read it: export it as a member of pg_read_all_stats",
        );
    } else if text.ends_with("...") || text.ends_with('…') {
        release.skip(place, "it is truncated");
    } else {
        release.add_text(place, &cast_typed_parameters(text), calls, tenants);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TENANTS: Tenants<'_> = Tenants { prefix: "org_", platform: "org_platform" };

    fn read_as(file: &str, text: &str) -> Result<Release, Failure> {
        let mut release = Release::default();
        read(&mut release, &Source::new(file, text), Format::of(file).unwrap(), TENANTS)?;
        Ok(release)
    }

    /// The queries as `title: text`, then the skipped texts as `place! reason`.
    fn shown(release: &Release) -> Vec<String> {
        let queries = release.queries.iter().map(|query| format!("{}: {}", query.title(), query.text));
        queries
            .chain(release.skipped.iter().map(|skipped| format!("{}! {}", skipped.place, skipped.why)))
            .collect()
    }

    #[test]
    fn statements_of_a_file_have_names_and_places() {
        let release = read_as(
            "users.sql",
            "-- name: GetUser :one\nSELECT *\nFROM users WHERE id = $1;\n\nSELECT 2; -- name: ByTail\nBEGIN;\n\
             select * from USERS where id = $1; SET x = 1;\nCOMMIT;",
        );
        let release = release.unwrap();
        assert_eq!(
            shown(&release),
            [
                "GetUser (users.sql:2:1): SELECT *\nFROM users WHERE id = $1",
                "users.sql:5:1: SELECT 2",
                "users.sql:7:36! SET is not a query",
            ]
        );
        assert_eq!(release.queries[0].repeats, 1);
    }

    #[test]
    fn a_file_with_a_syntax_error_is_skipped() {
        let release = read_as("a.sql", "SELECT 1;\nSELEC 2;").unwrap();
        let [skipped] = shown(&release).try_into().unwrap();
        assert_eq!(
            skipped,
            "a.sql:2:1! syntax error: no SQL statement starts like this; the queries of this file are not checked"
        );
    }

    #[test]
    fn sqlx_files_are_read() {
        let text = "{\n  \"db_name\": \"PostgreSQL\",\n  \"query\": \"SELECT id AS \\\"id!\\\" FROM t\",\n  \"describe\": {\"columns\": []},\n  \"hash\": \"x\"\n}";
        assert_eq!(
            shown(&read_as("query-1.json", text).unwrap()),
            ["query-1.json:3:3: SELECT id AS \"id!\" FROM t"]
        );
    }

    #[test]
    fn an_export_is_read_and_its_gaps_are_reported() {
        let csv = "calls,Query,userid\n3,\"SELECT x,\n y FROM org_a.t WHERE d > now() - interval $1\",10\n\
                   2,\"select x, y from org_b.t where d > now() - interval $1\",10\n1,VACUUM,10\n1,SELECT a FROM ...,10\n\
                   1,SELECT org_platform.f(),10\n1,<insufficient privilege>,10\n1,SELECT 1 +,10\n";
        let release = read_as("top.csv", csv).unwrap();
        assert_eq!(
            shown(&release),
            [
                "top.csv:2:1: SELECT x,\n y FROM {org_schema}.t WHERE d > now() - CAST($1 AS interval)",
                "top.csv:7:1: SELECT org_platform.f()",
                "top.csv:5:1! VACUUM is not a query",
                "top.csv:6:1! it is truncated",
                "top.csv:8:1! the role that exported it may not read it: export it as a member of pg_read_all_stats",
                "top.csv:9:1! syntax error: expected an expression, found the end of the file",
            ]
        );
        // The server counts queries that differ only in case separately; here they are the same query.
        assert_eq!(release.queries[0].calls, Some(5));
        let array =
            read_as("a.json", "[{\"query\": \"SELECT 1\", \"calls\": \"7\"},\n {\"query\": null}]").unwrap();
        assert_eq!(shown(&array), ["a.json:1:3: SELECT 1", "a.json:2:3! it is empty"]);
        assert_eq!(array.queries[0].calls, Some(7));
        let lines = read_as("a.jsonl", "{\"query\": \"SELECT 1\"}\n{\"query\": \"SELECT 2\"}\n").unwrap();
        assert_eq!(shown(&lines), ["a.jsonl:1:2: SELECT 1", "a.jsonl:2:2: SELECT 2"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}|(\\{|\\}|\\[|\"query\"|:|,|\"|calls|\n|SELECT|\\$1|;| |\\(){0,20}") {
            for file in ["q.sql", "q.csv", "q.json"] {
                let _outcome = read_as(file, &text);
            }
            let _outcome = read_as("q.csv", &format!("query,calls\n{text}"));
        }

        #[test]
        fn an_exported_text_is_a_query_or_is_skipped(text in "\\PC{0,60}") {
            let document = serde_json::json!([{ "query": text }]).to_string();
            let release = read_as("q.json", &document).unwrap();
            prop_assert_eq!(release.total() + release.skipped.len(), 1);
        }
    }

    #[test]
    fn a_file_of_another_kind_is_an_error() {
        for (file, text) in
            [("a.csv", "id,text\n1,x\n"), ("a.json", "{\"a\": 1}"), ("a.json", "{"), ("a.json", "")]
        {
            let failure = read_as(file, text).unwrap_err();
            assert_eq!(failure.code, Code::QueriesInvalid, "{text}");
        }
        assert_eq!(Format::of("a.txt"), None);
    }
}
