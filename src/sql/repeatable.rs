//! Statements that promise to be no failure when they are run again.

use squawk_syntax::SyntaxKind;

use super::script::{Script, Statement};

/// Words that say so of what they stand before.
const PROMISES: &[SyntaxKind] = &[SyntaxKind::IF_NOT_EXISTS, SyntaxKind::IF_EXISTS, SyntaxKind::OR_REPLACE];

impl Statement {
    /// Whether it says `IF NOT EXISTS`, `IF EXISTS` or `OR REPLACE` of what it makes or drops. `ALTER … IF EXISTS`
    /// only says what to do where the whole is not there.
    pub fn is_repeatable(&self, script: &Script) -> bool {
        let alters = self.verb().starts_with("ALTER ");
        let node = self.node(script);
        node.descendants().any(|below| {
            let is_about_the_whole =
                alters && below.kind() == SyntaxKind::IF_EXISTS && below.parent() == Some(node);
            PROMISES.contains(&below.kind()) && !is_about_the_whole
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;

    fn promises(sql: &str) -> bool {
        let script = Script::parse(Source::new("t.sql", sql)).unwrap();
        script.statements[0].is_repeatable(&script)
    }

    #[test]
    fn only_what_is_said_of_the_thing_itself_counts() {
        for sql in [
            "CREATE TABLE IF NOT EXISTS t (id int)",
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int",
            "ALTER TABLE IF EXISTS t DROP COLUMN IF EXISTS c",
            "CREATE OR REPLACE VIEW v AS SELECT 1",
            "DROP TABLE IF EXISTS t",
            "CREATE INDEX IF NOT EXISTS i ON t (c)",
        ] {
            assert!(promises(sql), "{sql}");
        }
        for sql in
            ["CREATE TABLE t (id int)", "ALTER TABLE IF EXISTS t ADD COLUMN c int", "SELECT 'IF NOT EXISTS'"]
        {
            assert!(!promises(sql), "{sql}");
        }
    }
}
