//! The list of functions that change nothing is generated from the catalogs of the supported versions: on each server that runs
//! this test it contains the functions of the server and of its contrib extensions.

use std::collections::BTreeMap;

use crate::support::{Database, assert_generated};

const LIST: &str = "src/verify/schema/harmless_functions.txt";
const LINE: usize = 110;

/// Functions that are declared stable but may change data or reach another server.
const LEFT_OUT: &[&str] =
    &["dblink_current_query", "dblink_get_pkey", "postgresql_fdw_validator", "xpath_table"];

/// The functions that have no volatile variant, whether all variants are strict, and whether the server itself has one. Functions that only the server itself can
/// call, because of their types, are not listed.
const FUNCTIONS: &str = "SELECT proname::text, bool_and(proisstrict)::text, \
    bool_or(pronamespace = 'pg_catalog'::regnamespace)::text FROM pg_proc \
    WHERE proname !~ '[^a-z0-9_]|_validator$' AND prokind IN ('f', 'a', 'w') GROUP BY proname \
    HAVING bool_and(provolatile <> 'v') AND bool_or(NOT EXISTS (SELECT FROM unnest(proargtypes || prorettype) a (t) \
        JOIN pg_type ON pg_type.oid = t WHERE typname IN ('internal', 'cstring', 'trigger', 'event_trigger') OR typname LIKE '%_handler'))";

#[test]
fn the_list_contains_the_functions_of_this_server() {
    let db = Database::fresh();
    let languages =
        "SELECT name::text FROM pg_available_extensions WHERE name !~ 'plpython|plperl|pltcl' ORDER BY name";
    for extension in db.column(languages) {
        // Some extensions need a library that is loaded at the server's start.
        let _created = db.try_run(&format!("CREATE EXTENSION IF NOT EXISTS \"{extension}\" CASCADE"));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(LIST);
    let written = std::fs::read_to_string(path).unwrap();
    let listed = written.split_ascii_whitespace();
    // Whether it is strict, and whether it is a function of the server.
    let mut all: BTreeMap<String, (bool, bool)> = listed
        .map(|name| (name.trim_matches(['+', '*']).to_owned(), (name.ends_with('*'), !name.starts_with('+'))))
        .collect();
    for row in db.rows(FUNCTIONS) {
        let (name, is_strict, of_server) = (row[0].clone(), row[1] == "true", row[2] == "true");
        if !LEFT_OUT.contains(&name.as_str()) {
            let merge = |all: &mut (bool, bool)| *all = (all.0 && is_strict, all.1 || of_server);
            all.entry(name).and_modify(merge).or_insert((is_strict, of_server));
        }
    }
    let mut text = String::new();
    let mut length = 0;
    for (name, (is_strict, of_server)) in all {
        let mark = |is: bool, mark: &'static str| if is { mark } else { "" };
        let word = format!("{}{name}{}", mark(!of_server, "+"), mark(is_strict, "*"));
        let fits = length + 1 + word.len() <= LINE;
        if length > 0 {
            text.push(if fits { ' ' } else { '\n' });
        }
        length = if length > 0 && fits { length + 1 } else { 0 } + word.len();
        text.push_str(&word);
    }
    assert_generated(LIST, &(text + "\n"));
}
