//! A published table needs a replica identity. Without one the server refuses every UPDATE and DELETE (manual, chapter 31.1).

use squawk_syntax::SyntaxKind;

use crate::sql::{Name, Node};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::schema::{ConstraintKind, Table, words};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::PublishWithoutKey,
    level: Level::Deny,
    impact: &[Impact::OldReaders, Impact::OldWriters],
    why: "makes the server refuse updates and deletes of the running release on a table without a replica identity",
    remediation: "publish only tables with a primary key, or set REPLICA IDENTITY FULL first",
    bad: "CREATE TABLE logs (a int); CREATE PUBLICATION warehouse FOR TABLE logs;",
    good: "CREATE TABLE logs (a int PRIMARY KEY); CREATE PUBLICATION warehouse FOR TABLE logs;",
    ignores_new_objects: false,
    judge: Judge::Code(judge),
};

fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    let whole = context.statement.range.clone();
    match context.statement.kind {
        SyntaxKind::CREATE_PUBLICATION | SyntaxKind::ALTER_PUBLICATION => {
            let drops = context.node.has_child(&[SyntaxKind::DROP_PUBLICATION_OBJECTS]);
            if drops || only_inserts(context) {
                return Vec::new();
            }
            let all = [
                SyntaxKind::ALL_PUBLICATION_TABLES,
                SyntaxKind::PUBLICATION_OBJECT_CURRENT_SCHEMA,
                SyntaxKind::PUBLICATION_OBJECT_TABLES_IN_SCHEMA,
            ];
            // A table without a key may exist now or later.
            if context.nodes(&all).next().is_some() {
                return vec![whole];
            }
            let keyless = context.statement.names.iter().filter(|name| is_keyless(context, name));
            keyless.map(|name| name.range.clone()).collect()
        }
        _ => {
            let nothing = context
                .nodes(&[SyntaxKind::REPLICA_IDENTITY])
                .filter(|node| node.has_child(&[SyntaxKind::REPLICA_IDENTITY_NOTHING]));
            nothing.filter(|_| !context.only_new()).map(Node::span).collect()
        }
    }
}

/// `WITH (publish = 'insert')`: inserts need no replica identity.
fn only_inserts(context: &RuleContext<'_>) -> bool {
    let mut options = context.nodes(&[SyntaxKind::ATTRIBUTE_OPTION]).map(|option| words(option));
    options.any(|tokens| {
        tokens.first().is_some_and(|name| name == "publish")
            && !tokens.iter().any(|word| word.contains("update") || word.contains("delete"))
    })
}

fn is_keyless(context: &RuleContext<'_>, name: &Name) -> bool {
    name.kind == SyntaxKind::TABLE_NAME_REF
        && context.schema.table(name, context.scope).present().is_some_and(|table| !has_key(table))
}

fn has_key(table: &Table) -> bool {
    table.constraints.iter().any(|constraint| constraint.kind == ConstraintKind::PrimaryKey)
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::ids_on;

    #[test]
    fn a_table_with_a_key_can_be_published() {
        let base = "CREATE TABLE k (a int PRIMARY KEY); CREATE TABLE n (a int);";
        for (sql, expected) in [
            ("CREATE PUBLICATION p FOR TABLE k", &[][..]),
            ("CREATE PUBLICATION p FOR TABLE n", &["publish-without-key"]),
            ("CREATE PUBLICATION p FOR TABLE n WITH (publish = 'insert, truncate')", &[]),
            ("CREATE PUBLICATION p FOR ALL TABLES", &["publish-without-key"]),
            ("ALTER PUBLICATION p ADD TABLE k, n", &["publish-without-key"]),
            ("ALTER TABLE k REPLICA IDENTITY NOTHING", &["publish-without-key"]),
        ] {
            let found = ids_on(base, sql);
            let found: Vec<_> = found.into_iter().filter(|id| *id == "publish-without-key").collect();
            assert_eq!(found, expected, "{sql}");
        }
    }
}
