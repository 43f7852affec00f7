//! Connects to the given database and bypasses a transaction pooler if possible.

use super::Context;
use crate::error::Failure;
use crate::postgres::{ConnectPolicy, Connection, DatabaseUrl};

/// Variables in which platforms store the server's direct URL next to a pooled `DATABASE_URL`.
const DIRECT_URL_VARIABLES: [&str; 3] = ["DATABASE_URL_UNPOOLED", "DIRECT_URL", "POSTGRES_URL_NON_POOLING"];

/// Source of a direct address that is derived from the pooler's host name.
const FROM_HOST_NAME: &str = "host name without -pooler";

/// Number of direct connection attempts before falling back to the pooler.
const MAX_DIRECT_ATTEMPTS: u32 = 2;

/// Connects to the database at `given_url`, and asks it `question` with the first message.
pub(super) async fn connect(
    context: &Context,
    given_url: &str,
    question: Option<&str>,
) -> Result<Connection, Failure> {
    let url = DatabaseUrl::parse(given_url)?;
    for note in url.notes() {
        context.ui.note(note);
    }
    if !context.global.allow_pooled
        && let Some((direct, from)) = derive_direct_url(given_url, &url)
    {
        match connect_directly(context, &url, (&direct, from), question).await {
            Ok(Some(connection)) => return Ok(connection),
            Ok(None) => {}
            // The server would report the same through the pooler, except for access rules.
            Err(failure) if from == FROM_HOST_NAME && applies_through_pooler(&failure) => {
                return Err(failure);
            }
            Err(failure) => context.ui.note(&format!("{failure}: using the pooler")),
        }
    }
    let connect_policy = ConnectPolicy::times(context.global.connect_attempts);
    let mut connection =
        Connection::connect_and_ask(&url, connect_policy, question, |why| context.ui.note(why)).await?;
    let Some(evidence) = connection.pooler_evidence() else { return Ok(connection) };
    if !context.global.allow_pooled && url.unpooled().is_none() {
        for (direct, from) in env_direct_urls(given_url) {
            // It is not known to be the same server, so a failure concerns only this URL.
            let mut other = match connect_directly(context, &url, (&direct, from), question).await {
                Ok(Some(other)) => other,
                Ok(None) => continue,
                Err(failure) => {
                    context.ui.note(&format!("{failure}: using the pooler instead of {from}"));
                    continue;
                }
            };
            if connection.is_same_database_as(&mut other).await {
                connection.close().await;
                return Ok(other);
            }
            other.close().await;
            context.ui.note(&format!("{from} could not be proved to be the same database: not used"));
        }
    }
    context.ui.note(&format!(
        "{} is a transaction pooler ({}): commands that need a server session are refused",
        url.address(),
        evidence.description()
    ));
    Ok(connection)
}

/// The direct address derived from the pooler's host name; prefers an equal URL from the environment.
fn derive_direct_url(given_url: &str, url: &DatabaseUrl) -> Option<(DatabaseUrl, &'static str)> {
    let direct = url.unpooled()?;
    let same =
        |found: &DatabaseUrl| found.address() == direct.address() && found.database() == direct.database();
    let found = env_direct_urls(given_url).into_iter().find(|(found, _)| same(found));
    Some(found.unwrap_or((direct, FROM_HOST_NAME)))
}

/// Direct URLs from the environment. They apply only if the URL in use is `DATABASE_URL`.
fn env_direct_urls(given_url: &str) -> Vec<(DatabaseUrl, &'static str)> {
    if !std::env::var("DATABASE_URL").is_ok_and(|text| text.trim() == given_url) {
        return Vec::new();
    }
    let parsed = |name| Some((DatabaseUrl::parse(&std::env::var(name).ok()?).ok()?, name));
    DIRECT_URL_VARIABLES.into_iter().filter_map(parsed).collect()
}

/// Connects to `direct`. Returns `None` if a pooler answers there too.
async fn connect_directly(
    context: &Context,
    url: &DatabaseUrl,
    (direct, from): (&DatabaseUrl, &str),
    question: Option<&str>,
) -> Result<Option<Connection>, Failure> {
    context.ui.note(&format!(
        "{} is a transaction pooler: connecting directly to {} ({from})",
        url.address(),
        direct.address()
    ));
    let attempts = context.global.connect_attempts;
    let connect_policy =
        ConnectPolicy { unanswered: MAX_DIRECT_ATTEMPTS.min(attempts), ..ConnectPolicy::times(attempts) };
    match Connection::connect_and_ask(direct, connect_policy, question, |why| context.ui.note(why)).await {
        Ok(connection) if connection.pooler_evidence().is_none() => Ok(Some(connection)),
        Ok(connection) => {
            connection.close().await;
            context.ui.note(&format!("{} is a pooler too ({from})", direct.address()));
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Whether the server would report this failure through its pooler too.
fn applies_through_pooler(failure: &Failure) -> bool {
    failure.sqlstate.as_deref().is_some_and(|state| !matches!(state, "28000" | "53300"))
}
