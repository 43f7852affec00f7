//! What a refusal means for a tenant that was to be made.

use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::ServerError;
use crate::postgres::batch::SqlBatch;

/// The schema or the row is there, and is not a tenant's.
pub(super) fn taken(server_error: &ServerError, schema: &SchemaName) -> Failure {
    let mut failure = server_error.failure_on(schema, &format!("creating {schema}"));
    failure.code = Code::TenantExists;
    failure.hint =
        Some("a schema or a registry row of that name is there, but no tenant that Tenure knows".to_owned());
    failure
}

pub(in crate::tenant) fn explain(
    server_error: &ServerError,
    message: &SqlBatch,
    schema: &SchemaName,
) -> Failure {
    let mut failure = server_error.failure_on(schema, &format!("creating {schema}"));
    failure.place = message.place(server_error);
    let of_registry = server_error.about_registry().filter(|_| failure.place.is_none());
    if let Some(hint) = of_registry {
        failure.code = Code::RegistryInvalid;
        failure.hint = Some(hint.to_owned());
    } else if failure.code == Code::StatementFailed {
        failure.code = Code::UnitFailed;
    }
    failure
}
