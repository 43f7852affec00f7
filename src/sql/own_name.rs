//! Replaces a tenant's own schema name in a dump of its schema with the placeholder.

use squawk_lexer::TokenKind;

use super::mentions::{Piece, tokens};
use super::text_names::content;
use super::{ORG_SCHEMA, normalized};
use crate::ident::without_word;

/// Where bodies, strings and comments are taken to name the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnName {
    /// Wherever the name is a word.
    EveryWord,
    /// Only before a dot, in a search path and as a whole string: the name is also an ordinary word.
    AsSchema,
}

/// The text of a dump with the placeholder for each name of `schema`. A role of the same name keeps its name.
pub fn with_placeholder(sql: &str, schema: &str, own_name: OwnName) -> String {
    let all = tokens(sql);
    let (mut written, mut copied) = (String::with_capacity(sql.len()), 0);
    let mut in_search_path = false;
    for (index, token) in all.iter().enumerate() {
        let word =
            |at: Option<usize>| at.and_then(|at| all.get(at)).map(|token| token.text.to_ascii_lowercase());
        let (before, after) = (word(index.checked_sub(1)), word(Some(index + 1)));
        if before.as_deref() == Some("search_path")
            && matches!(token.text.to_ascii_lowercase().as_str(), "to" | "=")
        {
            in_search_path = true;
            continue;
        }
        let replacement = match string(token) {
            Some((_, inner)) if in_search_path && unquoted(inner) == schema => Some(ORG_SCHEMA.to_owned()),
            Some((start, inner)) => {
                let end = start + inner.len();
                let inner = in_text(inner, schema, own_name);
                Some([&token.text[..start], &inner, &token.text[end..]].concat())
            }
            None => {
                let is_own = is_name(token) && normalized(token.text) == schema;
                let is_schema = in_search_path
                    || before.as_deref() == Some("schema")
                    || (after.as_deref() == Some(".") && before.as_deref() != Some("."));
                (is_own && is_schema).then(|| ORG_SCHEMA.to_owned())
            }
        };
        in_search_path &= token.text == "," || is_name(token) || string(token).is_some();
        if let Some(replacement) = replacement {
            written.push_str(&sql[copied..token.start]);
            written.push_str(&replacement);
            copied = token.start + token.text.len();
        }
    }
    written.push_str(&sql[copied..]);
    written
}

/// The content of a string: a body, a comment, a value.
fn in_text(inner: &str, schema: &str, own_name: OwnName) -> String {
    if own_name == OwnName::AsSchema && unquoted(inner) == schema {
        return ORG_SCHEMA.to_owned();
    }
    let written = with_placeholder(inner, schema, own_name);
    let is_in_word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    match own_name {
        OwnName::AsSchema => written,
        OwnName::EveryWord => without_word(&written, schema, ORG_SCHEMA, is_in_word),
    }
}

fn unquoted(name: &str) -> &str {
    name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name)
}

fn is_name(token: &Piece<'_>) -> bool {
    matches!(token.kind, TokenKind::Ident | TokenKind::QuotedIdent { .. })
}

fn string<'t>(token: &Piece<'t>) -> Option<(usize, &'t str)> {
    matches!(token.kind, TokenKind::Literal { .. }).then(|| content(token.text)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_name_is_replaced_where_it_is_the_schema() {
        for (sql, expected) in [
            ("CREATE TABLE shop.shop (shop integer)", "CREATE TABLE {org_schema}.shop (shop integer)"),
            ("CREATE TABLE \"shop\".t ()", "CREATE TABLE {org_schema}.t ()"),
            ("GRANT USAGE ON SCHEMA shop TO shop", "GRANT USAGE ON SCHEMA {org_schema} TO shop"),
            ("DEFAULT nextval('shop.s'::regclass)", "DEFAULT nextval('{org_schema}.s'::regclass)"),
            (
                "CREATE FUNCTION shop.f() SET search_path TO 'shop', 'public' AS $$ SELECT a FROM shop.t; INSERT INTO shop $$",
                "CREATE FUNCTION {org_schema}.f() SET search_path TO {org_schema}, 'public' AS $$ SELECT a FROM {org_schema}.t; INSERT INTO shop $$",
            ),
            (
                "COMMENT ON TABLE shop.t IS 'rows of the shop'",
                "COMMENT ON TABLE {org_schema}.t IS 'rows of the shop'",
            ),
            ("SELECT x FROM workshop.t, shop_2.t", "SELECT x FROM workshop.t, shop_2.t"),
        ] {
            assert_eq!(with_placeholder(sql, "shop", OwnName::AsSchema), expected);
        }
        for (sql, expected) in [
            (
                "COMMENT ON TABLE org_a.t IS 'of org_a'",
                "COMMENT ON TABLE {org_schema}.t IS 'of {org_schema}'",
            ),
            (
                "AS $$ SELECT format('%I', 'org_a'), \"org_a\".f() $$",
                "AS $$ SELECT format('%I', '{org_schema}'), {org_schema}.f() $$",
            ),
            ("CREATE INDEX org_a_idx ON ORG_A.t", "CREATE INDEX org_a_idx ON {org_schema}.t"),
        ] {
            assert_eq!(with_placeholder(sql, "org_a", OwnName::EveryWord), expected);
        }
        let odd = "CREATE VIEW \"odd name\".v AS SELECT t.a FROM \"odd name\".t";
        let expected = "CREATE VIEW {org_schema}.v AS SELECT t.a FROM {org_schema}.t";
        assert_eq!(with_placeholder(odd, "odd name", OwnName::AsSchema), expected);
    }
}
