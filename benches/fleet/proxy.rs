//! Simulates a distant server: a proxy on the loopback interface that delays every chunk in both directions. It keeps the order
//! and delays many chunks at once, so it adds latency but does not limit throughput. It uses threads, since timers of an async
//! runtime are up to a millisecond late.

use std::io::{Read, Result, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The size of the read buffer.
const CHUNK: usize = 64 << 10;

/// A proxy in front of the server. It ends with this process.
#[derive(Debug)]
pub(super) struct Proxy {
    port: u16,
}

impl Proxy {
    /// Starts a proxy in front of the socket in `folder` with that delay.
    pub(super) fn start(folder: &Path, round_trip: Duration) -> Result<Self> {
        let socket = folder.join(".s.PGSQL.5432");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        thread::spawn(move || {
            for client in listener.incoming() {
                // If the server is unreachable, the client's connection is closed and the client reports it.
                drop(client.and_then(|client| join(client, &socket, round_trip)));
            }
        });
        Ok(Self { port })
    }

    /// The URL of a database through the proxy.
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
        // Adds the round trip of a network's handshake, which the loopback does not have.
        let end = |server: &UnixStream| server.shutdown(Shutdown::Write);
        pump(from_client, server, end, (way, round_trip))
    });
    thread::spawn(move || {
        let end = |client: &TcpStream| client.shutdown(Shutdown::Write);
        pump(from_server, client, end, (way, Duration::ZERO))
    });
    Ok(())
}

/// Forwards each chunk `delay` after it arrived, the first one `at_first` later.
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
