//! A snapshot holds every kind of thing that a schema can hold: it is made, read, changed,
//! read again, and the difference names just that. The same is done in a second schema whose name is
//! the first one's with more behind it, and the two are equal all the way.

mod code;
mod names;
mod tables;

use tenure::ident::SchemaName;
use tenure::postgres::catalog::{Change, SchemaSnapshot, fingerprints, snapshot};
use tenure::postgres::{Connection, DatabaseUrl};

use crate::support::Database;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn name(schema: &str) -> SchemaName {
    SchemaName::existing(schema).unwrap()
}

fn picture_by(url: &str, schema: &str) -> SchemaSnapshot {
    runtime().block_on(async {
        let mut connection = Connection::open(&DatabaseUrl::parse(url).unwrap()).await.unwrap();
        let picture = snapshot(&mut connection, &name(schema)).await.unwrap();
        connection.close().await;
        picture
    })
}

fn picture(db: &Database, schema: &str) -> SchemaSnapshot {
    picture_by(&db.url, schema)
}

/// The fingerprints of both, taken in one question.
fn prints(db: &Database, schemas: &[&str]) -> Vec<String> {
    let schemas: Vec<_> = schemas.iter().map(|schema| name(schema)).collect();
    let prints = runtime().block_on(async {
        let mut connection = Connection::open(&DatabaseUrl::parse(&db.url).unwrap()).await.unwrap();
        let prints = fingerprints(&mut connection, &schemas).await.unwrap();
        connection.close().await;
        prints
    });
    schemas.iter().map(|schema| format!("{:?}", prints[schema])).collect()
}

fn lines(before: &SchemaSnapshot, after: &SchemaSnapshot) -> Vec<String> {
    Change::between(before, after)
        .iter()
        .map(|change| format!("{}: {}", change.object, change.line()))
        .collect()
}

/// Runs `sql` as a unit does: the schema first in the search path, `{org_schema}` replaced.
fn run_in(db: &Database, schema: &str, sql: &str) {
    let schema = name(schema);
    let sql = sql.replace("{org_schema}", &schema.in_text());
    db.run(&format!("SET search_path = {}, public; {sql}", schema.quoted()));
}

/// In every schema: `make`, then `change`. The schemas are equal before and after, and the difference is
/// `expected`, and no other.
#[track_caller]
fn check_in(db: &Database, schemas: &[&str], make: &str, change: &str, expected: &[&str]) {
    for schema in schemas {
        let quoted = name(schema).quoted();
        db.run(&format!("DROP SCHEMA IF EXISTS {quoted} CASCADE; CREATE SCHEMA {quoted}"));
        run_in(db, schema, make);
    }
    let all = || schemas.iter().map(|schema| picture(db, schema)).collect::<Vec<_>>();
    let equal = |pictures: &[SchemaSnapshot], when: &str| {
        for (picture, schema) in pictures.iter().zip(schemas) {
            assert_eq!(lines(&pictures[0], picture), [""; 0], "{schema} {when} {change}");
            assert_eq!(pictures[0], *picture, "{schema} {when} {change}");
        }
        let prints = prints(db, schemas);
        assert!(prints.iter().all(|print| *print == prints[0]), "fingerprints {when} {change}");
        prints[0].clone()
    };
    let before = all();
    let old = equal(&before, "before");
    for schema in schemas {
        run_in(db, schema, change);
    }
    let after = all();
    let new = equal(&after, "after");
    assert_eq!(lines(&before[0], &after[0]), expected, "{change}");
    // Extensions belong to the database, not to a tenant.
    let is_seen = expected.iter().any(|line| !line.starts_with("extension"));
    assert_eq!(old != new, is_seen, "the fingerprint, of {change}");
}

#[track_caller]
fn check(db: &Database, make: &str, change: &str, expected: &[&str]) {
    check_in(db, &["org_a", "org_ab"], make, change, expected);
}
