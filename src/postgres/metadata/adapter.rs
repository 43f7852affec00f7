//! Implements refinery's three traits on a sqlx connection. The caller begins and commits the transaction around the runner,
//! since all migrations must run in one transaction and refinery uses one per migration.

use refinery::Migration;
use refinery_core::AsyncMigrate;
use refinery_core::traits::r#async::{AsyncQuery, AsyncTransaction};
use sqlx::{AssertSqlSafe, Executor, Row};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::postgres::Connection;

/// A connection that refinery can use.
pub(super) struct Adapter<'a>(pub(super) &'a mut Connection);

impl AsyncTransaction for Adapter<'_> {
    type Error = sqlx::Error;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, sqlx::Error> {
        let mut count = 0;
        for query in queries {
            self.0.driver().execute(sqlx::raw_sql(AssertSqlSafe(query.to_owned()))).await?;
            count += 1;
        }
        Ok(count)
    }
}

impl AsyncQuery<Vec<Migration>> for Adapter<'_> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, sqlx::Error> {
        let rows = sqlx::raw_sql(AssertSqlSafe(query.to_owned())).fetch_all(self.0.driver()).await?;
        rows.iter()
            .map(|row| {
                let applied_on: String = row.try_get("applied_on")?;
                let checksum: String = row.try_get("checksum")?;
                Ok(Migration::applied(
                    row.try_get("version")?,
                    row.try_get("name")?,
                    OffsetDateTime::parse(&applied_on, &Rfc3339).map_err(decode)?,
                    checksum.parse().map_err(decode)?,
                ))
            })
            .collect()
    }
}

impl AsyncMigrate for Adapter<'_> {}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
