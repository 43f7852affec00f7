//! `-- Uses: table (select, insert)` lines of a template: the privileges of tenant roles on platform tables.

use std::fmt;
use std::ops::Range;

use super::ChainError;
use super::header::lines;
use crate::error::Place;
use crate::ident::{Identifier, SchemaName};
use crate::sql::{OWN_TABLES, Script, normalized};

/// A privilege on a table (manual, chapter 5.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Privilege {
    /// `SELECT`
    Select,
    /// `INSERT`
    Insert,
    /// `UPDATE`
    Update,
    /// `DELETE`
    Delete,
}

impl Privilege {
    /// All privileges that a line may contain.
    pub const ALL: [Self; 4] = [Self::Select, Self::Insert, Self::Update, Self::Delete];

    /// The SQL key word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A table or view of the platform with the privileges of tenant roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableUse {
    /// Its name, without the platform schema.
    pub table: Identifier,
    /// The privileges, sorted and without duplicates.
    pub privileges: Vec<Privilege>,
    /// The position of the line.
    pub place: Place,
}

/// The only table of Tenure's own that a tenant may read: the platform's version.
const READABLE: &str = "schema_version";

/// Reads the lines at the top of `script`.
pub fn uses_lines(script: &Script, platform: &SchemaName) -> Result<Vec<TableUse>, ChainError> {
    let top = script.code_start();
    lines(script)
        .filter(|line| line.key == "uses" && line.range.start < top)
        .map(|line| {
            let invalid = |why: String| header(script, &line.range, why);
            let (table, privileges) = parts(line.value).ok_or_else(|| {
                invalid("expected `-- Uses: table (select, insert)` with a platform table".to_owned())
            })?;
            let table = platform_table(table, platform).map_err(invalid)?;
            let mut found = privileges
                .split(',')
                .map(|word| privilege(word.trim()))
                .collect::<Result<Vec<_>, _>>()
                .map_err(invalid)?;
            found.sort_unstable();
            found.dedup();
            if OWN_TABLES.contains(&table.as_str())
                && (table.as_str() != READABLE || found != [Privilege::Select])
            {
                return Err(invalid(format!("{table} belongs to Tenure and cannot be granted to tenants")));
            }
            Ok(TableUse { table, privileges: found, place: Place::at(&script.source, line.range.clone()) })
        })
        .collect()
}

fn header(script: &Script, range: &Range<usize>, why: String) -> ChainError {
    ChainError::Header { why, place: Place::at(&script.source, range.clone()) }
}

/// `table (privileges)`
fn parts(value: &str) -> Option<(&str, &str)> {
    let (table, privileges) = value.strip_suffix(')')?.rsplit_once('(')?;
    let (table, privileges) = (table.trim(), privileges.trim());
    (!table.is_empty() && !privileges.is_empty()).then_some((table, privileges))
}

/// The table's name, which may be qualified with the platform schema.
fn platform_table(table: &str, platform: &SchemaName) -> Result<Identifier, String> {
    let names: Vec<String> = pieces(table).into_iter().map(normalized).collect();
    let name = match names.as_slice() {
        [name] => name,
        [schema, name] if schema == platform.as_str() => name,
        _ => return Err(format!("{table} is not a table of the platform schema {platform}")),
    };
    Identifier::new(name.as_str()).map_err(|error| error.to_string())
}

/// Splits a name at the dots outside quotes.
fn pieces(name: &str) -> Vec<&str> {
    let (mut pieces, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, letter) in name.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '.' if !quoted => {
                pieces.push(&name[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&name[start..]);
    pieces
}

fn privilege(word: &str) -> Result<Privilege, String> {
    Privilege::ALL.into_iter().find(|privilege| privilege.as_str().eq_ignore_ascii_case(word)).ok_or_else(
        || {
            let known: Vec<_> =
                Privilege::ALL.iter().map(|privilege| privilege.as_str().to_lowercase()).collect();
            format!("{word:?} is not a privilege for tenant roles; expected one of {}", known.join(", "))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;

    fn uses(text: &str) -> Result<Vec<(String, String)>, String> {
        let script = Script::parse(Source::new("t.sql", format!("{text}\nSELECT 1"))).unwrap();
        let platform = SchemaName::existing("p").unwrap();
        let found = uses_lines(&script, &platform).map_err(|error| error.to_string())?;
        let words = |a_use: &TableUse| {
            a_use.privileges.iter().map(|privilege| privilege.as_str()).collect::<Vec<_>>().join(" ")
        };
        Ok(found.iter().map(|a_use| (a_use.table.to_string(), words(a_use))).collect())
    }

    #[test]
    fn a_line_names_a_table_and_rights() {
        let text = "-- Template: v1.0.0\n-- Uses: users (select)\n-- uses: p.Countries(insert, SELECT,select)\n\
                    -- Uses: p.\"Odd.Name\" (delete)\n-- Uses: schema_version (select)";
        let expected = [
            ("users", "SELECT"),
            ("countries", "SELECT INSERT"),
            ("Odd.Name", "DELETE"),
            ("schema_version", "SELECT"),
        ];
        assert_eq!(
            uses(text).unwrap(),
            expected.map(|(table, privileges)| (table.to_owned(), privileges.to_owned()))
        );
        assert_eq!(uses("SELECT 2;\n-- Uses: too late").unwrap(), []);
    }

    #[test]
    fn what_cannot_be_granted_is_an_error() {
        for invalid in [
            "users",
            "users ()",
            "(select)",
            "users (select",
            "users (truncate)",
            "users (select,)",
            "users (all)",
            "other.users (select)",
            "a.p.users (select)",
            "tenant_version (select)",
            "schema_version (select, update)",
        ] {
            assert!(uses(&format!("-- Uses: {invalid}")).is_err(), "{invalid}");
        }
        assert_eq!(
            uses("-- Uses: users (grant)").unwrap_err(),
            "invalid header line: \"grant\" is not a privilege for tenant roles; \
             expected one of select, insert, update, delete"
        );
    }
}
