//! The role of a shadow on a server that the user named. If the role of the URL could run programs or read files there, or give
//! itself such a right, another role is created for the run, and dropped after it.

use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::{ConnectPolicy, Connection, DatabaseUrl, RestrictedRole, ServerError};
use crate::tenant::Secret;

/// The start of the comment on the role; the database's name and its owner follow. It allows a later run to drop the role after
/// a crash.
const MARK: &str = "tenure: the role of a shadow of database ";

/// The rights of the session's role, the database's owner, and the roles that earlier runs left. Before 16, CREATEROLE suffices
/// to become a member of a predefined role (manual, chapter Role Attributes).
const RIGHTS: &str = "SELECT r.rolname::text AS name, r.rolsuper AS is_superuser, r.rolsuper OR r.rolcreaterole OR r.rolreplication OR EXISTS ( \
        SELECT FROM pg_catalog.pg_roles p WHERE p.rolname IN ('pg_execute_server_program', 'pg_read_server_files', \
            'pg_write_server_files') AND pg_catalog.pg_has_role(r.oid, p.oid, 'MEMBER')) AS has_more, \
        pg_catalog.pg_get_userbyid(d.datdba)::text AS owner \
    FROM pg_catalog.pg_roles r, pg_catalog.pg_database d \
    WHERE r.rolname = session_user AND d.datname = pg_catalog.current_database()";

/// A role that exists as long as the shadow.
#[derive(Debug)]
pub(super) struct TemporaryRole {
    name: Identifier,
    database: Identifier,
    /// The database's owner before.
    owner: Identifier,
    /// The session of the role that the user named.
    pub(super) named: Connection,
}

/// The name of the session's role, if it may run programs or read files on the server, or give itself such a right.
pub async fn role_with_more_rights(connection: &mut Connection) -> Result<Option<String>, Failure> {
    let sets = connection.query_batch(RIGHTS).await;
    let sets = sets.map_err(|server_error| server_error.failure("reading the rights of the role"))?;
    match sets.iter().flatten().next() {
        Some(row) if row.get_bool("has_more")? => row.text("name").map(Some),
        Some(_) | None => Ok(None),
    }
}

fn doing(server_error: ServerError) -> Failure {
    server_error.failure("creating a role for the shadow")
}

impl TemporaryRole {
    /// A session of a restricted role in the empty database of `url`: `connection` itself, if its role has no more rights than
    /// it needs, or one of a new role.
    pub(super) async fn connect(
        mut connection: Connection,
        url: &DatabaseUrl,
    ) -> Result<(Connection, Option<Box<Self>>), Failure> {
        let database = Identifier::new(url.database())?;
        let left_owner = drop_left_roles(&mut connection, &database).await?;
        let sets = connection.query_batch(RIGHTS).await.map_err(doing)?;
        let Some(row) = sets.iter().flatten().next() else {
            return Err(Failure::new(Code::ShadowRole, "the role of the shadow has no row in pg_roles"));
        };
        let (named, owner) = (Identifier::new(row.text("name")?)?, Identifier::new(row.text("owner")?)?);
        if !row.get_bool("has_more")? {
            connection.run("RESET search_path").await.map_err(doing)?;
            return Ok((connection.of_restricted_role(RestrictedRole::new(named, None)), None));
        }
        let owner = left_owner.unwrap_or(owner);
        let is_superuser = row.get_bool("is_superuser")?;
        let made = Self::create(&mut connection, url, (&database, &owner), is_superuser).await;
        let (session, name) = made.map_err(|failure| {
            let message = format!(
                "the role {:?} could run programs or read files on the shadow's server, and a role without this right could \
                 not be created: {}",
                named.as_str(),
                failure.message
            );
            Failure { message, code: Code::ShadowRole, ..failure }
                .hint("name a role that owns the database and is neither SUPERUSER nor CREATEROLE, or use --shadow")
        })?;
        // Others use the server, so the superuser runs nothing for the project.
        let restricted = RestrictedRole::new(name.clone(), None);
        let role = Self { name, database, owner, named: connection };
        Ok((session.of_restricted_role(restricted), Some(Box::new(role))))
    }

    async fn create(
        connection: &mut Connection,
        url: &DatabaseUrl,
        (database, owner): (&Identifier, &Identifier),
        is_superuser: bool,
    ) -> Result<(Connection, Identifier), Failure> {
        let name = Identifier::new(format!("tenure_shadow_{}", uuid::Uuid::new_v4().simple()))?;
        let (secret, role) = (Secret::make(), name.quoted());
        let sql = format!(
            "CREATE ROLE {role} LOGIN{} PASSWORD {}; COMMENT ON ROLE {role} IS {}; GRANT {role} TO CURRENT_USER; \
             ALTER DATABASE {} OWNER TO {role}; ALTER SCHEMA public OWNER TO {role}",
            // Sample rows behind policies are rows, too. Only a superuser may give this attribute.
            if is_superuser { " BYPASSRLS" } else { "" },
            Secret::literal(Some(&secret)),
            literal(&format!("{MARK}{} {}", database.quoted(), owner.as_str())),
            database.quoted(),
        );
        connection.run(&sql).await.map_err(doing)?;
        let url = url.with_role(name.as_str(), secret.password.reveal())?;
        let session = Connection::connect_with_retry(&url, ConnectPolicy::ONCE, |_| {}).await;
        match session {
            Ok(session) => Ok((session, name)),
            Err(failure) => {
                drop_role(connection, &name, database, owner).await?;
                Err(failure)
            }
        }
    }

    /// Drops the role after `empty` has emptied the database, and returns the session of the role that the user named.
    pub(super) async fn drop_after(
        mut self,
        empty: impl AsyncFnOnce(&mut Connection) -> Result<(), Failure>,
    ) -> Result<Connection, Failure> {
        empty(&mut self.named).await?;
        drop_role(&mut self.named, &self.name, &self.database, &self.owner).await?;
        Ok(self.named)
    }
}

/// Drops roles that runs on this database left (by name, comment and rights), and returns the owner that the database had before the first of them.
async fn drop_left_roles(
    connection: &mut Connection,
    database: &Identifier,
) -> Result<Option<Identifier>, Failure> {
    let mark = format!("{MARK}{} ", database.quoted());
    let sql = format!(
        "SELECT r.rolname::text AS name, pg_catalog.substr(c.comment, {}) AS owner FROM pg_catalog.pg_roles r, \
         LATERAL (SELECT pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment) c \
         WHERE pg_catalog.starts_with(c.comment, {}) AND r.rolname ~ '^tenure_shadow_[0-9a-f]{{32}}$' \
             AND NOT (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication)",
        mark.chars().count() + 1,
        literal(&mark)
    );
    let sets = connection.query_batch(&sql).await.map_err(doing)?;
    let mut first = None;
    for row in sets.iter().flatten() {
        let (name, owner) = (Identifier::new(row.text("name")?)?, Identifier::new(row.text("owner")?)?);
        drop_role(connection, &name, database, &owner).await?;
        first.get_or_insert(owner);
    }
    Ok(first)
}

async fn drop_role(
    connection: &mut Connection,
    name: &Identifier,
    database: &Identifier,
    owner: &Identifier,
) -> Result<(), Failure> {
    let sql = format!(
        "ALTER DATABASE {} OWNER TO {}; ALTER SCHEMA public OWNER TO CURRENT_USER; DROP SCHEMA IF EXISTS pg_tenure CASCADE; \
         DROP OWNED BY {name}; DROP ROLE {name}",
        database.quoted(),
        owner.quoted(),
        name = name.quoted()
    );
    let dropped = connection.run(&sql).await;
    dropped.map_err(|server_error| server_error.failure("dropping the role of a shadow"))
}
