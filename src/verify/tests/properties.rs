//! Property tests: no text makes verification panic, and every finding has a valid range in its file.

use proptest::prelude::*;

use super::*;

/// Verifies `sql` as a loose file and as a template. Checks that every statement can be verified, and that the range of each
/// finding is valid and not empty.
fn sound(sql: &str) {
    let Ok(script) = Script::parse(Source::new("t.sql", sql)) else { return };
    let statements: Vec<_> = script.statements.iter().map(|statement| (statement, None)).collect();
    let before = Schema::unknown(PLATFORM);
    for kind in [Kind::Loose, Kind::Template(&[])] {
        let file = File {
            script: &script,
            replay: &before.replay(&script, statements.iter().copied()),
            kind,
            observed_effects: None,
            schemas: SCHEMAS,
        };
        for finding in verify(&file, &Policy::default()) {
            assert_ne!(finding.rule.as_str(), "unverifiable", "{sql}");
            let Some(Place::Span(source, range)) = finding.place() else { continue };
            assert!(source.text.get(range.clone()).is_some_and(|text| !text.is_empty()), "{sql}: {range:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}") {
        sound(&text);
    }

    #[test]
    fn no_pieces_of_statements_make_it_panic(pieces in prop::collection::vec(prop::sample::select(PIECES), 1..9)) {
        sound(&pieces.join(" "));
    }
}

/// Parts of statements that are combined at random.
const PIECES: &[&str] = &[
    "ALTER TABLE",
    "DROP",
    "TABLE",
    "COLUMN",
    "users",
    "{org_schema}.t",
    "\"Ä.b\"",
    "CASCADE",
    ";",
    "-- Allow: drop-table\n",
    "/* squawk-ignore */",
    "ADD",
    "CONSTRAINT c",
    "CHECK (a > 0)",
    "UNIQUE",
    "NOT NULL",
    "DELETE FROM",
    "UPDATE",
    "SET a = 1",
    "WHERE true",
    "WITH x AS (",
    ")",
    "SELECT 1",
    "CREATE",
    "TEMP",
    "INDEX",
    "ON",
    "(a)",
    "DO $$ x $$",
    "RENAME TO b",
    "FUNCTION f(int)",
    ",",
    "'ü'",
    "DEFAULT now()",
    "int",
    "TYPE text",
    "ALTER",
    "-- é\n",
];
