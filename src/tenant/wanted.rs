//! Tenants as they are asked for: one on the command line, or a CSV with the columns `slug` and, if
//! wanted, `name` and `template`. Pure.

use serde::Deserialize;

use crate::error::{Code, Failure, Place, Source};

/// A tenant to be made. The slug is not checked yet: a wrong one is that tenant's failure alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NewTenant {
    /// The slug.
    pub slug: String,
    /// The display name; the slug where it is missing.
    #[serde(default)]
    pub name: Option<String>,
    /// The template; the settings' where it is missing.
    #[serde(default)]
    pub template: Option<String>,
}

/// Reads a CSV (RFC 4180) with a header line. Every line must be readable before any tenant is made.
pub fn from_csv(file: &str, text: &str) -> Result<Vec<NewTenant>, Failure> {
    let wrong = |line: Option<u64>, message: String| {
        let place = match line.and_then(|line| usize::try_from(line).ok()) {
            Some(line) => {
                let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
                Place::at(&Source::new(file, text), start..start)
            }
            None => Place::File(file.to_owned()),
        };
        Failure::new(Code::CsvInvalid, message)
            .at(place)
            .hint("the first line names the columns: slug and, if wanted, name and template")
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| wrong(None, error.to_string()))?.clone();
    if let Some(odd) = headers.iter().find(|header| !matches!(*header, "slug" | "name" | "template")) {
        return Err(wrong(Some(1), format!("{odd:?} is not a column of a list of tenants")));
    }
    if !headers.iter().any(|header| header == "slug") {
        return Err(wrong(Some(1), "the list of tenants has no column slug".to_owned()));
    }
    reader
        .deserialize()
        .map(|row: Result<NewTenant, csv::Error>| {
            row.map(|mut tenant| {
                tenant.name = tenant.name.filter(|name| !name.is_empty());
                tenant.template = tenant.template.filter(|template| !template.is_empty());
                tenant
            })
            .map_err(|error| wrong(error.position().map(csv::Position::line), format!("{error}")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whole_or_not_at_all() {
        let list = from_csv("t.csv", "slug,name\r\nacme,\"Acme, Inc.\"\nb,\n").unwrap();
        assert_eq!(list[0].name.as_deref(), Some("Acme, Inc."));
        assert_eq!(list[1], NewTenant { slug: "b".to_owned(), name: None, template: None });
        for wrong in ["name\nx\n", "slug,colour\na,b\n", "slug,name\na\n", ""] {
            assert_eq!(from_csv("t.csv", wrong).unwrap_err().code, Code::CsvInvalid, "{wrong:?}");
        }
        let failure = from_csv("t.csv", "slug,name\na,b\nc\n").unwrap_err();
        assert_eq!(failure.place.unwrap().to_string(), "t.csv:3:1");
    }
}
