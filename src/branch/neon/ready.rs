//! Waiting for a branch, and the proof that it is the one: before the first statement the API's own account,
//! then what the server says of itself, then that it knows at which versions it is.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::{
    Database, DatabasesAnswer, Endpoint, OperationAnswer, OperationStatus, OperationsAnswer, UriAnswer,
};
use super::client::Trouble;
use super::make::seen;
use super::progress::{OperationState, operation_state};
use super::refusal::says_capacity;
use super::request::Call;
use super::{Neon, target};
use crate::branch::{Branch, Content, Origin, Urls};
use crate::error::{Code, Failure};
use crate::postgres::metadata::version_state::{self, VersionState};
use crate::postgres::{Backoff, ConnectPolicy, Connection, DatabaseUrl, set_parameters};

/// The pauses between two looks.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(2);

/// A compute that sleeps needs seconds to wake, one that was just made may need more; the time until a branch
/// must be ready bounds it.
const WAKES: ConnectPolicy = ConnectPolicy::times(14);

/// How many sessions may be lost before the first answer.
const SESSIONS: u32 = 3;

impl Neon {
    pub(super) async fn wait_until_ready(&self, branch: &Branch) -> Result<(), Failure> {
        // Whose answer got lost left no operations to wait for; the project knows them.
        if branch.pending.is_empty() {
            self.operations(&self.operations_of(branch).await?).await?;
        } else {
            self.operations(&branch.pending).await?;
        }
        self.settled(branch).await?;
        let endpoints = self.endpoints(&branch.id.0).await;
        let endpoints = endpoints.map_err(|trouble| trouble.failure("asking for the branch's compute"))?;
        let endpoint = target::endpoint(branch, &endpoints)?;
        let urls = self.ways(branch, endpoint).await?;
        let mut tries = 0;
        loop {
            let mut connection = self.answers(&urls.direct).await?;
            let proved = self.fit(&mut connection, branch, endpoint).await;
            connection.close().await;
            match proved {
                // A compute that was just put to sleep ends its sessions, and wakes for the next one.
                Err(failure) if failure.ended_the_session() && tries < SESSIONS => tries += 1,
                proved => return proved,
            }
        }
    }

    /// The URLs of a branch, proved to lead to it.
    pub(super) async fn proved_urls(&self, branch: &Branch) -> Result<Urls, Failure> {
        let noted = self.by_id(&branch.id.0).await;
        target::is_ours(branch, &noted.map_err(|trouble| trouble.failure("looking at the branch"))?)?;
        let endpoints = self.endpoints(&branch.id.0).await;
        let endpoints = endpoints.map_err(|trouble| trouble.failure("asking for the branch's compute"))?;
        self.ways(branch, target::endpoint(branch, &endpoints)?).await
    }

    /// What the project still does for a branch, as far back as one page goes.
    async fn operations_of(&self, branch: &Branch) -> Result<Vec<String>, Failure> {
        let call = Call::get(&["operations"], "waiting for the branch").query("limit", "100");
        let answer: OperationsAnswer =
            self.client.ask(&call).await.map_err(|trouble| trouble.failure(&call.doing))?;
        let going = answer.operations.into_iter().filter(|operation| {
            operation.branch_id.as_deref() == Some(&branch.id.0) && operation.status == OperationStatus::Other
        });
        Ok(going.map(|operation| operation.id).collect())
    }

    async fn operations(&self, pending: &[String]) -> Result<(), Failure> {
        let (mut failed_since, mut pauses) =
            (HashMap::<&str, Instant>::new(), Backoff::steady(FIRST, LONGEST));
        let mut pending: Vec<&str> = pending.iter().map(String::as_str).collect();
        while !pending.is_empty() {
            let mut going = Vec::new();
            for id in pending {
                let call = Call::get(&["operations", id], "waiting for the branch");
                let operation = match self.client.ask::<OperationAnswer>(&call).await {
                    Ok(answer) => answer.operation,
                    // Old ones vanish; the branch itself says the rest.
                    Err(trouble) if trouble.is_absence() => continue,
                    Err(trouble) => return Err(trouble.failure(&call.doing)),
                };
                let failed_for = failed_since.get(id).map_or(Duration::ZERO, Instant::elapsed);
                match operation_state(&operation, failed_for) {
                    OperationState::Done => {}
                    OperationState::Going => {
                        failed_since.remove(id);
                        going.push(id);
                    }
                    OperationState::Faltering => {
                        failed_since.entry(id).or_insert_with(Instant::now);
                        going.push(id);
                    }
                    OperationState::Dead(failure) => return Err(failure),
                }
            }
            pending = going;
            if !pending.is_empty() {
                pauses.pause().await;
            }
        }
        Ok(())
    }

    /// Waits while the branch says that it is being made, and proves that it is ours.
    async fn settled(&self, branch: &Branch) -> Result<(), Failure> {
        let mut pauses = Backoff::steady(FIRST, LONGEST);
        loop {
            let noted = self.by_id(&branch.id.0).await;
            let noted = noted.map_err(|trouble| trouble.failure("looking at the branch"))?;
            target::is_ours(branch, &noted)?;
            // A state that nobody knows may be the last one.
            if !matches!(noted.branch.current_state.as_deref(), Some("init" | "resetting")) {
                self.ready.replace(Some((branch.id.clone(), seen(&noted, Origin::Found).created_at)));
                return Ok(());
            }
            pauses.pause().await;
        }
    }

    /// The direct and the pooled URL, both proved to lead to this compute.
    async fn ways(&self, branch: &Branch, endpoint: &Endpoint) -> Result<Urls, Failure> {
        let (database, role) = self.database_and_role(&branch.id.0).await?;
        let direct = self.way(branch, endpoint, (&database, &role), false).await?;
        let pooled = match self.way(branch, endpoint, (&database, &role), true).await {
            Ok(pooled) => (pooled.reveal() != direct.reveal()).then_some(pooled),
            // What leads elsewhere is no small matter; that there is no pooler is.
            Err(failure) if failure.code == Code::BranchTarget => return Err(failure),
            Err(_) => None,
        };
        Ok(Urls { direct, pooled })
    }

    async fn way(
        &self,
        branch: &Branch,
        endpoint: &Endpoint,
        (database, role): (&str, &str),
        pooled: bool,
    ) -> Result<DatabaseUrl, Failure> {
        let call = Call::uri(&branch.id.0, database, role, pooled);
        let answer: UriAnswer = match self.client.ask(&call).await {
            Ok(answer) => answer,
            Err(Trouble::Refused(refused)) if refused.status == 412 => {
                return Err(refused.failure(&call.doing).hint(
                    "the project keeps no passwords: switch that on in its settings, or use a role that has one",
                ));
            }
            Err(trouble) => return Err(trouble.failure(&call.doing)),
        };
        target::leads_to(&host_of(&answer.uri)?, endpoint, branch)?;
        self.url(&answer.uri)
    }

    /// What the API gave, with the `sslmode` that is wanted.
    fn url(&self, given: &str) -> Result<DatabaseUrl, Failure> {
        match (self.sslmode, url::Url::parse(given)) {
            (Some(mode), Ok(mut url)) => {
                let others = url.query_pairs().into_owned().filter(|(name, _)| name != "sslmode");
                let mode = ("sslmode".to_owned(), mode.as_str().to_owned());
                let all: Vec<_> = others.chain([mode]).collect();
                set_parameters(&mut url, &all);
                DatabaseUrl::parse(url.as_str())
            }
            // What is no URL is told of as such.
            _ => DatabaseUrl::parse(given),
        }
    }

    async fn database_and_role(&self, branch: &str) -> Result<(String, String), Failure> {
        let call = Call::get(&["branches", branch, "databases"], "asking for the branch's databases");
        let answer: DatabasesAnswer =
            self.client.ask(&call).await.map_err(|trouble| trouble.failure(&call.doing))?;
        choose(&answer.databases, self.database.as_deref(), self.role.as_deref())
    }

    /// Connects, as soon as the compute is awake.
    async fn answers(&self, url: &DatabaseUrl) -> Result<Connection, Failure> {
        Connection::connect_with_retry(url, WAKES, |_why| {}).await.map_err(|failure| {
            if says_capacity(&failure.message) {
                return Failure { code: Code::BranchCapacity, ..failure };
            }
            failure
        })
    }

    /// That the server is the branch's, and that it knows at which versions it is.
    async fn fit(
        &self,
        connection: &mut Connection,
        branch: &Branch,
        endpoint: &Endpoint,
    ) -> Result<(), Failure> {
        let question = "SELECT current_setting('neon.endpoint_id', true) AS endpoint, \
                        current_setting('neon.branch_id', true) AS branch";
        let sets = connection.query_batch(question).await;
        let sets = sets.map_err(|refusal| refusal.failure("asking the branch where it is"))?;
        if let Some(row) = sets.first().and_then(|rows| rows.first()) {
            let (by_endpoint, by_branch) = (row.optional_text("endpoint")?, row.optional_text("branch")?);
            target::server_says(by_endpoint.as_deref(), by_branch.as_deref(), endpoint, branch)?;
        }
        if version_state::look(connection, &self.platform).await? != VersionState::Empty {
            return Ok(());
        }
        let Some(parent) = branch.parent.as_deref().filter(|_| branch.content == Content::Schema) else {
            return Err(no_ledger(branch, "and neither has what it is a copy of"));
        };
        let mut source = match self.parent_connection(parent).await {
            Ok(source) => source,
            Err(failure) => {
                return Err(no_ledger(branch, &format!("and its parent cannot be read ({failure})")));
            }
        };
        let seeded = version_state::seed(&mut source, connection, &self.platform).await;
        source.close().await;
        match seeded? {
            VersionState::There => Ok(()),
            VersionState::Empty | VersionState::Absent => {
                Err(no_ledger(branch, "and neither has what it is a copy of"))
            }
        }
    }

    /// A connection to the parent, which is only read.
    async fn parent_connection(&self, parent: &str) -> Result<Connection, Failure> {
        let (database, role) = self.database_and_role(parent).await?;
        let call = Call::uri(parent, &database, &role, false);
        let answer: UriAnswer =
            self.client.ask(&call).await.map_err(|trouble| trouble.failure(&call.doing))?;
        self.answers(&self.url(&answer.uri)?).await
    }
}

fn no_ledger(branch: &Branch, why: &str) -> Failure {
    let message = format!(
        "the branch {} has the platform's tables without the rows that say its version, {why}: \
         it would be migrated from 0.0.0",
        branch.name
    );
    Failure::new(Code::BranchEmptyLedger, message)
        .hint("make it of a branch that has its rows (`--parent`), without --schema-only")
}

/// Where a URL leads: its host, unless a parameter names another.
fn host_of(uri: &str) -> Result<String, Failure> {
    // The URL is not quoted: it holds a password.
    let unclear = || Failure::new(Code::BranchApi, "Neon's connection string cannot be understood");
    let url = url::Url::parse(uri).map_err(|_| unclear())?;
    let named = url.query_pairs().find(|(key, _)| key == "host").map(|(_, value)| value.into_owned());
    named.or_else(|| url.host_str().map(str::to_owned)).ok_or_else(unclear)
}

/// The database and the role to connect with: those of the settings, else the only database and its owner.
fn choose(
    databases: &[Database],
    database: Option<&str>,
    role: Option<&str>,
) -> Result<(String, String), Failure> {
    let names = || databases.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    let hint = "name one in tenure.toml: [branch] database = \"…\"";
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
    fn the_only_database_needs_no_name_and_its_owner_connects() {
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
    fn a_parameter_that_leads_elsewhere_is_seen() {
        assert_eq!(host_of("postgresql://u:p@ep-a.x:5432/d?sslmode=require").unwrap(), "ep-a.x");
        assert_eq!(host_of("postgresql://u:p@ep-a.x/d?host=ep-main.x").unwrap(), "ep-main.x");
        let failure = host_of("postgresql://u:hunter2@").unwrap_err();
        assert!(!failure.message.contains("hunter2"));
    }
}
