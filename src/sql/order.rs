//! Facts for reordering statements: whether they run user code, whether they name each other's objects, and which
//! tables their foreign keys reference.

use squawk_syntax::SyntaxKind;

use super::names::{Name, NameRole, RELATIONS};
use super::script::{Script, Statement};
use super::tree::Node;

/// Statements of these kinds run no user code.
const SAFE: &[SyntaxKind] = &[
    SyntaxKind::ALTER_TABLE,
    SyntaxKind::COMMENT_ON,
    SyntaxKind::CREATE_FUNCTION,
    SyntaxKind::CREATE_INDEX,
    SyntaxKind::CREATE_SEQUENCE,
    SyntaxKind::CREATE_TABLE,
    SyntaxKind::CREATE_TRIGGER,
    SyntaxKind::CREATE_TYPE,
    SyntaxKind::CREATE_VIEW,
];

/// Of those, the ones that run user code if a table has rows: the expression of a default, an index or a check.
const SAFE_WITHOUT_ROWS: &[SyntaxKind] = &[SyntaxKind::ALTER_TABLE, SyntaxKind::CREATE_INDEX];

/// The nodes of a foreign key, as a column constraint and as a table constraint.
const KEYS: &[SyntaxKind] = &[SyntaxKind::FOREIGN_KEY_CONSTRAINT, SyntaxKind::REFERENCES_CONSTRAINT];

impl Statement {
    /// Whether it runs no user code, in tables with or without rows.
    pub fn runs_no_user_code(&self, has_rows: bool) -> bool {
        SAFE.contains(&self.kind) && !(has_rows && SAFE_WITHOUT_ROWS.contains(&self.kind))
    }

    /// The tables that its foreign keys reference.
    pub fn foreign_key_targets(&self, script: &Script) -> Vec<&Name> {
        let keys: Vec<_> = self
            .node(script)
            .descendants()
            .filter(|node| KEYS.contains(&node.kind()))
            .map(Node::span)
            .collect();
        let in_key =
            |name: &&Name| keys.iter().any(|key| key.start <= name.range.start && name.range.end <= key.end);
        self.names.iter().filter(|name| RELATIONS.contains(&name.kind)).filter(in_key).collect()
    }

    /// Whether `text`, in lower case, contains a name that it creates or acts on. Strings count, as do prefixes of
    /// longer names, such as the name of a table's own sequence.
    pub fn is_named_in(&self, text: &str) -> bool {
        let acts = |name: &&Name| name.role != NameRole::Referenced && name.kind != SyntaxKind::SCHEMA_REF;
        self.names.iter().filter(acts).any(|name| {
            let name = name.name.to_lowercase();
            name.contains('"') || text.contains("u&\"") || text.contains(&name)
        })
    }
}
