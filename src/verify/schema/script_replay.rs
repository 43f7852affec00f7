//! A replayed file: the model before each of its statements, and after the last.

use super::Schema;
use crate::sql::{Scope, Script, Statement};

/// The statements of a file, each with the model before it.
#[derive(Debug, Clone)]
pub struct ScriptReplay<'a> {
    /// The statements, in order.
    pub statements: Vec<StatementContext<'a>>,
    /// The model after the last statement.
    pub after: Schema,
}

/// A statement with the model before it.
#[derive(Debug, Clone)]
pub struct StatementContext<'a> {
    /// The statement.
    pub statement: &'a Statement,
    /// The scope, if known.
    pub scope: Option<Scope>,
    /// The model before the statement. Copies share their contents.
    pub schema: Schema,
}

impl Schema {
    /// Applies the `statements` of `script` to a copy of this model, as a new file.
    pub fn replay<'a>(
        &self,
        script: &Script,
        statements: impl IntoIterator<Item = (&'a Statement, Option<Scope>)>,
    ) -> ScriptReplay<'a> {
        let mut after = self.clone();
        after.begin_file();
        let follow = |(statement, scope)| {
            let schema = after.clone();
            after.apply(script, statement, scope);
            StatementContext { statement, scope, schema }
        };
        let statements = statements.into_iter().map(follow).collect();
        ScriptReplay { statements, after }
    }
}
