//! Sequences that would return values twice, or none.

use squawk_syntax::SyntaxKind;

use crate::sql::{Lookup, Name, NameRole, Node, normalized};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::words;
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::ChangeSequence,
    level: Level::Deny,
    impact: &[Impact::OldWriters],
    why: "changes the values that the running release gets from the sequence: they may repeat or run out",
    remediation: "create another sequence",
    bad: "ALTER SEQUENCE invoice_numbers RESTART WITH 1;",
    good: "ALTER SEQUENCE invoice_numbers CACHE 20;",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
};

/// Options that do not change the next value: a cache, a start that only RESTART uses, a higher maximum.
const HARMLESS: &[SyntaxKind] =
    &[SyntaxKind::OPTION_CACHE, SyntaxKind::OPTION_NO_MAX_VALUE, SyntaxKind::OPTION_START];

fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    let options = context
        .nodes(&[SyntaxKind::ALTER_SEQUENCE])
        .flat_map(|node| node.children().collect::<Vec<_>>())
        .filter(|option| format!("{:?}", option.kind()).starts_with("OPTION_"))
        .filter(|option| match option.kind() {
            SyntaxKind::OPTION_OWNED_BY => is_dropped_with_owner(context),
            kind => !HARMLESS.contains(&kind) && words(*option).join(" ") != "as bigint",
        });
    let calls = context.nodes(&[SyntaxKind::CALL_EXPR]).filter(|call| sets(context, *call));
    options.chain(calls).map(Node::span).collect()
}

/// Whether the sequence gets an owner that the file drops, and the sequence with it.
fn is_dropped_with_owner(context: &RuleContext<'_>) -> bool {
    let tokens = words(context.node);
    let owner = tokens.windows(2).position(|pair| pair[0] == "owned" && pair[1] == "by");
    let owner: Vec<&String> =
        owner.into_iter().flat_map(|at| &tokens[at + 2..]).filter(|word| *word != ".").collect();
    let [.., table, _] = owner.as_slice() else { return false };
    context.file.iter().any(|other| {
        let statement = other.statement;
        statement.kind == SyntaxKind::DROP_TABLE
            && statement.range.start > context.statement.range.end
            && statement.names.iter().any(|name| name.name == **table)
    })
}

/// Whether the call is `setval(…)` on a sequence that the file did not create.
fn sets(context: &RuleContext<'_>, call: Node<'_>) -> bool {
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
    if of_new_column(context, &name) {
        return false;
    }
    let name = Name { schema, name, role: NameRole::Target, kind, range, lookup: Lookup::Path };
    !context.is_new(&name)
}

/// Whether the file makes the sequence with a column: an identity names it, or it has the name that the server gives to that of a
/// new table's column.
fn of_new_column(context: &RuleContext<'_>, sequence: &str) -> bool {
    let earlier = context.file.iter().map(|other| other.statement);
    earlier.filter(|other| other.range.end <= context.statement.range.start).any(|other| {
        let words = words(other.node(context.file_script));
        let after_name = words.windows(2).position(|pair| pair == ["sequence", "name"]).map(|at| at + 2);
        let named = after_name.and_then(|at| {
            words[at..].iter().take_while(|word| *word != "start").find(|word| *word == sequence)
        });
        let is_of_table = |table: &Name| {
            let column = sequence.strip_prefix(table.name.as_str()).and_then(|rest| rest.strip_prefix('_'));
            let column = column.and_then(|column| column.strip_suffix("_seq"));
            table.role == NameRole::Created
                && column.is_some_and(|column| words.iter().any(|word| word == column))
        };
        named.is_some() || (other.kind == SyntaxKind::CREATE_TABLE && other.names.iter().any(is_of_table))
    })
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::ids;

    #[test]
    fn options_that_change_the_next_value_are_denied() {
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
        let owned = "CREATE TABLE t (a int); ALTER SEQUENCE s OWNED BY t.a";
        assert_eq!(ids(owned), [""; 0]);
        assert_eq!(ids(&format!("{owned}; DROP TABLE t")), ["change-sequence"]);
        assert_eq!(ids("SELECT setval('s', 1)"), ["change-sequence"]);
        assert_eq!(ids("SELECT pg_catalog.setval('s', (SELECT max(id) FROM t))"), ["change-sequence"]);
        assert_eq!(ids("CREATE SEQUENCE s; SELECT setval('s', 100)"), [""; 0]);
        let identity = "CREATE TABLE {org_schema}.t (id uuid PRIMARY KEY, n int); \
             ALTER TABLE t ALTER COLUMN n ADD GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME {org_schema}.numbers START WITH 1); ";
        assert!(
            !ids(&format!("{identity} SELECT setval('{{org_schema}}.numbers', 9)"))
                .contains(&"change-sequence")
        );
        assert!(
            ids(&format!("{identity} SELECT setval('{{org_schema}}.n', 9)")).contains(&"change-sequence")
        );
        let serial = "CREATE TABLE t (id uuid PRIMARY KEY, n serial); ";
        assert!(!ids(&format!("{serial} SELECT setval('t_n_seq', 9)")).contains(&"change-sequence"));
        assert!(ids(&format!("{serial} SELECT setval('t_m_seq', 9)")).contains(&"change-sequence"));
    }
}
