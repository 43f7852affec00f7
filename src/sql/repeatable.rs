//! Statements that can be run again without an error.

use squawk_syntax::SyntaxKind;

use super::script::{Script, Statement};

const CLAUSES: &[SyntaxKind] = &[SyntaxKind::IF_NOT_EXISTS, SyntaxKind::IF_EXISTS, SyntaxKind::OR_REPLACE];

impl Statement {
    /// Whether it has `IF NOT EXISTS`, `IF EXISTS` or `OR REPLACE` for the objects that it creates or drops. The clause of
    /// `ALTER … IF EXISTS` does not count: it concerns the altered object.
    pub fn is_repeatable(&self, script: &Script) -> bool {
        let alters = self.verb().starts_with("ALTER ");
        let node = self.node(script);
        node.descendants().any(|below| {
            let is_of_altered_object =
                alters && below.kind() == SyntaxKind::IF_EXISTS && below.parent() == Some(node);
            CLAUSES.contains(&below.kind()) && !is_of_altered_object
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;

    fn is_repeatable(sql: &str) -> bool {
        let script = Script::parse(Source::new("t.sql", sql)).unwrap();
        script.statements[0].is_repeatable(&script)
    }

    #[test]
    fn a_clause_must_concern_the_created_or_dropped_object() {
        for sql in [
            "CREATE TABLE IF NOT EXISTS t (id int)",
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int",
            "ALTER TABLE IF EXISTS t DROP COLUMN IF EXISTS c",
            "CREATE OR REPLACE VIEW v AS SELECT 1",
            "DROP TABLE IF EXISTS t",
            "CREATE INDEX IF NOT EXISTS i ON t (c)",
        ] {
            assert!(is_repeatable(sql), "{sql}");
        }
        for sql in
            ["CREATE TABLE t (id int)", "ALTER TABLE IF EXISTS t ADD COLUMN c int", "SELECT 'IF NOT EXISTS'"]
        {
            assert!(!is_repeatable(sql), "{sql}");
        }
    }
}
