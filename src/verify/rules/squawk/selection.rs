//! Which of squawk's rules may report something in a file. Its linter traverses the whole tree for each of them, and twice in any
//! case; so a rule that certainly reports nothing is not run. A check here may say yes too often, never no.

use std::collections::HashSet;

use squawk_linter::Rule;
use squawk_syntax::SyntaxKind;

use super::may_differ;
use crate::sql::{MAX_NAME_BYTES, Node, Script, Statement, normalized};

/// Whether a squawk rule may report something in the script, which squawk would traverse for it. `kinds` are those of our rule.
pub(super) fn may_report(code: Rule, kinds: &[SyntaxKind], script: &Script) -> bool {
    use SyntaxKind::{
        ALTER_COLUMN, ALTER_CONSTRAINT, ALTER_DATABASE, ALTER_DOMAIN, ALTER_EXTENSION, ALTER_FUNCTION,
        ALTER_POLICY, ALTER_PROCEDURE, ALTER_ROLE, ALTER_ROUTINE, ALTER_USER, ALTER_VIEW, DROP_CONSTRAINT,
        DROP_INDEX, DROP_POLICY, DROP_RULE, OR_REPLACE, REINDEX, SET_DEFAULT, TRUNCATE,
    };
    let needed: &[SyntaxKind] = match code {
        Rule::IdentifierTooLong => return script.has_longer_identifier(MAX_NAME_BYTES),
        Rule::AddingFieldWithDefault => return may_add_other_values(script),
        Rule::BanAlterDatabaseOptions => &[ALTER_DATABASE],
        Rule::BanAlterDomainWithAddConstraint => &[ALTER_DOMAIN],
        Rule::BanAlterExtension => &[ALTER_EXTENSION],
        Rule::BanAlterFunctionOptions => &[ALTER_FUNCTION, ALTER_PROCEDURE, ALTER_ROUTINE],
        Rule::BanAlterIdentity => &[ALTER_COLUMN],
        Rule::BanAlterPolicyCondition | Rule::BanAlterPolicyRoles => &[ALTER_POLICY],
        Rule::BanAlterRoleOptions => &[ALTER_ROLE, ALTER_USER],
        Rule::BanAlterViewOptions => &[ALTER_VIEW],
        Rule::BanDuplicateColumnAssignments => return may_repeat_column(script),
        Rule::BanDropConstraint => &[ALTER_CONSTRAINT, DROP_CONSTRAINT],
        Rule::BanDropPolicy => &[DROP_POLICY, DROP_RULE],
        Rule::BanReplaceViewFunction => &[OR_REPLACE],
        Rule::BanSetDefault => &[SET_DEFAULT],
        Rule::BanTruncateCascade => &[TRUNCATE],
        Rule::RequireConcurrentIndexCreation => return may_lock_for_index(script),
        Rule::RequireConcurrentIndexDeletion => &[DROP_INDEX],
        Rule::RequireConcurrentReindex => &[REINDEX],
        _ => kinds,
    };
    needed.is_empty() || script.contains(needed)
}

/// The nodes of `kinds` in the statements.
fn nodes<'s>(script: &'s Script, kinds: &'s [SyntaxKind]) -> impl Iterator<Item = Node<'s>> {
    let statements = script.statements.iter().filter(|_| script.contains(kinds));
    let all = statements.flat_map(|statement| statement.node(script).descendants());
    all.filter(move |node| kinds.contains(&node.kind()))
}

/// Whether a new column may have another value in each row.
fn may_add_other_values(script: &Script) -> bool {
    nodes(script, &[SyntaxKind::ADD_COLUMN]).any(|column| may_differ(column.text()))
}

/// Whether an index without `CONCURRENTLY` may be created on a table that the transaction has not created.
fn may_lock_for_index(script: &Script) -> bool {
    if !script.contains(&[SyntaxKind::CREATE_INDEX]) {
        return false;
    }
    let table = |statement: &Statement, kind| {
        let name = statement.names.iter().find(|name| name.kind == kind)?;
        script.masked().get(name.range.clone())
    };
    let first = script.statements.iter().take_while(|it| it.kind != SyntaxKind::COMMIT_TRANSACTION);
    let created = first.filter(|it| it.kind == SyntaxKind::CREATE_TABLE);
    let created: HashSet<&str> = created.filter_map(|it| table(it, SyntaxKind::TABLE_NAME)).collect();
    let indexes = script.statements.iter().filter(|it| it.kind == SyntaxKind::CREATE_INDEX);
    let mut slow = indexes.filter(|index| index.concurrently.is_none());
    slow.any(|index| table(index, SyntaxKind::TABLE_NAME_REF).is_none_or(|name| !created.contains(name)))
}

/// Whether a list of columns may contain a name twice.
fn may_repeat_column(script: &Script) -> bool {
    use SyntaxKind::{COLUMN_LIST, COLUMN_TARGET_LIST, SET_CLAUSE, TABLE_ARG_LIST, TARGET_LIST};
    nodes(script, &[COLUMN_LIST, COLUMN_TARGET_LIST, SET_CLAUSE, TABLE_ARG_LIST, TARGET_LIST]).any(|list| {
        let mut seen = HashSet::new();
        let mut is_new = |name: &str| seen.insert(normalized(name));
        match list.kind() {
            TABLE_ARG_LIST => {
                let columns = list.children().filter_map(|column| column.child(SyntaxKind::COLUMN_NAME));
                !columns.map(Node::text).all(is_new)
            }
            TARGET_LIST => {
                list.children().count() > 1
                    && !list.children().all(|target| output_name(target).is_some_and(&mut is_new))
            }
            _ => {
                let names = [SyntaxKind::COLUMN_NAME, SyntaxKind::COLUMN_NAME_REF];
                !list.descendants().filter(|node| names.contains(&node.kind())).map(Node::text).all(is_new)
            }
        }
    })
}

/// The name of an output column, if it has an alias or is a plain column.
fn output_name(target: Node<'_>) -> Option<&str> {
    let alias = target.child(SyntaxKind::AS_NAME);
    let plain = [SyntaxKind::FIELD_EXPR, SyntaxKind::NAME_REF];
    let named = alias.or_else(|| target.children().next().filter(|it| plain.contains(&it.kind())))?;
    named.tokens().last().map(|token| token.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;

    fn runs(code: Rule, sql: &str) -> bool {
        may_report(code, &[], &Script::parse(Source::new("t.sql", sql)).unwrap())
    }

    #[test]
    fn a_rule_that_can_report_nothing_is_not_run() {
        for (code, sql, expected) in [
            (Rule::AddingFieldWithDefault, "ALTER TABLE t ADD COLUMN a int DEFAULT 0", false),
            (Rule::AddingFieldWithDefault, "ALTER TABLE t ADD COLUMN a uuid DEFAULT f()", true),
            (
                Rule::RequireConcurrentIndexCreation,
                "CREATE TABLE a.t (b int); CREATE INDEX i ON a.t (b)",
                false,
            ),
            (Rule::RequireConcurrentIndexCreation, "CREATE INDEX CONCURRENTLY i ON t (b)", false),
            (Rule::RequireConcurrentIndexCreation, "CREATE TABLE u (b int); CREATE INDEX i ON t (b)", true),
            (
                Rule::RequireConcurrentIndexCreation,
                "COMMIT; CREATE TABLE t (b int); CREATE INDEX i ON t (b)",
                true,
            ),
            (Rule::BanDuplicateColumnAssignments, "UPDATE t SET a = 1, b = a + a", false),
            (Rule::BanDuplicateColumnAssignments, "UPDATE t SET a = 1, \"a\" = 2", true),
            (Rule::BanDuplicateColumnAssignments, "INSERT INTO t (a, A) VALUES (1, 2)", true),
            (Rule::BanDuplicateColumnAssignments, "CREATE TABLE t (a int, b int, CHECK (a > b))", false),
            (Rule::BanDuplicateColumnAssignments, "CREATE TABLE t (a int, a int)", true),
            (Rule::BanDuplicateColumnAssignments, "CREATE VIEW v AS SELECT t.a, b AS c, d FROM t", false),
            (Rule::BanDuplicateColumnAssignments, "CREATE VIEW v AS SELECT t.a, b AS a FROM t", true),
            (Rule::BanDuplicateColumnAssignments, "CREATE VIEW v AS SELECT f(a), f(b) FROM t", true),
            (Rule::BanDuplicateColumnAssignments, "CREATE VIEW v (a, a) AS SELECT 1, 2", true),
            (
                Rule::IdentifierTooLong,
                "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'",
                false,
            ),
            (
                Rule::IdentifierTooLong,
                "SELECT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                true,
            ),
        ] {
            assert_eq!(runs(code, sql), expected, "{code:?}: {sql}");
        }
    }
}
