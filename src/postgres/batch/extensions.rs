//! Where an extension is made whose statement names no schema.

use super::SqlBatch;
use crate::ident::{SchemaName, SharedPath, literal};
use crate::sql::{Script, Statement};

/// Holds the unit's search path while an extension is made.
const KEPT: &str = "tenure.search_path";

impl SqlBatch {
    /// Sets the search path of the unit.
    pub fn search_path(&mut self, schema: &SchemaName, path: &SharedPath) {
        self.push(&format!("SET LOCAL search_path = {}", path.of(schema)));
        self.extensions = Some(path.extensions().clone());
    }

    /// Before `statement`: an extension without a fixed schema is made in the first schema of the search path (manual,
    /// CREATE EXTENSION). Whether something has to follow the statement.
    pub(super) fn enter_extensions(&mut self, script: &Script, statement: &Statement) -> bool {
        let Some(schema) = self.extensions.clone().filter(|_| statement.omits_extension_schema()) else {
            return false;
        };
        if schema.as_str() != "public" {
            let made = format!(
                "DO $tenure$ BEGIN IF to_regnamespace({}) IS NULL THEN CREATE SCHEMA {}; END IF; END $tenure$",
                literal(&schema.quoted()),
                schema.quoted(),
            );
            self.push_about(&made, script, statement);
        }
        let kept = format!(
            "SELECT pg_catalog.set_config('{KEPT}', pg_catalog.current_setting('search_path'), true)"
        );
        self.push_about(&kept, script, statement);
        self.push_about(&format!("SET LOCAL search_path = {}", schema.quoted()), script, statement);
        true
    }

    /// After such a statement: the search path is as it was.
    pub(super) fn leave_extensions(&mut self, script: &Script, statement: &Statement) {
        let path = format!(
            "SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('{KEPT}'), true)"
        );
        self.push_about(&path, script, statement);
    }
}
