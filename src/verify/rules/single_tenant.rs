//! A chain migrates all tenants alike. A change of one tenant's schema is missing in all others, including new ones.

use crate::sql::tenant_schema_ranges;
use crate::verify::rule::{Impact, Judge, Rule};
use crate::verify::rule_context::{RuleContext, Span};
use crate::verify::{Level, RuleId};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId::NamesOneTenant,
    level: Level::Deny,
    impact: &[Impact::Others],
    why: "names the schema of one tenant, so other and new tenants do not get the change",
    remediation: "write {org_schema} instead of the schema, in a tenant statement: it then runs for each tenant",
    bad: "ALTER TABLE org_acme.users ADD COLUMN nick text;",
    good: "ALTER TABLE {org_schema}.users ADD COLUMN nick text;",
    ignores_new_objects: false,
    judge: Judge::Code(judge),
};

fn judge(context: &RuleContext<'_>) -> Vec<Span> {
    let text = &context.script.masked()[context.statement.range.clone()];
    if !context.schemas.may_name_tenant(text) {
        return Vec::new();
    }
    tenant_schema_ranges(context.script, context.statement, &|schema| {
        context.schemas.is_tenant_schema(schema)
    })
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{findings, ids, tenant_ids};

    #[test]
    fn a_name_of_one_tenants_schema_is_reported() {
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
