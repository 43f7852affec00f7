//! A server that is far away: a proxy on the loopback that holds back every chunk for a while, in both
//! directions. It keeps the order and holds many chunks at once, so it delays and does not narrow.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// The most that is read at once.
const CHUNK: usize = 64 << 10;

/// A proxy in front of the server. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    port: u16,
    _alive: oneshot::Sender<()>,
}

impl Proxy {
    /// Starts one in front of the socket in `folder`, so far away.
    pub(super) fn start(folder: &Path, round_trip: Duration) -> Result<Self> {
        let socket = folder.join(".s.PGSQL.5432");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let (alive, ended) = oneshot::channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // Nothing is ever sent: the other end is gone.
                    _gone = ended => {}
                    failed = accept(listener, socket, round_trip) => drop(failed),
                }
            });
        });
        Ok(Self { port, _alive: alive })
    }

    /// The URL of a database through it.
    pub(super) fn url(&self, database: &str) -> String {
        format!("postgresql://tenure@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

async fn accept(
    listener: std::net::TcpListener,
    socket: PathBuf,
    round_trip: Duration,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (client, _address) = listener.accept().await?;
        let server = UnixStream::connect(&socket).await?;
        tokio::spawn(join(client, server, round_trip));
    }
}

async fn join(client: TcpStream, server: UnixStream, round_trip: Duration) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let way = round_trip / 2;
    // A network's handshake is a round trip that the loopback does not have.
    let upward = pump(from_client, to_server, way, round_trip);
    let downward = pump(from_server, to_client, way, Duration::ZERO);
    tokio::try_join!(upward, downward).map(drop)
}

/// Passes on what is read, each chunk `delay` after it came, the first one later.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
    at_first: Duration,
) -> std::io::Result<()> {
    let (sender, mut chunks) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let (mut buffer, mut first) = (vec![0; CHUNK], at_first);
        loop {
            let length = from.read(&mut buffer).await?;
            let due = Instant::now() + delay + std::mem::take(&mut first);
            if length == 0 || sender.send((due, buffer[..length].to_vec())).is_err() {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((due, chunk)) = chunks.recv().await {
            if due > Instant::now() {
                sleep_until(due).await;
            }
            to.write_all(&chunk).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write).map(drop)
}
