//! A database URL whose secret has no way out: shown, it has no password.

use std::fmt;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::error::{Code, Failure};

/// The parameters of a URL that the driver understands. Others, such as those of other programs, are
/// left out of what it gets.
const DRIVER_KNOWS: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// A PostgreSQL URL.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: url::Url,
    options: PgConnectOptions,
}

impl DatabaseUrl {
    /// Reads `text`. The failure never repeats it: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::new(Code::DatabaseUrl, format!("the database URL cannot be understood: {why}"))
                .hint("for example: postgresql://user:password@host:5432/database?sslmode=require")
        };
        let url = url::Url::parse(text.trim()).map_err(|error| wrong(error.to_string()))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(wrong(format!("{}: is not postgresql:", url.scheme())));
        }
        if url.fragment().is_some() {
            return Err(wrong("it holds a #; in a password write it as %23".to_owned()));
        }
        // The driver logs what it does not know, with its value.
        let mut known = url.clone();
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(key, _)| DRIVER_KNOWS.contains(&key.as_ref()) || key.starts_with("options["))
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        known.set_query(None);
        if !pairs.is_empty() {
            known.query_pairs_mut().extend_pairs(pairs);
        }
        // The driver's own message may quote a parameter's value; its kind is enough.
        let options = PgConnectOptions::from_str(known.as_str())
            .map_err(|_| wrong("a parameter has a value that the driver does not know".to_owned()))?
            .application_name("tenure")
            // A pooler such as PgBouncer refuses start-up parameters that it does not track.
            .extra_float_digits(None);
        Ok(Self { url, options })
    }

    /// The URL with its password, for a program that is handed it on purpose (`dev url`, `psql`).
    pub fn reveal(&self) -> &str {
        self.url.as_str()
    }

    /// The URL for a program of PostgreSQL's own, without what only our driver understands, and the password
    /// apart from it.
    pub(super) fn for_libpq(&self) -> (String, Option<String>) {
        let mut url = self.url.clone();
        // `+` stands for itself outside of a query.
        let encoded = url.password().map(|password| format!("password={}", password.replace('+', "%2B")));
        let mut password = encoded.and_then(|text| {
            url::form_urlencoded::parse(text.as_bytes()).next().map(|(_, password)| password.into_owned())
        });
        // Only a URL that cannot have a password refuses to lose it.
        let _removed: Result<(), ()> = url.set_password(None);
        let mut kept = Vec::new();
        for (key, value) in self.url.query_pairs() {
            if key == "password" {
                password = Some(value.into_owned());
            } else if DRIVER_KNOWS.contains(&key.as_ref()) && !key.contains('-') {
                kept.push((key.into_owned(), value.into_owned()));
            }
        }
        url.set_query(None);
        let mut text = url.to_string();
        for (index, (key, value)) in kept.iter().enumerate() {
            // libpq reads %20 where others write +.
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            text.push(if index == 0 { '?' } else { '&' });
            text.extend([key, "=", &value.replace('+', "%20")]);
        }
        (text, password)
    }

    /// The same server, another database.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        let mut url = self.url.clone();
        url.set_path(name);
        let others: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(key, _)| key != "dbname")
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        Self { url, options: self.options.clone().database(name) }
    }

    /// What the driver connects with.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Where the server is: `host:port`, or the folder of its socket.
    pub fn address(&self) -> String {
        match self.options.get_socket() {
            Some(folder) => format!("the socket in {}", folder.display()),
            None => format!("{}:{}", self.options.get_host(), self.options.get_port()),
        }
    }

    /// The database's name, as far as the URL says it.
    pub fn database(&self) -> &str {
        self.options.get_database().unwrap_or_else(|| self.options.get_username())
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        if shown.password().is_some() {
            // Only a URL that cannot have a password refuses one.
            let _set: Result<(), ()> = shown.set_password(Some("***"));
        }
        let pairs: Vec<(String, String)> = shown
            .query_pairs()
            .map(|(key, value)| {
                let secret = key.to_ascii_lowercase().contains("password");
                (key.into_owned(), if secret { "***".to_owned() } else { value.into_owned() })
            })
            .collect();
        if !pairs.is_empty() {
            shown.query_pairs_mut().clear().extend_pairs(pairs);
        }
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_programs_get_the_password_apart() {
        let url = DatabaseUrl::parse(
            "postgresql://me:a%20b+c@h/db?host=%2Fvar%2Fmy%20run&statement-cache-capacity=1&pgbouncer=true",
        );
        let (text, password) = url.unwrap().for_libpq();
        assert_eq!(text, "postgresql://me@h/db?host=%2Fvar%2Fmy%20run");
        assert_eq!(password.as_deref(), Some("a b+c"));
        let url = DatabaseUrl::parse("postgresql://me@h/db?password=x&sslmode=disable").unwrap();
        assert_eq!(
            url.for_libpq(),
            ("postgresql://me@h/db?sslmode=disable".to_owned(), Some("x".to_owned()))
        );
    }

    #[test]
    fn no_way_of_showing_it_shows_the_password() {
        let url = DatabaseUrl::parse(
            "postgresql://me:hunter2@db.example:6000/app?password=hunter2&sslmode=disable",
        )
        .unwrap();
        for shown in [format!("{url}"), format!("{url:?}"), format!("{url:#?}"), url.address()] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        assert_eq!(url.address(), "db.example:6000");
        assert_eq!(url.database(), "app");
        let failure = DatabaseUrl::parse("mysql://me:hunter2@x/y").unwrap_err();
        assert!(!format!("{failure} {failure:?}").contains("hunter2"));
        let failure = DatabaseUrl::parse("postgresql://me:hunter2@x/y?sslmode=hunter2").unwrap_err();
        assert!(!format!("{failure} {failure:?}").contains("hunter2"));
        assert!(DatabaseUrl::parse("hunter2").is_err());
        let failure = DatabaseUrl::parse("postgresql://me:12345#hunter2@x/y").unwrap_err();
        assert!(!format!("{failure} {failure:?}").contains("hunter2"));
        assert!(!format!("{failure} {failure:?}").contains("12345"));
        let url = DatabaseUrl::parse("postgresql://me@x/y?sslpassword=hunter2&pgbouncer=true").unwrap();
        assert!(!format!("{url} {:?}", url.options).contains("hunter2"));
    }
}
