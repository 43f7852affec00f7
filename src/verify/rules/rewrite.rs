//! Statements that lock a table while it is rewritten or an index is built, and that squawk does not report.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::LongLock,
    level: Level::Warn,
    impact: &[Impact::Locks],
    why: "locks the table while it is rewritten or an index is built",
    remediation: "run it when the table is small or not in use",
    bad: "CLUSTER users USING users_pkey;",
    good: "CREATE UNLOGGED TABLE scratch (id int);",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    let rewrites = [
        SyntaxKind::CLUSTER,
        SyntaxKind::REFRESH,
        SyntaxKind::SET_LOGGED,
        SyntaxKind::SET_ACCESS_METHOD,
        SyntaxKind::SET_TABLESPACE,
        SyntaxKind::MERGE_PARTITIONS,
        SyntaxKind::SPLIT_PARTITION,
        SyntaxKind::VACUUM,
    ];
    let serial = |column: &Node<'_>| {
        column
            .children()
            .any(|part| part.kind() == SyntaxKind::PATH_TYPE && part.text().to_lowercase().contains("serial"))
            || column.has_child(&[SyntaxKind::UNIQUE_CONSTRAINT])
    };
    context
        .nodes(&rewrites)
        .filter(|node| match node.kind() {
            SyntaxKind::REFRESH => !node.has_token(SyntaxKind::CONCURRENTLY_KW),
            SyntaxKind::VACUUM => node.text().to_lowercase().contains("full"),
            _ => true,
        })
        .chain(context.nodes(&[SyntaxKind::ADD_COLUMN]).filter(serial))
        .map(Node::span)
        .collect()
}
