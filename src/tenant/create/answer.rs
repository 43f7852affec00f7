//! Maps server errors to failures of a tenant's creation.

use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::batch::SqlBatch;
use crate::postgres::{ServerError, error};

/// The schema or the registry row exists, but does not belong to a tenant.
pub(super) fn taken(server_error: &ServerError, schema: &SchemaName) -> Failure {
    let mut failure = server_error.failure(&format!("creating {schema}"));
    failure.code = Code::TenantExists;
    failure.schema = Some(schema.as_str().to_owned());
    failure.hint =
        Some("a schema or a registry row of that name exists, but it belongs to no tenant".to_owned());
    failure
}

pub(in crate::tenant) fn explain(
    server_error: &ServerError,
    message: &SqlBatch,
    schema: &SchemaName,
) -> Failure {
    let mut failure = server_error.failure(&format!("creating {schema}"));
    failure.place = message.place(server_error);
    failure.schema = Some(schema.as_str().to_owned());
    let of_registry = match server_error.sqlstate() {
        _ if failure.place.is_some() => None,
        Some("42703") => Some("[tenants.columns] in tenure.toml names the registry's columns"),
        Some("23502") => {
            Some("every column of the registry but id, name, slug and schema must have a default")
        }
        Some("42804" | "22P02") => Some("the registry's id column must take a UUID, the others a text"),
        Some(error::NOT_ONE_ROW) => Some("a trigger or a view must not suppress writes to the registry"),
        _ => None,
    };
    if let Some(hint) = of_registry {
        failure.code = Code::RegistryInvalid;
        failure.hint = Some(hint.to_owned());
    } else if failure.code == Code::StatementFailed {
        failure.code = Code::UnitFailed;
    }
    failure
}
