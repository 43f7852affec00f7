//! The names that a dry run may publish: those in the project's files and in the database before the run. Code may build
//! other names from rows, as in `EXECUTE format('CREATE TABLE %I', email)`; these are replaced.

use std::collections::HashSet;

use super::{MeasuredStatement, QueryBreak};
use crate::ident::SchemaName;
use crate::postgres::catalog::{Change, SchemaSnapshot};
use crate::project::Project;
use crate::queries::Release;

/// The replacement for a name or a value.
const MASK: &str = "…";

/// The endings of names that the server makes from other names, as `users_email_key`.
const MADE_ENDINGS: &[&str] = &["pkey", "key", "fkey", "idx", "check", "excl", "seq", "not_null"];

/// Words of definitions that the server prints, although no file contains them.
const WORDS: &str = "access add all always and any array as asc before after bigint bigserial bit bool boolean box bpchar \
    brin btree by bytea cascade case cast char character check cidr circle collate column constraint current_date \
    current_timestamp current_user date day decimal default deferrable deferred definer delete desc distinct do double each \
    else end enum exclude execute exists expr extended external false first float4 float8 for foreign from full function \
    gen_random_uuid gin gist hash identity if immediate immutable in include index inet initially insert int int2 int4 int8 \
    integer interval into invoker is json jsonb key last like line local lseg macaddr macaddr8 main match minute month money \
    name natural nextval no not nothing now null nulls numeric of oid on only option options or order out over owned parallel \
    partition path period plain plpgsql point polygon precision primary procedure public range read real references regclass \
    replica restrict restricted restrictive permissive return returns right row rows rule safe schema second security select \
    sequence serial session_user set setof smallint smallserial some spgist sql stable start stored storage strict system \
    table temporary text then time timestamp timestamptz timetz to trigger true tsquery tsvector type unique unlogged unsafe \
    update usage user using uuid values variadic varchar varying view volatile when where with without xml year yes zone \
    org_schema";

/// The names, as written and in lower case, and the other words of the files.
#[derive(Debug, Default)]
pub(super) struct KnownNames(HashSet<String>);

impl KnownNames {
    /// The names of the project's files, of the schemas, and of the release's queries.
    pub(super) fn of(project: &Project, schemas: &[&SchemaName], release: Option<&Release>) -> Self {
        let mut known = Self(WORDS.split_whitespace().map(str::to_owned).collect());
        let chain = &project.chain;
        let migrations = chain.migrations().iter().chain(chain.downs()).map(|migration| &migration.script);
        let templates =
            project.templates.values().flat_map(|template| &template.files).map(|(script, _)| script);
        for script in migrations.chain(templates) {
            known.add_text(&script.source.text);
        }
        for query in release.iter().flat_map(|release| &release.queries) {
            known.add_text(&query.text);
        }
        for schema in schemas {
            known.add(schema.as_str());
        }
        known
    }

    /// Adds the names and the values of a snapshot.
    pub(super) fn add_snapshot(&mut self, snapshot: &SchemaSnapshot) {
        for (key, object) in &snapshot.objects {
            self.add(&key.name);
            self.add(key.bare_name());
            for (part, properties) in &object.parts {
                self.add(&part.name);
                properties.iter().for_each(|(_, value)| self.add_text(value));
            }
            object.properties.iter().for_each(|(_, value)| self.add_text(value));
        }
    }

    fn add(&mut self, name: &str) {
        self.0.insert(name.to_owned());
    }

    /// Adds all words of a text and all its texts in quotes.
    fn add_text(&mut self, text: &str) {
        for word in text.split(|letter| !is_word(letter)).filter(|word| !word.is_empty()) {
            self.add(word);
            self.0.insert(word.to_lowercase());
        }
        for quote in ['"', '\''] {
            // The texts between two quotes, whichever of them opens: a file may contain a single quote in a comment.
            for inner in text.split(quote).filter(|inner| !inner.is_empty() && !inner.contains('\n')) {
                self.add(inner);
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(name) || self.is_made(name)
    }

    /// Whether the server made the name from known ones: `users_email_key`, `users_email_key1`.
    fn is_made(&self, name: &str) -> bool {
        let name = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let mut stems = MADE_ENDINGS.iter().filter_map(|ending| name.strip_suffix(ending)?.strip_suffix('_'));
        stems.any(|stem| self.is_joined(stem))
    }

    /// Whether the text consists of known names, joined by `_`.
    fn is_joined(&self, text: &str) -> bool {
        self.0.contains(text)
            || text
                .match_indices('_')
                .any(|(at, _)| self.0.contains(&text[..at]) && self.is_joined(&text[at + 1..]))
    }

    /// A name, if it is known. The name of a function contains its argument types.
    pub(super) fn name(&self, name: &str) -> String {
        match name.split_once('(') {
            _ if self.has(name) => name.to_owned(),
            Some((function, types)) if self.has(function) => format!("{function}({}", self.text(types)),
            _ => MASK.to_owned(),
        }
    }

    /// A definition or a value with its known words and known texts in quotes.
    pub(super) fn text(&self, text: &str) -> String {
        self.replaced(text, |word| self.has(word) || self.has(&word.to_lowercase()) || word.len() == 1)
    }

    /// A sentence of Tenure with its known texts in quotes.
    fn sentence(&self, text: &str) -> String {
        self.replaced(text, |_word| true)
    }

    fn replaced(&self, text: &str, is_shown: impl Fn(&str) -> bool) -> String {
        let (mut shown, mut rest) = (String::new(), text);
        while let Some(first) = rest.chars().next() {
            let is_quote = matches!(first, '"' | '\'');
            let length = if is_quote {
                quoted(rest, first)
            } else if is_word(first) {
                rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            let (piece, after) = rest.split_at(length);
            rest = after;
            if is_quote {
                let inner = piece[1..].strip_suffix(first).unwrap_or(&piece[1..]);
                let known = inner.is_empty() || self.has(inner) || self.has(&unescaped(inner, first));
                shown.push(first);
                shown.push_str(if known { inner } else { MASK });
                shown.push(first);
            } else {
                shown.push_str(if !is_word(first) || is_shown(piece) { piece } else { MASK });
            }
        }
        shown
    }

    /// The text of a change: the object, and what changed.
    pub(super) fn change(&self, change: &Change) -> (String, String) {
        let shown = change.with_text(|name| self.name(name), |value| self.text(value));
        (shown.object.to_string(), shown.line())
    }

    /// Replaces unknown names in the measurements.
    pub(super) fn publish(&self, statements: &mut [MeasuredStatement], broken: &mut [QueryBreak]) {
        for table in statements.iter_mut().flat_map(|statement| &mut statement.tables) {
            table.table = self.name(&table.table);
        }
        for broken in broken {
            broken.what = self.sentence(&broken.what);
        }
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

/// The length of the text in quotes at the start, with doubled quotes inside of it.
fn quoted(text: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(end) = text[at..].find(quote) {
        at += end + 1;
        if !text[at..].starts_with(quote) {
            return at;
        }
        at += 1;
    }
    text.len()
}

fn unescaped(text: &str, quote: char) -> String {
    text.replace(&format!("{quote}{quote}"), &quote.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> KnownNames {
        let mut known = KnownNames(WORDS.split_whitespace().map(str::to_owned).collect());
        known.add_text("CREATE TABLE Users (email text, \"Full Name\" text DEFAULT 'a plan'); -- it's 50");
        known
    }

    #[test]
    fn names_of_the_files_and_those_made_from_them_are_shown() {
        let known = known();
        for name in [
            "users",
            "email",
            "Full Name",
            "users_pkey",
            "users_email_key",
            "users_email_key1",
            "users_email_not_null",
        ] {
            assert_eq!(known.name(name), name);
        }
        for name in ["bob@example.com", "bob", "users_bob_key", "usersemail", "users_email", "bob_key"] {
            assert_eq!(known.name(name), MASK, "{name}");
        }
        assert_eq!(known.name("email(integer, bob)"), "email(integer, …)");
        assert_eq!(known.name("bob(integer)"), MASK);
    }

    #[test]
    fn values_are_shown_if_the_files_contain_them() {
        let known = known();
        for (text, shown) in [
            ("character varying(50)", "character varying(50)"),
            ("character varying(1990)", "character varying(…)"),
            ("'a plan'::text", "'a plan'::text"),
            ("'bob''s'::text", "'…'::text"),
            ("CHECK ((email <> 'bob@example.com'::text))", "CHECK ((email <> '…'::text))"),
            ("\"Full Name\" || \"Bob\"", "\"Full Name\" || \"…\""),
            ("'no end", "'…'"),
        ] {
            assert_eq!(known.text(text), shown);
        }
        assert_eq!(
            known.sentence("column \"email\" may now contain \"bob\""),
            "column \"email\" may now contain \"…\""
        );
    }
}
