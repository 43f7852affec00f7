//! Chooses parameter values for the trial run of a query: existing values of the tables if they are required or allowed,
//! generated values otherwise.

use super::observation::Type;
use super::{Prepared, Query};
use crate::ident::{SchemaName, literal};
use crate::sql::{Destination, ORG_SCHEMA};

/// The properties of a column on which the value of a parameter depends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether it is in a unique index.
    pub unique: bool,
    /// Whether it is part of a foreign key.
    pub foreign: bool,
    /// The maximum length in characters.
    pub limit: Option<usize>,
    /// Values from some rows of the column, or of the column that it references.
    pub held: Vec<Option<String>>,
}

/// A strategy to choose values. The constraints of a table may accept one and reject another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Whether columns without a unique index get existing values, which satisfy the table's checks.
    repeat: bool,
    /// The indexes in `held` for foreign key columns: the first such column uses the first index, the next the second, and so on
    /// in turn.
    rows: [usize; 2],
    /// The start of the numbers in generated values, different for each choice.
    from: usize,
}

impl Choice {
    /// The same choice with other generated values, in case a step has created rows with the first ones.
    #[must_use]
    pub fn with_new_values(self) -> Self {
        Self { from: self.from + 500_000, ..self }
    }
}

/// The choices that are tried, in order.
pub const CHOICES: &[Choice] = &[
    Choice { repeat: true, rows: [0, 0], from: 0 },
    Choice { repeat: false, rows: [0, 0], from: 1_000 },
    Choice { repeat: true, rows: [0, 1], from: 2_000 },
    Choice { repeat: true, rows: [1, 0], from: 3_000 },
    Choice { repeat: true, rows: [1, 1], from: 4_000 },
];

/// A value for each parameter of `query`, `None` for NULL. `facts` returns the properties of a column.
pub fn values(
    query: &Query,
    prepared: &Prepared,
    choice: Choice,
    facts: impl Fn(&Destination) -> Option<Facts>,
) -> Vec<Option<String>> {
    let (script, statement) = query.parsed();
    let destinations = statement.destinations(script);
    let mut turn = 0;
    let value = |(index, kind): (usize, &Type)| {
        let number = index + 1;
        let mut of = destinations.iter().filter(|to| to.parameter == number);
        let to = of.clone().find(|to| to.new_row).or_else(|| of.next());
        let Some((to, facts)) = to.and_then(|to| Some((to, facts(to)?))) else {
            return generated(kind, number);
        };
        // The value of one row, or of the first row if there are not that many.
        let held = |row: usize| facts.held.get(row).or(facts.held.first()).cloned().flatten();
        if facts.foreign && to.new_row {
            let row = choice.rows[turn % 2];
            turn += 1;
            return held(row).or_else(|| generated(kind, number));
        }
        if !to.new_row {
            return held(0).or_else(|| generated(kind, number));
        }
        let repeat = choice.repeat && !facts.unique;
        match held(0) {
            Some(held) if repeat => Some(held),
            Some(held) if choice.repeat && is_text(kind) => {
                Some(variant_of(&held, choice.from + number, facts.limit))
            }
            // No row is likely to have a number this large.
            _ => generated(kind, 900_000_000 + choice.from + number).map(|text| cut(kind, text, facts.limit)),
        }
    };
    prepared.parameters.iter().enumerate().map(value).collect()
}

/// The query's text for the tenant schema with its parameters replaced by untyped literals, whose types the server
/// resolves by the same rules.
pub fn with_values(query: &Query, schema: &SchemaName, values: &[Option<String>]) -> String {
    let (script, statement) = query.parsed();
    let (mut sql, mut at) = (String::new(), 0);
    for parameter in statement.parameters(script) {
        sql.push_str(&query.text[at..parameter.range.start].replace(ORG_SCHEMA, &schema.in_text()));
        let value = parameter.number.checked_sub(1).and_then(|index| values.get(index)?.as_deref());
        sql.push(' ');
        sql.push_str(&value.map_or_else(|| "NULL".to_owned(), literal));
        sql.push(' ');
        at = parameter.range.end;
    }
    sql.push_str(&query.text[at..].replace(ORG_SCHEMA, &schema.in_text()));
    sql
}

fn is_text(kind: &Type) -> bool {
    matches!(kind.base.as_str(), "character" | "character varying" | "citext" | "name" | "text")
}

/// A text that no other row is likely to have. It ends like the existing value `held`, so it probably has a valid format.
fn variant_of(held: &str, number: usize, limit: Option<usize>) -> String {
    let mark = format!("x{number}");
    let keep = limit.unwrap_or(usize::MAX).saturating_sub(mark.len());
    let letters = held.chars().count();
    let end: String = held.chars().skip(letters.saturating_sub(keep)).collect();
    mark + &end
}

/// Shortens a generated text to its last `limit` characters, which include its number.
fn cut(kind: &Type, text: String, limit: Option<usize>) -> String {
    match limit {
        Some(limit) if is_text(kind) && text.len() > limit => text[text.len() - limit..].to_owned(),
        _ => text,
    }
}

/// A value that is generated from `number` where the type allows it; `None` (NULL) for an unknown type.
fn generated(kind: &Type, number: usize) -> Option<String> {
    if let Some(label) = kind.labels.first().filter(|_| !kind.base.ends_with("[]")) {
        return Some(label.clone());
    }
    let fixed = |text: &str| Some(text.to_owned());
    match kind.base.as_str() {
        base if base.ends_with("[]") => fixed("{}"),
        "int4range" | "int8range" | "numrange" | "tsrange" | "tstzrange" | "daterange" => fixed("empty"),
        "integer" | "bigint" | "oid" => Some(number.to_string()),
        "smallint" => Some((number % 30_000).to_string()),
        "numeric" | "real" | "double precision" | "money" => Some((number % 9 + 1).to_string()),
        "character" | "character varying" | "citext" | "name" | "text" => Some(format!("sample{number}")),
        "\"char\"" => fixed("s"),
        "boolean" => fixed("true"),
        "uuid" => Some(format!("00000000-0000-4000-8000-{number:012}")),
        "date" => fixed("2024-02-01"),
        "timestamp without time zone" | "timestamp with time zone" => {
            Some(format!("2024-02-01 00:00:00.{:06}", number % 1_000_000))
        }
        "time without time zone" | "time with time zone" => fixed("12:00:00"),
        "interval" => fixed("1 day"),
        "json" | "jsonb" => fixed("{}"),
        "bytea" => fixed("\\x00"),
        "inet" => fixed("192.0.2.1"),
        "cidr" => fixed("192.0.2.0/24"),
        "macaddr" => fixed("08:00:2b:01:02:03"),
        "tsvector" | "tsquery" => fixed("sample"),
        "xml" => fixed("<sample/>"),
        "bit" | "bit varying" => fixed("1"),
        "point" => fixed("(0,0)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;
    use crate::queries::observation::SearchPath;
    use crate::queries::{Format, Release, Tenants, read};

    fn query(sql: &str) -> Release {
        let mut release = Release::default();
        read(&mut release, &Source::new("q.sql", sql), Format::Sql, Tenants { prefix: "", platform: "p" })
            .unwrap();
        release
    }

    fn prepared(kinds: &[&str]) -> Prepared {
        let kind = |name: &&str| Type {
            base: (*name).to_owned(),
            name: (*name).to_owned(),
            labels: if *name == "status" { vec!["open".to_owned()] } else { Vec::new() },
            fields: Vec::new(),
        };
        let parameters = kinds.iter().map(kind).collect();
        Prepared { path: SearchPath::Tenant, parameters, columns: Vec::new(), trial: None, plan: None }
    }

    /// The query with the values of a choice.
    fn shown(sql: &str, kinds: &[&str], choice: usize) -> String {
        let release = query(sql);
        let facts = |to: &Destination| {
            let column = to.column.clone().unwrap_or_default();
            let held = |values: &[&str]| values.iter().map(|value| Some((*value).to_owned())).collect();
            Some(match column.as_str() {
                "id" => Facts { unique: true, held: held(&["1"]), ..Facts::default() },
                "email" => {
                    Facts { unique: true, limit: Some(8), held: held(&["a@b.example"]), ..Facts::default() }
                }
                "owner" | "team" => Facts { foreign: true, held: held(&["7", "8"]), ..Facts::default() },
                "name" => Facts { held: held(&["Anna"]), ..Facts::default() },
                _ => return None,
            })
        };
        let query = &release.queries[0];
        let values = values(query, &prepared(kinds), CHOICES[choice], facts);
        with_values(query, &SchemaName::existing("org_a").unwrap(), &values)
    }

    #[test]
    fn each_column_gets_a_valid_value() {
        let sql = "INSERT INTO t (id, email, owner, team, name) VALUES ($1,$2,$3,$4,$5)";
        let kinds = ["integer", "text", "integer", "integer", "text"];
        let values = |choice| shown(sql, &kinds, choice).split_once("VALUES").unwrap().1.to_owned();
        assert_eq!(values(0), " ( '900000001' , 'x2xample' , '7' , '7' , 'Anna' )");
        assert_eq!(values(1), " ( '900001001' , '00001002' , '7' , '7' , 'sample900001005' )");
        assert_eq!(values(2), " ( '900002001' , 'x2002ple' , '7' , '8' , 'Anna' )");
    }

    #[test]
    fn conditions_use_existing_values() {
        assert_eq!(
            shown(
                "UPDATE {org_schema}.t SET name = $2, n = $3 WHERE id=$1",
                &["integer", "text", "integer"],
                0
            ),
            "UPDATE org_a.t SET name =  'Anna' , n =  '3'  WHERE id= '1' "
        );
        assert_eq!(
            shown("DELETE FROM t WHERE s = $1 AND x = $2", &["status", "strange"], 0),
            "DELETE FROM t WHERE s =  'open'  AND x =  NULL "
        );
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let release = query("SELECT $1, '{org_schema}'");
        let schema = SchemaName::existing("org_a").unwrap();
        let sql = with_values(&release.queries[0], &schema, &[Some("'; DROP {org_schema} \\".to_owned())]);
        assert_eq!(sql, "SELECT  E'''; DROP {org_schema} \\\\' , 'org_a'");
    }
}
