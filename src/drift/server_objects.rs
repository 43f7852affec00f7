//! Objects that files may use without creating them: roles of the server and extensions of the database. They are also
//! created on the server on which the expected schemas are created: the roles without privileges, and the extensions only if
//! that server has them available.

use crate::error::Failure;
use crate::ident::{Identifier, literal};
use crate::postgres::server::DATABASE;
use crate::postgres::{Connection, Row, metadata};
use crate::shadow::Shadow;

/// Names of roles and extensions.
#[derive(Debug, Clone, Default)]
pub struct ServerObjects {
    roles: Vec<Identifier>,
    extensions: Vec<(Identifier, Identifier)>,
}

/// All roles except the predefined ones and those of tenants, which no file names.
const ROLES: &str = "SELECT rolname::text AS name FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' \
    AND coalesce(pg_catalog.shobj_description(oid, 'pg_authid'), '') !~ '^tenure: of database ' ORDER BY rolname";
const EXTENSIONS: &str = "SELECT extname::text AS name, nspname::text AS schema \
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY e.oid";

impl ServerObjects {
    /// Reads the roles and extensions.
    pub async fn of(connection: &mut Connection) -> Result<Self, Failure> {
        let sets = connection
            .query_batch(&format!("{ROLES}; {EXTENSIONS}"))
            .await
            .map_err(|server_error| server_error.failure("reading the names of roles and extensions"))?;
        let name = |row: &Row, column| Ok::<_, Failure>(Identifier::new(row.text(column)?)?);
        let mut found = Self::default();
        if let [roles, extensions] = sets.as_slice() {
            for row in roles {
                found.roles.push(name(row, "name")?);
            }
            for row in extensions {
                found.extensions.push((name(row, "name")?, name(row, "schema")?));
            }
        }
        Ok(found)
    }

    /// The extensions with their schemas, in the order of their creation.
    pub fn extensions(&self) -> &[(Identifier, Identifier)] {
        &self.extensions
    }

    /// The names of the extensions.
    pub fn extension_names(&self) -> Vec<String> {
        self.extensions.iter().map(|(extension, _)| extension.as_str().to_owned()).collect()
    }

    /// Creates the missing roles, of which the shadow's role becomes a member, and the missing extensions of the schema `public`.
    /// Extensions in other schemas are created by the files.
    pub async fn create(&self, shadow: &mut Shadow, tenant_roles: &[Identifier]) -> Result<(), Failure> {
        let Some(mut superuser) = shadow.superuser().await? else { return Ok(()) };
        let member = shadow.connection.restricted_role().map(|role| role.name().quoted()).unwrap_or_default();
        let existing = Self::of(&mut superuser).await?;
        let missing = self.roles.iter().filter(|role| !existing.roles.contains(role));
        let mut roles: Vec<_> = missing
            .map(|role| format!("CREATE ROLE {0} NOLOGIN; GRANT {0} TO {member}", role.quoted()))
            .collect();
        roles.extend(tenant_roles.iter().map(|role| {
            let mark = literal(&metadata::roles::mark(DATABASE));
            let role = role.quoted();
            format!("CREATE ROLE {role} NOLOGIN; COMMENT ON ROLE {role} IS {mark}; GRANT {role} TO {member} WITH ADMIN OPTION")
        }));
        if !roles.is_empty() {
            let made = superuser.run(&roles.join("; ")).await;
            made.map_err(|server_error| server_error.failure("creating roles of the same names"))?;
        }
        for (extension, schema) in &self.extensions {
            if schema.as_str() == "public" && !existing.extensions.iter().any(|(other, _)| other == extension)
            {
                let sql = format!("CREATE EXTENSION {} SCHEMA public CASCADE", extension.quoted());
                // A trusted extension belongs to the shadow's role. A failure is ignored here: if the files need the extension,
                // they fail later.
                if shadow.connection.run(&sql).await.is_err() {
                    let _made = superuser.run(&sql).await;
                }
            }
        }
        superuser.close().await;
        Ok(())
    }
}
