//! Changes and their effects, in tables.

use super::*;
use crate::postgres::catalog::model::{Object, ObjectKey, PartKey, Properties, SchemaSnapshot};
use crate::verify::Tool;

type Said<'a> = &'a [(Property, &'a str)];

fn properties(said: Said<'_>) -> Properties {
    let mut properties = Properties::default();
    for (property, value) in said {
        properties.set(*property, (*value).to_owned());
    }
    properties
}

fn with_part(kind: PartKind, said: Option<Said<'_>>) -> SchemaSnapshot {
    let mut object = Object::default();
    if let Some(said) = said {
        object.parts.insert(PartKey { kind, name: "p".to_owned() }, properties(said));
    }
    SchemaSnapshot { objects: [(ObjectKey { kind: Kind::Table, name: "t".to_owned() }, object)].into() }
}

fn with_object(kind: Kind, said: Option<Said<'_>>) -> SchemaSnapshot {
    let key = ObjectKey { kind, name: "o".to_owned() };
    let object = said.map(|said| Object { properties: properties(said), ..Object::default() });
    SchemaSnapshot { objects: object.map(|object| (key, object)).into_iter().collect() }
}

/// The verdict on all changes together: `data:deny readers:warn`, or `-`.
fn verdict(before: &SchemaSnapshot, after: &SchemaSnapshot) -> String {
    let changes = Change::between(before, after);
    assert!(!changes.is_empty(), "nothing changed");
    let mut said = Vec::new();
    for change in &changes {
        let effect = Effect::of(change, &Difference { before, after, changes: &changes });
        for harm in effect.harms() {
            assert_eq!(harm.rule.rule().tool(), Tool::Verify, "{}", harm.rule);
            assert!(!harm.why.ends_with('.'), "{}", harm.why);
        }
        for (who, harm) in [
            ("data", effect.data),
            ("readers", effect.old_readers),
            ("writers", effect.old_writers),
            ("plans", effect.plans),
        ] {
            said.extend(harm.map(|harm| format!("{who}:{}", harm.level)));
        }
    }
    if said.is_empty() { "-".to_owned() } else { said.join(" ") }
}

#[track_caller]
fn part(kind: PartKind, before: Option<Said<'_>>, after: Option<Said<'_>>, expected: &str) {
    assert_eq!(verdict(&with_part(kind, before), &with_part(kind, after)), expected);
}

#[track_caller]
fn object(kind: Kind, before: Option<Said<'_>>, after: Option<Said<'_>>, expected: &str) {
    assert_eq!(verdict(&with_object(kind, before), &with_object(kind, after)), expected);
}

const TEXT: (Property, &str) = (Property::Type, "text");
const NOT_NULL: (Property, &str) = (Property::NotNull, "yes");
const DEFAULT: (Property, &str) = (Property::Default, "'a'::text");

#[test]
fn columns() {
    let column = |before: Option<Said<'_>>, after: Option<Said<'_>>, expected: &str| {
        part(PartKind::Column, before, after, expected);
    };
    column(None, Some(&[TEXT]), "-");
    column(None, Some(&[TEXT, NOT_NULL, DEFAULT]), "-");
    column(None, Some(&[TEXT, NOT_NULL]), "writers:deny");
    column(None, Some(&[TEXT, NOT_NULL, (Property::Identity, "always")]), "-");
    column(Some(&[TEXT]), None, "data:deny readers:deny writers:deny");
    column(Some(&[TEXT]), Some(&[TEXT, NOT_NULL]), "writers:deny");
    column(Some(&[TEXT, (Property::NotNull, "not validated")]), Some(&[TEXT, NOT_NULL]), "-");
    column(Some(&[TEXT, NOT_NULL]), Some(&[TEXT]), "readers:warn");
    column(Some(&[TEXT, NOT_NULL, DEFAULT]), Some(&[TEXT, NOT_NULL]), "writers:deny");
    column(Some(&[TEXT, DEFAULT]), Some(&[TEXT]), "readers:warn writers:warn");
    column(Some(&[TEXT]), Some(&[TEXT, DEFAULT]), "-");
    column(Some(&[TEXT, DEFAULT]), Some(&[TEXT, (Property::Default, "'b'::text")]), "writers:warn");
    column(Some(&[TEXT]), Some(&[(Property::Type, "integer")]), "data:warn readers:deny writers:deny");
    column(Some(&[(Property::Type, "integer")]), Some(&[(Property::Type, "bigint")]), "plans:warn");
    column(Some(&[(Property::Type, "character varying(9)")]), Some(&[TEXT]), "-");
    column(Some(&[TEXT]), Some(&[TEXT, (Property::Generated, "x stored")]), "readers:deny writers:deny");
    column(Some(&[TEXT]), Some(&[TEXT, (Property::Identity, "always")]), "writers:deny");
    column(
        Some(&[TEXT, (Property::Identity, "always")]),
        Some(&[TEXT, (Property::Identity, "by default")]),
        "-",
    );
    column(Some(&[TEXT]), Some(&[TEXT, (Property::Collation, "\"C\"")]), "readers:warn");
    column(Some(&[TEXT]), Some(&[TEXT, (Property::Comment, "c")]), "-");
    column(Some(&[TEXT]), Some(&[TEXT, (Property::Storage, "external")]), "-");
}

#[test]
fn constraints_and_indexes() {
    let check: Said<'_> =
        &[(Property::Type, "check"), (Property::Definition, "CHECK (a > 0)"), (Property::Columns, "a")];
    part(PartKind::Constraint, None, Some(check), "writers:deny");
    part(PartKind::Constraint, Some(check), None, "readers:warn");
    let unique: Said<'_> = &[(Property::Type, "unique"), (Property::Definition, "UNIQUE (a)")];
    part(PartKind::Constraint, None, Some(unique), "writers:deny");
    part(PartKind::Constraint, Some(unique), None, "readers:warn writers:deny");
    let key: Said<'_> = &[(Property::Type, "foreign key"), (Property::Definition, "FOREIGN KEY (a) …")];
    part(PartKind::Constraint, None, Some(key), "writers:deny");
    part(PartKind::Constraint, Some(key), None, "readers:warn writers:warn");
    let later: Said<'_> = &[key[0], key[1], (Property::Validated, "no")];
    part(PartKind::Constraint, Some(later), Some(key), "-");
    let loose: Said<'_> = &[key[0], (Property::Definition, "FOREIGN KEY (a) … NOT ENFORCED")];
    part(PartKind::Constraint, None, Some(loose), "-");
    let plain: Said<'_> = &[(Property::Definition, "CREATE INDEX …")];
    part(PartKind::Index, None, Some(plain), "-");
    part(PartKind::Index, Some(plain), None, "plans:warn");
    part(PartKind::Index, Some(plain), Some(&[plain[0], (Property::Valid, "no")]), "plans:warn");
    let unique: Said<'_> = &[(Property::Definition, "CREATE UNIQUE INDEX …"), (Property::Unique, "yes")];
    part(PartKind::Index, None, Some(unique), "writers:deny");
    part(PartKind::Index, Some(unique), None, "readers:warn writers:deny plans:warn");
}

/// The verdict on a column and a constraint on it, added together.
fn with_new_column(column: Said<'_>, constraint: Said<'_>) -> String {
    let mut after = with_part(PartKind::Column, Some(column));
    for object in after.objects.values_mut() {
        object
            .parts
            .insert(PartKey { kind: PartKind::Constraint, name: "c".to_owned() }, properties(constraint));
    }
    verdict(&with_part(PartKind::Column, None), &after)
}

#[test]
fn a_constraint_on_a_column_that_came_with_it_binds_nobody() {
    let on = |kind, definition| {
        [(Property::Type, kind), (Property::Definition, definition), (Property::Columns, "p")]
    };
    assert_eq!(with_new_column(&[TEXT], &on("foreign key", "…")), "-");
    assert_eq!(with_new_column(&[TEXT, NOT_NULL, DEFAULT], &on("check", "…")), "-");
    assert_eq!(with_new_column(&[TEXT], &on("unique", "UNIQUE (p)")), "-");
    assert_eq!(with_new_column(&[TEXT], &on("unique", "UNIQUE NULLS NOT DISTINCT (p)")), "writers:deny");
    // A second row written without the column gets the same value.
    assert_eq!(with_new_column(&[TEXT, NOT_NULL, DEFAULT], &on("unique", "UNIQUE (p)")), "writers:deny");
    let draws = [TEXT, (Property::Default, "gen_random_uuid()")];
    assert_eq!(with_new_column(&draws, &on("unique", "UNIQUE (p)")), "-");
    let other = [(Property::Type, "check"), (Property::Columns, "p\u{1e}old")];
    assert_eq!(with_new_column(&[TEXT], &other), "writers:deny");
}

#[test]
fn what_goes_with_its_columns_is_told_with_them() {
    let with = |kind, said: Said<'_>| {
        let mut before = with_part(PartKind::Column, Some(&[TEXT]));
        for object in before.objects.values_mut() {
            object.parts.insert(PartKey { kind, name: "c".to_owned() }, properties(said));
        }
        verdict(&before, &with_part(PartKind::Column, None))
    };
    let column_alone = "data:deny readers:deny writers:deny";
    let unique =
        |columns| [(Property::Type, "unique"), (Property::Unique, "yes"), (Property::Columns, columns)];
    assert_eq!(with(PartKind::Constraint, &unique("p")), column_alone);
    assert_eq!(with(PartKind::Index, &unique("p")), column_alone);
    // A constraint that also covers other columns affects those too.
    assert_ne!(with(PartKind::Constraint, &unique("p\u{1e}stays")), column_alone);
    assert_ne!(with(PartKind::Index, &unique("p\u{1e}stays")), column_alone);
    assert_ne!(with(PartKind::Index, &[(Property::Unique, "yes")]), column_alone);
}

#[test]
fn what_the_table_guarantees_already_refuses_nothing() {
    let table = |parts: &[(PartKind, &str, Said<'_>)]| {
        let mut snapshot = with_part(PartKind::Column, Some(&[TEXT]));
        for object in snapshot.objects.values_mut() {
            for (kind, name, said) in parts {
                object.parts.insert(PartKey { kind: *kind, name: (*name).to_owned() }, properties(said));
            }
        }
        snapshot
    };
    let constraint = |kind, definition| [(Property::Type, kind), (Property::Definition, definition)];
    let given = constraint("check", "CHECK ((p IS NOT NULL))");
    let before = table(&[(PartKind::Constraint, "given", &given)]);
    let required =
        table(&[(PartKind::Constraint, "given", &given), (PartKind::Column, "p", &[TEXT, NOT_NULL])]);
    assert_eq!(verdict(&before, &required), "-");
    let not_checked = [given[0], given[1], (Property::Validated, "no")];
    assert_eq!(
        verdict(
            &table(&[(PartKind::Constraint, "given", &not_checked)]),
            &table(&[
                (PartKind::Constraint, "given", &not_checked),
                (PartKind::Column, "p", &[TEXT, NOT_NULL])
            ])
        ),
        "writers:deny"
    );
    let plain = table(&[(PartKind::Column, "p", &[TEXT, NOT_NULL])]);
    let checked =
        table(&[(PartKind::Column, "p", &[TEXT, NOT_NULL]), (PartKind::Constraint, "given", &given)]);
    assert_eq!(verdict(&plain, &checked), "-");

    let one = constraint("unique", "UNIQUE (p)");
    let index = |definition| [(Property::Definition, definition), (Property::Unique, "yes")];
    let same = index("CREATE UNIQUE INDEX j ON {org_schema}.t USING btree (p)");
    let wider = index("CREATE UNIQUE INDEX j ON {org_schema}.t USING btree (p, q)");
    let stored = index("CREATE UNIQUE INDEX j ON {org_schema}.t USING btree (p) WITH (fillfactor='70')");
    let keyed = table(&[(PartKind::Constraint, "one", &one)]);
    for (new, expected) in [(&same, "-"), (&wider, "-")] {
        let more = table(&[(PartKind::Constraint, "one", &one), (PartKind::Index, "j", new)]);
        assert_eq!(verdict(&keyed, &more), expected);
    }
    let of = |said: Said<'_>| table(&[(PartKind::Index, "j", said)]);
    assert_eq!(verdict(&of(&same), &of(&stored)), "-");
    assert_eq!(verdict(&of(&same), &of(&wider)), "writers:deny plans:warn");
    let twice = table(&[(PartKind::Index, "i", &same), (PartKind::Index, "j", &same)]);
    assert_eq!(verdict(&twice, &of(&same)), "-");

    let key = |definition| table(&[(PartKind::Constraint, "k", &constraint("foreign key", definition))]);
    let cascades = "FOREIGN KEY (p) REFERENCES {org_schema}.u(id) ON DELETE CASCADE";
    let refuses = "FOREIGN KEY (p) REFERENCES {org_schema}.u(id) DEFERRABLE";
    assert_eq!(verdict(&key(refuses), &key(cascades)), "-");
    assert_eq!(verdict(&key(cascades), &key(refuses)), "readers:warn writers:warn");
    assert_eq!(
        verdict(&key(cascades), &key("FOREIGN KEY (p) REFERENCES {org_schema}.v(id)")),
        "writers:deny"
    );
    let renamed = |definition| table(&[(PartKind::Constraint, "l", &constraint("foreign key", definition))]);
    assert_eq!(verdict(&key(cascades), &renamed(cascades)), "-");
    assert_eq!(verdict(&key(cascades), &renamed(refuses)), "readers:warn writers:warn");
    let list = |values: &str| {
        let definition = format!("CHECK ((p = ANY (ARRAY[{values}])))");
        table(&[(
            PartKind::Constraint,
            "k",
            &[(Property::Type, "check"), (Property::Definition, &definition)],
        )])
    };
    assert_eq!(verdict(&list("'a'::text"), &list("'a'::text, 'b'::text")), "-");
    assert_eq!(verdict(&list("'a'::text, 'b'::text"), &list("'b'::text, 'c'::text")), "writers:deny");
}

#[test]
fn what_acts_unseen() {
    let one: Said<'_> = &[(Property::Definition, "one")];
    part(PartKind::Trigger, None, Some(one), "writers:warn");
    part(PartKind::Trigger, Some(one), None, "writers:warn");
    part(PartKind::Trigger, Some(one), Some(&[one[0], (Property::Enabled, "no")]), "writers:warn");
    part(PartKind::Rule, None, Some(one), "readers:deny writers:deny");
    part(PartKind::Rule, Some(one), None, "readers:warn writers:warn");
    part(PartKind::Policy, None, Some(one), "-");
    let awake: Said<'_> = &[one[0], (Property::RowSecurity, "on")];
    part(PartKind::Policy, None, Some(awake), "readers:deny writers:deny");
    part(PartKind::Policy, Some(one), None, "readers:deny writers:deny");
}

#[test]
fn tables_and_views() {
    object(Kind::Table, None, Some(&[]), "-");
    object(Kind::Table, Some(&[]), None, "data:deny readers:deny writers:deny");
    object(Kind::View, Some(&[]), None, "readers:deny writers:deny");
    object(Kind::MaterializedView, Some(&[]), None, "readers:deny writers:deny");
    let said = |property, value| [(property, value)];
    object(
        Kind::View,
        Some(&said(Property::Definition, "a")),
        Some(&said(Property::Definition, "b")),
        "readers:warn writers:warn",
    );
    object(Kind::MaterializedView, Some(&[]), Some(&said(Property::Populated, "no")), "readers:deny");
    object(Kind::Table, Some(&[]), Some(&said(Property::Persistence, "unlogged")), "data:deny");
    object(
        Kind::Table,
        Some(&[]),
        Some(&said(Property::RowSecurity, "enabled")),
        "readers:deny writers:deny",
    );
    object(Kind::Table, Some(&said(Property::RowSecurity, "enabled")), Some(&[]), "readers:deny");
    object(Kind::Table, Some(&said(Property::PartitionOf, "p")), Some(&[]), "readers:deny writers:deny");
    object(Kind::Table, Some(&[]), Some(&said(Property::Inherits, "p")), "readers:warn");
    object(Kind::Table, Some(&[]), Some(&said(Property::ReplicaIdentity, "nothing")), "writers:deny");
    object(Kind::Table, Some(&[]), Some(&said(Property::ReplicaIdentity, "full")), "-");
    object(Kind::Table, Some(&[]), Some(&said(Property::Options, "fillfactor=70")), "-");
    object(
        Kind::View,
        Some(&[]),
        Some(&said(Property::Options, "security_invoker=true")),
        "readers:deny writers:deny",
    );
    object(Kind::View, Some(&[]), Some(&said(Property::Options, "security_barrier=true")), "-");
    object(Kind::Schema, Some(&[]), None, "data:deny readers:deny writers:deny");
}

#[test]
fn code_and_types() {
    let said = |property, value| [(property, value)];
    let from_to = |kind, property, from, to, expected: &str| {
        object(kind, Some(&said(property, from)), Some(&said(property, to)), expected);
    };
    object(Kind::Function, Some(&[]), None, "readers:deny writers:deny");
    from_to(Kind::Function, Property::Body, "a", "b", "readers:warn writers:warn");
    from_to(Kind::Function, Property::Volatility, "stable", "volatile", "readers:warn writers:warn");
    from_to(Kind::Function, Property::Arguments, "a integer", "b integer", "readers:deny writers:deny");
    from_to(Kind::Function, Property::Cost, "1", "2", "plans:warn");
    from_to(Kind::Sequence, Property::Increment, "1", "2", "writers:warn");
    from_to(Kind::Enum, Property::Labels, "a\u{1e}b", "a\u{1e}b\u{1e}c", "-");
    from_to(Kind::Enum, Property::Labels, "a\u{1e}b", "a\u{1e}c", "readers:deny writers:deny");
    from_to(Kind::Enum, Property::Labels, "a\u{1e}b", "b\u{1e}a", "readers:deny");
    object(Kind::Domain, Some(&[]), Some(&said(Property::NotNull, "yes")), "writers:deny");
    from_to(Kind::Extension, Property::Version, "1.0", "1.1", "readers:warn writers:warn");
    object(Kind::Statistics, Some(&[]), None, "plans:warn");
    object(Kind::Extension, Some(&[]), None, "readers:deny writers:deny");
}

#[test]
fn privileges() {
    let said = |value| [(Property::Privileges, value)];
    object(Kind::Table, Some(&[]), Some(&said("reader: SELECT")), "-");
    object(Kind::Table, Some(&said("reader: SELECT")), Some(&[]), "readers:deny");
    object(
        Kind::Table,
        Some(&said("app: INSERT\u{1e}app: SELECT")),
        Some(&said("app: SELECT")),
        "writers:deny",
    );
    object(
        Kind::Function,
        Some(&[]),
        Some(&said("revoked from public: EXECUTE")),
        "readers:deny writers:deny",
    );
    object(Kind::Function, Some(&said("revoked from public: EXECUTE")), Some(&[]), "-");
    object(Kind::Table, Some(&[]), Some(&[(Property::Owner, "other")]), "readers:warn writers:warn");
}
