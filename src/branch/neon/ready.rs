//! Waits until a branch is ready, and verifies that a connection leads to it. Before it connects, it verifies the branch and
//! its URLs with the API. After that it checks the server's own settings, then the version rows.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::{
    Database, DatabasesAnswer, Endpoint, OperationAnswer, OperationStatus, OperationsAnswer, UriAnswer,
};
use super::client::ApiError;
use super::create::to_branch;
use super::error::is_capacity_message;
use super::progress::{OperationState, operation_state};
use super::request::Call;
use super::{Neon, target};
use crate::branch::{Branch, Content, Origin, Urls};
use crate::error::{Code, Failure};
use crate::postgres::metadata::version_state::{self, VersionState};
use crate::postgres::{Backoff, ConnectPolicy, Connection, DatabaseUrl, set_parameters};

/// The first and the longest pause between polls.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// The retries of a connection: a suspended compute needs seconds to start, and a new one needs longer. The setting `ready_timeout`
/// limits the total time.
const WAKE_POLICY: ConnectPolicy = ConnectPolicy::times(14);

/// How many times verification is repeated after a lost session.
const MAX_LOST_SESSIONS: u32 = 3;

impl Neon {
    /// Waits for the branch's operations, then connects and verifies the server.
    pub(super) async fn wait_until_ready(&self, branch: &Branch) -> Result<(), Failure> {
        // If the answer to the request was lost, the operations are unknown, so those of the project are listed.
        if branch.pending.is_empty() {
            self.wait_for_operations(&self.list_operations(branch).await?).await?;
        } else {
            self.wait_for_operations(&branch.pending).await?;
        }
        self.wait_until_initialized(branch).await?;
        let endpoints = self.endpoints(&branch.id.0).await;
        let endpoints = endpoints.map_err(|api_error| api_error.failure("reading the branch's compute"))?;
        let endpoint = target::endpoint(branch, &endpoints)?;
        let urls = self.urls_of(branch, endpoint).await?;
        let mut lost_sessions = 0;
        loop {
            let mut connection = self.connect(&urls.direct).await?;
            let verified = self.verify_server(&mut connection, branch, endpoint).await;
            connection.close().await;
            match verified {
                // A compute that is being suspended ends its sessions. It starts again for the next connection.
                Err(failure) if failure.session_ended() && lost_sessions < MAX_LOST_SESSIONS => {
                    lost_sessions += 1;
                }
                verified => return verified,
            }
        }
    }

    /// The URLs of a branch, verified to lead to it.
    pub(super) async fn verified_urls(&self, branch: &Branch) -> Result<Urls, Failure> {
        let branch_info = self.find_by_id(&branch.id.0).await;
        target::verify_branch(
            branch,
            &branch_info.map_err(|api_error| api_error.failure("reading the branch"))?,
        )?;
        let endpoints = self.endpoints(&branch.id.0).await;
        let endpoints = endpoints.map_err(|api_error| api_error.failure("reading the branch's compute"))?;
        self.urls_of(branch, target::endpoint(branch, &endpoints)?).await
    }

    /// The unfinished operations of a branch, from the first page of the project's operations.
    async fn list_operations(&self, branch: &Branch) -> Result<Vec<String>, Failure> {
        let call = Call::get(&["operations"], "waiting for the branch").query("limit", "100");
        let answer: OperationsAnswer =
            self.client.call(&call).await.map_err(|api_error| api_error.failure(&call.action))?;
        let running = answer.operations.into_iter().filter(|operation| {
            operation.branch_id.as_deref() == Some(&branch.id.0) && operation.status == OperationStatus::Other
        });
        Ok(running.map(|operation| operation.id).collect())
    }

    /// Polls the operations until all have ended. Fails if one has failed permanently.
    async fn wait_for_operations(&self, pending: &[String]) -> Result<(), Failure> {
        let (mut failed_since, mut pauses) =
            (HashMap::<&str, Instant>::new(), Backoff::steady(FIRST_PAUSE, MAX_PAUSE));
        let mut pending: Vec<&str> = pending.iter().map(String::as_str).collect();
        while !pending.is_empty() {
            let mut running = Vec::new();
            for id in pending {
                let call = Call::get(&["operations", id], "waiting for the branch");
                let operation = match self.client.call::<OperationAnswer>(&call).await {
                    Ok(answer) => answer.operation,
                    // Neon removes old operations. The branch's state is checked later.
                    Err(api_error) if api_error.is_not_found() => continue,
                    Err(api_error) => return Err(api_error.failure(&call.action)),
                };
                let failed_for = failed_since.get(id).map_or(Duration::ZERO, Instant::elapsed);
                match operation_state(&operation, failed_for) {
                    OperationState::Done => {}
                    OperationState::Running => {
                        failed_since.remove(id);
                        running.push(id);
                    }
                    OperationState::Retrying => {
                        failed_since.entry(id).or_insert_with(Instant::now);
                        running.push(id);
                    }
                    OperationState::Failed(failure) => return Err(failure),
                }
            }
            pending = running;
            if !pending.is_empty() {
                pauses.pause().await;
            }
        }
        Ok(())
    }

    /// Waits while the branch is being initialized, and verifies that it is Tenure's.
    async fn wait_until_initialized(&self, branch: &Branch) -> Result<(), Failure> {
        let mut pauses = Backoff::steady(FIRST_PAUSE, MAX_PAUSE);
        loop {
            let branch_info = self.find_by_id(&branch.id.0).await;
            let branch_info = branch_info.map_err(|api_error| api_error.failure("reading the branch"))?;
            target::verify_branch(branch, &branch_info)?;
            // Only these states are temporary. An unknown state may be final, so it ends the wait.
            if !matches!(branch_info.branch.current_state.as_deref(), Some("init" | "resetting")) {
                self.ready
                    .replace(Some((branch.id.clone(), to_branch(&branch_info, Origin::Found).created_at)));
                return Ok(());
            }
            pauses.pause().await;
        }
    }

    /// The direct and the pooled URL, both verified to lead to this compute.
    async fn urls_of(&self, branch: &Branch, endpoint: &Endpoint) -> Result<Urls, Failure> {
        let (database, role) = self.database_and_role(&branch.id.0).await?;
        let direct = self.url_for(branch, endpoint, (&database, &role), false).await?;
        let pooled = match self.url_for(branch, endpoint, (&database, &role), true).await {
            Ok(pooled) => (pooled.reveal() != direct.reveal()).then_some(pooled),
            // A wrong target is an error; a missing pooler is not.
            Err(failure) if failure.code == Code::BranchTarget => return Err(failure),
            Err(_) => None,
        };
        Ok(Urls { direct, pooled })
    }

    /// The direct or the pooled URL, verified to lead to this compute.
    async fn url_for(
        &self,
        branch: &Branch,
        endpoint: &Endpoint,
        (database, role): (&str, &str),
        pooled: bool,
    ) -> Result<DatabaseUrl, Failure> {
        let call = Call::uri(&branch.id.0, database, role, pooled);
        let answer: UriAnswer = match self.client.call(&call).await {
            Ok(answer) => answer,
            Err(ApiError::ErrorResponse(response)) if response.status == 412 => {
                return Err(response.failure(&call.action).hint(
                    "the project does not store passwords: enable that in its settings, or use a role with a stored password",
                ));
            }
            Err(api_error) => return Err(api_error.failure(&call.action)),
        };
        target::verify_host(&host_of(&answer.uri)?, endpoint, branch)?;
        self.url(&answer.uri)
    }

    /// The API's URL with the `sslmode` of the settings.
    fn url(&self, uri: &str) -> Result<DatabaseUrl, Failure> {
        match (self.sslmode, url::Url::parse(uri)) {
            (Some(mode), Ok(mut url)) => {
                let others = url.query_pairs().into_owned().filter(|(name, _)| name != "sslmode");
                let mode = ("sslmode".to_owned(), mode.as_str().to_owned());
                let all: Vec<_> = others.chain([mode]).collect();
                set_parameters(&mut url, &all);
                DatabaseUrl::parse(url.as_str())
            }
            // No setting, or an invalid URL, which `parse` reports.
            _ => DatabaseUrl::parse(uri),
        }
    }

    /// The database and the role for connections to `branch`.
    async fn database_and_role(&self, branch: &str) -> Result<(String, String), Failure> {
        let call = Call::get(&["branches", branch, "databases"], "reading the branch's databases");
        let answer: DatabasesAnswer =
            self.client.call(&call).await.map_err(|api_error| api_error.failure(&call.action))?;
        choose(&answer.databases, self.database.as_deref(), self.role.as_deref())
    }

    /// Connects, with retries until the compute has started.
    async fn connect(&self, url: &DatabaseUrl) -> Result<Connection, Failure> {
        Connection::connect_with_retry(url, WAKE_POLICY, |_why| {}).await.map_err(|failure| {
            if is_capacity_message(&failure.message) {
                return Failure { code: Code::BranchCapacity, ..failure };
            }
            failure
        })
    }

    /// Verifies that the server is the branch and that it has its version rows. If the branch was created with the schema only,
    /// copies these rows from its parent.
    async fn verify_server(
        &self,
        connection: &mut Connection,
        branch: &Branch,
        endpoint: &Endpoint,
    ) -> Result<(), Failure> {
        let question = "SELECT current_setting('neon.endpoint_id', true) AS endpoint, \
                        current_setting('neon.branch_id', true) AS branch";
        let sets = connection.query_batch(question).await;
        let sets = sets.map_err(|error| error.failure("reading the branch's identifiers"))?;
        if let Some(row) = sets.first().and_then(|rows| rows.first()) {
            let (by_endpoint, by_branch) = (row.optional_text("endpoint")?, row.optional_text("branch")?);
            target::verify_server_ids(by_endpoint.as_deref(), by_branch.as_deref(), endpoint, branch)?;
        }
        if version_state::look(connection, &self.platform).await? != VersionState::Empty {
            return Ok(());
        }
        let Some(parent) = branch.parent.as_deref().filter(|_| branch.content == Content::Schema) else {
            return Err(no_version_row(branch, "and its parent has none either"));
        };
        let mut source = match self.parent_connection(parent).await {
            Ok(source) => source,
            Err(failure) => {
                return Err(no_version_row(branch, &format!("and its parent cannot be read ({failure})")));
            }
        };
        let seeded = version_state::seed(&mut source, connection, &self.platform).await;
        source.close().await;
        match seeded? {
            VersionState::There => Ok(()),
            VersionState::Empty | VersionState::Absent => {
                Err(no_version_row(branch, "and its parent has none either"))
            }
        }
    }

    /// A connection to the parent, for reading.
    async fn parent_connection(&self, parent: &str) -> Result<Connection, Failure> {
        let (database, role) = self.database_and_role(parent).await?;
        let call = Call::uri(parent, &database, &role, false);
        let answer: UriAnswer =
            self.client.call(&call).await.map_err(|api_error| api_error.failure(&call.action))?;
        self.connect(&self.url(&answer.uri)?).await
    }
}

/// The failure for a branch with empty version tables.
fn no_version_row(branch: &Branch, why: &str) -> Failure {
    let message = format!(
        "the branch {} has the platform's tables without version rows, {why}: \
         it would be migrated from 0.0.0",
        branch.name
    );
    Failure::new(Code::BranchEmptyLedger, message)
        .hint("create it from a branch with rows (`--parent`), without --schema-only")
}

/// The host of a URL. The parameter `host` takes precedence, as in libpq.
fn host_of(uri: &str) -> Result<String, Failure> {
    // The message does not contain the URL, which contains a password.
    let unclear = || Failure::new(Code::BranchApi, "Neon's connection string is invalid");
    let url = url::Url::parse(uri).map_err(|_| unclear())?;
    let named = url.query_pairs().find(|(key, _)| key == "host").map(|(_, value)| value.into_owned());
    named.or_else(|| url.host_str().map(str::to_owned)).ok_or_else(unclear)
}

/// The database and the role of the connection: those of the settings, else the only database and its owner.
fn choose(
    databases: &[Database],
    database: Option<&str>,
    role: Option<&str>,
) -> Result<(String, String), Failure> {
    let names = || databases.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    let hint = "set one in tenure.toml: [branch] database = \"…\"";
    let chosen = match (database, databases) {
        (Some(name), _) => databases.iter().find(|one| one.name == name).ok_or_else(|| {
            let message = format!("the branch has no database {name:?}; it has: {}", names());
            Failure::new(Code::Settings, message).hint(hint)
        })?,
        (None, [only]) => only,
        (None, []) => return Err(Failure::new(Code::BranchNotReady, "the branch has no database")),
        (None, _) => {
            let message = format!("the branch has several databases: {}", names());
            return Err(Failure::new(Code::Settings, message).hint(hint));
        }
    };
    Ok((chosen.name.clone(), role.unwrap_or(&chosen.owner_name).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn databases(names: &[&str]) -> Vec<Database> {
        names
            .iter()
            .map(|&name| Database { name: name.to_owned(), owner_name: format!("{name}_owner") })
            .collect()
    }

    #[test]
    fn the_only_database_and_its_owner_are_the_default() {
        let only = databases(&["neondb"]);
        let chosen = |list, database, role| choose(list, database, role).map_err(|failure| failure.code);
        let pair = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        assert_eq!(chosen(&only, None, None), pair("neondb", "neondb_owner"));
        assert_eq!(chosen(&only, None, Some("ci")), pair("neondb", "ci"));
        let two = databases(&["app", "metrics"]);
        assert_eq!(chosen(&two, Some("metrics"), None), pair("metrics", "metrics_owner"));
        assert_eq!(chosen(&two, None, None), Err(Code::Settings));
        assert_eq!(chosen(&two, Some("ap"), None), Err(Code::Settings));
        assert_eq!(chosen(&[], None, None), Err(Code::BranchNotReady));
        assert!(choose(&two, None, None).unwrap_err().message.ends_with("app, metrics"));
    }

    #[test]
    fn a_host_parameter_overrides_the_host() {
        assert_eq!(host_of("postgresql://u:p@ep-a.x:5432/d?sslmode=require").unwrap(), "ep-a.x");
        assert_eq!(host_of("postgresql://u:p@ep-a.x/d?host=ep-main.x").unwrap(), "ep-main.x");
        let failure = host_of("postgresql://u:hunter2@").unwrap_err();
        assert!(!failure.message.contains("hunter2"));
    }
}
