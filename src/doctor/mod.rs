//! Checks the server, the database and the role for problems. Reads everything in one batch of queries and judges the answers in
//! `Facts`, without a connection. Writes nothing.

mod registry;
mod result;
pub mod text;

pub use self::result::{Check, Diagnosis, Health};
use crate::error::Failure;
use crate::ident::literal;
use crate::postgres::metadata::{self, OwnTables};
use crate::postgres::{Connection, PoolerEvidence, Row};
use crate::settings::Settings;

/// The oldest supported major version of PostgreSQL.
const OLDEST: i64 = 14;
/// The newest major version that was tested.
const NEWEST: i64 = 18;
/// Seconds after which an open transaction is reported.
const LONG_TRANSACTION: i64 = 300;
/// Fewer free connections than this are too few for a run's workers.
const FEW_CONNECTIONS: i64 = 5;

/// What the server reports, and what is known about the connection.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one answer of the server's, to a question of its own"
)]
struct Facts {
    version: String,
    major: i64,
    /// Evidence of a transaction pooler between Tenure and the server.
    pooled: Option<PoolerEvidence>,
    neon: bool,
    standby: bool,
    /// Whether `standard_conforming_strings` is on.
    strings: bool,
    /// Whether the role may create objects in the platform schema; `None` if the schema does not exist.
    platform: Option<bool>,
    /// Whether the role may create schemas in the database.
    may_create: bool,
    /// The state of Tenure's own tables, as far as the role may read it.
    own_tables: OwnTables,
    /// A publication whose updates of the platform's version row the server refuses.
    publication: Option<String>,
    archive_mode: String,
    /// When a WAL segment was last archived.
    archived: Option<String>,
    /// When archiving last failed, if no attempt has succeeded since.
    archive_failed: Option<String>,
    wal_level: String,
    /// Whether the role may create restore points.
    restore_points: bool,
    /// The number of free connections.
    free: i64,
    /// The maximum number of connections, without those that are reserved for superusers.
    most: i64,
    /// Whether the role may read the statistics of other roles' sessions.
    sees: bool,
    /// The oldest open transaction of other sessions: its age in seconds, and its session.
    oldest: Option<(i64, String)>,
    /// The number of prepared transactions.
    prepared: i64,
    /// The number of invalid indexes.
    invalid: i64,
    /// Whether `pg_stat_statements` is available.
    statements: bool,
}

/// Runs all checks. Writes nothing.
pub async fn examine(connection: &mut Connection, settings: &Settings) -> Result<Diagnosis, Failure> {
    let platform = &settings.platform_schema();
    let doing = "checking the server";
    let named = literal(platform.as_str());
    let question = format!(
        "SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int8 / 10000 AS major, \
             pg_is_in_recovery() AS standby, current_setting('standard_conforming_strings') = 'on' AS strings, \
             (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = {named}) AS platform, \
             has_database_privilege(current_database(), 'CREATE') AS may_create, \
             {readable} AS own_tables, \
             ({publication}) AS publication, \
             current_setting('archive_mode') AS archive_mode, current_setting('wal_level') AS wal_level, \
             has_function_privilege('pg_catalog.pg_create_restore_point(text)', 'EXECUTE') AS restore_points, \
             current_setting('neon.timeline_id', true) IS NOT NULL AS neon, \
             current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8 AS most, \
             (SELECT coalesce(sum(numbackends), 0)::int8 FROM pg_stat_database WHERE datid <> 0) AS used, \
             pg_has_role('pg_read_all_stats', 'USAGE') AS sees, \
             (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()) AS prepared, \
             (SELECT count(*) FROM pg_index WHERE NOT indisvalid) AS invalid, \
             to_regclass('pg_stat_statements') IS NOT NULL AS statements; \
         SELECT last_archived_time::text AS archived, \
             CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity') THEN last_failed_time::text END AS failed \
             FROM pg_stat_archiver; \
         SELECT extract(epoch FROM clock_timestamp() - xact_start)::int8 AS seconds, \
             coalesce(nullif(application_name, ''), 'a session') || ' of ' || coalesce(usename, '?') || ', process ' || pid AS who \
             FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL \
             AND backend_type = 'client backend' ORDER BY xact_start LIMIT 1",
        readable = metadata::is_readable(platform),
        publication = metadata::blocking_publication(platform),
    );
    let sets = connection.query_batch(&question).await.map_err(|server_error| server_error.failure(doing))?;
    let row = |index: usize| sets.get(index).and_then(|rows: &Vec<Row>| rows.first());
    let Some(seen) = row(0) else { return Ok(judged(Vec::new())) };
    let own_tables = if seen.get_bool("own_tables")? {
        OwnTables::read(connection, platform).await?
    } else {
        OwnTables::Absent
    };
    let archiver = |column| row(1).map_or(Ok(None), |row| row.optional_text(column));
    let most = seen.integer("most")?;
    let facts = Facts {
        version: seen.text("version")?,
        major: seen.integer("major")?,
        pooled: connection.pooler_evidence(),
        neon: seen.get_bool("neon")? || connection.is_neon(),
        standby: seen.get_bool("standby")?,
        strings: seen.get_bool("strings")?,
        platform: seen.get_optional_bool("platform")?,
        may_create: seen.get_bool("may_create")?,
        own_tables,
        publication: seen.optional_text("publication")?,
        archive_mode: seen.text("archive_mode")?,
        archived: archiver("archived")?,
        archive_failed: archiver("failed")?,
        wal_level: seen.text("wal_level")?,
        restore_points: seen.get_bool("restore_points")?,
        free: most - seen.integer("used")?,
        most,
        oldest: row(2)
            .map(|row| -> Result<_, Failure> { Ok((row.integer("seconds")?, row.text("who")?)) })
            .transpose()?,
        sees: seen.get_bool("sees")?,
        prepared: seen.integer("prepared")?,
        invalid: seen.integer("invalid")?,
        statements: seen.get_bool("statements")?,
    };
    let mut checks = facts.checks();
    checks.extend(registry::examine(connection, settings).await?);
    Ok(judged(checks))
}

/// The diagnosis of these checks, with the worst of their states.
fn judged(checks: Vec<Check>) -> Diagnosis {
    let outcome = checks.iter().map(|check| check.state).max().unwrap_or(Health::Ok);
    Diagnosis { outcome, checks }
}

fn ok(check: &'static str, message: impl Into<String>) -> Check {
    Check { check, state: Health::Ok, message: message.into(), help: None }
}

fn warn(check: &'static str, message: impl Into<String>, help: &'static str) -> Check {
    Check { check, state: Health::Warn, message: message.into(), help: Some(help.to_owned()) }
}

fn fail(check: &'static str, message: impl Into<String>, help: &'static str) -> Check {
    Check { check, state: Health::Fail, message: message.into(), help: Some(help.to_owned()) }
}

impl Facts {
    fn checks(&self) -> Vec<Check> {
        vec![
            self.release(),
            self.connection(),
            self.role(),
            self.strings(),
            self.own_tables(),
            self.publications(),
            self.archiving(),
            self.restore_points(),
            self.connections(),
            self.transactions(),
            self.prepared(),
            self.indexes(),
            self.statistics(),
        ]
    }

    fn release(&self) -> Check {
        let release = format!("PostgreSQL {}", self.version);
        match self.major {
            _ if self.standby => fail(
                "release",
                format!("{release}, a standby"),
                "a standby is read-only: connect to the primary",
            ),
            major if major < OLDEST => {
                fail("release", release, "PostgreSQL 14 to 18 are supported: upgrade the server")
            }
            major if major > NEWEST => {
                warn("release", release, "Tenure was not tested with a release this new")
            }
            _ => ok("release", release),
        }
    }

    fn connection(&self) -> Check {
        match self.pooled {
            None => ok("connection", "direct"),
            Some(sign) => warn(
                "connection",
                format!("through a transaction pooler ({})", sign.description()),
                "steps that cannot run in a transaction, exports and shadows need the server's own address",
            ),
        }
    }

    fn role(&self) -> Check {
        match (self.platform, self.may_create) {
            (Some(false), _) => fail(
                "rights",
                "the role may not create objects in the platform schema",
                "GRANT CREATE, USAGE ON SCHEMA … TO the role, or migrate as its owner",
            ),
            (_, false) => fail(
                "rights",
                "the role may not create schemas in this database",
                "GRANT CREATE ON DATABASE … TO the role: each tenant is a schema",
            ),
            _ => ok("rights", "the role may create schemas"),
        }
    }

    fn strings(&self) -> Check {
        if self.strings {
            ok("strings", "standard_conforming_strings is on")
        } else {
            fail(
                "strings",
                "standard_conforming_strings is off",
                "set it to on: Tenure's parser reads string literals by the standard",
            )
        }
    }

    fn own_tables(&self) -> Check {
        match self.own_tables {
            OwnTables::Absent => {
                ok("own-tables", "none that this role can read: the first `tenure migrate up` creates them")
            }
            OwnTables::Older => {
                ok("own-tables", "created by an older Tenure: the next command that writes upgrades them")
            }
            OwnTables::Current => ok("own-tables", "up to date"),
            OwnTables::Newer => fail(
                "own-tables",
                "created by a newer Tenure",
                "use the newest release of Tenure on this database",
            ),
            OwnTables::Unsupported => fail("own-tables", metadata::UNSUPPORTED, metadata::UNSUPPORTED_HELP),
        }
    }

    fn publications(&self) -> Check {
        match &self.publication {
            None => ok("publications", "none prevents an update of Tenure's own tables"),
            Some(name) => fail(
                "publications",
                format!("the publication {name} {}", metadata::BLOCKED),
                metadata::BLOCKED_HELP,
            ),
        }
    }

    fn archiving(&self) -> Check {
        if self.neon {
            return ok("archiving", "Neon keeps the WAL for the project's restore window");
        }
        match (self.archive_mode.as_str(), &self.archive_failed, &self.archived) {
            ("off", ..) => warn(
                "archiving",
                "archive_mode is off: only a backup can restore the state before a run",
                "turn archiving on (manual, chapter 26.3), or check that your provider keeps the WAL",
            ),
            (_, Some(failed), _) => fail(
                "archiving",
                format!("the last attempt to archive failed at {failed}"),
                "see the server's log: until archiving works, no point-in-time recovery is possible",
            ),
            (_, None, None) => warn(
                "archiving",
                "archiving is on, but no segment was archived yet",
                "test it before you rely on it: SELECT pg_switch_wal()",
            ),
            (_, None, Some(archived)) => ok("archiving", format!("on; the last segment at {archived}")),
        }
    }

    fn restore_points(&self) -> Check {
        match (self.wal_level.as_str(), self.restore_points) {
            _ if self.neon => ok("restore-points", "not needed at Neon: each run records its WAL position"),
            ("minimal", _) => warn(
                "restore-points",
                "wal_level is minimal: the WAL is not sufficient for recovery",
                "set wal_level to replica",
            ),
            (_, true) => ok("restore-points", "each run creates one"),
            (_, false) => ok(
                "restore-points",
                "the role may not create them: each run records its WAL position instead",
            ),
        }
    }

    fn connections(&self) -> Check {
        let message = format!("{} of {} are free", self.free, self.most);
        if self.free < FEW_CONNECTIONS {
            warn(
                "connections",
                message,
                "a run uses several connections: with fewer it is slower, with none it fails",
            )
        } else {
            ok("connections", message)
        }
    }

    fn transactions(&self) -> Check {
        match &self.oldest {
            _ if !self.sees => warn(
                "transactions",
                "this role cannot read how long other roles' transactions have been open",
                "GRANT pg_read_all_stats TO the role",
            ),
            Some((seconds, who)) if *seconds >= LONG_TRANSACTION => warn(
                "transactions",
                format!("one has been open for {} min: {who}", seconds / 60),
                "a migration waits for its locks, and CREATE INDEX CONCURRENTLY always waits for it",
            ),
            _ => ok("transactions", "no long-running transaction"),
        }
    }

    fn prepared(&self) -> Check {
        if self.prepared == 0 {
            return ok("prepared", "no prepared transaction");
        }
        warn(
            "prepared",
            format!("{} prepared transactions hold their locks until they end", self.prepared),
            "end them with COMMIT PREPARED or ROLLBACK PREPARED: SELECT * FROM pg_prepared_xacts",
        )
    }

    fn indexes(&self) -> Check {
        if self.invalid == 0 {
            return ok("indexes", "no invalid index");
        }
        warn(
            "indexes",
            format!("{} are invalid: a concurrent build failed or is in progress", self.invalid),
            "rebuild them with REINDEX INDEX CONCURRENTLY or drop them: SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid",
        )
    }

    fn statistics(&self) -> Check {
        if self.statements {
            ok("statistics", "pg_stat_statements is available: `tenure queries capture` works")
        } else {
            ok("statistics", "pg_stat_statements is not available: `tenure queries capture` needs it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Alter = fn(&mut Facts);

    /// The facts of a server without problems.
    fn well() -> Facts {
        Facts {
            version: "17.2".to_owned(),
            major: 17,
            pooled: None,
            neon: false,
            standby: false,
            strings: true,
            platform: None,
            may_create: true,
            own_tables: OwnTables::Absent,
            publication: None,
            archive_mode: "on".to_owned(),
            archived: Some("yesterday".to_owned()),
            archive_failed: None,
            wal_level: "replica".to_owned(),
            restore_points: true,
            free: 90,
            most: 97,
            oldest: Some((10, "app".to_owned())),
            sees: true,
            prepared: 0,
            invalid: 0,
            statements: false,
        }
    }

    #[test]
    fn each_problem_is_found_by_its_own_check() {
        assert_eq!(judged(well().checks()).outcome, Health::Ok);
        let harms: [(&str, Health, Alter); 20] = [
            ("release", Health::Fail, |facts| facts.major = 13),
            ("release", Health::Warn, |facts| facts.major = 19),
            ("release", Health::Fail, |facts| facts.standby = true),
            ("connection", Health::Warn, |facts| facts.pooled = Some(PoolerEvidence::OptionRejected)),
            ("rights", Health::Fail, |facts| facts.may_create = false),
            ("rights", Health::Fail, |facts| facts.platform = Some(false)),
            ("strings", Health::Fail, |facts| facts.strings = false),
            ("own-tables", Health::Fail, |facts| facts.own_tables = OwnTables::Newer),
            ("own-tables", Health::Fail, |facts| facts.own_tables = OwnTables::Unsupported),
            ("publications", Health::Fail, |facts| facts.publication = Some("all".to_owned())),
            ("archiving", Health::Warn, |facts| facts.archive_mode = "off".to_owned()),
            ("archiving", Health::Warn, |facts| facts.archived = None),
            ("archiving", Health::Fail, |facts| facts.archive_failed = Some("now".to_owned())),
            ("restore-points", Health::Warn, |facts| facts.wal_level = "minimal".to_owned()),
            ("connections", Health::Warn, |facts| facts.free = 4),
            ("transactions", Health::Warn, |facts| facts.oldest = Some((300, "app".to_owned()))),
            ("transactions", Health::Warn, |facts| facts.sees = false),
            ("prepared", Health::Warn, |facts| facts.prepared = 1),
            ("indexes", Health::Warn, |facts| facts.invalid = 1),
            ("archiving", Health::Fail, |facts| {
                facts.archived = None;
                facts.archive_failed = Some("now".to_owned());
            }),
        ];
        for (check, state, harm) in harms {
            let mut facts = well();
            harm(&mut facts);
            let diagnosis = judged(facts.checks());
            let bad: Vec<_> = diagnosis.checks.iter().filter(|check| check.state != Health::Ok).collect();
            assert_eq!(bad.len(), 1, "{check}");
            assert_eq!((bad[0].check, bad[0].state, bad[0].help.is_some()), (check, state, true));
            assert_eq!(diagnosis.outcome, state);
        }
    }

    #[test]
    fn on_neon_wal_settings_are_not_checked() {
        let facts =
            Facts { neon: true, archive_mode: "off".to_owned(), wal_level: "minimal".to_owned(), ..well() };
        assert_eq!(judged(facts.checks()).outcome, Health::Ok);
    }
}
