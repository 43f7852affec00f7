//! What must hold of any text that is given to `tenure verify`: the body of the fuzz target, over statements
//! of the corpus that are cut, joined, nested, written in other letters and with other blanks.

use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::Index;
use squawk_lexer::{TokenKind, tokenize};
use tenure::error::Source;
use tenure::sql::{NameRole, Script, Statement};
use tenure::verify::Finding;

use crate::corpus;

#[path = "../../fuzz/fuzz_targets/body.rs"]
mod body;

use body::{findings, sound};

/// The schema that the statements of the corpus act on.
const BASE: &str = include_str!("../corpus/base.sql");

/// The statements of the corpus.
fn seeds() -> &'static [String] {
    static SEEDS: OnceLock<Vec<String>> = OnceLock::new();
    SEEDS.get_or_init(corpus::statements)
}

fn seed() -> impl Strategy<Value = &'static str> {
    any::<Index>().prop_map(|index| index.get(seeds()).as_str())
}

/// The rules that find something, as often as they do; no statement of the corpus is refused.
fn rules(text: &str) -> Vec<&'static str> {
    rules_of(text, |_| true)
}

/// Those of them that deny.
fn denials(text: &str) -> Vec<&'static str> {
    rules_of(text, Finding::denies)
}

fn rules_of(text: &str, wanted: fn(&Finding) -> bool) -> Vec<&'static str> {
    let mut rules: Vec<_> = findings(Some(BASE), text)
        .unwrap_or_else(|| panic!("refused: {text}"))
        .iter()
        .filter(|finding| wanted(finding))
        .map(|finding| finding.rule.as_str())
        .collect();
    rules.sort_unstable();
    rules
}

/// `text` with each of its tokens as `change` has it; comments are left out of it.
fn each_token(text: &str, mut change: impl FnMut(TokenKind, &str) -> String) -> String {
    let (mut changed, mut start) = (String::new(), 0);
    for token in tokenize(text) {
        let end = start + token.len as usize;
        changed.push_str(&change(token.kind, &text[start..end]));
        start = end;
    }
    changed
}

/// The bytes of `text` from the one place to the other.
fn cut(text: &str, from: Index, to: Index) -> &str {
    let at: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let (one, other) = (*from.get(&at), *to.get(&at));
    &text[one.min(other)..one.max(other)]
}

fn statements(text: &str) -> Vec<Statement> {
    Script::parse(Source::new("t.sql", text)).unwrap().statements
}

/// Whether a transaction may begin before it and end behind it.
fn fits_in_a_transaction(text: &str) -> bool {
    statements(text).iter().all(|statement| statement.transactional && !statement.is_begin_or_commit())
}

/// The columns that a text adds, and the columns and constraints that it drops.
fn added_or_dropped(text: &str) -> Vec<String> {
    let words =
        r"(?i)\b(?:add\s+(?:column\s+)?|drop\s+(?:column|constraint)\s+)(?:if\s+(?:not\s+)?exists\s+)?(\w+)";
    let words = regex::Regex::new(words).unwrap();
    words.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// Whether one text makes or drops something that the other names, or changes what its names mean.
fn concerns(first: &str, second: &str) -> bool {
    makes_named(first, second) || drops_named(second, first)
}

fn is_named(name: &str, text: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == name)
}

/// What is dropped in the end needs no other finding.
fn drops_named(text: &str, other: &str) -> bool {
    let drops = statements(text).into_iter().filter(|statement| statement.verb().starts_with("DROP"));
    drops.flat_map(|statement| statement.names).any(|name| is_named(&name.name, other))
}

fn makes_named(first: &str, second: &str) -> bool {
    let makes: Vec<_> = statements(first)
        .into_iter()
        .flat_map(|statement| {
            // What is dropped is not there for the second.
            let drops = statement.verb().starts_with("DROP");
            statement.names.into_iter().filter(move |name| drops || name.role == NameRole::Created)
        })
        .map(|name| name.name)
        .chain(added_or_dropped(first))
        .collect();
    makes.iter().any(|name| is_named(name, second))
}

const NESTS: &[(&str, &str)] = &[
    ("BEGIN; ", "; COMMIT;"),
    ("EXPLAIN ", ""),
    ("EXPLAIN ANALYZE ", ""),
    ("PREPARE p AS ", ""),
    ("WITH w AS (", ") SELECT 1"),
    ("COPY (", ") TO '/dev/null'"),
    ("DO $do$ BEGIN ", " END $do$"),
    ("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $f$ ", " $f$"),
    ("CREATE FUNCTION f() RETURNS void BEGIN ATOMIC ", "; END"),
    ("CREATE SCHEMA s ", ""),
    ("CREATE RULE r AS ON INSERT TO orders DO ALSO (", ")"),
    ("CREATE TABLE t AS ", ""),
    ("SELECT '", "'"),
    ("/* ", " */ SELECT 1"),
    ("\"", "\""),
    ("({org_schema}.", ")"),
];

proptest! {
    #[test]
    fn no_cut_makes_it_panic(text in seed(), from: Index, to: Index) {
        sound(cut(text, from, to));
    }

    #[test]
    fn no_seam_makes_it_panic(
        pieces in prop::collection::vec((seed(), any::<Index>(), any::<Index>()), 1..5),
        between in prop::sample::select(vec!["", " ", ";", "\n", "(", ")", ",", "'", "\"", "$$", "--", "ü"]),
    ) {
        let pieces: Vec<_> = pieces.iter().map(|(text, from, to)| cut(text, *from, *to)).collect();
        sound(&pieces.join(between));
    }

    #[test]
    fn no_nest_makes_it_panic(
        text in seed(),
        nests in prop::collection::vec(prop::sample::select(NESTS), 1..4),
        whole: bool,
        from: Index,
        to: Index,
    ) {
        let inner = if whole { text.trim_end().trim_end_matches(';') } else { cut(text, from, to) };
        let nested = nests.iter().fold(inner.to_owned(), |inner, (before, behind)| format!("{before}{inner}{behind}"));
        sound(&nested);
    }

    #[test]
    fn no_word_in_another_place_makes_it_panic(text in seed(), order in any::<u64>(), doubled in any::<Index>()) {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let again = *doubled.get(&words);
        let at = usize::try_from(order % words.len() as u64).unwrap();
        words.rotate_left(at);
        words.insert(at, again);
        sound(&words.join(" "));
    }

}

/// Each of these judges a statement on the whole schema of the corpus.
fn fewer() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases / 4 + 1, ..usual }
}

proptest! {
    #![proptest_config(fewer())]

    #[test]
    fn letters_do_not_change_the_verdict(text in seed(), upper in prop::collection::vec(any::<bool>(), 1..40)) {
        let mut cases = upper.iter().cycle();
        let changed = each_token(text, |kind, word| match kind {
            TokenKind::Ident if *cases.next().unwrap() => word.to_ascii_uppercase(),
            TokenKind::Ident => word.to_ascii_lowercase(),
            _ => word.to_owned(),
        });
        prop_assert_eq!(rules(&changed), rules(text), "{}", changed);
    }

    #[test]
    fn blanks_and_comments_do_not_change_the_verdict(
        text in seed(),
        more in prop::collection::vec(prop::sample::select(vec!["", " ", "\n", "\t", " /* a; DROP */ ", "\n-- b '\n", "\r\n"]), 1..40),
    ) {
        let mut more = more.iter().cycle();
        let changed = each_token(text, |kind, word| {
            let blank = *more.next().unwrap();
            match kind {
                // Between two strings only a new line may stand, and no comment of the other kind.
                TokenKind::Whitespace if word.contains('\n') && blank.contains("/*") => word.to_owned(),
                TokenKind::Whitespace if !word.contains('\n') && blank.contains('\n') => format!("{word} /* c */ "),
                TokenKind::Whitespace | TokenKind::Comma | TokenKind::OpenParen | TokenKind::Semi => {
                    format!("{word}{blank}")
                }
                _ => word.to_owned(),
            }
        });
        prop_assert_eq!(rules(&changed), rules(text), "{}", changed);
    }

    #[test]
    fn two_joined_have_what_each_has(first in seed(), second in seed()) {
        prop_assume!(!concerns(first, second));
        let joined = format!("{first}\n;{second}");
        prop_assume!(fits_in_a_transaction(first) && fits_in_a_transaction(second));
        let of_both = denials(&joined);
        // Doing the same twice is one finding.
        for rule in [denials(first), denials(second)].concat() {
            prop_assert!(of_both.contains(&rule), "{rule} is lost: {joined}");
        }
    }

    #[test]
    fn a_transaction_around_it_changes_nothing(text in seed()) {
        prop_assume!(fits_in_a_transaction(text));
        let wrapped = format!("BEGIN;\n{text}\n;COMMIT;");
        prop_assert_eq!(rules(&wrapped), rules(text));
    }
}
