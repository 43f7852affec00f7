//! Names that are taken, refused, quoted.

use proptest::prelude::*;

use super::*;

fn platform() -> SchemaName {
    SchemaName::existing("datalinx_platform").unwrap()
}

#[test]
fn a_slug_determines_its_schema() {
    let schema = SchemaName::of("org_", &Slug::new("acme_corp").unwrap(), &platform()).unwrap();
    assert_eq!((schema.as_str(), schema.quoted().as_str()), ("org_acme_corp", "\"org_acme_corp\""));
}

#[test]
fn reserved_and_long_names_are_errors() {
    let of = |prefix, slug: &str| SchemaName::of(prefix, &Slug::new(slug).unwrap(), &platform());
    assert!(matches!(of("", "pg_toast"), Err(NameError::Reserved { .. })));
    assert!(matches!(of("", "information_schema"), Err(NameError::Reserved { .. })));
    assert!(matches!(of("", "public"), Err(NameError::Reserved { .. })));
    assert!(matches!(of("org_", "public"), Err(NameError::Reserved { .. })));
    assert!(matches!(of("org_", "pg_x"), Err(NameError::Reserved { .. })));
    assert!(matches!(of("", "datalinx_platform"), Err(NameError::Reserved { .. })));
    assert!(matches!(of("tenure_", "pool_a"), Err(NameError::Reserved { .. })));
    let pooled = SchemaName::pooled(u128::MAX);
    assert!(pooled.is_pooled() && pooled.as_str().len() <= MAX_IDENTIFIER_BYTES);
    assert!(of("org_", &"a".repeat(59)).is_ok());
    assert!(matches!(of("org_", &"a".repeat(60)), Err(NameError::TooLong { bytes: 64, .. })));
}

#[test]
fn a_schema_with_the_name_of_another_slug_is_not_adopted() {
    let of = |name: &str, prefix: &str| {
        SchemaName::adopted(name, prefix, &Slug::new("acme").unwrap(), &platform())
    };
    for name in ["org_acme", "acme", "org_3f2a", "Org_Acme", "org_a\"b", "org_"] {
        assert_eq!(of(name, "org_").unwrap().as_str(), name);
    }
    assert!(matches!(of("org_other", "org_"), Err(NameError::OtherSlug { .. })));
    assert!(matches!(of("other", ""), Err(NameError::OtherSlug { .. })));
    for name in ["public", "pg_x", "information_schema", "datalinx_platform"] {
        assert!(matches!(of(name, "org_"), Err(NameError::Reserved { .. })), "{name}");
    }
}

#[test]
fn a_schema_determines_its_role() {
    let schema = SchemaName::existing("org_acme").unwrap();
    assert_eq!(schema.role("").unwrap().as_str(), "org_acme");
    assert_eq!(schema.role("staging_").unwrap().as_str(), "staging_org_acme");
    assert!(matches!(schema.role(&"a".repeat(56)), Err(NameError::RoleTooLong { bytes: 64, .. })));
}

#[test]
fn a_name_in_text_is_quoted_only_if_necessary() {
    let text = |name: &str| SchemaName::existing(name).unwrap().in_text();
    assert_eq!(text("org_acme"), "org_acme");
    assert_eq!(text("user"), "\"user\"");
    assert_eq!(text("current_user"), "\"current_user\"");
    assert_eq!(text("Org_A"), "\"Org_A\"");
    assert_eq!(text("org_a\"b"), "\"org_a\"\"b\"");
}

proptest! {
    #[test]
    fn a_slug_is_exactly_its_pattern(name in "\\PC{0,8}|[a-z0-9_]{0,8}") {
        let mut chars = name.chars();
        let fits = chars.next().is_some_and(|c| c.is_ascii_lowercase())
            && chars.all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'));
        prop_assert_eq!(Slug::new(&name).is_ok(), fits);
    }

    #[test]
    fn a_quoted_identifier_reads_back(name in "[^\0]{1,20}") {
        if let Ok(identifier) = Identifier::new(name.clone()) {
            let quoted = identifier.quoted();
            prop_assert_eq!(quoted[1..quoted.len() - 1].replace("\"\"", "\""), name);
        }
    }
}

#[test]
fn a_units_path_has_each_schema_once() {
    let name = |text: &str| Identifier::new(text).unwrap();
    let own = SchemaName::existing("org_acme").unwrap();
    assert_eq!(SharedPath::default().of(&own), "\"org_acme\", public");
    let path = SharedPath::new(&[name("Shared"), name("ext")], &name("ext"));
    assert_eq!(path.of(&own), "\"org_acme\", \"Shared\", \"ext\", public");
    let path = SharedPath::new(&[name("datalinx_platform"), name("public")], &name("extensions"));
    assert_eq!(path.of(&platform()), "\"datalinx_platform\", public, \"extensions\"");
    assert_eq!(
        path.starting_with(&[&own, &platform()]),
        "\"org_acme\", \"datalinx_platform\", public, \"extensions\""
    );
}

#[test]
fn a_schema_is_hidden_where_it_is_a_word() {
    let schema = SchemaName::existing("org_a").unwrap();
    let shown = schema.hidden_in("table org_a.x, org_ab.x, my_org_a, \"org_a\"");
    assert_eq!(shown, "table {org_schema}.x, org_ab.x, my_org_a, \"{org_schema}\"");
}
