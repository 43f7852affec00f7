//! The text of a unit.

use super::*;
use crate::sql::Script;

#[test]
fn a_unit_has_the_documented_text() {
    let schema = SchemaName::existing("org_acme").unwrap();
    let run = Run {
        id: Uuid::nil(),
        platform: SchemaName::existing("datalinx_platform").unwrap(),
        limits: Migrate::default(),
        path: SharedPath::default(),
    };
    let script = Script::parse(Source::new("m.sql", "ALTER TABLE {org_schema}.t ADD c int")).unwrap();
    let (from, to) = ("1.0.0".parse().unwrap(), "1.0.1".parse().unwrap());
    let mut message = SqlBatch::default();
    message.begin(run.limits, "SELECT 1");
    message.search_path(&schema, &run.path);
    message.push_file(&script, script.statements.iter(), &schema);
    message.history(
        &run,
        &HistoryRow {
            schema: &schema,
            from: &from,
            to: &to,
            name: "it's.sql",
            checksum: None,
            kind: Kind::MIGRATE,
            allowed: "[]",
        },
    );
    message.push("COMMIT");
    insta::with_settings!({filters => vec![(r"'\d+\.\d+\.\d+', '\[\]'", "'TOOL', '[]'")]}, {
        insta::assert_snapshot!(message.sql(), @r#"
        BEGIN ISOLATION LEVEL READ COMMITTED;
        SET LOCAL statement_timeout = 600000;
        SET LOCAL lock_timeout = 0;
        SELECT 1;
        SET LOCAL lock_timeout = 5000;
        SET LOCAL search_path = "org_acme", public;
        ALTER TABLE org_acme.t ADD c int;
        SELECT "datalinx_platform".tenure_record('00000000-0000-0000-0000-000000000000', 'org_acme', '1.0.0', '1.0.1', 'it''s.sql', NULL, 'TOOL', '[]', 'migrate') AS tenure_took_ms;
        COMMIT;
        "#);
    });
}
