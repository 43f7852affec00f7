//! What squawk does not count among the statements that keep a table locked while it is written anew or
//! an index is built.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("long-lock"),
    level: Level::Warn,
    impact: &[Impact::Locks],
    why: "keeps the table locked while it, or an index on it, is written",
    remediation: "do it when the table is small or nobody waits",
    bad: "CLUSTER users USING users_pkey;",
    good: "CREATE UNLOGGED TABLE scratch (id int);",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

fn judge(subject: &RuleContext<'_>) -> Vec<Span> {
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
    subject
        .nodes(&rewrites)
        .filter(|node| match node.kind() {
            SyntaxKind::REFRESH => !node.has_token(SyntaxKind::CONCURRENTLY_KW),
            SyntaxKind::VACUUM => node.text().to_lowercase().contains("full"),
            _ => true,
        })
        .chain(subject.nodes(&[SyntaxKind::ADD_COLUMN]).filter(serial))
        .map(Node::span)
        .collect()
}
