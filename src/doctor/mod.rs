//! What a server, a database and a role are like for this work: asked in one message, judged by itself.

mod result;
pub mod text;

pub use self::result::{Check, Diagnosis, Health};
use crate::error::Failure;
use crate::ident::{SchemaName, literal};
use crate::postgres::{Connection, PoolerEvidence, Row, metadata};

/// The releases that are supported.
const OLDEST: i64 = 14;
const NEWEST: i64 = 18;
/// A transaction that has been open for so long is in somebody's way: seconds.
const LONG: i64 = 300;
/// So few free connections are not enough for a fleet's workers.
const FEW: i64 = 5;

/// What was seen.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one answer of the server's, to a question of its own"
)]
struct Facts {
    version: String,
    major: i64,
    pooled: Option<PoolerEvidence>,
    neon: bool,
    standby: bool,
    strings: bool,
    /// Whether the platform schema is there, and whether the role may make things in it; else, whether it may make it.
    platform: Option<bool>,
    may_create: bool,
    /// The version of the own tables, if they are there.
    own_tables: Option<i64>,
    archive_mode: String,
    archived: Option<String>,
    archive_failed: Option<String>,
    wal_level: String,
    restore_points: bool,
    free: i64,
    most: i64,
    /// Whether the role sees what other roles' sessions do.
    sees: bool,
    oldest: Option<(i64, String)>,
    prepared: i64,
    invalid: i64,
    statements: bool,
}

/// Looks. Writes nothing.
pub async fn examine(connection: &mut Connection, platform: &SchemaName) -> Result<Diagnosis, Failure> {
    let doing = "looking at the server";
    let named = literal(platform.as_str());
    let question = format!(
        "SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int8 / 10000 AS major, \
             pg_is_in_recovery() AS standby, current_setting('standard_conforming_strings') = 'on' AS strings, \
             (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = {named}) AS platform, \
             has_database_privilege(current_database(), 'CREATE') AS may_create, \
             EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = {named} AND relname = {ledger} \
                 AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')) AS own_tables, \
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
        ledger = literal(metadata::MIGRATIONS_TABLE),
    );
    let sets = connection.query_batch(&question).await.map_err(|server_error| server_error.failure(doing))?;
    let row = |index: usize| sets.get(index).and_then(|rows: &Vec<Row>| rows.first());
    let Some(seen) = row(0) else { return Ok(judged(Vec::new())) };
    let own_tables = if seen.get_bool("own_tables")? {
        let sql = format!(
            "SELECT max(version)::int8 AS version FROM {}.{}",
            platform.quoted(),
            metadata::MIGRATIONS_TABLE
        );
        let sets = connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(doing))?;
        let version = sets.first().and_then(|rows| rows.first()).map(|row| row.optional_integer("version"));
        Some(version.transpose()?.flatten().unwrap_or_default())
    } else {
        None
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
    Ok(judged(facts.checks()))
}

fn judged(checks: Vec<Check>) -> Diagnosis {
    let outcome = checks.iter().map(|check| check.state).max().unwrap_or(Health::Ok);
    Diagnosis { outcome, checks }
}

fn ok(check: &'static str, message: impl Into<String>) -> Check {
    Check { check, state: Health::Ok, message: message.into(), help: None }
}

fn warn(check: &'static str, message: impl Into<String>, help: &'static str) -> Check {
    Check { check, state: Health::Warn, message: message.into(), help: Some(help) }
}

fn fail(check: &'static str, message: impl Into<String>, help: &'static str) -> Check {
    Check { check, state: Health::Fail, message: message.into(), help: Some(help) }
}

impl Facts {
    fn checks(&self) -> Vec<Check> {
        vec![
            self.release(),
            self.connection(),
            self.role(),
            self.strings(),
            self.own_tables(),
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
        let said = format!("PostgreSQL {}", self.version);
        match self.major {
            _ if self.standby => fail(
                "release",
                format!("{said}, a standby"),
                "nothing can be written here: use the primary's address",
            ),
            major if major < OLDEST => {
                fail("release", said, "PostgreSQL 14 to 18 are supported: upgrade the server")
            }
            major if major > NEWEST => {
                warn("release", said, "this release is newer than what Tenure was tested with")
            }
            _ => ok("release", said),
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
                "the role may not make anything in the platform schema",
                "GRANT CREATE, USAGE ON SCHEMA … TO the role, or migrate as its owner",
            ),
            (_, false) => fail(
                "rights",
                "the role may not make schemas in this database",
                "GRANT CREATE ON DATABASE … TO the role: each tenant is a schema",
            ),
            _ => ok("rights", "the role may make schemas"),
        }
    }

    fn strings(&self) -> Check {
        if self.strings {
            ok("strings", "standard_conforming_strings is on")
        } else {
            fail(
                "strings",
                "standard_conforming_strings is off",
                "turn it on: strings end elsewhere than a parser thinks",
            )
        }
    }

    fn own_tables(&self) -> Check {
        match self.own_tables {
            None => {
                ok("own-tables", "none that this role may read: the first `tenure migrate up` makes them")
            }
            Some(version) if version < metadata::needed() => {
                ok("own-tables", "of an older Tenure: the next command that writes brings them up to date")
            }
            Some(version) if version > metadata::needed() => fail(
                "own-tables",
                "of a newer Tenure than this one",
                "use the newest tenure on this database",
            ),
            Some(_) => ok("own-tables", "up to date"),
        }
    }

    fn archiving(&self) -> Check {
        if self.neon {
            return ok("archiving", "Neon keeps the log for the project's restore window");
        }
        match (self.archive_mode.as_str(), &self.archive_failed, &self.archived) {
            ("off", ..) => warn(
                "archiving",
                "archive_mode is off: there is no way back to before a run but a backup",
                "turn archiving on (manual, chapter 26.3), or make sure that your provider keeps the log",
            ),
            (_, Some(failed), _) => fail(
                "archiving",
                format!("the last try to archive failed, at {failed}"),
                "see the server's log: until it works again there is no way back to before a run",
            ),
            (_, None, None) => warn(
                "archiving",
                "archiving is on, but nothing was archived yet",
                "make sure that it works before you rely on it: SELECT pg_switch_wal()",
            ),
            (_, None, Some(archived)) => ok("archiving", format!("on; the last segment at {archived}")),
        }
    }

    fn restore_points(&self) -> Check {
        match (self.wal_level.as_str(), self.restore_points) {
            _ if self.neon => ok("restore-points", "not needed at Neon: the place in the log is noted"),
            ("minimal", _) => warn(
                "restore-points",
                "wal_level is minimal: the log is too little to recover from",
                "set wal_level to replica",
            ),
            (_, true) => ok("restore-points", "each run makes one"),
            (_, false) => {
                ok("restore-points", "the role may not make them: the place in the log is noted instead")
            }
        }
    }

    fn connections(&self) -> Check {
        let said = format!("{} of {} are free", self.free, self.most);
        if self.free < FEW {
            warn("connections", said, "a fleet is migrated over several; fewer make it slower, none stops it")
        } else {
            ok("connections", said)
        }
    }

    fn transactions(&self) -> Check {
        match &self.oldest {
            _ if !self.sees => warn(
                "transactions",
                "this role does not see for how long other roles' transactions have been open",
                "GRANT pg_read_all_stats TO the role",
            ),
            Some((seconds, who)) if *seconds >= LONG => warn(
                "transactions",
                format!("one has been open for {} min: {who}", seconds / 60),
                "what it locked makes a migration wait, and CREATE INDEX CONCURRENTLY waits for it in any case",
            ),
            _ => ok("transactions", "none is open for long"),
        }
    }

    fn prepared(&self) -> Check {
        if self.prepared == 0 {
            return ok("prepared", "no prepared transaction");
        }
        warn(
            "prepared",
            format!("{} prepared transactions hold their locks until they are ended", self.prepared),
            "COMMIT PREPARED or ROLLBACK PREPARED: SELECT * FROM pg_prepared_xacts",
        )
    }

    fn indexes(&self) -> Check {
        if self.invalid == 0 {
            return ok("indexes", "none is invalid");
        }
        warn(
            "indexes",
            format!("{} are invalid: a concurrent build failed, or is under way", self.invalid),
            "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid; REINDEX INDEX CONCURRENTLY, or drop them",
        )
    }

    fn statistics(&self) -> Check {
        if self.statements {
            ok("statistics", "pg_stat_statements is there: `tenure queries capture` works")
        } else {
            ok("statistics", "no pg_stat_statements: `tenure queries capture` has nothing to read")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Alter = fn(&mut Facts);

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
            own_tables: None,
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
    fn each_thing_that_is_wrong_is_found_by_its_own_check() {
        assert_eq!(judged(well().checks()).outcome, Health::Ok);
        let harms: [(&str, Health, Alter); 18] = [
            ("release", Health::Fail, |facts| facts.major = 13),
            ("release", Health::Warn, |facts| facts.major = 19),
            ("release", Health::Fail, |facts| facts.standby = true),
            ("connection", Health::Warn, |facts| facts.pooled = Some(PoolerEvidence::OptionRejected)),
            ("rights", Health::Fail, |facts| facts.may_create = false),
            ("rights", Health::Fail, |facts| facts.platform = Some(false)),
            ("strings", Health::Fail, |facts| facts.strings = false),
            ("own-tables", Health::Fail, |facts| facts.own_tables = Some(99)),
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
    fn at_neon_the_log_is_kept() {
        let facts =
            Facts { neon: true, archive_mode: "off".to_owned(), wal_level: "minimal".to_owned(), ..well() };
        assert_eq!(judged(facts.checks()).outcome, Health::Ok);
    }
}
