//! The throwaway database: a new one on a server, or an empty one that was given. What it held when it was
//! found is what it holds in the end: nothing.

use uuid::Uuid;

use crate::error::{Code, Failure};
use crate::ident::literal;
use crate::postgres::{Connection, DatabaseUrl};

/// The names of databases that we make begin so.
const PREFIX: &str = "tenure_shadow_";

/// The comment on a database that was given and that we have used: it may be emptied.
const MARK: &str = "a shadow of tenure: emptied whenever it is used";

/// A database to try things on.
#[derive(Debug)]
pub struct Shadow {
    /// To it.
    pub connection: Connection,
    end: End,
}

/// What becomes of it.
#[derive(Debug)]
enum End {
    /// It is dropped.
    Drop { server: Box<Connection>, name: String },
    /// It is emptied.
    Empty,
}

impl Shadow {
    /// A new database on the server of `url`, which must allow to make one.
    pub async fn made(url: &DatabaseUrl) -> Result<Self, Failure> {
        let mut server = Connection::open(url).await?;
        remove_leftovers(&mut server).await?;
        let name = format!("{PREFIX}{}", Uuid::new_v4().simple());
        server
            .run(&format!("CREATE DATABASE {name} TEMPLATE template0"))
            .await
            .map_err(|refusal| refusal.failure("making a shadow database"))?;
        let connection = Connection::open(&url.with_database(&name)).await?;
        Ok(Self { connection, end: End::Drop { server: Box::new(server), name } })
    }

    /// The database of `url`, if it is empty or was a shadow before.
    pub async fn given(url: &DatabaseUrl) -> Result<Self, Failure> {
        let mut connection = Connection::open(url).await?;
        let sql = format!(
            "SELECT coalesce(shobj_description(oid, 'pg_database'), '') = {} AS marked, \
             EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d \
              WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')) \
             OR EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')) \
             OR EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d \
              WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')) AS holds \
             FROM pg_catalog.pg_database WHERE datname = current_database()",
            literal(MARK)
        );
        let sets = connection.sets(&sql).await.map_err(|refusal| refusal.failure("looking at the shadow"))?;
        let row = sets.first().and_then(|rows| rows.first());
        let (marked, holds) = match row {
            Some(row) => (row.truth("marked")?, row.truth("holds")?),
            None => (false, true),
        };
        if holds && !marked {
            return Err(Failure::new(
                Code::ShadowNotEmpty,
                format!(
                    "the shadow database {:?} is not empty, and Tenure did not make what is in it",
                    url.database()
                ),
            )
            .hint("name an empty database: all that it holds is thrown away"));
        }
        let mut shadow = Self { connection, end: End::Empty };
        shadow.empty().await?;
        Ok(shadow)
    }

    /// Throws away what is in it.
    async fn empty(&mut self) -> Result<(), Failure> {
        let sql = format!(
            "DO $$ DECLARE a_name text; BEGIN \
             EXECUTE format('COMMENT ON DATABASE %I IS %L', current_database(), {}); \
             FOR a_name IN SELECT nspname FROM pg_catalog.pg_namespace \
               WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP \
               EXECUTE format('DROP SCHEMA %I CASCADE', a_name); END LOOP; \
             CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO CURRENT_USER; GRANT USAGE ON SCHEMA public TO PUBLIC; END $$",
            literal(MARK)
        );
        self.connection.run(&sql).await.map_err(|refusal| refusal.failure("emptying the shadow"))
    }

    /// Throws it away.
    pub async fn close(mut self) -> Result<(), Failure> {
        if matches!(self.end, End::Empty) {
            self.empty().await?;
        }
        self.connection.close().await;
        if let End::Drop { mut server, name } = self.end {
            let dropped = server.run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            server.close().await;
            dropped.map_err(|refusal| refusal.failure("dropping the shadow"))?;
        }
        Ok(())
    }
}

/// Shadows that a program left which was killed. One that is in use stays.
async fn remove_leftovers(server: &mut Connection) -> Result<(), Failure> {
    let doing = "looking for shadows that were left behind";
    let sql = format!(
        "SELECT d.datname::text AS name FROM pg_catalog.pg_database d WHERE starts_with(d.datname::text, '{PREFIX}') \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)"
    );
    let sets = server.sets(&sql).await.map_err(|refusal| refusal.failure(doing))?;
    for row in sets.iter().flatten() {
        // Another run may be about to use it, or drop it: then the server refuses, rightly.
        let _dropped = server.run(&format!("DROP DATABASE IF EXISTS {}", row.text("name")?)).await;
    }
    Ok(())
}
