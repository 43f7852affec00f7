//! A replayed file: the model before each of its statements, and after the last.

use squawk_syntax::SyntaxKind;

use super::Schema;
use crate::sql::{Code, Scope, Script, Statement};

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
    /// The body of a DO block, if it can be read.
    pub code: Option<CodeReplay>,
}

/// The static statements of a body, each with the model before it.
#[derive(Debug, Clone)]
pub struct CodeReplay {
    /// The body.
    pub code: Code,
    /// The context of each of its statements.
    pub steps: Vec<CodeStep>,
}

/// The context of a statement of a body.
#[derive(Debug, Clone)]
pub struct CodeStep {
    /// The model before the statement.
    pub schema: Schema,
    /// Whether the statement has its effect.
    pub effect: Effect,
}

/// Whether a statement has its effect when its body runs, whatever the condition is under which it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The object that it creates exists.
    None,
    /// It has its effect, or had it before.
    Certain,
    /// The text does not show it.
    Uncertain,
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
        let follow = |(statement, scope): (&'a Statement, Option<Scope>)| {
            let schema = after.clone();
            let code = if statement.kind == SyntaxKind::DO { Code::of(script, statement) } else { None };
            let code = if let Some(code) = code {
                let steps = after.run_block(&code, scope);
                Some(CodeReplay { code, steps })
            } else {
                after.apply(script, statement, scope);
                None
            };
            StatementContext { statement, scope, schema, code }
        };
        let statements = statements.into_iter().map(follow).collect();
        ScriptReplay { statements, after }
    }
}
