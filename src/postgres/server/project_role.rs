//! The role of a project's statements on its private server. It owns the database and may create roles and databases, but is not a
//! superuser: it can neither run programs nor read files with the rights of the user who runs Tenure.
//!
//! **Invariant:** the database belongs to the role only if the superuser has created nothing in it that the role may use or change.

use super::{Address, DATABASE, PROJECT_ROLE, ROLE, server_failure};
use crate::error::{Code, Failure};
use crate::ident::{Identifier, literal};
use crate::postgres::batch::OWN_PATH;
use crate::postgres::{Connection, DatabaseUrl, RestrictedRole, Superuser, SuperuserRuns};
use crate::sql::extension_acts_on_server_host;

const SETUP: &str = include_str!("project_role.sql");

/// Who owns the database, and whether it contains objects. OIDs of built-in objects are below 16384 (manual, chapter 70.2.2, "OID
/// Assignment").
const STATE: &str = "SELECT pg_catalog.pg_get_userbyid(datdba)::pg_catalog.text AS owner, \
        EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_') \
        OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid >= 16384) OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE oid >= 16384) \
        OR EXISTS (SELECT FROM pg_catalog.pg_extension WHERE oid >= 16384) AS is_used \
    FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()";

/// Whether there is an object that is no part of an extension, so that it could take part in the script of one.
const HAS_CODE: &str = "SELECT EXISTS (SELECT FROM (SELECT 'pg_proc'::regclass AS class, oid, pronamespace AS home FROM pg_proc \
        UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace FROM pg_operator \
        UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace FROM pg_type \
        UNION ALL SELECT 'pg_class'::regclass, oid, relnamespace FROM pg_class WHERE relkind NOT IN ('i', 'I', 'S', 't') \
        UNION ALL SELECT 'pg_cast'::regclass, oid, 0 FROM pg_cast) o \
    WHERE oid >= 16384 AND home IS DISTINCT FROM to_regnamespace('pg_tenure')::oid AND NOT EXISTS (SELECT FROM pg_depend d \
        WHERE d.classid = class AND d.objid = o.oid AND d.deptype IN ('e', 'i'))) AS has_code";

impl Address {
    /// The URL of the role in the project's database.
    pub(super) fn project_url(&self) -> String {
        self.url_of(PROJECT_ROLE, DATABASE)
    }

    async fn superuser(&self) -> Result<Connection, Failure> {
        let mut connection = Connection::open(&DatabaseUrl::parse(&self.url(DATABASE))?).await?;
        let set = connection.run(&format!("SET search_path = {OWN_PATH}")).await;
        set.map_err(|server_error| server_error.failure("preparing the private server"))?;
        Ok(connection)
    }

    /// The role, which exists.
    pub(super) fn project_role(&self) -> Result<RestrictedRole, Failure> {
        let superuser = Superuser {
            url: DatabaseUrl::parse(&self.url(DATABASE))?,
            name: ROLE.to_owned(),
            runs: SuperuserRuns::Private,
        };
        Ok(RestrictedRole::new(Identifier::new(PROJECT_ROLE)?, Some(superuser)))
    }

    /// Creates the role and gives it the empty database, unless it is there.
    pub(super) async fn ensure_project_role(&self) -> Result<(), Failure> {
        let mut superuser = self.superuser().await?;
        let sets = superuser.query_batch(STATE).await;
        let sets =
            sets.map_err(|server_error| server_error.failure("reading the state of the private server"))?;
        let Some(state) = sets.iter().flatten().next() else {
            return Err(server_failure("the database of the private server has no row in pg_database"));
        };
        if state.text("owner")? == PROJECT_ROLE {
            superuser.close().await;
            return Ok(());
        }
        if state.get_bool("is_used")? {
            return Err(server_failure(
                "the data of the private server were written by its superuser, as an earlier version of Tenure did",
            )
            .hint("delete them with `tenure dev reset`, and run the command again"));
        }
        let (role, database) = (Identifier::new(PROJECT_ROLE)?.quoted(), Identifier::new(DATABASE)?.quoted());
        let sql = SETUP.replace("{role}", &role).replace("{database}", &database);
        self.project_role()?.install(&mut superuser, &sql).await?;
        superuser.close().await;
        Ok(())
    }

    /// Creates the missing extensions as the superuser. Their scripts must not meet objects of the project.
    pub(super) async fn create_extensions(&self, names: &[Identifier]) -> Result<(), Failure> {
        if let Some(name) = names.iter().find(|name| extension_acts_on_server_host(name.as_str())) {
            let message = format!("the extension {name} reaches files, programs or networks");
            return Err(Failure::new(Code::Usage, message)
                .hint("it is not created on a private server; use a PostgreSQL server of your own"));
        }
        let mut superuser = self.superuser().await?;
        for name in names {
            let action = format!("creating the extension {name}");
            let failed = |server_error: crate::postgres::ServerError| server_error.failure(&action);
            let exists = format!(
                "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = {}) AS exists; {HAS_CODE}",
                literal(name.as_str())
            );
            let sets = superuser.query_batch(&exists).await.map_err(failed)?;
            let mut rows = sets.iter().flatten();
            if rows.next().map(|row| row.get_bool("exists")).transpose()? == Some(true) {
                continue;
            }
            if rows.next().map(|row| row.get_bool("has_code")).transpose()? != Some(false) {
                return Err(server_failure(format!(
                    "the extension {name} is only created in an empty database, since its script has the rights of a superuser"
                ))
                .hint(format!(
                    "run `tenure dev reset`, `tenure dev start --extension {name}` and then the migrations"
                )));
            }
            let sql = format!("CREATE EXTENSION {} SCHEMA public CASCADE", name.quoted());
            superuser.run(&sql).await.map_err(failed)?;
        }
        superuser.close().await;
        Ok(())
    }
}
