//! Numbers that are drawn twice, or not at all.

use squawk_syntax::SyntaxKind;

use crate::sql::{Lookup, Name, NameRole, Node, normalized};
use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::words;

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("change-sequence"),
    level: Level::Deny,
    impact: &[Impact::OldWriters],
    why: "changes the numbers that the running release draws: they may have been drawn before, or end",
    remediation: "make another sequence",
    bad: "ALTER SEQUENCE invoice_numbers RESTART WITH 1;",
    good: "ALTER SEQUENCE invoice_numbers CACHE 20;",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

/// What these say changes no number that is drawn next. A cache, a start that only RESTART uses, a higher
/// end.
const HARMLESS: &[SyntaxKind] = &[
    SyntaxKind::OPTION_CACHE,
    SyntaxKind::OPTION_NO_MAX_VALUE,
    SyntaxKind::OPTION_OWNED_BY,
    SyntaxKind::OPTION_START,
];

fn judge(subject: &RuleContext<'_>) -> Vec<Span> {
    let options = subject
        .nodes(&[SyntaxKind::ALTER_SEQUENCE])
        .flat_map(|node| node.children().collect::<Vec<_>>())
        .filter(|option| format!("{:?}", option.kind()).starts_with("OPTION_"))
        .filter(|option| !HARMLESS.contains(&option.kind()) && words(*option).join(" ") != "as bigint");
    let calls = subject.nodes(&[SyntaxKind::CALL_EXPR]).filter(|call| sets(subject, *call));
    options.chain(calls).map(Node::span).collect()
}

/// `setval(…)` of a sequence that the file did not make.
fn sets(subject: &RuleContext<'_>, call: Node<'_>) -> bool {
    let callee = call.children().next().map(|callee| words(callee)).unwrap_or_default();
    if callee.last().map(String::as_str) != Some("setval") {
        return false;
    }
    let first = call.child(SyntaxKind::ARG_LIST).and_then(|list| list.children().next());
    // `setval('s', …)`, or `setval(pg_get_serial_sequence('t', 'c'), …)`.
    let literal = first.and_then(|argument| argument.first(SyntaxKind::LITERAL));
    let Some(literal) = literal else { return true };
    let text = literal.text();
    let mut parts: Vec<String> = text.trim().trim_matches('\'').split('.').map(normalized).collect();
    let name = parts.pop().unwrap_or_default();
    let kind = SyntaxKind::SEQUENCE_REF;
    let (schema, range) = (parts.pop(), literal.span());
    let name = Name { schema, name, role: NameRole::Target, kind, range, lookup: Lookup::Path };
    !subject.is_new(&name)
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::ids;

    #[test]
    fn what_changes_the_next_number_is_denied() {
        for option in [
            "RESTART",
            "RESTART WITH 5",
            "INCREMENT BY -1",
            "MAXVALUE 5",
            "MINVALUE 3",
            "CYCLE",
            "AS smallint",
        ] {
            assert_eq!(ids(&format!("ALTER SEQUENCE s {option}")), ["change-sequence"], "{option}");
        }
        for option in ["CACHE 5", "NO MAXVALUE", "OWNED BY t.a", "AS bigint", "START 5"] {
            assert_eq!(ids(&format!("ALTER SEQUENCE s {option}")), [""; 0], "{option}");
        }
        assert_eq!(ids("SELECT setval('s', 1)"), ["change-sequence"]);
        assert_eq!(ids("SELECT pg_catalog.setval('s', (SELECT max(id) FROM t))"), ["change-sequence"]);
        assert_eq!(ids("CREATE SEQUENCE s; SELECT setval('s', 100)"), [""; 0]);
    }
}
