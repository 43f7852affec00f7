//! A Neon of a test's own: API v2 on 127.0.0.1, whose branches are real databases behind endpoints that
//! wake, refuse and pool as Neon's do. It holds the test's database as its default branch `main`.

mod api;
mod change;
mod fault;
mod relay;
mod serve;
mod settings;
mod spec;
mod state;

use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

pub use fault::{Fault, Seen, Verb};
pub use settings::{SchemaReplay, Settings};
pub use state::PROJECT;

use super::{Database, Output, Pooler, Project};
use fault::Planted;
use state::{Branch, Copy, CopyDatabase, State};

use crate::support::Finish as _;

use crate::support::LIMIT;

/// What every path of the API begins with.
const BASE: &str = "/api/v2";

/// Again and again.
pub const ALWAYS: usize = usize::MAX;

/// What the server's tasks hold.
#[derive(Debug, Clone)]
struct Shared {
    state: Arc<Mutex<State>>,
    runtime: Handle,
    /// The folders of the sockets.
    server: String,
    pooler: Option<String>,
}

impl Shared {
    fn note(&self, what: String) {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).violations.push(what);
    }
}

/// The server. At its end it insists that all that it saw and said was as the specification has it.
#[derive(Debug)]
pub struct Neon {
    shared: Shared,
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _pooler: Option<Pooler>,
}

impl Neon {
    /// Starts one with `db` as the branch `main`.
    pub fn start(db: &Database) -> Self {
        Self::with(db, |_| {})
    }

    /// Starts one as the test wants it.
    pub fn with(db: &Database, change: impl FnOnce(&mut Settings)) -> Self {
        let pooler = Pooler::start(db);
        let (started, port) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let (server, folder) = (db.socket_folder().to_owned(), pooler.as_ref().map(Pooler::folder));
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let shared =
                    Shared { state: Arc::default(), runtime: Handle::current(), server, pooler: folder };
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                started.send((listener.local_addr().unwrap().port(), shared.clone())).unwrap();
                let router = axum::Router::new().fallback(serve::request).with_state(shared);
                tokio::select! {
                    served = axum::serve(listener, router) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        let (port, shared) = port.recv_timeout(LIMIT).unwrap();
        let neon = Self { shared, port, stop: Some(stop), thread: Some(thread), _pooler: pooler };
        change(&mut neon.state().settings);
        let main = neon.plain_branch("main", None, true);
        {
            let state = &mut *neon.state();
            let mut endpoint = change::endpoint(&neon.shared, state, &Value::Null);
            endpoint.refusals = 0;
            let passwords = change::passwords(state);
            let branch = state.branch_mut(&main).unwrap();
            branch.endpoints.push(endpoint);
            branch.passwords = passwords;
            branch.copies.push(Copy { name: "neondb".to_owned(), real: CopyDatabase::Lent(db.lend()) });
            branch.sign();
        }
        neon
    }

    /// What it holds, to look at and to change.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    /// A branch that somebody else made, without an endpoint or a database; its id.
    pub fn foreign(&self, name: &str) -> String {
        let main = self.id_of("main");
        self.plain_branch(name, Some(main), false)
    }

    /// A branch that somebody else made of one of ours.
    pub fn child_of(&self, parent: &str, name: &str) {
        let parent = self.id_of(parent);
        self.plain_branch(name, Some(parent), false);
    }

    fn plain_branch(&self, name: &str, parent: Option<String>, default: bool) -> String {
        let mut state = self.state();
        let (id, now) = (change::word("br"), state.now());
        state.branches.push(Branch {
            id: id.clone(),
            name: name.to_owned(),
            parent,
            parent_lsn: None,
            default,
            protected: false,
            init_source: "parent-data".to_owned(),
            created: now,
            updated: now,
            expires: None,
            ttl: None,
            reset: None,
            deleted: None,
            state: None,
            annotation: Map::new(),
            copies: Vec::new(),
            passwords: std::collections::BTreeMap::new(),
            endpoints: Vec::new(),
        });
        id
    }

    /// Another database of `main`, with the same rows.
    pub fn second_database(&self, name: &str) {
        let mut state = self.state();
        let main = state.branches.first_mut().unwrap();
        let real = CopyDatabase::Own(Database::branch_of(&main.copies[0].real, false));
        main.copies.push(Copy { name: name.to_owned(), real });
    }

    /// Another role on `main`, which is the same to the real server.
    pub fn second_role(&self, name: &str) {
        let mut state = self.state();
        state.settings.roles.push((name.to_owned(), "tenure".to_owned()));
        let passwords = change::passwords(&state);
        state.branches.first_mut().unwrap().passwords.extend(passwords);
    }

    /// Spoils the next `times` requests of a kind.
    pub fn plant(&self, verb: Verb, times: usize, fault: Fault) -> &Self {
        self.state().faults.push(Planted { verb, times, fault });
        self
    }

    /// What the next start of a compute goes through: `scheduling failed running finished`.
    pub fn course(&self, states: &str, error: Option<&str>) -> &Self {
        let states = states.split_whitespace().map(str::to_owned).collect();
        self.state().settings.courses.insert(0, SchemaReplay { states, error: error.map(str::to_owned) });
        self
    }

    /// Moves its clock on.
    pub fn later(&self, time: Duration) -> &Self {
        let mut state = self.state();
        state.ahead += time;
        state.reap();
        drop(state);
        self
    }

    /// Its clock and ours differ by that: what it says now is so many seconds after our time.
    pub fn skew(&self, seconds: i64) -> &Self {
        self.state().ahead = time::Duration::seconds(seconds);
        self
    }

    /// A time so far from now as `Retry-After` may say it.
    pub fn http_date(&self, from_now: Duration) -> String {
        state::http_date(self.state().now() + from_now)
    }

    /// Changes the branch of a name, such as to protect it.
    pub fn protect(&self, name: &str) -> &Self {
        let id = self.id_of(name);
        self.state().branch_mut(&id).unwrap().protected = true;
        self
    }

    /// The names of the branches that are there, but `main`.
    pub fn branches(&self) -> Vec<String> {
        let mut state = self.state();
        state.reap();
        state.living().filter(|branch| !branch.default).map(|branch| branch.name.clone()).collect()
    }

    /// How many branches were ever made, whatever became of them.
    pub fn ever_made(&self) -> usize {
        self.state().branches.len() - 1
    }

    /// The id of a branch.
    pub fn id_of(&self, name: &str) -> String {
        self.state().named(name).unwrap_or_else(|| panic!("no branch {name}")).id.clone()
    }

    /// A branch as the API tells of it.
    pub fn branch_json(&self, name: &str) -> Value {
        let state = self.state();
        let branch = state.named(name).unwrap_or_else(|| panic!("no branch {name}"));
        state.branch_json(branch)
    }

    /// What is written on a branch.
    pub fn annotation(&self, name: &str) -> Map<String, Value> {
        self.state().named(name).unwrap_or_else(|| panic!("no branch {name}")).annotation.clone()
    }

    /// The real database of a branch, to look into; it is the branch's.
    pub fn database(&self, name: &str) -> std::mem::ManuallyDrop<Database> {
        self.state().named(name).unwrap_or_else(|| panic!("no branch {name}")).copies[0].real.lend()
    }

    /// Something is under way on a branch.
    pub fn is_busy(&self, name: &str) -> bool {
        let id = self.id_of(name);
        self.state().is_busy(&id)
    }

    /// What was against the specification so far; it is forgiven.
    pub fn forgive(&self) -> Vec<String> {
        std::mem::take(&mut self.state().violations)
    }

    /// The URL of a branch's database as `connection_uri` says it.
    pub fn url(&self, name: &str, pooled: bool) -> String {
        let state = self.state();
        let branch = state.named(name).unwrap_or_else(|| panic!("no branch {name}"));
        let role = &state.settings.roles[0].0;
        api::uri(&branch.endpoints[0], role, &branch.passwords[role], &branch.copies[0].name, pooled)
    }

    /// Every password and key that must never be seen.
    pub fn secrets(&self) -> Vec<String> {
        let state = self.state();
        let passwords = state.branches.iter().flat_map(|branch| branch.passwords.values().cloned());
        passwords.chain([state.settings.key.clone()]).collect()
    }

    /// All requests of a kind, in order.
    pub fn seen(&self, verb: Verb) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.verb == verb).collect()
    }

    /// All requests, in order.
    pub fn requests(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// The API's base, as `NEON_API_HOST` has it.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}{BASE}", self.port)
    }

    /// What a program needs to find it.
    pub fn environment(&self) -> [(&'static str, String); 3] {
        let key = self.state().settings.key.clone();
        [("NEON_API_KEY", key), ("NEON_API_HOST", self.base()), ("NEON_PROJECT_ID", PROJECT.to_owned())]
    }

    /// Runs the program of a project against it.
    pub fn run(&self, project: &Project, line: &str) -> Output {
        let mut command = project.command(line.split_whitespace());
        command.envs(self.environment());
        Output::of(&command.finish())
    }

    /// Whether the specification is there.
    pub fn is_checked() -> bool {
        spec::Spec::read().is_some()
    }

    /// Whether there is a pooler behind the pooled hosts.
    pub fn pools(&self) -> bool {
        self.shared.pooler.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Neon {
    fn drop(&mut self) {
        let _told = self.stop.take().map(|stop| stop.send(()));
        let ended = self.thread.take().map(JoinHandle::join);
        let mut state = self.state();
        // Databases are dropped here, where no runtime is.
        state.branches.clear();
        if !std::thread::panicking() {
            assert!(state.violations.is_empty(), "against the specification: {:#?}", state.violations);
            assert!(!matches!(ended, Some(Err(_))), "the test server ended");
        }
    }
}
