//! What this program's sessions in a database wait for, and how far an index build is (manual, chapter 28, Monitoring Database
//! Activity). Read over a connection of its own.

use std::time::Duration;

use super::cancel::application_name;
use super::{Connection, Row};
use crate::error::Failure;
use crate::event::{Activity, IndexBuild, LockHolder};
use crate::ident::literal;

/// The maximum length of the first words of a query, in characters.
const MAX_CHARS: usize = 60;

/// The server's text in place of the query of a session that the role may not see.
const HIDDEN: &str = "<insufficient privilege>";

/// Reads the activity in one message. The other sessions are found by their `application_name`. A role without the privileges of
/// `pg_read_all_stats` gets neither the age nor the query of another role's session.
pub async fn activity(connection: &mut Connection) -> Result<Activity, Failure> {
    let doing = "reading the server's activity";
    let sets =
        connection.query_on_own_path(&query()).await.map_err(|server_error| server_error.failure(doing))?;
    sets.iter().flatten().next().map_or_else(|| Ok(Activity::default()), read)
}

/// The session that waits longest, the session at the end of the chain of those that block it, and the oldest index build. A
/// prepared transaction has no process: its `holder` is 0.
fn query() -> String {
    let name = literal(application_name());
    format!(
        "WITH RECURSIVE own AS ( \
             SELECT pid, query_start, wait_event_type = 'Lock' AS waits FROM pg_catalog.pg_stat_activity \
             WHERE application_name = {name} AND datname = current_database() AND backend_type = 'client backend' \
                 AND state = 'active' AND pid <> pg_catalog.pg_backend_pid()), \
         waiter AS (SELECT pid FROM own WHERE waits ORDER BY query_start LIMIT 1), \
         blocking (pid) AS ( \
             SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids(pid)) FROM waiter \
             UNION SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids(pid)) FROM blocking) \
         SELECT (SELECT count(*) FROM own WHERE waits) AS waiting, holder, application, age_ms, query, phase, percent \
         FROM (SELECT) one \
         LEFT JOIN LATERAL ( \
             SELECT b.pid::int8 AS holder, a.application_name AS application, \
                 (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000)::int8 AS age_ms, pg_catalog.left(a.query, 400) AS query \
             FROM blocking b LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid \
             ORDER BY pg_catalog.cardinality(pg_catalog.pg_blocking_pids(b.pid)), a.xact_start LIMIT 1) held ON true \
         LEFT JOIN LATERAL ( \
             SELECT p.phase, CASE WHEN p.phase LIKE 'waiting%' THEN NULL \
                 WHEN p.blocks_total > 0 THEN 100 * p.blocks_done / p.blocks_total \
                 WHEN p.tuples_total > 0 THEN 100 * p.tuples_done / p.tuples_total END AS percent \
             FROM pg_catalog.pg_stat_progress_create_index p JOIN own ON own.pid = p.pid \
             ORDER BY own.query_start LIMIT 1) build ON true"
    )
}

fn read(row: &Row) -> Result<Activity, Failure> {
    let holder = match row.optional_integer("holder")? {
        None => None,
        Some(pid) => {
            let age = row.optional_integer("age_ms")?.and_then(|age| u64::try_from(age).ok());
            let query = row.optional_text("query")?.filter(|query| query != HIDDEN);
            Some(LockHolder {
                pid: Some(pid).filter(|pid| *pid != 0),
                application: row.optional_text("application")?.unwrap_or_default(),
                age: age.map(Duration::from_millis),
                query: query.map(|query| first_words(&query)),
            })
        }
    };
    let percent = row.optional_integer("percent")?;
    let index = row.optional_text("phase")?.map(|phase| IndexBuild { phase, percent });
    let waiting = usize::try_from(row.integer("waiting")?).unwrap_or_default();
    Ok(Activity { waiting, holder, index })
}

/// The first words of a query, up to the first literal or comment, which may contain values.
fn first_words(query: &str) -> String {
    let text = without_first_comments(query);
    let mut end = text.len();
    let mut last = ' ';
    for (at, letter) in text.char_indices() {
        let starts_comment =
            matches!((letter, text[at..].chars().nth(1)), ('-', Some('-')) | ('/', Some('*')));
        let starts_number = letter.is_numeric() && !(last.is_alphanumeric() || last == '_');
        if matches!(letter, '\'' | '$' | '\\') || starts_number || starts_comment {
            end = at;
            break;
        }
        last = letter;
    }
    // The letters before a quote belong to the literal, such as E'…'.
    let mut known = &text[..end];
    if text[end..].starts_with('\'') {
        known = known.trim_end_matches(|letter: char| letter.is_alphanumeric() || letter == '&');
    }
    let mut words = String::new();
    for word in known.split_whitespace() {
        if words.chars().count() + word.chars().count() >= MAX_CHARS {
            return words + " …";
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    if end < text.len() { words + " …" } else { words }
}

/// The query without the comments before its first word. An open comment extends to the end.
fn without_first_comments(query: &str) -> &str {
    let mut text = query.trim_start();
    loop {
        if text.starts_with("--") {
            text = text.find('\n').map_or("", |end| &text[end..]).trim_start();
        } else if text.starts_with("/*") {
            let (mut depth, mut at) = (0_usize, 0);
            while at < text.len() {
                let rest = &text[at..];
                let (change, length) = if rest.starts_with("/*") {
                    (1, 2)
                } else if rest.starts_with("*/") {
                    (-1, 2)
                } else {
                    (0, rest.chars().next().map_or(1, char::len_utf8))
                };
                depth = depth.saturating_add_signed(change);
                at += length;
                if depth == 0 {
                    break;
                }
            }
            text = text[at..].trim_start();
        } else {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::first_words;

    #[test]
    fn the_first_words_contain_no_value() {
        for (query, words) in [
            ("UPDATE users SET email = 'secret'", "UPDATE users SET email = …"),
            ("SELECT * FROM t1 WHERE id=42", "SELECT * FROM t1 WHERE id= …"),
            ("SELECT E'it\\'s secret'", "SELECT …"),
            ("SELECT U&'secret'", "SELECT …"),
            ("ALTER ROLE x PASSWORD $a$secret$a$", "ALTER ROLE x PASSWORD …"),
            ("-- secret\n/* user /* secret */ */  LOCK\n  TABLE a.b", "LOCK TABLE a.b"),
            ("COMMIT /* secret */", "COMMIT …"),
            ("BEGIN -- secret", "BEGIN …"),
            ("/* secret", ""),
            ("/*ü*/SELECT -1.5", "SELECT - …"),
            ("", ""),
        ] {
            assert_eq!(first_words(query), words, "{query}");
        }
        let long = first_words(&"word ".repeat(40));
        assert!(long.chars().count() <= 62 && long.ends_with("word …"), "{long}");
    }
}
