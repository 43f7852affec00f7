//! The database that is to be copied: whether it may be, who is connected to it, and what a copy does not get by
//! itself: rights on the database and the settings that it begins a session with.

use std::time::Duration;

use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::{Connection, Row};

/// How long others may take who are just leaving.
const LEAVING: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);

/// So many of those who are connected are named.
const NAMED: usize = 5;

/// Settings whose value is a list of names, each with quotes of its own (manual, chapter 20).
const LISTS: &[&str] = &[
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// The database that is copied.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: Identifier,
    oid: i64,
    /// Who is to own the copy, where that can be said.
    pub(super) owner: Option<Identifier>,
    pub(super) bytes: i64,
    /// What this release of the server can do.
    pub(super) version: i64,
    /// Whether files can be cloned rather than copied.
    pub(super) clones: bool,
    /// Microseconds since 1970, by the server's clock.
    pub(super) now_us: i64,
    /// Copies that a killed run left without their mark.
    pub(super) halves: Vec<String>,
    subscriptions: i64,
}

impl Source {
    /// Looks at it, and refuses what the server would refuse.
    pub(super) async fn look(connection: &mut Connection, name: &str, halves: &str) -> Result<Self, Failure> {
        let doing = format!("looking at database {name:?}");
        let sql = format!(
            "SELECT pg_catalog.current_setting('server_version_num')::int8 AS version, \
             (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now_us, current_user::text AS role, \
             rolsuper AS is_super, rolsuper OR rolcreatedb AS may_create, \
             EXISTS (SELECT FROM pg_catalog.pg_settings WHERE name = 'file_copy_method' AND 'clone' = ANY (enumvals)) AS clones \
             FROM pg_catalog.pg_roles WHERE rolname = current_user; \
             SELECT oid::int8 AS oid, pg_catalog.pg_get_userbyid(datdba)::text AS owner, datistemplate AS is_template, \
             pg_catalog.pg_has_role(datdba, 'USAGE') AS is_owners, \
             CASE WHEN pg_catalog.has_database_privilege(oid, 'CONNECT') THEN pg_catalog.pg_database_size(oid) ELSE 0 END::int8 AS bytes, \
             (SELECT count(*) FROM pg_catalog.pg_subscription WHERE subdbid = d.oid)::int8 AS subscriptions \
             FROM pg_catalog.pg_database d WHERE datname = {}; \
             SELECT datname::text AS name FROM pg_catalog.pg_database WHERE datname LIKE {} AND NOT datallowconn \
             AND pg_catalog.shobj_description(oid, 'pg_database') IS NULL ORDER BY 1",
            literal(name),
            literal(halves),
        );
        let sets = connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(&doing))?;
        let [server, source, halves] = sets.as_slice() else { return Err(odd(&doing)) };
        let server = server.first().ok_or_else(|| odd(&doing))?;
        let Some(source) = source.first() else {
            return Err(Failure::new(Code::BranchNotFound, format!("there is no database {name:?} to copy"))
                .hint("name one of this server with --parent, or in the database URL"));
        };
        let role = server.text("role")?;
        if !server.get_bool("may_create")? {
            let quoted = Identifier::new(role.as_str())?.quoted();
            let message =
                format!("the role {role:?} may not make databases, so there can be no local branch");
            return Err(Failure::new(Code::PermissionDenied, message)
                .hint(format!("ALTER ROLE {quoted} CREATEDB, by who may; or use another role")));
        }
        let owner = source.text("owner")?;
        let (owns, is_super) = (source.get_bool("is_owners")?, server.get_bool("is_super")?);
        if !owns && !source.get_bool("is_template")? {
            let message = format!(
                "only its owner {owner:?}, or a superuser, may copy database {name:?}, and not {role:?}"
            );
            return Err(
                Failure::new(Code::PermissionDenied, message).hint("use the owner's role for branches")
            );
        }
        Ok(Self {
            name: Identifier::new(name)?,
            oid: source.integer("oid")?,
            // A role may be a member of the owner without being allowed to act as it.
            owner: if is_super { Some(Identifier::new(owner)?) } else { None },
            bytes: source.integer("bytes")?,
            version: server.integer("version")?,
            clones: server.get_bool("clones")?,
            now_us: server.integer("now_us")?,
            halves: halves.iter().map(|row| row.text("name")).collect::<Result<_, _>>()?,
            subscriptions: source.integer("subscriptions")?,
        })
    }

    /// Makes sure that nobody is connected to it, since the server copies no database that is in use. Who is
    /// leaving gets a moment.
    pub(super) async fn is_quiet(&self, connection: &mut Connection) -> Result<(), Failure> {
        let started = tokio::time::Instant::now();
        loop {
            match self.in_use(connection).await? {
                None => return Ok(()),
                Some(failure) if started.elapsed() >= LEAVING => return Err(failure),
                Some(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Who is connected to it, as a failure.
    pub(super) async fn in_use(&self, connection: &mut Connection) -> Result<Option<Failure>, Failure> {
        let doing = format!("looking who uses database {:?}", self.name.as_str());
        // The workers that only tidy up are nobody's, and make way by themselves.
        let sql = format!(
            "SELECT coalesce(nullif(application_name, ''), nullif(backend_type, 'client backend'), 'without a name') AS program, \
             coalesce(usename::text, '-') AS role, count(*)::int8 AS sessions, \
             coalesce(bool_or(backend_type LIKE 'logical replication%'), false) AS subscribes \
             FROM pg_catalog.pg_stat_activity WHERE datid = {} AND pid <> pg_catalog.pg_backend_pid() \
             AND usesysid IS NOT NULL AND backend_type IS DISTINCT FROM 'parallel worker' \
             GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2; \
             SELECT count(*)::int8 AS prepared FROM pg_catalog.pg_prepared_xacts WHERE database = {}",
            self.oid,
            literal(self.name.as_str()),
        );
        let sets = connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(&doing))?;
        let [sessions, prepared] = sets.as_slice() else { return Err(odd(&doing)) };
        let prepared = prepared.first().map(|row| row.integer("prepared")).transpose()?.unwrap_or_default();
        if sessions.is_empty() && prepared == 0 {
            return Ok(None);
        }
        let mut who = sessions.iter().take(NAMED).map(said).collect::<Result<Vec<_>, _>>()?;
        if sessions.len() > NAMED {
            who.push(format!("and {} more programs", sessions.len() - NAMED));
        }
        if prepared > 0 {
            who.push(format!("prepared transactions: {prepared}"));
        }
        let subscribes = sessions.iter().any(|row| row.get_bool("subscribes").unwrap_or_default());
        let hint = if subscribes {
            "a subscription holds a session as long as it is enabled (ALTER SUBSCRIPTION … DISABLE); copy a database that \
             nobody uses, such as one restored from a backup (--parent)"
        } else {
            "stop these programs for the moment, or copy a database that nobody uses, such as one restored from a backup \
             (--parent); Tenure ends nobody's session"
        };
        let message = format!(
            "database {:?} is in use, and the server copies none that is: {}",
            self.name.as_str(),
            who.join(", ")
        );
        Ok(Some(Failure::new(Code::BranchInUse, message).hint(hint)))
    }

    /// The statements that give `copy` the rights on the database that the source gives; a copy begins with the
    /// usual ones, which let everybody in.
    pub(super) async fn rights(
        &self,
        connection: &mut Connection,
        copy: &Identifier,
    ) -> Result<Vec<String>, Failure> {
        let doing = format!("reading the rights on database {:?}", self.name.as_str());
        let sql = format!(
            "SELECT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee)::text END AS grantee, \
             a.privilege_type::text AS privilege, a.is_grantable AS grantable \
             FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a \
             WHERE d.oid = {} AND a.grantee <> d.datdba ORDER BY 1, 2; \
             SELECT datacl IS NULL AS usual FROM pg_catalog.pg_database WHERE oid = {}",
            self.oid, self.oid
        );
        let sets = connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(&doing))?;
        let [given, usual] = sets.as_slice() else { return Err(odd(&doing)) };
        if usual.first().is_none_or(|row| row.get_bool("usual").unwrap_or(true)) {
            return Ok(Vec::new());
        }
        let copy = copy.quoted();
        let mut statements = vec![format!("REVOKE ALL ON DATABASE {copy} FROM PUBLIC")];
        for row in given {
            let to = match row.optional_text("grantee")? {
                Some(role) => Identifier::new(role)?.quoted(),
                None => "PUBLIC".to_owned(),
            };
            let Some(privilege) = ["CONNECT", "CREATE", "TEMPORARY"]
                .into_iter()
                .find(|known| row.text("privilege").is_ok_and(|privilege| privilege == *known))
            else {
                continue;
            };
            let further = if row.get_bool("grantable")? { " WITH GRANT OPTION" } else { "" };
            statements.push(format!("GRANT {privilege} ON DATABASE {copy} TO {to}{further}"));
        }
        Ok(statements)
    }

    /// The statements that give `copy` the settings with which a session of the source begins: what each is, and
    /// how it is set.
    pub(super) async fn settings(
        &self,
        connection: &mut Connection,
        copy: &Identifier,
    ) -> Result<Vec<(String, String)>, Failure> {
        let doing = format!("reading the settings of database {:?}", self.name.as_str());
        let sql = format!(
            "SELECT CASE WHEN setrole <> 0 THEN pg_catalog.pg_get_userbyid(setrole)::text END AS role, \
             split_part(line, '=', 1) AS name, substr(line, strpos(line, '=') + 1) AS value \
             FROM pg_catalog.pg_db_role_setting, unnest(setconfig) AS line WHERE setdatabase = {} ORDER BY 1 NULLS FIRST, 2",
            self.oid
        );
        let sets = connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(&doing))?;
        let mut statements = Vec::new();
        for row in sets.first().map(Vec::as_slice).unwrap_or_default() {
            let (name, value) = (row.text("name")?, row.text("value")?);
            let value = if LISTS.contains(&name.as_str()) { list(&value) } else { literal(&value) };
            // A setting of an extension has a dot, which parts it in two names.
            let quoted: Result<Vec<_>, _> = name.split('.').map(Identifier::new).collect();
            let quoted: Vec<_> = quoted?.iter().map(Identifier::quoted).collect();
            let set = format!("SET {} TO {value}", quoted.join("."));
            let copy = copy.quoted();
            statements.push(match row.optional_text("role")? {
                None => (name, format!("ALTER DATABASE {copy} {set}")),
                Some(role) => {
                    let quoted = Identifier::new(role.as_str())?.quoted();
                    (
                        format!("{name} of the role {role}"),
                        format!("ALTER ROLE {quoted} IN DATABASE {copy} {set}"),
                    )
                }
            });
        }
        Ok(statements)
    }

    /// What people should know of a copy of it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.subscriptions > 0 {
            notes.push(format!(
                "the copy subscribes to nothing: the server copies no subscriptions, and {:?} has {}",
                self.name.as_str(),
                self.subscriptions
            ));
        }
        for half in &self.halves {
            notes.push(format!(
                "{half:?} is a copy whose making was broken off before anything said whose it is: look at it and drop it"
            ));
        }
        notes
    }
}

/// `3 sessions of "puma" as "app"`
fn said(row: &Row) -> Result<String, Failure> {
    let (program, role, sessions) = (row.text("program")?, row.text("role")?, row.integer("sessions")?);
    let sessions = if sessions == 1 { "1 session".to_owned() } else { format!("{sessions} sessions") };
    Ok(format!("{sessions} of {program:?} as {role:?}"))
}

/// A list of names as `pg_db_role_setting` holds it, each name as a literal.
fn list(value: &str) -> String {
    let (mut names, mut name, mut quoted, mut signs) =
        (Vec::new(), String::new(), false, value.chars().peekable());
    while let Some(sign) = signs.next() {
        match sign {
            '"' if quoted && signs.peek() == Some(&'"') => {
                signs.next();
                name.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            sign if sign.is_whitespace() && !quoted => {}
            sign => name.push(sign),
        }
    }
    names.push(name);
    names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ")
}

pub(super) fn odd(doing: &str) -> Failure {
    Failure::new(Code::StatementFailed, format!("{doing}: the server gave another answer than was asked for"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_taken_apart_as_the_server_does() {
        assert_eq!(list("\"$user\", public"), "'$user', 'public'");
        assert_eq!(list("\"a, \"\"b\"\"\",c"), "'a, \"b\"', 'c'");
        assert_eq!(list("\"\""), "''");
        assert_eq!(list("\"it's\""), "'it''s'");
    }
}
