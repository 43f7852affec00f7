//! Simulates Neon's proxy in front of a branch's database: finds the endpoint, wakes it, checks the password, drops unknown
//! startup parameters, and relays the rest to the server or the pooler. Each endpoint has its own two ports, since clients do not
//! send the host's name to an address.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::Shared;
use super::state::Operation;

const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
const CANCEL: u32 = 80_877_102;

/// The SQLSTATE of all errors of Neon's proxy.
const PROXY: &str = "XX000";

/// The startup parameters that are relayed.
const KEPT: [&str; 5] = ["user", "database", "application_name", "replication", "options"];

/// The maximum time until a compute is awake.
const WAKE_LIMIT: Duration = Duration::from_secs(10);

/// Listens for an endpoint and returns the port.
pub fn listen(shared: &Shared, endpoint: &str, pooled: bool) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (held, endpoint) = (shared.clone(), endpoint.to_owned());
    shared.runtime.spawn(async move {
        let listener = TcpListener::from_std(listener).unwrap();
        while let Ok((client, _)) = listener.accept().await {
            let (held, endpoint) = (held.clone(), endpoint.clone());
            tokio::spawn(async move {
                // A client's disconnection is not an error.
                let _gone = pass(&held, &endpoint, pooled, client).await;
            });
        }
    });
    port
}

/// The current state of an endpoint.
enum Connector {
    Refuses,
    Sleeps,
    Closed(&'static str),
    Open,
}

async fn pass(shared: &Shared, id: &str, pooled: bool, mut client: TcpStream) -> std::io::Result<()> {
    let (code, body) = loop {
        let (code, body) = packet(&mut client).await?;
        if !matches!(code, SSL | GSS) {
            break (code, body);
        }
        client.write_all(b"N").await?;
    };
    if code == CANCEL {
        let mut server = UnixStream::connect(socket(shared, false)).await?;
        return server.write_all(&framed(code, &body)).await;
    }
    let given = parameters(&body);
    let value = |name: &str| given.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let (user, database) = (value("user").unwrap_or(""), value("database").or(value("user")).unwrap_or(""));
    let began = std::time::Instant::now();
    loop {
        match door(shared, id) {
            Connector::Refuses => return Ok(()),
            Connector::Closed(why) => return refuse(&mut client, PROXY, why).await,
            Connector::Open => break,
            Connector::Sleeps if began.elapsed() > WAKE_LIMIT => {
                return refuse(&mut client, PROXY, "Couldn't connect to compute node").await;
            }
            Connector::Sleeps => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    // AuthenticationCleartextPassword, and the response.
    client.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]).await?;
    let _kind = client.read_u8().await?;
    let length = client.read_u32().await?;
    let mut password = vec![0; length as usize - 4];
    client.read_exact(&mut password).await?;
    let password = String::from_utf8_lossy(&password).trim_end_matches('\0').to_owned();
    let (role, real) = {
        let state = shared.state.lock().unwrap();
        let Some((branch, _)) = state.endpoint(id) else { return Ok(()) };
        let right = branch.passwords.get(user) == Some(&password) && !state.settings.wrong_passwords;
        let role = state.settings.roles.iter().find(|(name, _)| name == user && right);
        let answers = if state.settings.crossed { &state.branches[0] } else { branch };
        let real = answers.copies.iter().find(|copy| copy.name == database);
        (role.map(|(_, real)| real.clone()), real.map(|copy| copy.real.name.clone()))
    };
    let Some(role) = role else {
        let why = format!("password authentication failed for user '{user}'");
        return refuse(&mut client, PROXY, &why).await;
    };
    let Some(real) = real else {
        return refuse(&mut client, "3D000", &format!("database \"{database}\" does not exist")).await;
    };
    let mut server = UnixStream::connect(socket(shared, pooled)).await?;
    let mut start = Vec::new();
    for (key, value) in &given {
        let value = match key.as_str() {
            "user" => &role,
            "database" => &real,
            _ => value,
        };
        if KEPT.contains(&key.as_str()) {
            start.extend([key.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
        }
    }
    if value("database").is_none() {
        start.extend([b"database\0", real.as_bytes(), b"\0"].concat());
    }
    start.push(0);
    server.write_all(&framed(code, &start)).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

fn door(shared: &Shared, id: &str) -> Connector {
    let mut state = shared.state.lock().unwrap();
    state.reap();
    let Some((branch, endpoint)) = state.endpoint(id) else {
        return Connector::Closed("Control plane request failed: endpoint cannot be found");
    };
    let (branch, refusals) = (branch.id.clone(), endpoint.refusals);
    let start = endpoint.start.and_then(|start| state.operation(&start));
    let awake = start.is_none_or(Operation::done);
    if start.is_some_and(|start| matches!(start.status(), "error" | "cancelled")) {
        return Connector::Closed(
            "Control plane request failed: endpoint is temporarily unavailable. \
             Check your quotas and/or contact our support.",
        );
    }
    for endpoint in &mut state.branch_mut(&branch).unwrap().endpoints {
        if endpoint.id == id {
            endpoint.refusals = refusals.saturating_sub(1);
            // A connection wakes the endpoint.
            endpoint.suspended = false;
        }
    }
    match (refusals, awake) {
        (1.., _) => Connector::Refuses,
        (0, true) => Connector::Open,
        (0, false) => Connector::Sleeps,
    }
}

fn socket(shared: &Shared, pooled: bool) -> String {
    match (&shared.pooler, pooled) {
        (Some(folder), true) => format!("{folder}/.s.PGSQL.6432"),
        // Without a pooler, connections fail.
        (None, true) => "/nowhere".to_owned(),
        (_, false) => format!("{}/.s.PGSQL.5432", shared.server),
    }
}

/// The first message of a client, which has no type (manual, chapter 55.7).
async fn packet(client: &mut TcpStream) -> std::io::Result<(u32, Vec<u8>)> {
    let length = client.read_u32().await?;
    let code = client.read_u32().await?;
    let mut body = vec![0; (length as usize).saturating_sub(8).min(10_000)];
    client.read_exact(&mut body).await?;
    Ok((code, body))
}

fn framed(code: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap();
    [&length.to_be_bytes(), &code.to_be_bytes(), body].concat()
}

fn parameters(body: &[u8]) -> Vec<(String, String)> {
    let mut words = body.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let mut found = Vec::new();
    while let (Some(key), Some(value)) = (words.next().filter(|key| !key.is_empty()), words.next()) {
        found.push((key, value));
    }
    found
}

/// Sends an `ErrorResponse` (manual, chapter 55.7).
async fn refuse(client: &mut TcpStream, code: &str, message: &str) -> std::io::Result<()> {
    let mut fields = Vec::new();
    for (field, text) in [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', code), (b'M', message)] {
        fields.push(field);
        fields.extend(text.as_bytes());
        fields.push(0);
    }
    fields.push(0);
    let length = u32::try_from(fields.len() + 4).unwrap();
    client.write_all(&[b"E", length.to_be_bytes().as_slice(), &fields].concat()).await
}
