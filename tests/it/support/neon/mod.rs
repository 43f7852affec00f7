//! A fake Neon per test: API v2 on 127.0.0.1, with real databases as branches behind endpoints that wake, reject and pool
//! connections like Neon's. The test's database is its default branch `main`.

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

/// The path prefix of the API.
const BASE: &str = "/api/v2";

/// Without a limit.
pub const ALWAYS: usize = usize::MAX;

/// The state that the server's tasks share.
#[derive(Debug, Clone)]
struct Shared {
    state: Arc<Mutex<State>>,
    runtime: Handle,
    /// The folder of the server's socket, and of the pooler's.
    server: String,
    pooler: Option<String>,
}

impl Shared {
    fn note(&self, what: String) {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).violations.push(what);
    }
}

/// The server. When dropped, it asserts that all requests and responses conformed to the specification.
#[derive(Debug)]
pub struct Neon {
    shared: Shared,
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _pooler: Option<Pooler>,
}

impl Neon {
    /// Starts a server with `db` as the branch `main`.
    pub fn start(db: &Database) -> Self {
        Self::with(db, |_| {})
    }

    /// Starts a server with these settings.
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

    /// Changes the settings.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    /// Adds a branch of another user, without an endpoint or a database. Returns its id.
    pub fn foreign(&self, name: &str) -> String {
        let main = self.id_of("main");
        self.plain_branch(name, Some(main), false)
    }

    /// Adds a child of `parent`, created by another user.
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

    /// Adds a database to `main`, with the same rows.
    pub fn second_database(&self, name: &str) {
        let mut state = self.state();
        let main = state.branches.first_mut().unwrap();
        let real = CopyDatabase::Own(Database::branch_of(&main.copies[0].real, false));
        main.copies.push(Copy { name: name.to_owned(), real });
    }

    /// Adds a role to `main`; it maps to the same role of the real server.
    pub fn second_role(&self, name: &str) {
        let mut state = self.state();
        state.settings.roles.push((name.to_owned(), "tenure".to_owned()));
        let passwords = change::passwords(&state);
        state.branches.first_mut().unwrap().passwords.extend(passwords);
    }

    /// Adds a fault for the next `times` requests of an operation.
    pub fn plant(&self, verb: Verb, times: usize, fault: Fault) -> &Self {
        self.state().faults.push(Planted { verb, times, fault });
        self
    }

    /// Sets the states of the next start of a compute: `scheduling failed running finished`.
    pub fn course(&self, states: &str, error: Option<&str>) -> &Self {
        let states = states.split_whitespace().map(str::to_owned).collect();
        self.state().settings.courses.insert(0, SchemaReplay { states, error: error.map(str::to_owned) });
        self
    }

    /// Advances the clock.
    pub fn later(&self, time: Duration) -> &Self {
        let mut state = self.state();
        state.ahead += time;
        state.reap();
        drop(state);
        self
    }

    /// Sets the difference between its clock and the real one, in seconds.
    pub fn skew(&self, seconds: i64) -> &Self {
        self.state().ahead = time::Duration::seconds(seconds);
        self
    }

    /// The time after `from_now`, in the format of `Retry-After`.
    pub fn http_date(&self, from_now: Duration) -> String {
        state::http_date(self.state().now() + from_now)
    }

    /// Renames a branch, as another user of the project may.
    pub fn rename(&self, name: &str, new: &str) -> &Self {
        let id = self.id_of(name);
        new.clone_into(&mut self.state().branch_mut(&id).unwrap().name);
        self
    }

    /// Protects a branch.
    pub fn protect(&self, name: &str) -> &Self {
        let id = self.id_of(name);
        self.state().branch_mut(&id).unwrap().protected = true;
        self
    }

    /// The names of the existing branches except `main`.
    pub fn branches(&self) -> Vec<String> {
        let mut state = self.state();
        state.reap();
        state.living().filter(|branch| !branch.default).map(|branch| branch.name.clone()).collect()
    }

    /// The number of branches created so far, including deleted ones.
    pub fn ever_made(&self) -> usize {
        self.state().branches.len() - 1
    }

    /// The id of a branch.
    pub fn id_of(&self, name: &str) -> String {
        self.state().named(name).unwrap_or_else(|| panic!("no branch {name}")).id.clone()
    }

    /// A branch in the API's format.
    pub fn branch_json(&self, name: &str) -> Value {
        let state = self.state();
        let branch = state.named(name).unwrap_or_else(|| panic!("no branch {name}"));
        state.branch_json(branch)
    }

    /// The annotations of a branch.
    pub fn annotation(&self, name: &str) -> Map<String, Value> {
        self.state().named(name).unwrap_or_else(|| panic!("no branch {name}")).annotation.clone()
    }

    /// The real database of a branch, to query it. It belongs to the branch.
    pub fn database(&self, name: &str) -> std::mem::ManuallyDrop<Database> {
        self.state().named(name).unwrap_or_else(|| panic!("no branch {name}")).copies[0].real.lend()
    }

    /// Whether an operation is running on a branch.
    pub fn is_busy(&self, name: &str) -> bool {
        let id = self.id_of(name);
        self.state().is_busy(&id)
    }

    /// Returns and clears the violations of the specification so far.
    pub fn forgive(&self) -> Vec<String> {
        std::mem::take(&mut self.state().violations)
    }

    /// The URL of a branch's database as returned by `connection_uri`.
    pub fn url(&self, name: &str, pooled: bool) -> String {
        let state = self.state();
        let branch = state.named(name).unwrap_or_else(|| panic!("no branch {name}"));
        let role = &state.settings.roles[0].0;
        api::uri(&branch.endpoints[0], role, &branch.passwords[role], &branch.copies[0].name, pooled)
    }

    /// All passwords and keys, none of which may be printed.
    pub fn secrets(&self) -> Vec<String> {
        let state = self.state();
        let passwords = state.branches.iter().flat_map(|branch| branch.passwords.values().cloned());
        passwords.chain([state.settings.key.clone()]).collect()
    }

    /// All requests of an operation, in order.
    pub fn seen(&self, verb: Verb) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.verb == verb).collect()
    }

    /// All requests, in order.
    pub fn requests(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// The API's base URL, as in `NEON_API_HOST`.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}{BASE}", self.port)
    }

    /// The environment variables of a client.
    pub fn environment(&self) -> [(&'static str, String); 3] {
        let key = self.state().settings.key.clone();
        [("NEON_API_KEY", key), ("NEON_API_HOST", self.base()), ("NEON_PROJECT_ID", PROJECT.to_owned())]
    }

    /// Runs the project's program against this server.
    pub fn run(&self, project: &Project, line: &str) -> Output {
        let mut command = project.command(line.split_whitespace());
        command.envs(self.environment());
        Output::of(&command.finish())
    }

    /// Whether the specification is available.
    pub fn is_checked() -> bool {
        spec::Spec::read().is_some()
    }

    /// Whether the pooled hosts have a pooler.
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
        // Databases must be dropped outside of a runtime.
        state.branches.clear();
        if !std::thread::panicking() {
            assert!(state.violations.is_empty(), "against the specification: {:#?}", state.violations);
            assert!(!matches!(ended, Some(Err(_))), "the test server ended");
        }
    }
}
