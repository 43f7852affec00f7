//! A server that is far away: a proxy on the loopback that holds back every chunk for a while, in both
//! directions. It keeps the order and holds many chunks at once, so it delays and does not narrow. Threads,
//! since they wake up when they are due and not a millisecond later, as timers of an async runtime do.

use std::io::{Read, Result, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The most that is read at once.
const CHUNK: usize = 64 << 10;

/// A proxy in front of the server. It ends with the process.
#[derive(Debug)]
pub(super) struct Proxy {
    port: u16,
}

impl Proxy {
    /// Starts one in front of the socket in `folder`, so far away.
    pub(super) fn start(folder: &Path, round_trip: Duration) -> Result<Self> {
        let socket = folder.join(".s.PGSQL.5432");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        thread::spawn(move || {
            for client in listener.incoming() {
                // A connection that cannot be made is closed, and whoever wanted it says so.
                drop(client.and_then(|client| join(client, &socket, round_trip)));
            }
        });
        Ok(Self { port })
    }

    /// The URL of a database through it.
    pub(super) fn url(&self, database: &str) -> String {
        format!("postgresql://tenure@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

fn join(client: TcpStream, socket: &Path, round_trip: Duration) -> Result<()> {
    client.set_nodelay(true)?;
    let server = UnixStream::connect(socket)?;
    let (from_client, from_server) = (client.try_clone()?, server.try_clone()?);
    let way = round_trip / 2;
    thread::spawn(move || {
        // A network's handshake is a round trip, which the loopback does not have.
        let end = |server: &UnixStream| server.shutdown(Shutdown::Write);
        pump(from_client, server, end, (way, round_trip))
    });
    thread::spawn(move || {
        let end = |client: &TcpStream| client.shutdown(Shutdown::Write);
        pump(from_server, client, end, (way, Duration::ZERO))
    });
    Ok(())
}

/// Passes on what is read, each chunk `delay` after it came, the first one later by `at_first`.
fn pump<W: Write>(
    mut from: impl Read + Send + 'static,
    mut to: W,
    end: impl Fn(&W) -> Result<()>,
    (delay, at_first): (Duration, Duration),
) -> Result<()> {
    let (sender, chunks) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || -> Result<()> {
        let (mut buffer, mut first) = (vec![0; CHUNK], at_first);
        loop {
            let length = from.read(&mut buffer)?;
            let due = Instant::now() + delay + std::mem::take(&mut first);
            if length == 0 || sender.send((due, buffer[..length].to_vec())).is_err() {
                return Ok(());
            }
        }
    });
    for (due, chunk) in chunks {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        to.write_all(&chunk)?;
    }
    end(&to)
}
