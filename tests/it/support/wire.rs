//! A proxy in front of the server's socket that counts queries and simulates lost connections.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::Database;

/// The proxy. It ends with the process.
#[derive(Debug)]
pub struct Wire {
    dir: TempDir,
    questions: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    clients: Arc<Mutex<Vec<UnixStream>>>,
    silent: Arc<Mutex<Vec<Arc<AtomicBool>>>>,
    /// A part of the query whose answer will be lost.
    losing: Arc<Mutex<Option<String>>>,
}

impl Wire {
    /// Starts a proxy in front of the server of `db`.
    pub fn of(db: &Database) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(".s.PGSQL.5432")).unwrap();
        let server = format!("{}/.s.PGSQL.5432", folder(db));
        let wire = Self {
            dir,
            questions: Arc::default(),
            connections: Arc::default(),
            clients: Arc::default(),
            silent: Arc::default(),
            losing: Arc::default(),
        };
        let (clients, silent) = (Arc::clone(&wire.clients), Arc::clone(&wire.silent));
        let losing = Arc::clone(&wire.losing);
        let (questions, connections) = (Arc::clone(&wire.questions), Arc::clone(&wire.connections));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), UnixStream::connect(&server).unwrap());
                connections.fetch_add(1, Ordering::SeqCst);
                clients.lock().unwrap().push(client.try_clone().unwrap());
                let is_silent = Arc::new(AtomicBool::new(false));
                silent.lock().unwrap().push(Arc::clone(&is_silent));
                let (answers, back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let swallowed = Arc::clone(&is_silent);
                let (is_lost, losing) = (Arc::new(AtomicBool::new(false)), Arc::clone(&losing));
                let lost = Arc::clone(&is_lost);
                std::thread::spawn(move || pass_back(answers, back, &swallowed, &lost));
                let questions = Arc::clone(&questions);
                std::thread::spawn(move || {
                    pass_on(client, server, &questions, &is_silent, |question| {
                        let mut losing = losing.lock().unwrap();
                        if losing.as_ref().is_some_and(|words| question.contains(words)) {
                            *losing = None;
                            is_lost.store(true, Ordering::SeqCst);
                        }
                    })
                });
            }
        });
        wire
    }

    /// The URL of `db` through the proxy.
    pub fn url(&self, db: &Database) -> String {
        db.url.replace(&folder(db), &self.dir.path().display().to_string())
    }

    /// Closes the current connections to clients. The server continues with its queries.
    pub fn cut(&self) {
        for client in self.clients.lock().unwrap().drain(..) {
            let _ended_before = client.shutdown(Shutdown::Both);
        }
    }

    /// Closes the current connections and accepts no new ones.
    pub fn end(&self) {
        std::fs::remove_file(self.dir.path().join(".s.PGSQL.5432")).unwrap();
        self.cut();
    }

    /// Closes the connection in the middle of the answer to the next query that contains `words`, after the server has finished
    /// it.
    pub fn lose_answer_to(&self, words: &str) {
        *self.losing.lock().unwrap() = Some(words.to_owned());
    }

    /// Whether that query was sent.
    pub fn has_lost(&self) -> bool {
        self.losing.lock().unwrap().is_none()
    }

    /// From now on drops all data on the current connections without closing them.
    pub fn swallow(&self) {
        for is_silent in self.silent.lock().unwrap().drain(..) {
            is_silent.store(true, Ordering::SeqCst);
        }
    }

    /// The numbers of queries and connections since the last call.
    pub fn counted(&self) -> (usize, usize) {
        (self.questions.swap(0, Ordering::SeqCst), self.connections.swap(0, Ordering::SeqCst))
    }
}

/// The folder of the server's socket.
fn folder(db: &Database) -> String {
    db.url.split("host=").nth(1).and_then(|rest| rest.split('&').next()).unwrap().to_owned()
}

/// Forwards messages (manual, chapter 55.7). The first one has no type.
fn pass_on(
    mut client: UnixStream,
    mut server: UnixStream,
    questions: &AtomicUsize,
    is_silent: &AtomicBool,
    heard: impl Fn(&str),
) -> Option<()> {
    let mut has_type = false;
    loop {
        let mut head = vec![0; if has_type { 5 } else { 4 }];
        client.read_exact(&mut head).ok()?;
        // The server answers Query and Sync with ReadyForQuery.
        if has_type && matches!(head[0], b'Q' | b'S') {
            questions.fetch_add(1, Ordering::SeqCst);
        }
        let length = head.last_chunk::<4>().map(|length| u32::from_be_bytes(*length))? as usize;
        let mut body = vec![0; length - 4];
        client.read_exact(&mut body).ok()?;
        heard(&String::from_utf8_lossy(&body));
        head.extend(body);
        if !is_silent.load(Ordering::SeqCst) {
            server.write_all(&head).ok()?;
        }
        has_type = true;
    }
}

/// Forwards answers.
fn pass_back(
    mut server: UnixStream,
    mut client: UnixStream,
    is_silent: &AtomicBool,
    is_lost: &AtomicBool,
) -> Option<()> {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let count = server.read(&mut bytes).ok().filter(|count| *count > 0)?;
        if is_lost.load(Ordering::SeqCst) {
            // An answer ends with the last six bytes, ReadyForQuery.
            if count >= 6 && bytes[count - 6..].starts_with(b"Z\0\0\0\x05") {
                client.write_all(&bytes[..count / 2]).ok()?;
                return client.shutdown(Shutdown::Both).ok();
            }
        } else if !is_silent.load(Ordering::SeqCst) {
            client.write_all(&bytes[..count]).ok()?;
        }
    }
}
