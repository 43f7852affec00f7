//! A materialized view without data cannot be read.

use squawk_syntax::SyntaxKind;

use crate::sql::Node;
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const ROWS: &[Rule] = &[Rule {
    id: RuleId::EmptyView,
    level: Level::Deny,
    impact: &[Impact::OldReaders, Impact::OldWriters],
    why: "empties the materialized view; reading it fails until it is refreshed",
    remediation: "omit WITH NO DATA",
    bad: "REFRESH MATERIALIZED VIEW sales WITH NO DATA;",
    good: "REFRESH MATERIALIZED VIEW sales;",
    ignores_new_objects: true,
    judge: Judge::Code(|context| {
        let refreshes = context.nodes(&[SyntaxKind::REFRESH]);
        refreshes.filter(|node| node.has_child(&[SyntaxKind::WITH_NO_DATA])).map(Node::span).collect()
    }),
}];
