//! The changes of facts, and which of them take something from a release that was written before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::facts::{Change, Facts, Key, Properties, Weight, get};

/// The keys whose properties differ.
pub fn touched(before: &Facts, after: &Facts) -> BTreeSet<Key> {
    let keys = before.keys().chain(after.keys());
    keys.filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}

/// The changes of what was there before, except those that take nothing. A part of a lost object is not listed.
pub fn changes(before: &Facts, after: &Facts) -> BTreeMap<Key, Change> {
    let facts = Compared { before, after };
    let mut found = BTreeMap::new();
    for key in touched(before, after) {
        let (weight, what) = facts.change(&key);
        if weight > Weight::Nothing {
            found.insert(key, Change { weight, what });
        }
    }
    found
}

struct Compared<'a> {
    before: &'a Facts,
    after: &'a Facts,
}

/// The properties that only the planner and people see.
const PLAIN: &[&str] = &[
    "position",
    "storage",
    "compression",
    "statistics target",
    "options",
    "comment",
    "validated",
    "valid",
    "cost",
    "rows",
    "parallel",
    "access method",
    "version",
    "owned by",
    "cache",
    "populated",
    "start",
    "columns",
    "uses",
];

impl Compared<'_> {
    fn change(&self, key: &Key) -> (Weight, String) {
        if key.kind == "id" {
            return (Weight::Nothing, String::new());
        }
        let whole_before = self.before.contains_key(&key.whole());
        match (self.before.get(key), self.after.get(key)) {
            (Some(old), None) => self.lost(key, old),
            (None, Some(new)) if key.part.is_none() => self.added(key, new),
            (None, Some(_)) if !whole_before => (Weight::Nothing, String::new()),
            (None, Some(new)) => self.added_part(key, new),
            (Some(old), Some(new)) => self.changed(key, old, new),
            (None, None) => (Weight::Nothing, String::new()),
        }
    }

    fn lost(&self, key: &Key, old: &Properties) -> (Weight, String) {
        let part = key.part.as_ref().map(|(kind, _)| kind.as_str());
        let kind = get(old, "type");
        let weight = match part {
            Some("index") if get(old, "unique").is_empty() => Weight::Nothing,
            // The same under another name: nothing but the name is lost.
            Some("index" | "constraint") if Self::has_same(key, old, self.after) => match kind {
                "check" | "foreign key" => Weight::Nothing,
                _ => Weight::Arguable,
            },
            Some("trigger") if Self::has_same(key, old, self.after) => Weight::Nothing,
            Some("constraint") if self.is_same_key(key) => Weight::Nothing,
            // A second index guarantees the same.
            Some("index") if self.is_covered(key, old, self.after, BTreeSet::eq) => Weight::Arguable,
            Some("constraint") if kind == "check" => Weight::Nothing,
            Some("constraint") if kind == "foreign key" => {
                if has_action(get(old, "definition")) {
                    Weight::Harm
                } else {
                    Weight::Nothing
                }
            }
            None if key.kind == "statistics" => Weight::Nothing,
            // The table or the column says it.
            _ if key.kind == "rows" => Weight::Nothing,
            _ => Weight::Harm,
        };
        (weight, "lost".to_owned())
    }

    fn added(&self, key: &Key, new: &Properties) -> (Weight, String) {
        let name = |object: &str| object.split('(').next().unwrap_or_default().to_owned();
        let overloads = matches!(key.kind.as_str(), "function" | "procedure")
            && self.before.keys().any(|old| {
                old.part.is_none()
                    && old.schema == key.schema
                    && old.kind == key.kind
                    && name(&old.object) == name(&key.object)
            });
        let joins = !get(new, "inherits").is_empty() || !get(new, "partition of").is_empty();
        if overloads || joins || key.kind == "operator" {
            (Weight::Arguable, "added".to_owned())
        } else {
            (Weight::Nothing, String::new())
        }
    }

    fn added_part(&self, key: &Key, new: &Properties) -> (Weight, String) {
        let (part, _) = key.part.as_ref().unwrap();
        let kind = get(new, "type");
        let weight = match part.as_str() {
            _ if key.kind == "rows" => Weight::Nothing,
            "column" => self.added_column(key, new),
            "index" if get(new, "unique").is_empty() => Weight::Nothing,
            "index" | "constraint" if Self::has_same(key, new, self.before) => Weight::Nothing,
            // The same code runs twice.
            "trigger" if Self::has_same(key, new, self.before) => Weight::Arguable,
            "constraint" if self.is_same_key(key) => Weight::Nothing,
            "index" => self.added_unique(key, new),
            "constraint" => match kind {
                "primary key" | "unique" | "exclusion" => self.added_unique(key, new),
                "foreign key" if self.any_column(key, new, Self::is_new_and_empty) => Weight::Nothing,
                // The release before cannot name the column, and deletes no rows of a new table.
                "foreign key" if self.references_new(new) && self.any_name(key, new, Self::is_renamed) => {
                    Weight::Nothing
                }
                "check" => self.added_check(key, new),
                _ => Weight::Harm,
            },
            "policy" if get(new, "permissive").is_empty() => Weight::Arguable,
            _ => Weight::Harm,
        };
        (weight, "added".to_owned())
    }

    fn added_column(&self, key: &Key, new: &Properties) -> Weight {
        // The release before sets a column of this name.
        if key.part.as_ref().is_some_and(|(_, name)| name.ends_with(" (new)")) {
            return Weight::Nothing;
        }
        let filled = ["default", "generated", "identity"].iter().any(|name| !get(new, name).is_empty());
        let domain = self.domain(get(new, "type"));
        match (get(new, "not null") == "yes" || domain.is_some_and(|it| get(it, "not null") == "yes"))
            && !filled
        {
            true if key.kind == "view" => Weight::Nothing,
            true => Weight::Harm,
            false => Weight::Nothing,
        }
    }

    fn domain(&self, name: &str) -> Option<&Properties> {
        let is = |key: &&Key| key.kind == "domain" && key.part.is_none();
        let key = self
            .after
            .keys()
            .filter(is)
            .find(|key| name.split('.').next_back() == Some(key.object.as_str()))?;
        self.after.get(key)
    }

    /// A unique index or constraint. It refuses nothing if rows of the release before have NULL or a generated value in one
    /// of its columns, or if another key already covers its columns.
    fn added_unique(&self, key: &Key, new: &Properties) -> Weight {
        let covered = self.is_covered(key, new, self.before, BTreeSet::is_subset);
        let distinct = !get(new, "definition").contains("NULLS NOT DISTINCT");
        let distinct = distinct && get(new, "type") != "primary key";
        let is_free = |compared: &Self, column: &Key| {
            compared.is_new_and_empty(column) && distinct || compared.is_new_and_generated(column)
        };
        let may_be_free = |compared: &Self, column: &Key| {
            let calls = |new: &Properties| get(new, "default").contains("()");
            compared.is_new(column) && compared.after.get(column).is_some_and(calls)
        };
        let is_unknown = distinct && self.any_name(key, new, Self::is_renamed);
        if covered || is_unknown || self.any_column(key, new, is_free) {
            Weight::Nothing
        } else if self.any_column(key, new, may_be_free) {
            // A function of the project may return another value each time.
            Weight::Arguable
        } else {
            Weight::Harm
        }
    }

    /// Whether another key in `facts` has columns that are `as_needed` those of this one.
    fn is_covered(
        &self,
        key: &Key,
        properties: &Properties,
        facts: &Facts,
        as_needed: fn(&BTreeSet<String>, &BTreeSet<String>) -> bool,
    ) -> bool {
        let columns = self.columns(key, properties);
        facts.iter().any(|(old_key, old)| {
            let is_key = old_key.is_part("constraint")
                && matches!(get(old, "type"), "primary key" | "unique")
                || old_key.is_part("index")
                    && get(old, "unique") == "yes"
                    && !get(old, "definition").contains(" WHERE ");
            let theirs = || self.columns(old_key, old);
            is_key
                && old_key != key
                && old_key.whole() == key.whole()
                && !theirs().is_empty()
                && as_needed(&theirs(), &columns)
        })
    }

    fn added_check(&self, key: &Key, new: &Properties) -> Weight {
        let columns = self.columns(key, new);
        let is_new = |name: &String| self.is_new(&key.sibling("column", name));
        let all_new =
            columns.iter().all(is_new) && (!columns.is_empty() || self.any_name(key, new, Self::is_renamed));
        let not_null = columns.len() == 1
            && get(new, "definition").trim_end_matches(" NO INHERIT").contains("IS NOT NULL))")
            && columns.iter().all(|name| {
                let column = self.before.get(&key.sibling("column", name));
                column.is_some_and(|column| get(column, "not null") == "yes")
            });
        if all_new || not_null { Weight::Nothing } else { Weight::Harm }
    }

    /// The columns of a key, also those of an index with expressions.
    fn columns(&self, key: &Key, properties: &Properties) -> BTreeSet<String> {
        let listed = get(properties, "columns");
        if !listed.is_empty() {
            return listed.split('\u{1e}').map(str::to_owned).collect();
        }
        let definition = get(properties, "definition");
        let list =
            definition.split_once('(').map_or("", |(_, rest)| rest.split(')').next().unwrap_or_default());
        let columns = list.split(", ").map(|name| name.trim_matches('"').to_owned());
        let known = |name: &String| {
            let column = key.sibling("column", name);
            self.before.contains_key(&column) || self.after.contains_key(&column)
        };
        columns.filter(known).collect()
    }

    fn any_column(&self, key: &Key, properties: &Properties, is: impl Fn(&Self, &Key) -> bool) -> bool {
        self.columns(key, properties).iter().any(|name| is(self, &key.sibling("column", name)))
    }

    /// Whether rows of the release before have no value in this column: NULL, or they are refused without it.
    fn is_new_and_empty(&self, column: &Key) -> bool {
        let filled = |new: &Properties| {
            ["default", "generated", "identity"].iter().any(|name| !get(new, name).is_empty())
        };
        self.is_new(column) && self.after.get(column).is_some_and(|new| !filled(new))
    }

    /// Whether the foreign key `key` was there before and is there after the file, perhaps under another name.
    fn is_same_key(&self, key: &Key) -> bool {
        let id = Key { kind: "id".to_owned(), ..key.clone() };
        let keys = |facts: &Facts| -> BTreeSet<String> {
            let of_table =
                facts.iter().filter(|(other, _)| other.is_part("constraint") && other.whole() == id.whole());
            of_table
                .map(|(_, found)| get(found, "key").to_owned())
                .filter(|found| !found.is_empty())
                .collect()
        };
        let own = self.before.get(&id).or_else(|| self.after.get(&id)).map_or("", |found| get(found, "key"));
        keys(self.before).contains(own) && keys(self.after).contains(own)
    }

    /// Whether the referenced table is new.
    fn references_new(&self, new: &Properties) -> bool {
        let table = get(new, "definition").split_once(" REFERENCES ").map_or("", |(_, rest)| rest);
        let table = table.split('(').next().unwrap_or_default().split('.').next_back().unwrap_or_default();
        !self.before.keys().any(|key| key.kind == "table" && key.object == table.trim_matches('"'))
    }

    /// Whether the file gave the name of `column` to a column from before.
    fn is_renamed(&self, column: &Key) -> bool {
        let name = column.part.as_ref().map_or("", |(_, name)| name);
        let of_table =
            self.after.iter().filter(|(key, _)| key.is_part("column") && key.whole() == column.whole());
        !name.is_empty() && of_table.into_iter().any(|(_, found)| get(found, "name") == name)
    }

    fn any_name(&self, key: &Key, properties: &Properties, is: impl Fn(&Self, &Key) -> bool) -> bool {
        let listed = get(properties, "columns").split('\u{1e}');
        listed.into_iter().any(|name| is(self, &key.sibling("column", name)))
    }

    /// Whether the file made the column, perhaps under the name of another one.
    fn is_new(&self, column: &Key) -> bool {
        let rows = Key { kind: "rows".to_owned(), ..column.clone() };
        !self.before.contains_key(column) || self.before.get(&rows) != self.after.get(&rows)
    }

    /// Whether the server gives each row of the release before another value.
    fn is_new_and_generated(&self, column: &Key) -> bool {
        let distinct = ["gen_random_uuid()", "uuid_generate_v4()", "nextval("];
        let own = |new: &Properties| {
            distinct.iter().any(|call| get(new, "default").contains(call)) || !get(new, "identity").is_empty()
        };
        self.is_new(column) && self.after.get(column).is_some_and(own)
    }

    /// Whether `facts` have an equal index or constraint under another name on this table.
    fn has_same(key: &Key, properties: &Properties, facts: &Facts) -> bool {
        let (part, name) = key.part.as_ref().unwrap();
        let neutral = |name: &str, properties: &Properties| {
            let definition = get(properties, "definition");
            let with_quotes = format!("\"{name}\"");
            let written = [name, with_quotes.as_str()].into_iter();
            let written =
                written.flat_map(|name| ["INDEX ", "TRIGGER "].map(|kind| format!("{kind}{name} ")));
            written.fold(definition.to_owned(), |text, named| text.replacen(&named, "", 1))
        };
        let own = neutral(name, properties);
        facts.iter().any(|(other, theirs)| {
            let Some((kind, other_name)) = &other.part else { return false };
            kind == part
                && other_name != name
                && other.whole() == key.whole()
                && neutral(other_name, theirs) == own
        })
    }

    fn changed(&self, key: &Key, old: &Properties, new: &Properties) -> (Weight, String) {
        let is_foreign = |properties: &Properties| get(properties, "type") == "foreign key";
        if is_foreign(old) && is_foreign(new) && get(old, "columns") != get(new, "columns") {
            // Another foreign key got the name.
            let lost = if Self::has_same(key, old, self.after) { Weight::Nothing } else { Weight::Harm };
            return (lost.max(self.added_part(key, new).0), "another foreign key has the name".to_owned());
        }
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let differing = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
        let each = differing.map(|name| {
            let (from, to) = (get(old, name), get(new, name));
            (self.property(key, name, from, to, new), format!("{name}: {from} -> {to}"))
        });
        each.max_by_key(|(weight, _)| *weight).unwrap_or((Weight::Nothing, String::new()))
    }

    fn property(&self, key: &Key, name: &str, from: &str, to: &str, new: &Properties) -> Weight {
        let part = key.part.as_ref().map_or("", |(part, _)| part.as_str());
        let kind = get(new, "type");
        match (part, name) {
            ("index", "definition" | "name") if get(new, "unique").is_empty() => Weight::Nothing,
            ("index", "definition") if !from.contains("UNIQUE INDEX") => Weight::Nothing,
            ("index", "unique") if from.is_empty() => self.added_unique(key, new),
            ("constraint", "of") if key.kind == "rows" => Weight::Nothing,
            ("trigger", "name") => Weight::Nothing,
            ("constraint", "name") if matches!(kind, "check" | "foreign key") => Weight::Nothing,
            ("index" | "constraint", "name") => Weight::Arguable,
            ("column", "type") if key.kind == "view" && self.reads_alike(from, to) => Weight::Nothing,
            ("column", "type") if self.base(from) == Some(to) => Weight::Nothing,
            ("", "options") if key.kind == "view" => Weight::Harm,
            ("", "options") if matches!(key.kind.as_str(), "function" | "procedure") => Weight::Arguable,
            (_, name) if PLAIN.contains(&name) => Weight::Nothing,
            ("column", "type") if widens(from, to) => Weight::Nothing,
            // The values are equal, and print more digits.
            ("column", "type")
                if from.starts_with("numeric(") && to.starts_with("numeric(") && keeps_digits(from, to) =>
            {
                Weight::Arguable
            }
            ("column", "not null") if to.is_empty() => Weight::Arguable,
            ("column", "not null") if key.kind == "view" => Weight::Nothing,
            ("column", "not null") if self.is_checked(key) => Weight::Nothing,
            ("column", "default") if from.is_empty() => Weight::Nothing,
            ("column", "default") if !to.is_empty() => Weight::Arguable,
            ("column", "sequence") => Weight::Arguable,
            ("constraint", "definition") if kind == "check" => {
                if is_wider_list(from, to) {
                    Weight::Nothing
                } else {
                    Weight::Harm
                }
            }
            ("constraint", "definition") if to.strip_prefix(from) == Some(" DEFERRABLE") => Weight::Nothing,
            // The statements of the release before delete and update more rows than before, and none is refused.
            ("constraint", "definition") if kind == "foreign key" && !has_action(from) => {
                if has_action(to) {
                    Weight::Arguable
                } else {
                    Weight::Harm
                }
            }
            ("", "labels") if is_kept(from, to) => Weight::Nothing,
            ("", "body" | "definition") if matches!(key.kind.as_str(), "function" | "procedure") => {
                Weight::Arguable
            }
            ("", "definition") if key.kind == "view" => Weight::Arguable,
            ("", "replica identity") if to == "full" => Weight::Nothing,
            (_, "privileges") if is_subset(from, to) => Weight::Nothing,
            ("", "type" | "max") if key.kind == "sequence" => Weight::Nothing,
            _ => Weight::Harm,
        }
    }

    /// The type that a domain restricts.
    fn base(&self, name: &str) -> Option<&str> {
        self.domain(name).map(|domain| get(domain, "type"))
    }

    /// Whether both are the same type, perhaps restricted by a domain.
    fn reads_alike(&self, from: &str, to: &str) -> bool {
        self.base(from).unwrap_or(from) == self.base(to).unwrap_or(to)
    }

    /// Whether a validated CHECK already refused NULL.
    fn is_checked(&self, key: &Key) -> bool {
        let Some((_, name)) = &key.part else { return false };
        let forms = [format!("CHECK (({name} IS NOT NULL))"), format!("CHECK ((\"{name}\" IS NOT NULL))")];
        self.before.iter().any(|(other, properties)| {
            let definition = get(properties, "definition");
            other.whole() == key.whole()
                && other.is_part("constraint")
                && forms.iter().any(|form| form == definition)
        })
    }
}

fn has_action(definition: &str) -> bool {
    ["CASCADE", "SET NULL", "SET DEFAULT"].iter().any(|action| definition.contains(action))
}

/// Whether each value of the first type is a value of the second that prints, compares and is written alike.
fn widens(from: &str, to: &str) -> bool {
    const INTEGERS: &[&str] = &["smallint", "integer", "bigint"];
    if let (Some(from), Some(to)) = (from.strip_suffix("[]"), to.strip_suffix("[]")) {
        return widens(from, to);
    }
    let rank = |name: &str| INTEGERS.iter().position(|known| *known == name);
    let length = |name: &str| name.strip_prefix("character varying(")?.strip_suffix(')')?.parse::<u32>().ok();
    match (rank(from), rank(to), length(from), length(to)) {
        (Some(from), Some(to), ..) => from <= to,
        (_, _, Some(from), Some(to)) => from <= to,
        _ => {
            from.starts_with("character varying") && matches!(to, "text" | "character varying")
                || from == "text" && to == "character varying"
        }
    }
}

/// Whether the second of two numeric types has at least as many digits before and after the point.
fn keeps_digits(from: &str, to: &str) -> bool {
    let parts = |name: &str| -> Option<(u32, u32)> {
        let (precision, scale) = name.strip_prefix("numeric(")?.strip_suffix(')')?.split_once(',')?;
        let (precision, scale) = (precision.parse::<u32>().ok()?, scale.parse().ok()?);
        Some((precision.checked_sub(scale)?, scale))
    };
    matches!((parts(from), parts(to)), (Some(from), Some(to)) if from.0 <= to.0 && from.1 <= to.1)
}

/// Whether the second text differs only in having more string literals.
fn is_wider_list(from: &str, to: &str) -> bool {
    static LITERAL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"'(?:[^']|'')*'(?:::[a-z ]+)?(?:, )?").unwrap());
    let literal = &*LITERAL;
    let rest = |text: &str| literal.replace_all(text, "").into_owned();
    let literals = |text: &str| -> BTreeSet<String> {
        literal.find_iter(text).map(|found| found.as_str().trim_end_matches(", ").to_owned()).collect()
    };
    rest(from) == rest(to) && literals(from).is_subset(&literals(to))
}

/// Whether the second list has the items of the first, in their order.
fn is_kept(from: &str, to: &str) -> bool {
    let mut items = to.split('\u{1e}');
    from.split('\u{1e}').all(|item| items.any(|other| other == item))
}

fn is_subset(from: &str, to: &str) -> bool {
    let items = |text: &str| -> BTreeSet<String> {
        text.split('\u{1e}').filter(|item| !item.is_empty()).map(str::to_owned).collect()
    };
    let (from, to) = (items(from), items(to));
    let revoked = |items: &BTreeSet<String>| items.iter().filter(|item| item.starts_with("revoked")).count();
    from.is_subset(&to) && revoked(&from) == revoked(&to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lines: &[(&str, &str)]) -> Facts {
        let key = |name: &str| {
            let words: Vec<&str> = name.split(' ').collect();
            Key {
                schema: "public".to_owned(),
                kind: words[0].to_owned(),
                object: words[1].to_owned(),
                part: words.get(2).map(|part| ((*part).to_owned(), words[3].to_owned())),
            }
        };
        let properties = |text: &str| {
            text.split(';')
                .filter_map(|property| property.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect()
        };
        lines.iter().map(|(name, text)| (key(name), properties(text))).collect()
    }

    /// The heaviest change.
    fn weight(before: &[(&str, &str)], after: &[(&str, &str)]) -> Weight {
        let found = changes(&facts(before), &facts(after));
        found.values().map(|change| change.weight).max().unwrap_or(Weight::Nothing)
    }

    const T: (&str, &str) = ("table t", "");
    const A: (&str, &str) = ("table t column a", "type=integer");

    #[test]
    fn what_is_lost_or_stricter_is_a_harm() {
        let unique = (
            "table t index u",
            "definition=CREATE UNIQUE INDEX u ON public.t USING btree (a);unique=yes;columns=a",
        );
        let cascade = (
            "table t constraint f",
            "type=foreign key;columns=a;definition=FOREIGN KEY (a) REFERENCES p(id) ON DELETE CASCADE",
        );
        for (before, after) in [
            (&[T, A][..], &[][..]),
            (&[T, A], &[T]),
            (&[T, A, unique], &[T, A]),
            (&[T, A], &[T, A, unique]),
            (&[T, A, cascade], &[T, A]),
            (&[T, A], &[T, ("table t column a", "type=text")]),
            (&[T, A], &[T, ("table t column a", "type=integer;not null=yes")]),
            (&[T, ("table t column a", "type=integer;default=1")], &[T, A]),
            (&[T, A], &[T, A, ("table t column b", "type=integer;not null=yes")]),
            (&[T, A], &[T, A, ("table t constraint c", "type=check;columns=a;definition=CHECK ((a > 1))")]),
            (&[T, A], &[T, A, ("table t trigger g", "definition=CREATE TRIGGER g BEFORE INSERT ON t")]),
            (&[T, A, ("rows t", "of=1")], &[T, A, ("rows t", "of=2")]),
            (&[("enum e", "labels=a\u{1e}b")], &[("enum e", "labels=a")]),
            (&[T, ("rows t", "of=1")], &[("table u", ""), ("rows u", "of=1")]),
        ] {
            assert_eq!(weight(before, after), Weight::Harm, "{before:?} {after:?}");
        }
    }

    #[test]
    fn what_is_new_or_the_same_takes_nothing() {
        let index = ("table t index i", "definition=CREATE INDEX i ON public.t USING btree (a)");
        let key = (
            "table t constraint f",
            "type=foreign key;columns=b;definition=FOREIGN KEY (b) REFERENCES p(id)",
        );
        let same = (
            "table t constraint g",
            "type=foreign key;columns=b;definition=FOREIGN KEY (b) REFERENCES p(id)",
        );
        let b = ("table t column b", "type=integer");
        for (before, after) in [
            (&[T, A, index][..], &[T, A][..]),
            (&[T, A], &[T, A, b, key]),
            (&[T, A, b, key], &[T, A, b]),
            (&[T, A, b, key], &[T, A, b, key, same]),
            (&[T, A], &[T, ("table t column a", "type=bigint")]),
            (&[T, A], &[T, A, ("table t column b", "type=integer;not null=yes;default=1")]),
            (
                &[T, A],
                &[
                    T,
                    A,
                    b,
                    (
                        "table t index u",
                        "definition=CREATE UNIQUE INDEX u ON public.t USING btree (b);unique=yes;columns=b",
                    ),
                ],
            ),
            (&[("enum e", "labels=a\u{1e}b")], &[("enum e", "labels=a\u{1e}c\u{1e}b")]),
            (&[], &[T, A, key]),
        ] {
            assert_eq!(weight(before, after), Weight::Nothing, "{before:?} {after:?}");
        }
    }
}
