//! Every other DROP. A list of what is harmless, and not of what is dangerous: a kind of statement that
//! nobody thought of is denied.

use squawk_syntax::SyntaxKind;

use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::DropObject,
    level: Level::Deny,
    impact: &[Impact::OldReaders, Impact::OldWriters],
    why: "removes something that the running release may use",
    remediation: "drop it in a migration that comes after that release is gone",
    bad: "DROP COLLATION german;",
    good: "DROP STATISTICS users_stats;",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

fn judge(subject: &RuleContext<'_>) -> Vec<Span> {
    let kind = subject.statement.kind;
    let other = crate::verify::new_objects::is_drop(kind)
        && !HAVE_THEIR_OWN.contains(&kind)
        && !HARMLESS.contains(&kind);
    if other { vec![subject.statement.range.clone()] } else { Vec::new() }
}

/// These do not change the result of any query.
const HARMLESS: &[SyntaxKind] = &[SyntaxKind::DROP_STATISTICS];

const HAVE_THEIR_OWN: &[SyntaxKind] = &[
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
