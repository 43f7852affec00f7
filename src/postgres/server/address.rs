//! Where a private server answers: a socket folder, and the URL of it that libpq and sqlx both read.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use super::{ROLE, broken};
use crate::error::Failure;

/// The port of the socket's name. No TCP port: it only makes the file's name, `.s.PGSQL.5432`.
pub(super) const PORT: u16 = 5432;

/// The folder of a server's socket.
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

    /// The URL of `database`. It holds no secret: who may enter the folder may connect.
    ///
    /// The port and the mode of encryption are spelled out, or `PGPORT` and `PGSSLMODE` would decide;
    /// a socket has no encryption.
    pub fn url(&self, database: &str) -> String {
        let database = percent_encoded(database.as_bytes(), b"");
        let folder = percent_encoded(self.folder.as_os_str().as_encoded_bytes(), b"/");
        format!("postgresql://{ROLE}@localhost:{PORT}/{database}?host={folder}&sslmode=disable")
    }

    /// What sqlx makes of [`Self::url`], so that the URL that is given away is the one that is tried.
    pub(super) fn options(&self, database: &str) -> Result<PgConnectOptions, Failure> {
        PgConnectOptions::from_str(&self.url(database))
            .map_err(|error| broken(format!("reading the private server's own URL: {error}")))
    }
}

/// RFC 3986: all but the unreserved characters and `kept` as `%XX`. A space is never `+`, which libpq
/// does not read.
fn percent_encoded(bytes: &[u8], kept: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_role_database_and_folder() {
        let address = Address::new("/home/josé/my project/.tenure/server");
        assert_eq!(
            address.url("a b"),
            "postgresql://tenure@localhost:5432/a%20b?host=/home/jos%C3%A9/my%20project/.tenure/server&sslmode=disable"
        );
    }

    #[test]
    fn sqlx_reads_it_back() {
        let address = Address::new("/home/josé/my project&x=1/.tenure");
        let options = address.options("a/b?").unwrap();
        assert_eq!(options.get_socket().map(PathBuf::as_path), Some(address.folder()));
        assert_eq!(options.get_database(), Some("a/b?"));
        assert_eq!(options.get_username(), "tenure");
        assert_eq!(options.get_port(), PORT);
    }

    #[test]
    fn the_program_s_own_type_of_url_changes_nothing() {
        let url = Address::new("/home/josé/my project").url("a b");
        let read = crate::postgres::DatabaseUrl::parse(&url).unwrap();
        assert_eq!(read.reveal(), url);
        assert_eq!(read.address(), "the socket in /home/josé/my project");
    }
}
