//! A file followed once: what each of its statements meets, and what all of them leave.

use super::Schema;
use crate::sql::{Scope, Script, Statement};

/// The statements of a file, each with the schemas as it meets them.
#[derive(Debug, Clone)]
pub struct ScriptReplay<'a> {
    /// In order.
    pub context: Vec<StatementContext<'a>>,
    /// The schemas as the last of them leaves them.
    pub after: Schema,
}

/// A statement, with what it meets.
#[derive(Debug, Clone)]
pub struct StatementContext<'a> {
    /// The statement.
    pub statement: &'a Statement,
    /// Its scope, where that is known.
    pub scope: Option<Scope>,
    /// The schemas as they are then. What is held is shared with all other states, not copied.
    pub schema: Schema,
}

impl Schema {
    /// Follows the `statements` of `script` from here on, as a new file.
    pub fn walk<'a>(
        &self,
        script: &Script,
        statements: impl IntoIterator<Item = (&'a Statement, Option<Scope>)>,
    ) -> ScriptReplay<'a> {
        let mut after = self.clone();
        after.begin_file();
        let follow = |(statement, scope)| {
            let schema = after.clone();
            after.learn(script, statement, scope);
            StatementContext { statement, scope, schema }
        };
        let context = statements.into_iter().map(follow).collect();
        ScriptReplay { context, after }
    }
}
