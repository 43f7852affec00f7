//! The messages about a schema whose steps come after its first transaction: they note that, take it over from a run
//! that is gone, and end it.

use uuid::Uuid;

use super::{Afterwards, ProvisioningScript, TenantRecord, UNFINISHED};
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::{Run, SessionState, SqlBatch};
use crate::postgres::error;
use crate::postgres::metadata::TenantState;
use crate::template::Filled;
use crate::tenant::roles::role::Secret;
use crate::tenant::{name_ownership, operation};

impl ProvisioningScript<'_> {
    /// The message that makes a tenant active once its steps are done. It is refused unless they are, and where another
    /// run has made it active.
    pub(in crate::tenant) fn finishing(
        &self,
        run: &Run,
        tenant: &TenantRecord,
        filled: &Filled,
        afterwards: Afterwards,
    ) -> SqlBatch {
        let (platform, schema) = (run.platform.quoted(), &tenant.schema);
        let named = literal(schema.as_str());
        let mut message = SqlBatch::default();
        operation::begin(&mut message, run, schema, &[TenantState::Creating]);
        let behind: Vec<String> =
            self.compiled.later.iter().map(|step| format!("'{}'", step.from())).collect();
        message.push(&format!(
            "SELECT {platform}.tenure_refuse('{}', {}, NULL) WHERE NOT EXISTS (SELECT FROM {platform}.tenant_version \
             WHERE schema_name = {named} AND made_from IS NOT NULL AND version NOT IN ({}))",
            error::NOT_OWNED_BY_RUN,
            literal(&format!("the tenant of schema {schema} is no longer being made by this run")),
            behind.join(", ")
        ));
        message.push(&format!(
            "UPDATE {platform}.tenant_version SET made_from = NULL, making_until = NULL WHERE schema_name = {named}"
        ));
        operation::enter(&mut message, self.settings, schema, TenantState::Active);
        if let Some((_, Some(secret))) = &tenant.role {
            let verifier = Secret::literal(Some(secret));
            message.push(&format!("SELECT {platform}.tenure_role_login({named}, {verifier})"));
        }
        let mut left = SessionState::None;
        if afterwards.rows && !self.compiled.template.after_create.is_empty() {
            message.search_path(schema, &run.path);
            left = self.after_rows(&mut message, schema, filled);
            if left == SessionState::Possible {
                message.reset_role();
            }
        }
        self.making(&mut message, tenant, afterwards);
        message.commit(left);
        message
    }

    /// Notes that steps are still to come: who makes the schema, of which template, and until when nobody removes it.
    pub(in crate::tenant) fn unfinished(&self, run: &Run, schema: &SchemaName, id: Uuid) -> String {
        format!(
            "UPDATE {}.tenant_version SET made_from = {}, making = '{id}', \
             making_until = clock_timestamp() + interval '{} seconds' WHERE schema_name = {}",
            run.platform.quoted(),
            literal(self.compiled.template.checksum.as_str()),
            UNFINISHED.as_secs(),
            literal(schema.as_str()),
        )
    }

    /// The message that takes over a tenant that a run has begun to make and left: refused unless it is of the same
    /// template and the same values.
    pub(in crate::tenant) fn resuming(
        &self,
        run: &Run,
        schema: &SchemaName,
        id: Uuid,
        filled: &Filled,
    ) -> SqlBatch {
        let mut message = SqlBatch::default();
        operation::begin(&mut message, run, schema, &[TenantState::Creating]);
        message.push(&format!(
            "SELECT {platform}.tenure_refuse('{}', 'the tenant is made otherwise', NULL) WHERE NOT EXISTS \
             (SELECT FROM {platform}.tenant_version WHERE {})",
            error::NOT_OWNED_BY_RUN,
            self.begun_so(schema, filled),
            platform = run.platform.quoted(),
        ));
        message.push(&self.unfinished(run, schema, id));
        message.commit(SessionState::None);
        message
    }

    /// The condition on the version row of `schema` that steps of this template, with these values, are to come.
    pub(in crate::tenant) fn begun_so(&self, schema: &SchemaName, filled: &Filled) -> String {
        format!(
            "schema_name = {} AND status = 'creating' AND template = {} AND made_from = {} \
             AND parameters IS NOT DISTINCT FROM {}::jsonb",
            literal(schema.as_str()),
            literal(&self.compiled.template.name),
            literal(self.compiled.template.checksum.as_str()),
            name_ownership::parameters(&filled.shaping),
        )
    }

    /// The message that lets a schema of the pool be taken once its steps are done.
    pub(in crate::tenant) fn pooled_whole(&self, run: &Run, schema: &SchemaName) -> SqlBatch {
        let (platform, version) = (run.platform.quoted(), &self.version);
        let mut message = SqlBatch::default();
        operation::begin(&mut message, run, schema, &[TenantState::Pooled]);
        // A migration may have moved it further: what was proved is not true of that version.
        message.push(&format!(
            "UPDATE {platform}.tenant_version SET made_from = {}, making_until = NULL, \
             proved_at = CASE WHEN version = '{version}' THEN version END WHERE schema_name = {}",
            literal(self.compiled.template.checksum.as_str()),
            literal(schema.as_str()),
        ));
        message.commit(SessionState::None);
        message
    }
}
