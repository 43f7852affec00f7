//! A chain moves all tenants alike: what it does to one of them alone, no other has, and no new one gets.

use crate::sql::tenant_schema_ranges;
use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("names-one-tenant"),
    level: Level::Deny,
    impact: &[Impact::Others],
    why: "names the schema of one tenant, and the others, and new ones, do not get what it does",
    remediation: "write {org_schema} in place of the schema, in a statement of the tenants: it then runs for each of them",
    bad: "ALTER TABLE org_acme.users ADD COLUMN nick text;",
    good: "ALTER TABLE {org_schema}.users ADD COLUMN nick text;",
    ignores_new_objects: false,
    judge: Judge::Code(judge),
};

fn judge(subject: &RuleContext<'_>) -> Vec<Span> {
    tenant_schema_ranges(subject.script, subject.statement, &|schema| subject.schemas.is_of_tenant(schema))
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{findings, ids, tenant_ids};

    #[test]
    fn no_file_of_either_scope_is_about_one_tenant() {
        for sql in [
            "ALTER TABLE org_acme.users ADD COLUMN nick text",
            "GRANT USAGE ON SCHEMA org_acme TO reader",
            "CREATE VIEW datalinx_platform.v AS SELECT id FROM org_acme.users",
            "DO $$ BEGIN EXECUTE 'UPDATE org_acme.users SET a = 1'; END $$",
        ] {
            assert!(ids(sql).contains(&"names-one-tenant"), "{sql}: {:?}", ids(sql));
            assert!(tenant_ids(sql).contains(&"names-one-tenant"), "{sql}: {:?}", tenant_ids(sql));
        }
        for sql in
            ["ALTER TABLE {org_schema}.users ADD COLUMN nick text", "SELECT org_users.a FROM org_users"]
        {
            assert!(!tenant_ids(sql).contains(&"names-one-tenant"), "{sql}");
        }
        let found = findings("DROP SCHEMA org_acme");
        assert!(found.iter().any(|one| one.help.contains("{org_schema}")), "{found:?}");
    }
}
