//! DELETE and UPDATE of every row, wherever they stand: a CTE hides one well. A WHERE that looks at no
//! column is none.

use squawk_syntax::{SyntaxKind, SyntaxNode};

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};
use crate::verify::subject::{Hit, Subject, span};

pub(in crate::verify) const DELETE: Rule = Rule {
    id: RuleId("delete-without-where"),
    level: Level::Deny,
    breaks: &[Breaks::Data],
    why: "removes every row",
    instead: "say by a WHERE which rows must go",
    bad: "WITH gone AS (DELETE FROM users RETURNING id) SELECT count(*) FROM gone;",
    good: "DELETE FROM users WHERE disabled_at < '2020-01-01';",
    spares: Spares::Nothing,
    judge: Judge::Code(|subject| judge(subject, SyntaxKind::DELETE)),
};

pub(in crate::verify) const UPDATE: Rule = Rule {
    id: RuleId("update-without-where"),
    level: Level::Deny,
    breaks: &[Breaks::Data, Breaks::Locks],
    why: "overwrites every row, and holds a lock on each until the migration is done",
    instead: "say by a WHERE which rows are meant: those that do not have the value yet",
    bad: "UPDATE users SET role = 'viewer' WHERE true;",
    good: "UPDATE users SET role = 'viewer' WHERE role IS NULL;",
    spares: Spares::Nothing,
    judge: Judge::Code(|subject| judge(subject, SyntaxKind::UPDATE)),
};

fn judge(subject: &Subject<'_>, kind: SyntaxKind) -> Vec<Hit> {
    subject
        .nodes(&[kind])
        .filter(|node| !chooses(node))
        .filter(|node| !subject.relation_of(node).is_some_and(|name| subject.is_new_table(name)))
        .map(|node| span(&node))
        .collect()
}

/// Whether a WHERE of the statement itself chooses among the rows.
fn chooses(node: &SyntaxNode) -> bool {
    node.children().any(|child| match child.kind() {
        SyntaxKind::WHERE_CURRENT_OF => true,
        SyntaxKind::WHERE_CLAUSE => child.children().any(|condition| !always(&condition)),
        _ => false,
    })
}

/// Whether a condition is surely the same for each row.
fn always(condition: &SyntaxNode) -> bool {
    if condition.kind() == SyntaxKind::PAREN_EXPR {
        return condition.children().all(|inner| always(&inner));
    }
    if let Some((left, operator, right)) = sides(condition) {
        // `id = id` leaves out a NULL at most.
        if (operator == "or" && (always(&left) || always(&right)))
            || (operator == "=" && left.text() == right.text())
        {
            return true;
        }
    }
    let looks = |node: &SyntaxNode| match node.kind() {
        SyntaxKind::NAME_REF => node.parent().is_none_or(|parent| parent.kind() != SyntaxKind::CALL_EXPR),
        SyntaxKind::SELECT | SyntaxKind::EXISTS_FN | SyntaxKind::COMPOUND_SELECT => true,
        _ => false,
    };
    !condition.descendants().any(|node| looks(&node))
}

/// The two sides of an operator and, in lower case, what stands between them.
fn sides(expression: &SyntaxNode) -> Option<(SyntaxNode, String, SyntaxNode)> {
    if expression.kind() != SyntaxKind::BIN_EXPR {
        return None;
    }
    let mut operands = expression.children().filter(|child| child.kind() != SyntaxKind::OP);
    let (left, right) = (operands.next()?, operands.next()?);
    let tokens = expression.descendants_with_tokens().filter_map(squawk_syntax::SyntaxElement::into_token);
    let between = tokens.filter(|token| {
        left.text_range().end() <= token.text_range().start()
            && token.text_range().end() <= right.text_range().start()
            && !token.kind().is_trivia()
    });
    let operator = between.map(|token| token.text().to_lowercase()).collect();
    Some((left, operator, right))
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::ids;

    #[test]
    fn a_where_that_chooses_nothing_is_none() {
        for condition in
            ["true", "1 = 1", "(TRUE)", "now() IS NOT NULL", "id = 1 OR true", "id = 1 OR (1=1)", "id=id"]
        {
            let sql = format!("DELETE FROM users WHERE {condition}");
            assert_eq!(ids(&sql), ["delete-without-where"], "{condition}");
        }
        for condition in [
            "id = 1",
            "disabled",
            "EXISTS (SELECT 1 FROM gone)",
            "u.id IN (SELECT 1)",
            "CURRENT OF c",
            "a AND a",
            "a <> a",
        ] {
            assert!(ids(&format!("DELETE FROM users u WHERE {condition}")).is_empty(), "{condition}");
        }
    }
}
