//! All other DROP statements. The list contains the harmless kinds, so an unknown kind is denied.

use squawk_syntax::SyntaxKind;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::DropObject,
    level: Level::Deny,
    impact: &[Impact::OldReaders, Impact::OldWriters],
    why: "removes something that the running release may use",
    remediation: "drop it in a later migration, when that release no longer runs",
    bad: "DROP COLLATION german;",
    good: "DROP STATISTICS users_stats;",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    let kind = context.statement.kind;
    let other = crate::verify::new_objects::is_drop(kind)
        && !COVERED_ELSEWHERE.contains(&kind)
        && !HARMLESS.contains(&kind);
    if other { vec![context.statement.range.clone()] } else { Vec::new() }
}

/// Kinds that do not change the result of any query.
const HARMLESS: &[SyntaxKind] = &[SyntaxKind::DROP_STATISTICS];

const COVERED_ELSEWHERE: &[SyntaxKind] = &[
    SyntaxKind::DROP_AGGREGATE,
    SyntaxKind::DROP_CAST,
    SyntaxKind::DROP_DATABASE,
    SyntaxKind::DROP_DOMAIN,
    SyntaxKind::DROP_EXTENSION,
    SyntaxKind::DROP_FOREIGN_TABLE,
    SyntaxKind::DROP_FUNCTION,
    SyntaxKind::DROP_GROUP,
    SyntaxKind::DROP_INDEX,
    SyntaxKind::DROP_MATERIALIZED_VIEW,
    SyntaxKind::DROP_OPERATOR,
    SyntaxKind::DROP_OPERATOR_CLASS,
    SyntaxKind::DROP_OPERATOR_FAMILY,
    SyntaxKind::DROP_OWNED,
    SyntaxKind::DROP_POLICY,
    SyntaxKind::DROP_PROCEDURE,
    SyntaxKind::DROP_PUBLICATION,
    SyntaxKind::DROP_ROLE,
    SyntaxKind::DROP_ROUTINE,
    SyntaxKind::DROP_RULE,
    SyntaxKind::DROP_SCHEMA,
    SyntaxKind::DROP_SEQUENCE,
    SyntaxKind::DROP_SUBSCRIPTION,
    SyntaxKind::DROP_TABLE,
    SyntaxKind::DROP_TABLESPACE,
    SyntaxKind::DROP_TRIGGER,
    SyntaxKind::DROP_TYPE,
    SyntaxKind::DROP_USER,
    SyntaxKind::DROP_VIEW,
];
