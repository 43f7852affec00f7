//! What squawk does not count among the statements that keep a table locked while it is written anew or
//! an index is built.

use squawk_syntax::SyntaxKind;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};
use crate::verify::subject::{Hit, Subject, has, says, span};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("long-lock"),
    level: Level::Warn,
    breaks: &[Breaks::Locks],
    why: "keeps the table locked while it, or an index on it, is written",
    instead: "do it when the table is small or nobody waits",
    bad: "CLUSTER users USING users_pkey;",
    good: "CREATE UNLOGGED TABLE scratch (id int);",
    spares: Spares::NewObjects,
    judge: Judge::Code(judge),
};

fn judge(subject: &Subject<'_>) -> Vec<Hit> {
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
    let serial = |column: &squawk_syntax::SyntaxNode| {
        column.children().any(|part| {
            part.kind() == SyntaxKind::PATH_TYPE && part.text().to_string().to_lowercase().contains("serial")
        }) || has(column, &[SyntaxKind::UNIQUE_CONSTRAINT])
    };
    subject
        .nodes(&rewrites)
        .filter(|node| match node.kind() {
            SyntaxKind::REFRESH => !says(node, SyntaxKind::CONCURRENTLY_KW),
            SyntaxKind::VACUUM => node.text().to_string().to_lowercase().contains("full"),
            _ => true,
        })
        .chain(subject.nodes(&[SyntaxKind::ADD_COLUMN]).filter(serial))
        .map(|node| span(&node))
        .collect()
}
