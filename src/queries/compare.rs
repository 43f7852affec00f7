//! Compares the observations before and after a step: the changes that a running release would notice.

use std::collections::HashMap;
use std::sync::Arc;

use super::observation::{Column, Observation, PrepareResult, Prepared, Trial, Type};
use super::{Query, Release};

/// The severity of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The server rejects the query.
    Fails,
    /// The server accepts it, but its result or parameters have changed.
    Changed,
    /// Most programs are not affected.
    Warn,
}

/// A query that a step affects.
#[derive(Debug, Clone)]
pub struct Break {
    /// The query.
    pub query: Arc<Query>,
    /// The severity.
    pub kind: Kind,
    /// A description of the change: `no longer prepares: column "email" does not exist [42703]`.
    pub what: String,
}

/// Returns the queries affected between two observations. A query that could not be prepared before is not included;
/// [`Observation::unchecked`] reports it.
pub fn compare(release: &Release, before: &Observation, after: &Observation) -> Vec<Break> {
    let mut breaks = Vec::new();
    let observations = before.seen.iter().zip(&after.seen);
    for (query, (before, after)) in release.queries.iter().zip(observations) {
        let PrepareResult::Prepared(before) = before else { continue };
        let mut changes = Changes::default();
        match after {
            PrepareResult::Failed(refused) => {
                changes.add(Kind::Fails, format!("no longer prepares: {refused}"));
            }
            PrepareResult::Prepared(after) => changes.between(query, before, after),
        }
        breaks.extend(changes.into_breaks(query));
    }
    breaks
}

/// The changes of one query.
#[derive(Debug, Default)]
struct Changes(Vec<(Kind, String)>);

impl Changes {
    fn add(&mut self, kind: Kind, what: String) {
        self.0.push((kind, what));
    }

    /// One break of each kind, the worst first.
    fn into_breaks(self, query: &Arc<Query>) -> impl Iterator<Item = Break> {
        [Kind::Fails, Kind::Changed, Kind::Warn].into_iter().filter_map(move |kind| {
            let all: Vec<_> =
                self.0.iter().filter(|(of, _)| *of == kind).map(|(_, what)| what.as_str()).collect();
            (!all.is_empty()).then(|| Break { query: Arc::clone(query), kind, what: all.join("; ") })
        })
    }

    fn between(&mut self, query: &Query, before: &Prepared, after: &Prepared) {
        if before.path != after.path {
            self.add(Kind::Changed, "it now uses a table of another schema".to_owned());
        }
        self.parameters(&before.parameters, &after.parameters);
        self.columns(query, &before.columns, &after.columns);
        match (&before.trial, &after.trial) {
            (Some(Trial::Ran(_)), Some(Trial::Failed(refused))) => {
                self.add(Kind::Fails, format!("no longer runs with sample values: {refused}"));
            }
            (Some(Trial::Ran(_)), Some(Trial::Inconclusive(why))) => {
                self.add(Kind::Warn, format!("could not be run again: {why}"));
            }
            _ => {}
        }
        match (&before.plan, &after.plan) {
            // A query that fails to run is already reported.
            (Some(Ok(_)), Some(Err(refused))) if !matches!(after.trial, Some(Trial::Failed(_))) => {
                self.add(Kind::Fails, format!("can no longer be planned: {refused}"));
            }
            (Some(Ok(before)), Some(Ok(after))) => {
                if let Some(what) = before.regressions(after) {
                    self.add(Kind::Warn, what);
                }
            }
            _ => {}
        }
    }

    fn parameters(&mut self, before: &[Type], after: &[Type]) {
        if before.len() != after.len() {
            self.add(Kind::Changed, format!("takes {} parameters instead of {}", after.len(), before.len()));
        }
        for (number, (before, after)) in before.iter().zip(after).enumerate() {
            let what = format!("parameter ${}", number + 1);
            self.types(&what, before, after);
            let dropped: Vec<_> = missing(&before.labels, &after.labels);
            if !dropped.is_empty() {
                self.add(Kind::Changed, format!("{what} no longer accepts {}", listed(&dropped)));
            }
        }
    }

    fn types(&mut self, what: &str, before: &Type, after: &Type) {
        if before.base != after.base {
            let kind = if is_text(before) && is_text(after) { Kind::Warn } else { Kind::Changed };
            self.add(kind, format!("{what} is {} and was {}", after.name, before.name));
        } else if before.name != after.name {
            self.add(Kind::Warn, format!("{what} is {} and was {}", after.name, before.name));
        }
        if before.fields != after.fields {
            let (was, is) = (before.fields.join(", "), after.fields.join(", "));
            self.add(Kind::Changed, format!("{what} is a row of ({is}) and was a row of ({was})"));
        }
    }

    fn columns(&mut self, query: &Query, before: &[Column], after: &[Column]) {
        let (old, new) = (keys(before), keys(after));
        let dropped: Vec<_> = old.iter().filter(|key| !new.contains(key)).map(|(name, _)| *name).collect();
        let added: Vec<_> = new.iter().filter(|key| !old.contains(key)).map(|(name, _)| *name).collect();
        if !dropped.is_empty() {
            let instead =
                if added.is_empty() { String::new() } else { format!(", but returns {}", listed(&added)) };
            self.add(Kind::Changed, format!("no longer returns {}{instead}", listed(&dropped)));
        } else if !added.is_empty() {
            let order = if new.starts_with(&old) { "" } else { ", not as the last column" };
            let what = format!(
                "also returns {}{order}; code that reads columns by position may fail",
                listed(&added)
            );
            self.add(Kind::Warn, what);
        } else if old != new {
            self.add(Kind::Changed, "returns its columns in a different order".to_owned());
        }
        let (script, statement) = query.parsed();
        let outer = statement.has_outer_join(script);
        for (before, key) in before.iter().zip(&old) {
            if let Some(after) = new.iter().position(|other| other == key).map(|place| &after[place]) {
                self.column(before, after, outer);
            }
        }
    }

    fn column(&mut self, before: &Column, after: &Column, outer: bool) {
        let what = format!("column {:?}", before.name);
        self.types(&what, &before.kind, &after.kind);
        let added = missing(&after.kind.labels, &before.kind.labels);
        if !added.is_empty() {
            // If one label is new and another is missing, existing rows may already contain the new one.
            let renamed = !missing(&before.kind.labels, &after.kind.labels).is_empty();
            let kind = if renamed { Kind::Changed } else { Kind::Warn };
            self.add(kind, format!("{what} may now contain {}", listed(&added)));
        }
        if before.nullable == Some(false) && after.nullable == Some(true) {
            // With an outer join it could be NULL before, so the application handles NULL.
            let kind = if outer { Kind::Warn } else { Kind::Changed };
            self.add(kind, format!("{what} may now be NULL"));
        }
    }
}

/// Each column's name with its occurrence number: a result may have several columns of one name.
fn keys(columns: &[Column]) -> Vec<(&str, usize)> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let count = |column| {
        let count = seen.entry(column).or_default();
        *count += 1;
        (column, *count)
    };
    columns.iter().map(|column| column.name.as_str()).map(count).collect()
}

/// The elements of `these` that are not in `others`.
fn missing<'a>(these: &'a [String], others: &[String]) -> Vec<&'a str> {
    these.iter().filter(|label| !others.contains(label)).map(String::as_str).collect()
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// Whether every driver reads the type as text.
fn is_text(kind: &Type) -> bool {
    matches!(kind.base.as_str(), "character" | "character varying" | "text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;
    use crate::queries::observation::{QueryError, SearchPath};
    use crate::queries::{Format, Tenants, read};

    fn kind(name: &str) -> Type {
        let base = name.split('(').next().unwrap().to_owned();
        Type { base, name: name.to_owned(), labels: Vec::new(), fields: Vec::new() }
    }

    /// Columns as `name type`, with `!` after NOT NULL columns.
    fn columns(text: &str) -> Vec<Column> {
        let one = |text: &str| {
            let (name, rest) = text.trim().split_once(' ').unwrap();
            let nullable = Some(!rest.ends_with('!'));
            Column { name: name.to_owned(), kind: kind(rest.trim_end_matches('!')), nullable }
        };
        text.split(',').filter(|text| !text.is_empty()).map(one).collect()
    }

    fn prepared(parameters: &[&str], text: &str) -> PrepareResult {
        let parameters = parameters.iter().map(|name| kind(name)).collect();
        PrepareResult::Prepared(Prepared {
            path: SearchPath::Tenant,
            parameters,
            columns: columns(text),
            trial: None,
            plan: None,
        })
    }

    fn between(sql: &str, before: PrepareResult, after: PrepareResult) -> Vec<String> {
        let mut release = Release::default();
        let tenants = Tenants { prefix: "", platform: "p" };
        read(&mut release, &Source::new("q.sql", sql), Format::Sql, tenants).unwrap();
        let observation = |seen| Observation { seen: vec![seen] };
        let breaks = compare(&release, &observation(before), &observation(after));
        breaks.into_iter().map(|found| format!("{:?}: {}", found.kind, found.what)).collect()
    }

    fn results(before: &str, after: &str) -> Vec<String> {
        between("SELECT 1", prepared(&[], before), prepared(&[], after))
    }

    fn refused() -> PrepareResult {
        let message = "column \"a\" does not exist".to_owned();
        PrepareResult::Failed(QueryError::new(Some("42703".to_owned()), message))
    }

    #[test]
    fn only_a_query_that_prepared_before_can_break() {
        let fails = between("SELECT 1", prepared(&[], "a int"), refused());
        assert_eq!(fails, ["Fails: no longer prepares: column \"a\" does not exist [42703]"]);
        assert!(between("SELECT 1", refused(), refused()).is_empty());
        assert!(between("SELECT 1", refused(), prepared(&[], "a int")).is_empty());
    }

    #[test]
    fn results_are_compared_by_name_type_order_and_null() {
        assert!(results("a int!,b text", "a int!,b text").is_empty());
        assert_eq!(results("a int", "a bigint"), ["Changed: column \"a\" is bigint and was int"]);
        assert_eq!(
            results("a character varying(9)", "a text"),
            ["Warn: column \"a\" is text and was character varying(9)"]
        );
        assert_eq!(
            results("a numeric(9)", "a numeric(8)"),
            ["Warn: column \"a\" is numeric(8) and was numeric(9)"]
        );
        assert_eq!(
            results("a int,b int", "b int,a int"),
            ["Changed: returns its columns in a different order"]
        );
        assert_eq!(
            results("a int,b int", "a int,c int"),
            ["Changed: no longer returns \"b\", but returns \"c\""]
        );
        assert_eq!(results("a int,a int", "a int"), ["Changed: no longer returns \"a\""]);
        assert_eq!(
            results("a int", "a int,b int"),
            ["Warn: also returns \"b\"; code that reads columns by position may fail"]
        );
        assert_eq!(
            results("a int", "b int,a int"),
            [
                "Warn: also returns \"b\", not as the last column; code that reads columns by position may fail"
            ]
        );
        assert_eq!(results("a int!", "a int"), ["Changed: column \"a\" may now be NULL"]);
        assert!(results("a int", "a int!").is_empty());
        let joined =
            between("SELECT 1 FROM a LEFT JOIN b ON true", prepared(&[], "a int!"), prepared(&[], "a int"));
        assert_eq!(joined, ["Warn: column \"a\" may now be NULL"]);
    }

    #[test]
    fn several_changes_of_one_query_are_one_break_of_each_kind() {
        assert_eq!(
            results("a int,b int,c text", "a bigint,b smallint,c character varying"),
            [
                "Changed: column \"a\" is bigint and was int; column \"b\" is smallint and was int",
                "Warn: column \"c\" is character varying and was text",
            ]
        );
    }

    #[test]
    fn parameters_are_compared() {
        let changed = between("SELECT 1", prepared(&["int"], ""), prepared(&["uuid"], ""));
        assert_eq!(changed, ["Changed: parameter $1 is uuid and was int"]);
    }

    #[test]
    fn the_labels_of_an_enum_are_compared() {
        let with = |labels: &[&str], parameter: bool| {
            let mut kind = kind("status");
            kind.labels = labels.iter().map(|label| (*label).to_owned()).collect();
            let column = Column { name: "s".to_owned(), kind: kind.clone(), nullable: None };
            let (parameters, columns) = if parameter { (vec![kind], vec![]) } else { (vec![], vec![column]) };
            PrepareResult::Prepared(Prepared {
                path: SearchPath::Tenant,
                parameters,
                columns,
                trial: None,
                plan: None,
            })
        };
        let labels = |before: &[&str], after: &[&str], parameter| {
            between("SELECT 1", with(before, parameter), with(after, parameter))
        };
        assert_eq!(labels(&["a"], &["a", "b"], false), ["Warn: column \"s\" may now contain \"b\""]);
        assert_eq!(labels(&["a"], &["b"], false), ["Changed: column \"s\" may now contain \"b\""]);
        assert!(labels(&["a", "b"], &["a"], false).is_empty());
        assert!(labels(&["a"], &["a", "b"], true).is_empty());
        assert_eq!(labels(&["a", "b"], &["a"], true), ["Changed: parameter $1 no longer accepts \"b\""]);
    }
}
