//! A materialized view without rows is one that nobody can read.

use squawk_syntax::SyntaxKind;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};
use crate::verify::subject::{has, span};

pub(in crate::verify) const ROWS: &[Rule] = &[Rule {
    id: RuleId("empty-view"),
    level: Level::Deny,
    breaks: &[Breaks::OldReaders, Breaks::OldWriters],
    why: "empties the view, and whoever reads it gets an error until it is filled",
    instead: "leave WITH NO DATA out",
    bad: "REFRESH MATERIALIZED VIEW sales WITH NO DATA;",
    good: "REFRESH MATERIALIZED VIEW sales;",
    spares: Spares::NewObjects,
    judge: Judge::Code(|subject| {
        let refreshes = subject.nodes(&[SyntaxKind::REFRESH]);
        refreshes.filter(|node| has(node, &[SyntaxKind::WITH_NO_DATA])).map(|node| span(&node)).collect()
    }),
}];
