//! Requests for tenants: one from the command line, or a CSV with the columns `slug` and optionally `name`, `template`,
//! `set.KEY` and columns of the registry. Pure.

use std::collections::BTreeMap;

use csv::{ErrorKind, StringRecord};

use crate::error::{Code, Failure, Place, Source, did_you_mean};
use crate::output::plural;

/// The prefix of a column with a parameter's values.
const SET: &str = "set.";

/// A tenant to create. The slug is not validated yet: an invalid one fails only this tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTenant {
    /// The slug.
    pub slug: String,
    /// The display name; the slug if missing.
    pub name: Option<String>,
    /// The template; that of the settings if missing.
    pub template: Option<String>,
    /// The values of the template's parameters.
    pub set: BTreeMap<String, String>,
    /// The values of other columns of the registry.
    pub columns: BTreeMap<String, String>,
}

/// Parses a CSV (RFC 4180) with a header line. Fails if any line is invalid.
pub fn from_csv(file: &str, text: &str) -> Result<Vec<NewTenant>, Failure> {
    let wrong = |line: Option<u64>, message: String| {
        let place = match line.and_then(|line| usize::try_from(line).ok()) {
            Some(line) => {
                let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
                Place::at(&Source::new(file, text), start..start)
            }
            None => Place::File(file.to_owned()),
        };
        Failure::new(Code::CsvInvalid, message).at(place)
    };
    let wrong_header = |message: String| {
        wrong(Some(1), message).hint(
            "the first line names the columns: slug, and optionally name, template, set.KEY for a parameter, and columns of \
             the registry",
        )
    };
    let counted = |count: u64, noun| plural(usize::try_from(count).unwrap_or(usize::MAX), noun);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| wrong(None, error.to_string()))?.clone();
    let is_column = |header: &str| !header.is_empty() && header != SET && !header.contains([';', '\t']);
    if let Some(odd) = headers.iter().find(|header| !is_column(header)) {
        let failure = wrong_header(format!("{odd:?} is not a column of a list of tenants"));
        return Err(match did_you_mean(odd, ["slug", "name", "template"]) {
            _ if odd.contains([';', '\t']) => failure.hint("separate the columns with commas"),
            Some(near) => failure.hint(near),
            None => failure,
        });
    }
    if let Some(twice) = headers.iter().find(|one| headers.iter().filter(|other| one == other).count() > 1) {
        return Err(wrong_header(format!("the list of tenants has the column {twice:?} twice")));
    }
    if !headers.iter().any(|header| header == "slug") {
        return Err(wrong_header("the list of tenants has no column slug".to_owned()));
    }
    reader
        .records()
        .map(|row| {
            let row = row.map_err(|error| {
                let line = error.position().map(csv::Position::line);
                match error.kind() {
                    ErrorKind::UnequalLengths { expected_len, len, .. } => wrong(
                        line,
                        format!(
                            "this line has {}, but the first line names {}",
                            counted(*len, "value"),
                            counted(*expected_len, "column")
                        ),
                    )
                    .hint("give each line a value for each column, such as `acme,,` with two empty values; put a value that contains a comma in double quotes"),
                    _ => wrong(line, error.to_string()),
                }
            })?;
            Ok(tenant(&headers, &row))
        })
        .collect()
}

/// Parses a line. An empty cell counts as missing.
fn tenant(headers: &StringRecord, row: &StringRecord) -> NewTenant {
    let mut tenant = NewTenant::default();
    for (header, cell) in headers.iter().zip(row) {
        let text = || Some(cell.to_owned()).filter(|text| !text.is_empty());
        match header {
            "slug" => cell.clone_into(&mut tenant.slug),
            "name" => tenant.name = text(),
            "template" => tenant.template = text(),
            _ => {
                let (values, key) = match header.strip_prefix(SET) {
                    Some(key) => (&mut tenant.set, key),
                    None => (&mut tenant.columns, header),
                };
                values.extend(text().map(|value| (key.to_owned(), value)));
            }
        }
    }
    tenant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_line_fails_the_whole_list() {
        let list = from_csv("t.csv", "slug,name\r\nacme,\"Acme, Inc.\"\nb,\n").unwrap();
        assert_eq!(list[0].name.as_deref(), Some("Acme, Inc."));
        assert_eq!(list[1], NewTenant { slug: "b".to_owned(), ..NewTenant::default() });
        let list = from_csv("t.csv", "set.plan,slug,set.seats\npro,a,5\n,b,\n").unwrap();
        assert_eq!(
            list[0].set,
            BTreeMap::from([("plan", "pro"), ("seats", "5")].map(|(k, v)| (k.to_owned(), v.to_owned())))
        );
        assert_eq!(list[1].set, BTreeMap::new());
        for wrong in [
            "name\nx\n",
            "slug,\na,b\n",
            "slug;name\na;b\n",
            "slug,name\na\n",
            "",
            "slug,set.\na,b\n",
            "slug,set.a,set.a\na,b,c\n",
        ] {
            assert_eq!(from_csv("t.csv", wrong).unwrap_err().code, Code::CsvInvalid, "{wrong:?}");
        }
        let list = from_csv("t.csv", "slug,plan\na,pro\nb,\n").unwrap();
        assert_eq!(list[0].columns, BTreeMap::from([("plan".to_owned(), "pro".to_owned())]));
        assert_eq!(list[1].columns, BTreeMap::new());
        let failure = from_csv("t.csv", "slug,name\na,b\nc\n").unwrap_err();
        assert_eq!(failure.place.unwrap().to_string(), "t.csv:3:1");
    }
}
