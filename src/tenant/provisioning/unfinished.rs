//! The messages for a schema whose steps follow its first transaction: they mark it as unfinished, take it over from a run that
//! no longer exists, and finish it.

use uuid::Uuid;

use super::{Afterwards, ProvisioningScript, TenantRecord, UNFINISHED};
use crate::ident::SchemaName;
use crate::postgres::batch::{Run, SessionState, SqlBatch};
use crate::postgres::metadata::attempts::{self, Source};
use crate::postgres::metadata::{TenantState, pool, roles};
use crate::template::BoundParameters;
use crate::tenant::operation;
use crate::tenant::roles::role::Secret;

impl ProvisioningScript<'_> {
    /// The message that makes a tenant active after its steps. It fails if a step is missing, or if another run has made the
    /// tenant active.
    pub(in crate::tenant) fn finishing(
        &self,
        run: &Run,
        tenant: &TenantRecord,
        filled: &BoundParameters,
        afterwards: Afterwards,
    ) -> SqlBatch {
        let (platform, schema) = (&run.platform, &tenant.schema);
        let mut message = SqlBatch::default();
        operation::begin(&mut message, run, schema, &[TenantState::Creating]);
        message.push_each(&attempts::finish(platform, schema, self.compiled.later));
        operation::enter(&mut message, self.settings, schema, TenantState::Active);
        if let Some((_, Some(secret))) = &tenant.role {
            message.push(&roles::login(platform, schema, &Secret::literal(Some(secret))));
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

    /// Marks the schema as unfinished: by whom, from which template, and with which deadline.
    pub(in crate::tenant) fn unfinished(&self, run: &Run, schema: &SchemaName, id: Uuid) -> String {
        let checksum = &self.compiled.template.checksum;
        attempts::mark_unfinished(&run.platform, schema, checksum, (id, UNFINISHED))
    }

    /// The message that takes over an unfinished tenant. It fails unless template and values are the same.
    pub(in crate::tenant) fn resuming(
        &self,
        run: &Run,
        schema: &SchemaName,
        id: Uuid,
        filled: &BoundParameters,
    ) -> SqlBatch {
        let mut message = SqlBatch::default();
        operation::begin(&mut message, run, schema, &[TenantState::Creating]);
        message.push(&attempts::expect_source(&run.platform, schema, self.source(filled)));
        message.push(&self.unfinished(run, schema, id));
        message.commit(SessionState::None);
        message
    }

    /// The template and the values of a tenant.
    pub(in crate::tenant) fn source<'s>(&'s self, filled: &'s BoundParameters) -> Source<'s> {
        let template = self.compiled.template;
        Source { template: &template.name, checksum: &template.checksum, values: &filled.schema_values }
    }

    /// The message that makes a pool schema available after its steps.
    pub(in crate::tenant) fn pooled_whole(&self, run: &Run, schema: &SchemaName) -> SqlBatch {
        let mut message = SqlBatch::default();
        operation::begin(&mut message, run, schema, &[TenantState::Pooled]);
        let checksum = &self.compiled.template.checksum;
        message.push(&pool::finish(&run.platform, schema, checksum, &self.version));
        message.commit(SessionState::None);
        message
    }
}
