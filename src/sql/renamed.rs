//! The object or the part of one that a statement renames or moves to another schema.

use squawk_syntax::SyntaxKind;

use super::names::{NameRole, normalized};
use super::script::{Script, Statement};

/// A name before and after a statement; both are the same if only the schema changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The name before.
    pub from: String,
    /// The name after.
    pub to: String,
    /// Whether it is a value of an enum type.
    pub is_label: bool,
}

impl Statement {
    /// What it renames or moves to another schema, if it does.
    pub fn renamed(&self, script: &Script) -> Option<Renamed> {
        use SyntaxKind::{
            ATTRIBUTE_KW, COLUMN_KW, CONSTRAINT_KW, RENAME_KW, SCHEMA_KW, SET_KW, TO_KW, VALUE_KW,
        };
        let target = || {
            let target = self.names.iter().find(|name| name.role == NameRole::Target);
            target.map(|name| name.name.clone())
        };
        let tokens: Vec<_> = self.node(script).tokens().collect();
        let is_part = matches!(
            self.kind,
            SyntaxKind::ALTER_TRIGGER | SyntaxKind::ALTER_POLICY | SyntaxKind::ALTER_RULE
        );
        let after = |first| tokens.iter().position(|token| token.kind == first).map(|at| &tokens[at + 1..]);
        let name = |from, to: &str| Some(Renamed { from, to: normalized(to), is_label: false });
        if let Some(rest) = after(RENAME_KW) {
            let is_word = |kind| matches!(kind, COLUMN_KW | CONSTRAINT_KW | ATTRIBUTE_KW);
            return match rest {
                // `ALTER TRIGGER a ON t`: the target is the table.
                [to, new, ..] if to.kind == TO_KW && is_part => {
                    name(normalized(tokens.get(2)?.text), new.text)
                }
                [to, new, ..] if to.kind == TO_KW => name(target()?, new.text),
                [word, old, to, new, ..] if is_word(word.kind) && to.kind == TO_KW => {
                    name(normalized(old.text), new.text)
                }
                [word, old, to, new, ..] if word.kind == VALUE_KW && to.kind == TO_KW => {
                    Some(Renamed { from: old.text.to_owned(), to: new.text.to_owned(), is_label: true })
                }
                [old, to, new, ..] if to.kind == TO_KW => name(normalized(old.text), new.text),
                _ => None,
            };
        }
        let moves = tokens.windows(2).any(|pair| pair[0].kind == SET_KW && pair[1].kind == SCHEMA_KW);
        moves.then(target).flatten().map(|name| Renamed { from: name.clone(), to: name, is_label: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;

    #[test]
    fn each_form_of_rename_is_read() {
        for (sql, expected) in [
            ("ALTER TABLE IF EXISTS a.orders RENAME TO \"Purchases\"", Some(("orders", "Purchases"))),
            ("ALTER TABLE orders RENAME COLUMN Note TO remark", Some(("note", "remark"))),
            ("ALTER TABLE orders RENAME note TO remark", Some(("note", "remark"))),
            ("ALTER TABLE orders RENAME CONSTRAINT a TO b", Some(("a", "b"))),
            ("ALTER VIEW v RENAME COLUMN a TO b", Some(("a", "b"))),
            ("ALTER INDEX i RENAME TO j", Some(("i", "j"))),
            ("ALTER TYPE t RENAME ATTRIBUTE a TO b", Some(("a", "b"))),
            ("ALTER TYPE t RENAME VALUE 'a' TO 'b'", Some(("'a'", "'b'"))),
            ("ALTER TYPE order_status RENAME TO status", Some(("order_status", "status"))),
            ("ALTER SCHEMA archive RENAME TO attic", Some(("archive", "attic"))),
            ("ALTER DOMAIN sku RENAME TO article", Some(("sku", "article"))),
            ("ALTER TRIGGER a ON t RENAME TO b", Some(("a", "b"))),
            ("ALTER POLICY a ON t RENAME TO b", Some(("a", "b"))),
            ("ALTER RULE a ON t RENAME TO b", Some(("a", "b"))),
            ("ALTER STATISTICS a RENAME TO b", Some(("a", "b"))),
            ("ALTER FUNCTION f(int) RENAME TO g", Some(("f", "g"))),
            ("ALTER TABLE orders SET SCHEMA archive", Some(("orders", "orders"))),
            ("ALTER TABLE orders ADD COLUMN a int", None),
        ] {
            let script = Script::parse(Source::new("t.sql", sql)).unwrap();
            let renamed = script.statements[0].renamed(&script);
            let seen = renamed.as_ref().map(|it| (it.from.as_str(), it.to.as_str()));
            assert_eq!(seen, expected, "{sql}");
        }
    }
}
