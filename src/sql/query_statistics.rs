//! Queries in `pg_stat_statements`: its replacement of constants by parameters may leave invalid SQL, and Tenure's own
//! statements are among them.

use squawk_lexer::{LiteralKind, TokenKind, tokenize};

use super::own::{FUNCTIONS, TABLES, VERSION_TABLE};
use super::{Script, Statement};

impl Statement {
    /// Whether it contains a string literal.
    pub fn has_string_literal(&self, script: &Script) -> bool {
        let mut tokens = tokenize(script.text(self)).map(|token| token.kind);
        tokens.any(|kind| match kind {
            TokenKind::Literal { kind } => {
                !matches!(kind, LiteralKind::Int { .. } | LiteralKind::Numeric { .. })
            }
            _ => false,
        })
    }

    /// Whether it uses Tenure's own tables or functions in the schema `platform`. `schema_version` does not count:
    /// applications may read it.
    pub fn uses_tenure_objects(&self, platform: &str) -> bool {
        self.names.iter().filter(|name| name.schema.as_deref() == Some(platform)).any(|name| {
            let name = name.name.as_str();
            FUNCTIONS.contains(&name) || TABLES.contains(&name) && name != VERSION_TABLE
        })
    }
}

/// Types with constants of the form `type 'text'`. The statistics contain `interval $1`, which is invalid SQL.
const TYPED: &[&str] = &["date", "interval", "time", "timestamp", "timestamptz", "timetz"];

/// Replaces `interval $1` by `CAST($1 AS interval)`, and likewise for the other types of such constants.
pub fn cast_typed_parameters(text: &str) -> String {
    let mut words: Vec<(TokenKind, &str)> = Vec::new();
    let mut start = 0;
    for token in tokenize(text) {
        let end = start + token.len as usize;
        words.push((token.kind, &text[start..end]));
        start = end;
    }
    let (mut cast_typed_parameters, mut index) = (String::new(), 0);
    while let Some((kind, word)) = words.get(index) {
        let typed = *kind == TokenKind::Ident && TYPED.iter().any(|known| word.eq_ignore_ascii_case(known));
        let ahead = words[index + 1..].iter().position(|(kind, _)| *kind != TokenKind::Whitespace);
        let next = ahead.map(|ahead| index + 1 + ahead);
        match next.filter(|_| typed).map(|next| (next, words[next])) {
            Some((next, (TokenKind::PositionalParam { .. }, number))) => {
                cast_typed_parameters.extend(["CAST(", number, " AS ", word, ")"]);
                index = next;
            }
            _ => cast_typed_parameters.push_str(word),
        }
        index += 1;
    }
    cast_typed_parameters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Source;
    use crate::sql::Script;

    #[test]
    fn typed_parameters_become_casts() {
        assert_eq!(
            cast_typed_parameters("SELECT now() - INTERVAL  $1, date '2020-01-01', d.date, 'interval $1'"),
            "SELECT now() - CAST($1 AS INTERVAL), date '2020-01-01', d.date, 'interval $1'"
        );
        assert!(Script::parse(Source::new("q", cast_typed_parameters("SELECT interval $1"))).is_ok());
    }

    #[test]
    fn own_statements_are_recognized() {
        let own = |sql: &str| {
            Script::parse(Source::new("q.sql", sql)).unwrap().statements[0].uses_tenure_objects("p")
        };
        assert!(own("SELECT p.tenure_advance($1, $2, $3)") && own("SELECT 1 FROM p.tenant_version"));
        assert!(own("SELECT FROM p.tenure_hold($1, ARRAY[$2], $3)"));
        assert!(!own("SELECT version FROM p.schema_version") && !own("SELECT * FROM run"));
    }
}
