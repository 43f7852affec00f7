//! The database to copy: whether it can be copied, its sessions, and the properties that CREATE DATABASE does
//! not copy: privileges and settings.

use std::time::Duration;

use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::{Connection, Row};

/// How long to wait for sessions that are closing.
const DISCONNECT_LIMIT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);

/// The maximum number of programs in a message.
const MAX_LISTED: usize = 5;

/// Settings whose value is a list of quoted names (manual, chapter 20).
const LIST_SETTINGS: &[&str] = &[
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: Identifier,
    oid: i64,
    /// The owner of the copy, if this role may set it.
    pub(super) owner: Option<Identifier>,
    pub(super) bytes: i64,
    /// `server_version_num`.
    pub(super) version: i64,
    /// Whether the server can clone files.
    pub(super) clones: bool,
    /// The server's clock in microseconds since 1970.
    pub(super) now_us: i64,
    /// Copies of killed runs without a mark.
    pub(super) unmarked_copies: Vec<String>,
    subscriptions: i64,
}

impl Source {
    /// Reads its properties. Fails if the server would not copy it.
    pub(super) async fn read(
        connection: &mut Connection,
        name: &str,
        unmarked_copies: &str,
    ) -> Result<Self, Failure> {
        let action = format!("reading database {name:?}");
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
            literal(unmarked_copies),
        );
        let sets =
            connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(&action))?;
        let [server, source, unmarked_copies] = sets.as_slice() else {
            return Err(unexpected_result(&action));
        };
        let server = server.first().ok_or_else(|| unexpected_result(&action))?;
        let Some(source) = source.first() else {
            return Err(Failure::new(
                Code::BranchNotFound,
                format!("the database {name:?} to copy does not exist"),
            )
            .hint("name a database of this server with --parent or in the database URL"));
        };
        let role = server.text("role")?;
        if !server.get_bool("may_create")? {
            let quoted = Identifier::new(role.as_str())?.quoted();
            let message = format!("the role {role:?} may not create databases, which a local branch needs");
            return Err(Failure::new(Code::PermissionDenied, message)
                .hint(format!("run ALTER ROLE {quoted} CREATEDB as an administrator, or use another role")));
        }
        let owner = source.text("owner")?;
        let (owns, is_super) = (source.get_bool("is_owners")?, server.get_bool("is_super")?);
        if !owns && !source.get_bool("is_template")? {
            let message =
                format!("only its owner {owner:?} or a superuser may copy database {name:?}, not {role:?}");
            return Err(
                Failure::new(Code::PermissionDenied, message).hint("use the owner's role for branches")
            );
        }
        Ok(Self {
            name: Identifier::new(name)?,
            oid: source.integer("oid")?,
            // A member of the owner role may lack the right to SET ROLE to it.
            owner: if is_super { Some(Identifier::new(owner)?) } else { None },
            bytes: source.integer("bytes")?,
            version: server.integer("version")?,
            clones: server.get_bool("clones")?,
            now_us: server.integer("now_us")?,
            unmarked_copies: unmarked_copies.iter().map(|row| row.text("name")).collect::<Result<_, _>>()?,
            subscriptions: source.integer("subscriptions")?,
        })
    }

    /// Waits a moment until no session uses it, since the server does not copy a database in use. Fails with
    /// the list of sessions.
    pub(super) async fn wait_until_unused(&self, connection: &mut Connection) -> Result<(), Failure> {
        let started = tokio::time::Instant::now();
        loop {
            match self.in_use(connection).await? {
                None => return Ok(()),
                Some(failure) if started.elapsed() >= DISCONNECT_LIMIT => return Err(failure),
                Some(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The sessions in it, as a failure; `None` if there are none.
    pub(super) async fn in_use(&self, connection: &mut Connection) -> Result<Option<Failure>, Failure> {
        let action = format!("reading the sessions of database {:?}", self.name.as_str());
        // Autovacuum workers have no role; the server ends them.
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
        let sets =
            connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(&action))?;
        let [sessions, prepared] = sets.as_slice() else { return Err(unexpected_result(&action)) };
        let prepared = prepared.first().map(|row| row.integer("prepared")).transpose()?.unwrap_or_default();
        if sessions.is_empty() && prepared == 0 {
            return Ok(None);
        }
        let mut users =
            sessions.iter().take(MAX_LISTED).map(describe_sessions).collect::<Result<Vec<_>, _>>()?;
        if sessions.len() > MAX_LISTED {
            users.push(format!("and {} more programs", sessions.len() - MAX_LISTED));
        }
        if prepared > 0 {
            users.push(format!("prepared transactions: {prepared}"));
        }
        let subscribes = sessions.iter().any(|row| row.get_bool("subscribes").unwrap_or_default());
        let hint = if subscribes {
            "an enabled subscription keeps a session open (ALTER SUBSCRIPTION … DISABLE ends it); or copy an unused database, \
             such as one restored from a backup (--parent)"
        } else {
            "stop these programs, or copy an unused database, such as one restored from a backup (--parent); \
             Tenure does not end their sessions"
        };
        let message = format!(
            "database {:?} is in use, so the server cannot copy it: {}",
            self.name.as_str(),
            users.join(", ")
        );
        Ok(Some(Failure::new(Code::BranchInUse, message).hint(hint)))
    }

    /// The statements that give `copy` the source's privileges on the database. CREATE DATABASE gives the
    /// default ones, which include CONNECT for PUBLIC.
    pub(super) async fn privileges(
        &self,
        connection: &mut Connection,
        copy: &Identifier,
    ) -> Result<Vec<String>, Failure> {
        let action = format!("reading the privileges on database {:?}", self.name.as_str());
        let sql = format!(
            "SELECT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee)::text END AS grantee, \
             a.privilege_type::text AS privilege, a.is_grantable AS grantable \
             FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a \
             WHERE d.oid = {} AND a.grantee <> d.datdba ORDER BY 1, 2; \
             SELECT datacl IS NULL AS is_default FROM pg_catalog.pg_database WHERE oid = {}",
            self.oid, self.oid
        );
        let sets =
            connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(&action))?;
        let [grants, is_default] = sets.as_slice() else { return Err(unexpected_result(&action)) };
        if is_default.first().is_none_or(|row| row.get_bool("is_default").unwrap_or(true)) {
            return Ok(Vec::new());
        }
        let copy = copy.quoted();
        let mut statements = vec![format!("REVOKE ALL ON DATABASE {copy} FROM PUBLIC")];
        for row in grants {
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

    /// The settings of the source's sessions: a description of each, and the statement that sets it for `copy`.
    pub(super) async fn settings(
        &self,
        connection: &mut Connection,
        copy: &Identifier,
    ) -> Result<Vec<(String, String)>, Failure> {
        let action = format!("reading the settings of database {:?}", self.name.as_str());
        let sql = format!(
            "SELECT CASE WHEN setrole <> 0 THEN pg_catalog.pg_get_userbyid(setrole)::text END AS role, \
             split_part(line, '=', 1) AS name, substr(line, strpos(line, '=') + 1) AS value \
             FROM pg_catalog.pg_db_role_setting, unnest(setconfig) AS line WHERE setdatabase = {} ORDER BY 1 NULLS FIRST, 2",
            self.oid
        );
        let sets =
            connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(&action))?;
        let mut statements = Vec::new();
        for row in sets.first().map(Vec::as_slice).unwrap_or_default() {
            let (name, value) = (row.text("name")?, row.text("value")?);
            let value = if LIST_SETTINGS.contains(&name.as_str()) { list(&value) } else { literal(&value) };
            // The name of an extension's setting has two parts.
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

    /// Notes for the user about a copy.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.subscriptions > 0 {
            notes.push(format!(
                "the copy has no subscriptions: the server does not copy them, and {:?} has {}",
                self.name.as_str(),
                self.subscriptions
            ));
        }
        for half in &self.unmarked_copies {
            notes.push(format!("{half:?} is an unfinished copy without a mark: check it and drop it"));
        }
        notes
    }
}

/// `3 sessions of "puma" as "app"`
fn describe_sessions(row: &Row) -> Result<String, Failure> {
    let (program, role, sessions) = (row.text("program")?, row.text("role")?, row.integer("sessions")?);
    let sessions = if sessions == 1 { "1 session".to_owned() } else { format!("{sessions} sessions") };
    Ok(format!("{sessions} of {program:?} as {role:?}"))
}

/// Converts a list of names in `pg_db_role_setting` to literals.
fn list(value: &str) -> String {
    let (mut names, mut name, mut quoted, mut chars) =
        (Vec::new(), String::new(), false, value.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                name.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            c if c.is_whitespace() && !quoted => {}
            c => name.push(c),
        }
    }
    names.push(name);
    names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ")
}

pub(super) fn unexpected_result(action: &str) -> Failure {
    Failure::new(Code::StatementFailed, format!("{action}: the server returned an unexpected result"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_parsed_as_by_the_server() {
        assert_eq!(list("\"$user\", public"), "'$user', 'public'");
        assert_eq!(list("\"a, \"\"b\"\"\",c"), "'a, \"b\"', 'c'");
        assert_eq!(list("\"\""), "''");
        assert_eq!(list("\"it's\""), "'it''s'");
    }
}
