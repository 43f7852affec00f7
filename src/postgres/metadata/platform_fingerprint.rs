//! The fingerprint of the platform schema. The last platform unit of a run that has statements records it in its own transaction;
//! `tenure drift` and `tenure status --check` compare it with the schema. Tenure's own objects and privileges do not count.

use schemars::JsonSchema;
use serde::Serialize;

use super::state::Presence;
use crate::chain::{Chain, Checksum, Version};
use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::batch::Run;
use crate::postgres::catalog::{self, Transaction};
use crate::postgres::{Connection, Row};
use crate::sql::{OWN_SEQUENCE, OWN_TABLES, Scope};

/// Between the parts of a stored fingerprint: the catalog query, the server's major version, and the hash.
const SEPARATOR: char = '/';

/// Locks are not waited for longer than this, shorter than the usual `deadlock_timeout`: the unit holds locks of its own.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '500ms'";

/// How the platform schema compares with what its last unit left.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum PlatformDrift {
    /// It is as the unit left it.
    Same,
    /// Somebody changed it since.
    Different {
        /// The version whose unit recorded the fingerprint.
        since: Version,
        /// The platform's version.
        at: Version,
    },
    /// There is nothing to compare with.
    Unknown {
        /// Why.
        because: String,
    },
}

/// The settings of a query, and its `WITH` list, which ends with the table `computed`: the fingerprint, in one row.
fn query(platform: &SchemaName) -> (&'static str, String) {
    let own: Vec<_> = OWN_TABLES.iter().chain([&OWN_SEQUENCE]).map(|name| literal(name)).collect();
    let own = format!(
        "kind IN ('table', 'sequence') AND object IN ({}) OR kind = 'function' AND object ^@ 'tenure_'",
        own.join(", ")
    );
    let (settings, with) = catalog::definition_without(platform, &own);
    // Another Tenure may describe a schema in other words; that it has more tables of its own makes no difference.
    let words = Checksum::of(&catalog::definition_without(platform, "false").1);
    let words = words.as_str().get(..8).unwrap_or_default();
    let computed = format!(
        "{with}, computed AS (SELECT concat_ws('{SEPARATOR}', '{words}', current_setting('server_version_num')::int / 10000, definition) \
         AS fingerprint FROM print)"
    );
    (settings, computed)
}

/// The statement that records the fingerprint in the platform's newest row of the run. A fingerprint that cannot be computed, for
/// example because another session drops an object at this moment, does not make the unit fail: there is none then. The inner block
/// always ends with an error, so that its settings and locks end with it and do not apply to deferred triggers at COMMIT; variables
/// keep their values (manual, chapter 43.6.8).
pub fn record(run: &Run) -> String {
    let platform = run.platform.quoted();
    let (settings, with) = query(&run.platform);
    let block = format!(
        "DECLARE tenure_print text; \
         BEGIN BEGIN {settings}; {LOCK_TIMEOUT}; {with} SELECT fingerprint INTO tenure_print FROM computed; RAISE SQLSTATE 'TN000'; \
         EXCEPTION WHEN OTHERS THEN NULL; END; \
         UPDATE {platform}.migration_history SET fingerprint = tenure_print \
         WHERE id = (SELECT max(id) FROM {platform}.migration_history WHERE schema_name = {} AND run_id = '{}'); END",
        literal(run.platform.as_str()),
        run.id
    );
    format!("DO {}", literal(&block))
}

/// Compares the platform schema with the newest recorded fingerprint; `None` without version tables. One round trip.
pub async fn compare(
    connection: &mut Connection,
    (platform, presence): (&SchemaName, Presence),
    chain: &Chain,
) -> Result<Option<PlatformDrift>, Failure> {
    if !(presence.schema_version && presence.own_tables) {
        return Ok(None);
    }
    let (settings, with) = query(platform);
    let (own, name) = (platform.quoted(), literal(platform.as_str()));
    // The column does not exist in the tables of an older Tenure.
    let sql = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {settings}; {with} \
         SELECT to_version, recorded, fingerprint AS found, version::text AS version FROM computed, {own}.schema_version, \
         LATERAL (SELECT to_version, to_jsonb(entry) ->> 'fingerprint' AS recorded FROM {own}.migration_history entry \
             WHERE schema_name = {name} AND to_jsonb(entry) ->> 'fingerprint' IS NOT NULL ORDER BY id DESC LIMIT 1) newest; COMMIT"
    );
    let doing = "comparing the platform schema with its recorded fingerprint";
    let sets = catalog::query_with_retry(connection, &sql, Transaction::Own, doing).await?;
    let [.., rows, _commit] = sets.as_slice() else { return Err(odd_answer()) };
    Ok(Some(match rows.first() {
        None => unknown("no platform step has recorded a fingerprint yet".to_owned()),
        Some(row) => drift(row, chain)?,
    }))
}

fn drift(row: &Row, chain: &Chain) -> Result<PlatformDrift, Failure> {
    let version = |column| row.text(column)?.parse::<Version>().map_err(|_| odd_answer());
    let (since, at) = (version("to_version")?, version("version")?);
    let (recorded, found) = (row.text("recorded")?, row.text("found")?);
    let steps = chain.position(&since).zip(chain.position(&at));
    let later = steps.and_then(|(since, at)| chain.migrations().get(since..at));
    let unrecorded = later.and_then(|later| later.iter().find(|step| step.has(Scope::Platform)));
    let part = |text: &str, nth| text.split(SEPARATOR).nth(nth).unwrap_or_default().to_owned();
    Ok(if let Some(step) = unrecorded {
        unknown(format!("the run of {} recorded no fingerprint", step.file))
    } else if later.is_none() {
        unknown(format!("the fingerprint is of version {since}, which does not lead to {at} in this chain"))
    } else if part(&recorded, 0) != part(&found, 0) {
        unknown("another version of Tenure recorded the fingerprint".to_owned())
    } else if part(&recorded, 1) != part(&found, 1) {
        unknown(format!("PostgreSQL {} recorded the fingerprint", part(&recorded, 1)))
    } else if recorded == found {
        PlatformDrift::Same
    } else {
        PlatformDrift::Different { since, at }
    })
}

fn unknown(because: String) -> PlatformDrift {
    PlatformDrift::Unknown { because }
}

fn odd_answer() -> Failure {
    Failure::new(Code::StatementFailed, "the recorded fingerprint of the platform schema cannot be read")
}
