//! The parts of a `CREATE INDEX`. Its definition may name functions, types, collations, operator classes and operators,
//! which the server resolves along the search path (manual, CREATE INDEX).

use std::ops::Range;

use squawk_syntax::SyntaxKind;

use super::{Name, Node, Script, Statement, normalized};

/// The parts of a `CREATE INDEX`.
#[derive(Debug, Clone)]
pub struct IndexParts<'a> {
    /// The table.
    pub table: &'a Name,
    /// The bytes up to the end of the table's name.
    pub head: Range<usize>,
    /// The bytes after it: the definition.
    pub definition: Range<usize>,
    /// The bytes of the `TABLESPACE` clause.
    pub tablespace: Option<Range<usize>>,
    /// Whether it is `UNIQUE`.
    pub is_unique: bool,
    /// How the definition names the indexed table.
    pub itself: TableInDefinition,
}

/// How the definition of an index names its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableInDefinition {
    /// Not at all.
    Unnamed,
    /// Before a column.
    Qualifier,
    /// As a whole row.
    Row,
}

impl Statement {
    /// The parts of a `CREATE INDEX`; `None` if the definition names only columns.
    pub fn index_parts<'a>(&'a self, script: &Script) -> Option<IndexParts<'a>> {
        let node = self.node(script);
        let table = node.child(SyntaxKind::TABLE_RELATION_NAME)?;
        let items = node.child(SyntaxKind::PARTITION_ITEM_LIST)?;
        let predicate = node.child(SyntaxKind::WHERE_CLAUSE);
        let is_column = |item: Node<'_>| {
            use SyntaxKind::{NAME_REF, NULLS_FIRST, NULLS_LAST, SORT_ASC, SORT_DESC};
            item.children()
                .all(|part| matches!(part.kind(), NAME_REF | NULLS_FIRST | NULLS_LAST | SORT_ASC | SORT_DESC))
        };
        if self.kind != SyntaxKind::CREATE_INDEX || (predicate.is_none() && items.children().all(is_column)) {
            return None;
        }
        let head = self.range.start..table.span().end;
        let table = self.names.iter().find(|name| name.kind == SyntaxKind::TABLE_NAME_REF)?;
        let itself = [Some(items), predicate].into_iter().flatten().flat_map(Node::descendants);
        let itself = itself
            .filter(|part| part.kind() == SyntaxKind::NAME_REF && normalized(part.text()) == table.name)
            .map(|part| match part.parent() {
                Some(parent)
                    if parent.kind() == SyntaxKind::FIELD_EXPR && parent.children().nth(1).is_some() =>
                {
                    TableInDefinition::Qualifier
                }
                _ => TableInDefinition::Row,
            });
        Some(IndexParts {
            table,
            definition: head.end..self.range.end,
            head,
            tablespace: node.child(SyntaxKind::TABLESPACE_CLAUSE).map(Node::span),
            is_unique: node.has_token(SyntaxKind::UNIQUE_KW),
            itself: itself.max().unwrap_or(TableInDefinition::Unnamed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;

    #[test]
    fn a_definition_that_names_more_than_columns_has_parts() {
        let parts = |sql: &str| {
            let script = Script::parse(Source::new("t.sql", sql)).unwrap();
            let parts = script.statements[0].index_parts(&script);
            parts.map(|parts| (parts.itself, sql[parts.definition].trim().to_owned()))
        };
        for plain in [
            "CREATE INDEX i ON a (x DESC NULLS LAST, y) INCLUDE (z)",
            "DROP INDEX i",
            "CREATE INDEX ON a (x)",
        ] {
            assert_eq!(parts(plain), None, "{plain}");
        }
        for (sql, itself) in [
            ("CREATE INDEX i ON ONLY s.a (f(x))", TableInDefinition::Unnamed),
            ("CREATE INDEX i ON a (x COLLATE c)", TableInDefinition::Unnamed),
            ("CREATE INDEX i ON a (x op)", TableInDefinition::Unnamed),
            ("CREATE INDEX i ON a (x) WHERE A.x > 1", TableInDefinition::Qualifier),
            ("CREATE INDEX i ON a (f(a), g(a.x))", TableInDefinition::Row),
            ("CREATE INDEX i ON a ((a.* IS NULL))", TableInDefinition::Row),
        ] {
            let definition = sql[sql.find('(').unwrap()..].to_owned();
            assert_eq!(parts(sql), Some((itself, definition)), "{sql}");
        }
    }
}
