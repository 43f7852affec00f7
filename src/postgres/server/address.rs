//! The socket folder of a private server, and its URL, which both libpq and sqlx read.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use super::{ROLE, server_failure};
use crate::error::Failure;

/// Part of the socket's file name, `.s.PGSQL.5432`. There is no TCP port.
pub(super) const PORT: u16 = 5432;

/// The address of a private server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    folder: PathBuf,
}

impl Address {
    pub(super) fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder that holds the socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The URL of `database`. It contains no password: access to the folder is access to the server.
    ///
    /// It sets the port and `sslmode` (a socket is never encrypted), so `PGPORT` and `PGSSLMODE` have no
    /// effect.
    pub fn url(&self, database: &str) -> String {
        self.url_of(ROLE, database)
    }

    /// The same for a session of `role`, a plain name.
    pub fn url_of(&self, role: &str, database: &str) -> String {
        let database = percent_encoded(database.as_bytes(), b"");
        let folder = percent_encoded(self.folder.as_os_str().as_encoded_bytes(), b"/");
        format!("postgresql://{role}@localhost:{PORT}/{database}?host={folder}&sslmode=disable")
    }

    /// Parses [`Self::url`], so that Tenure connects with the URL that it prints.
    pub(super) fn options(&self, database: &str) -> Result<PgConnectOptions, Failure> {
        PgConnectOptions::from_str(&self.url(database))
            .map_err(|error| server_failure(format!("parsing the private server's URL: {error}")))
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters and `kept`. A space is never `+`: libpq does not
/// decode that.
fn percent_encoded(bytes: &[u8], kept: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_contains_role_database_and_folder() {
        let address = Address::new("/home/josé/my project/.tenure/server");
        assert_eq!(
            address.url("a b"),
            "postgresql://tenure@localhost:5432/a%20b?host=/home/jos%C3%A9/my%20project/.tenure/server&sslmode=disable"
        );
    }

    #[test]
    fn sqlx_parses_the_url() {
        let address = Address::new("/home/josé/my project&x=1/.tenure");
        let options = address.options("a/b?").unwrap();
        assert_eq!(options.get_socket().map(PathBuf::as_path), Some(address.folder()));
        assert_eq!(options.get_database(), Some("a/b?"));
        assert_eq!(options.get_username(), "tenure");
        assert_eq!(options.get_port(), PORT);
    }

    #[test]
    fn database_url_keeps_the_text() {
        let url = Address::new("/home/josé/my project").url("a b");
        let read = crate::postgres::DatabaseUrl::parse(&url).unwrap();
        assert_eq!(read.reveal(), url);
        assert_eq!(read.address(), "the socket in /home/josé/my project");
    }
}
