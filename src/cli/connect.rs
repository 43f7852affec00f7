//! The way to the database that was named: past a transaction pooler, where there is a way past it.

use super::Context;
use crate::error::Failure;
use crate::postgres::{ConnectPolicy, Connection, DatabaseUrl};

/// Where platforms write the server's own address, beside a `DATABASE_URL` that leads to a pooler.
const UNPOOLED: [&str; 3] = ["DATABASE_URL_UNPOOLED", "DIRECT_URL", "POSTGRES_URL_NON_POOLING"];

/// Where a direct address comes from that stands in no variable.
const ITS_NAME: &str = "its name without -pooler";

/// So often the server's own address is tried before the pooler must do.
const BEFORE_THE_POOLER: u32 = 2;

/// Connects to the database at `named`.
pub(super) async fn connect(context: &Context, named: &str) -> Result<Connection, Failure> {
    let url = DatabaseUrl::parse(named)?;
    for note in url.notes() {
        context.ui.note(note);
    }
    if !context.global.allow_pooled
        && let Some((direct, from)) = by_name(named, &url)
    {
        match past(context, &url, &direct, from).await {
            Ok(Some(connection)) => return Ok(connection),
            Ok(None) => {}
            // What the server itself said is true through the pooler too, but for whom it lets in.
            Err(failure) if from == ITS_NAME && is_for_both(&failure) => return Err(failure),
            Err(failure) => context.ui.note(&format!("{failure}: going through the pooler")),
        }
    }
    let connect_policy = ConnectPolicy::times(context.global.connect_attempts);
    let mut connection =
        Connection::connect_with_retry(&url, connect_policy, |why| context.ui.note(why)).await?;
    let Some(sign) = connection.pooler_evidence() else { return Ok(connection) };
    if !context.global.allow_pooled && url.unpooled().is_none() {
        for (direct, from) in beside(named) {
            // Nobody has shown yet that it is the same server, so what it refuses is said of it alone.
            let mut other = match past(context, &url, &direct, from).await {
                Ok(Some(other)) => other,
                Ok(None) => continue,
                Err(failure) => {
                    context.ui.note(&format!("{failure}: going through the pooler ({from} is not used)"));
                    continue;
                }
            };
            if connection.is_same_database_as(&mut other).await {
                connection.close().await;
                return Ok(other);
            }
            other.close().await;
            context.ui.note(&format!("{from} was not shown to lead to the same database: it is not used"));
        }
    }
    context.ui.note(&format!(
        "{} is a transaction pooler ({}): what needs a session of the server is refused",
        url.address(),
        sign.description()
    ));
    Ok(connection)
}

/// The server's own address, where the pooler's name says it; as the environment has it, if that is the same.
fn by_name(named: &str, url: &DatabaseUrl) -> Option<(DatabaseUrl, &'static str)> {
    let direct = url.unpooled()?;
    let same =
        |found: &DatabaseUrl| found.address() == direct.address() && found.database() == direct.database();
    let found = beside(named).into_iter().find(|(found, _)| same(found));
    Some(found.unwrap_or((direct, ITS_NAME)))
}

/// What stands beside `DATABASE_URL`. It belongs to that, and not to another URL that was given.
fn beside(named: &str) -> Vec<(DatabaseUrl, &'static str)> {
    if !std::env::var("DATABASE_URL").is_ok_and(|text| text.trim() == named) {
        return Vec::new();
    }
    let parsed = |name| Some((DatabaseUrl::parse(&std::env::var(name).ok()?).ok()?, name));
    UNPOOLED.into_iter().filter_map(parsed).collect()
}

/// Connects to the server itself; nothing where a pooler answers. It may be out of reach where a pooler in another network is not.
async fn past(
    context: &Context,
    url: &DatabaseUrl,
    direct: &DatabaseUrl,
    from: &str,
) -> Result<Option<Connection>, Failure> {
    context.ui.note(&format!(
        "{} is a transaction pooler: connecting to the server itself, {} ({from})",
        url.address(),
        direct.address()
    ));
    let attempts = context.global.connect_attempts;
    let connect_policy =
        ConnectPolicy { unanswered: BEFORE_THE_POOLER.min(attempts), ..ConnectPolicy::times(attempts) };
    match Connection::connect_with_retry(direct, connect_policy, |why| context.ui.note(why)).await {
        Ok(connection) if connection.pooler_evidence().is_none() => Ok(Some(connection)),
        Ok(connection) => {
            connection.close().await;
            context.ui.note(&format!("{} is a pooler too ({from})", direct.address()));
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Whether a refusal by the server itself would come through its pooler too, for the same user and password.
fn is_for_both(failure: &Failure) -> bool {
    failure.sqlstate.as_deref().is_some_and(|state| !matches!(state, "28000" | "53300"))
}
