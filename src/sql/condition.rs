//! A condition of the project's settings or of a flag: one boolean expression over the columns of a table.

use std::fmt;
use std::sync::Arc;

use squawk_syntax::SyntaxKind;

use super::script::Script;
use super::tree::Node;
use crate::error::Source;

/// The text before the expression while it is parsed.
const HEAD: &str = "SELECT FROM registry WHERE ";

/// The nodes that write rows, which only a data-modifying `WITH` contains.
const WRITING: &[SyntaxKind] =
    &[SyntaxKind::DELETE, SyntaxKind::INSERT, SyntaxKind::MERGE, SyntaxKind::UPDATE];

/// One SQL expression: no statement, no further clause, no comment, no parameter. In parentheses it cannot change the
/// statement around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition(String);

impl Condition {
    /// Checks `text`. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the condition is empty".to_owned());
        }
        let sql = format!("{HEAD}{text}");
        let source: Arc<Source> = Source::new("condition", sql.as_str());
        let script = Script::parse_masked(source, sql.clone()).map_err(|error| {
            let message = error.to_string();
            format!("{text:?} is not one SQL expression: {message}")
        })?;
        let refuse = |what: &str| Err(format!("{text:?} is not one SQL expression: it contains {what}"));
        if !script.comments.is_empty() {
            return refuse("a comment");
        }
        let [statement] = script.statements.as_slice() else { return refuse("a further statement") };
        let node = statement.node(&script);
        if script.contains(&[SyntaxKind::SEMICOLON]) {
            return refuse("a semicolon");
        }
        if node.tokens().any(|token| token.kind == SyntaxKind::POSITIONAL_PARAM) {
            return refuse("a parameter");
        }
        if node.contains(WRITING) {
            return refuse("a statement that writes rows");
        }
        let clauses: Vec<SyntaxKind> = node.children().map(Node::kind).collect();
        let is_whole = node.children().last().is_some_and(|last| last.span().end == sql.len());
        let is_where =
            clauses == [SyntaxKind::SELECT_CLAUSE, SyntaxKind::FROM_CLAUSE, SyntaxKind::WHERE_CLAUSE];
        if statement.kind != SyntaxKind::SELECT || !is_where || !is_whole || statement.range != (0..sql.len())
        {
            return refuse("more than that expression");
        }
        Ok(Self(text.to_owned()))
    }

    /// The expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The expression in parentheses, as part of a statement.
    pub fn sql(&self) -> String {
        format!("({})", self.0)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_expression_is_accepted() {
        for text in [
            "schema_name <> 'public'",
            "NOT is_platform AND deleted_at IS NULL",
            "plan IN ('a;b', 'c--d', $$e;f$$)",
            "id IN (SELECT org_id FROM app.subscriptions s WHERE s.active GROUP BY 1 ORDER BY 1)",
            "CASE WHEN kind = 'x' THEN true ELSE false END",
            "\"odd \"\" name\" = E'it\\'s'",
            "settings ->> 'a' = 'b' OR settings @> '{\"x\": 1}'::jsonb",
            "created_at > now() - interval '1 day'",
            "true",
        ] {
            assert_eq!(Condition::parse(text).map(|it| it.sql()), Ok(format!("({text})")), "{text}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "",
            "  ",
            "true; DROP TABLE x",
            "true;",
            "; true",
            "true) OR (true",
            "true) UNION SELECT (1",
            "true UNION SELECT 1",
            "true UNION ALL TABLE x",
            "true INTERSECT SELECT 1",
            "true GROUP BY 1",
            "true HAVING true",
            "true ORDER BY 1",
            "true LIMIT 1",
            "true OFFSET 1",
            "true FETCH FIRST ROW ONLY",
            "true FOR UPDATE",
            "true WINDOW w AS ()",
            "true -- more",
            "true /* more",
            "true /* more */",
            "a = 'open",
            "a = $$open",
            "a = \"open",
            "a = (1",
            "a = 1)",
            "a b",
            "a = $1",
            "a, b",
            "id IN (WITH gone AS (DELETE FROM x RETURNING id) SELECT id FROM gone)",
            "true\0",
            "SELECT 1",
            "true \\gexec",
        ] {
            assert!(Condition::parse(text).is_err(), "{text:?}: {:?}", Condition::parse(text));
        }
    }
}
