//! A tenant that is not there when its unit comes: somebody renamed it, dropped it or deleted it meanwhile. The version
//! rows and the history say which, so a run neither fails for that nor leaves a renamed tenant behind.

use super::tenant_executor::TenantExecutor;
use super::unit::Answer;
use crate::chain::Version;
use crate::ident::SchemaName;
use crate::postgres::metadata::history;
use crate::postgres::{Connection, error};

/// What became of `schema`, if `answer` says that it or its version row is not there and that is so: nobody has it any
/// more, or it is another schema, at a step. `None` where the answer stands.
pub(super) async fn look(
    pass: &TenantExecutor<'_>,
    connection: &mut Connection,
    schema: &SchemaName,
    answer: &Answer,
) -> Option<Option<(SchemaName, usize)>> {
    let Answer::Failed(failure) = answer else { return None };
    if !matches!(failure.sqlstate.as_deref(), Some(error::NO_VERSION_ROW | "3F000")) {
        return None;
    }
    // A failure here tells less than the one that is known.
    let found = history::renamed(connection, &pass.run.platform, schema).await.ok()?;
    let Some((now, version)) = found else { return Some(None) };
    if now == schema.as_str() {
        return None;
    }
    let step = pass.chain.position(&Version::stored(&version).ok()?)?;
    Some(Some((SchemaName::existing(now).ok()?, step)))
}
