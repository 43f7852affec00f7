//! Maps server errors to failures of a tenant's creation.

use crate::error::{Code, Failure};
use crate::ident::{SchemaName, Slug};
use crate::postgres::ServerError;
use crate::postgres::batch::SqlBatch;

/// The schema or the registry row exists, but does not belong to a tenant.
pub(super) fn taken(
    server_error: &ServerError,
    schema: &SchemaName,
    (slug, other): (&Slug, Option<&str>),
) -> Failure {
    let mut failure = server_error.failure_on(schema, &format!("creating {schema}"));
    failure.code = Code::TenantExists;
    failure.hint = Some(match other.filter(|other| *other != slug.as_str()) {
        Some(other) => format!(
            "the schema {schema} belongs to the slug {other}, which has the same name in a schema; choose another slug"
        ),
        None => "a schema or a registry row of that name exists, but it belongs to no tenant; it may be a row that [tenants] where \
                 excludes"
            .to_owned(),
    });
    failure
}

pub(in crate::tenant) fn explain(
    server_error: &ServerError,
    message: &SqlBatch,
    schema: &SchemaName,
) -> Failure {
    let mut failure = server_error.failure_on(schema, &format!("creating {schema}"));
    failure.place = message.place(server_error);
    let of_registry = server_error.registry_hint().filter(|_| failure.place.is_none());
    if let Some(hint) = of_registry {
        failure.code = Code::RegistryInvalid;
        failure.hint = Some(hint.to_owned());
    } else if failure.code == Code::StatementFailed {
        failure.code = Code::UnitFailed;
    }
    failure
}
