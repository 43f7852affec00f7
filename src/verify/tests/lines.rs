//! Allow lines in whole files, comments that must have no effect, duplicates, and order.

use super::*;

fn shown(sql: &str) -> Vec<String> {
    let show = |finding: &Finding| {
        let allowed = finding.allowed.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        format!("{}{allowed}", finding.rule)
    };
    findings(sql).iter().map(show).collect()
}

#[test]
fn one_line_accepts_one_finding() {
    let sql = "-- allow : drop-column b because gone\nALTER TABLE t DROP COLUMN a, DROP COLUMN b, DROP b;";
    assert_eq!(shown(sql), ["drop-column", "drop-column (gone)", "drop-column"]);
    let sql = "-- Allow: drop-table a because x\n-- Allow: drop-table because y\nDROP TABLE b, a;";
    assert_eq!(shown(sql), ["drop-table (y)", "drop-table (x)"]);
    assert_eq!(
        shown("-- Allow: drop-column users.email because x\nALTER TABLE users DROP email"),
        ["drop-column (x)"]
    );
    assert_eq!(
        shown("-- Allow: drop-table a because x\nDROP TABLE a CASCADE"),
        ["drop-table (x)", "drop-cascade"]
    );
}

#[test]
fn a_line_that_accepts_nothing_is_reported() {
    assert_eq!(
        shown("-- Allow: drop-table c because x\nDROP TABLE a, b"),
        ["allow-unused", "drop-table", "drop-table"]
    );
    assert_eq!(shown("-- Allow: drop-table a\nDROP TABLE a"), ["allow-invalid", "drop-table"]);
    assert_eq!(shown("-- Allow: drop-tabel a because x\nDROP TABLE a"), ["allow-invalid", "drop-table"]);
    assert_eq!(shown("/* Allow: drop-table a because x */ DROP TABLE a"), ["drop-table"]);
    assert_eq!(shown("-- We do not allow this: drop-table\nSELECT 1"), [""; 0]);
}

#[test]
fn squawks_directives_have_no_effect() {
    for comment in ["-- squawk-ignore", "-- squawk-ignore-file", "/* squawk-ignore-file ban-drop-column */"] {
        let sql = format!(
            "{comment}\nCREATE INDEX i ON users (a); -- squawk-ignore\nALTER TABLE users DROP /* squawk-ignore */ COLUMN é;"
        );
        assert_eq!(ids(&sql), ["index-locks-writes", "drop-column"], "{comment}");
    }
}

#[test]
fn bookkeeping_is_not_judged() {
    let sql = "BEGIN; UPDATE datalinx_platform.schema_version SET version = '1.0.3'; DROP TABLE a; COMMIT;";
    assert_eq!(ids(sql), ["drop-table"]);
}

#[test]
fn scope_and_order_are_kept() {
    let found = findings("DROP TABLE datalinx_platform.b;\nDROP VIEW a CASCADE;");
    let shown: Vec<_> = found
        .iter()
        .map(|finding| match &finding.subject {
            FindingTarget::Text { place, scope } => format!("{place} {} {}", finding.rule, scope.unwrap()),
            FindingTarget::Object(object) => panic!("{object:?}"),
        })
        .collect();
    assert_eq!(
        shown,
        ["t.sql:1:1 drop-table platform", "t.sql:2:1 drop-view tenant", "t.sql:2:13 drop-cascade tenant"]
    );
}
