//! The way to the database that was named: past a transaction pooler, where there is a way past it.

use super::Context;
use crate::error::Failure;
use crate::postgres::{Connection, DatabaseUrl, Knock};

/// Where platforms write the server's own address, beside a `DATABASE_URL` that leads to a pooler.
const UNPOOLED: [&str; 3] = ["DATABASE_URL_UNPOOLED", "DIRECT_URL", "POSTGRES_URL_NON_POOLING"];

/// So often the server's own address is tried before the pooler must do.
const BEFORE_THE_POOLER: u32 = 2;

/// Connects to the database at `named`.
pub(super) async fn connect(context: &Context, named: &str) -> Result<Connection, Failure> {
    let url = DatabaseUrl::parse(named)?;
    for note in url.notes() {
        context.ui.note(note);
    }
    let knock = Knock { attempts: context.global.connect_attempts };
    let direct = if context.global.allow_pooled { None } else { direct(named, &url) };
    if let (Some(_), Some((direct, from))) = (url.pooled(), &direct)
        && let Some(connection) = past(context, &url, direct, from).await?
    {
        return Ok(connection);
    }
    let connection = Connection::knock(&url, knock, |why| context.ui.note(why)).await?;
    let Some(sign) = connection.pooled() else { return Ok(connection) };
    // A pooler that nothing in the URL gave away.
    if let (None, Some((direct, from))) = (url.pooled(), &direct)
        && let Some(other) = past(context, &url, direct, from).await?
    {
        connection.close().await;
        return Ok(other);
    }
    context.ui.note(&format!(
        "{} is a transaction pooler ({}): what needs a session of the server is refused",
        url.address(),
        sign.why()
    ));
    Ok(connection)
}

/// The server's own address, and how it is known. What stands in the environment belongs to what stands there too, not to
/// another URL that was given.
fn direct(named: &str, url: &DatabaseUrl) -> Option<(DatabaseUrl, &'static str)> {
    let by_name = url.unpooled();
    let beside = std::env::var("DATABASE_URL").is_ok_and(|text| text.trim() == named);
    for variable in UNPOOLED.into_iter().filter(|_| beside) {
        let Some(found) = std::env::var(variable).ok().and_then(|text| DatabaseUrl::parse(&text).ok()) else {
            continue;
        };
        let belongs = found.pooled().is_none()
            && found.may_be_the_same(url)
            && by_name.as_ref().is_none_or(|direct| direct.address() == found.address());
        if belongs {
            return Some((found, variable));
        }
    }
    by_name.map(|direct| (direct, "its name without -pooler"))
}

/// Connects to the server itself; nothing where it is out of reach, which a pooler in another network may not be.
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
    let knock = Knock { attempts: BEFORE_THE_POOLER.min(context.global.connect_attempts) };
    match Connection::knock(direct, knock, |why| context.ui.note(why)).await {
        Ok(connection) => Ok(Some(connection)),
        // What the server itself said is true through the pooler too.
        Err(failure) if failure.sqlstate.is_some() => Err(failure),
        Err(failure) => {
            context.ui.note(&format!("{failure}: going through the pooler"));
            Ok(None)
        }
    }
}
