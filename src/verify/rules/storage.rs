//! A materialized view without rows is one that nobody can read.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;
use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};

pub(in crate::verify) const ROWS: &[Rule] = &[Rule {
    id: RuleId("empty-view"),
    level: Level::Deny,
    impact: &[Impact::OldReaders, Impact::OldWriters],
    why: "empties the view, and whoever reads it gets an error until it is filled",
    remediation: "leave WITH NO DATA out",
    bad: "REFRESH MATERIALIZED VIEW sales WITH NO DATA;",
    good: "REFRESH MATERIALIZED VIEW sales;",
    ignores_new_objects: true,
    judge: Judge::Code(|subject| {
        let refreshes = subject.nodes(&[SyntaxKind::REFRESH]);
        refreshes.filter(|node| node.has_child(&[SyntaxKind::WITH_NO_DATA])).map(Node::span).collect()
    }),
}];
