//! A tenant that is still being made is taken back whole: its schema, its version row, its registry row. What the
//! history says of it stays.

use super::{act, role};
use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::outcome::TenantState;
use crate::postgres::message::{Leftovers, Message, Run};
use crate::postgres::{Connection, state};
use crate::settings::Settings;

/// Takes back the tenant of `schema`, which must be in the state `creating`. Where that does not succeed, the failure
/// that led here says so too.
pub(super) async fn undo(
    connection: &mut Connection,
    settings: &Settings,
    run: &Run,
    (schema, id): (&SchemaName, &str),
    failure: Failure,
) -> Failure {
    let columns = &settings.tenants.columns;
    let mut message = Message::default();
    act::begin(&mut message, run, schema, &[TenantState::Creating]);
    message.push(&format!(
        "SELECT {}.tenure_expect_no_dependents({})",
        run.platform.quoted(),
        literal(schema.as_str())
    ));
    message.push(&format!("DROP SCHEMA {} CASCADE", schema.quoted()));
    message.push(&role::dropping(&run.platform, schema));
    message.push(&format!(
        "DELETE FROM {}.tenant_version WHERE schema_name = {}",
        run.platform.quoted(),
        literal(schema.as_str())
    ));
    message.push(&format!(
        "DELETE FROM {} WHERE {} = {} AND {}::text = {}",
        state::registry(settings),
        columns.schema.quoted(),
        literal(schema.as_str()),
        columns.id.quoted(),
        literal(id),
    ));
    message.commit(Leftovers::None);
    if failure.ended_the_session() {
        match connection.another().await {
            Ok(other) => *connection = other,
            Err(_) => return left_behind(failure, schema, "the database cannot be reached"),
        }
    }
    match connection.send(&message).await {
        Ok(_sets) => failure,
        Err(refusal) => {
            let why = refusal.failure("undoing it").message;
            left_behind(failure, schema, &why)
        }
    }
}

fn left_behind(mut failure: Failure, schema: &SchemaName, why: &str) -> Failure {
    failure.message =
        format!("{}; the tenant of schema {schema} is left in the state creating ({why})", failure.message);
    failure.hint = Some("`tenure tenant drop` takes it away".to_owned());
    failure
}
