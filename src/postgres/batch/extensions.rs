//! The schema of an extension whose statement names none.

use super::SqlBatch;
use crate::ident::{SchemaName, SharedPath, literal};
use crate::sql::{Script, Statement};

/// The custom setting that stores the unit's search path during CREATE EXTENSION.
const SAVED_PATH: &str = "tenure.search_path";

impl SqlBatch {
    /// Sets the unit's search path.
    pub fn search_path(&mut self, schema: &SchemaName, path: &SharedPath) {
        self.push(&format!("SET LOCAL search_path = {}", path.of(schema)));
        self.extensions = Some(path.extensions().clone());
    }

    /// Sets the search path before `statement`: an extension without a schema is created in the first schema of
    /// the search path (manual, CREATE EXTENSION). Returns whether [`Self::leave_extensions`] must follow.
    pub(super) fn enter_extensions(&mut self, script: &Script, statement: &Statement) -> bool {
        let Some(schema) = self.extensions.clone().filter(|_| statement.omits_extension_schema()) else {
            return false;
        };
        if schema.as_str() != "public" {
            let create = format!(
                "BEGIN IF pg_catalog.to_regnamespace({}) IS NULL THEN CREATE SCHEMA {}; END IF; END",
                literal(&schema.quoted()),
                schema.quoted(),
            );
            // A name may contain any dollar quote.
            self.push_for_statement(&format!("DO {}", literal(&create)), script, statement);
        }
        let save = format!(
            "SELECT pg_catalog.set_config('{SAVED_PATH}', pg_catalog.current_setting('search_path'), true)"
        );
        self.push_for_statement(&save, script, statement);
        self.push_for_statement(&format!("SET LOCAL search_path = {}", schema.quoted()), script, statement);
        true
    }

    /// Restores the search path after `statement`.
    pub(super) fn leave_extensions(&mut self, script: &Script, statement: &Statement) {
        let path = format!(
            "SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('{SAVED_PATH}'), true)"
        );
        self.push_for_statement(&path, script, statement);
    }
}
