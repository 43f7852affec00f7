//! A database URL that never prints its password.

mod parameters;
mod tls;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use self::parameters::Parameters;
use self::tls::Tls;
use super::neon;
use super::pooler::PoolerEvidence;
use crate::error::{Code, Failure};
use crate::postgres::cancel;

/// The default of `connect_timeout`: a suspended server needs seconds to start.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A PostgreSQL URL.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: url::Url,
    options: PgConnectOptions,
    tls: Tls,
    connect_timeout: Option<Duration>,
    notes: Vec<String>,
}

impl DatabaseUrl {
    /// Parses `text`. The failure does not contain it, since it may contain a password.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let invalid = |reason: String| {
            Failure::new(Code::DatabaseUrl, format!("the database URL is invalid: {reason}"))
                .hint("for example: postgresql://user:password@host:5432/database?sslmode=require")
        };
        let given = with_user_as_parameter(text.trim());
        let text = given.as_ref();
        let url = url::Url::parse(text).map_err(|error| invalid(parse_error(text, error)))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(invalid(format!("the scheme is {}:, not postgresql:", url.scheme())));
        }
        if url.fragment().is_some() {
            return Err(invalid("it contains a #; in a password write it as %23".to_owned()));
        }
        let is_incomplete = |part: &str| !part.is_empty() && !part.contains('=');
        if url.path().contains('@')
            || url.query_pairs().any(|(key, _)| key.contains(['@', '/']))
            || url.query().is_some_and(|query| query.split('&').any(is_incomplete))
        {
            // Probably a part of a password, which must not be printed as a database name.
            return Err(invalid(
                "in a user or password write / as %2F, ? as %3F, @ as %40, & as %26".to_owned(),
            ));
        }
        let mut parameters = Parameters::classify(&url).map_err(&invalid)?;
        parameters.sslmode = parameters.sslmode.or_else(|| from_environment("PGSSLMODE"));
        parameters.sslrootcert = parameters.sslrootcert.or_else(|| from_environment("PGSSLROOTCERT"));
        parameters.channel_binding =
            parameters.channel_binding.or_else(|| from_environment("PGCHANNELBINDING"));
        parameters.connect_timeout =
            parameters.connect_timeout.or_else(|| from_environment("PGCONNECT_TIMEOUT"));
        refuse_environment(&parameters).map_err(invalid)?;
        let connect_timeout = match parameters.connect_timeout.as_deref().map(str::parse::<i64>) {
            None => Some(CONNECT_TIMEOUT),
            // As in libpq: zero or less is no limit, and the minimum is two seconds.
            Some(Ok(seconds)) => u64::try_from(seconds)
                .ok()
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.max(2))),
            Some(Err(_)) => return Err(invalid("connect_timeout is not a number of seconds".to_owned())),
        };
        // The driver logs unknown parameters with their values.
        let mut known = url.clone();
        known.set_query(None);
        if !parameters.driver.is_empty() {
            known.query_pairs_mut().extend_pairs(&parameters.driver);
        }
        // The driver's message may quote a value.
        let options = PgConnectOptions::from_str(known.as_str())
            .map_err(|_| invalid("the driver does not accept the value of a parameter".to_owned()))?
            .application_name(cancel::application_name())
            // PgBouncer rejects startup parameters that it does not track.
            .extra_float_digits(None);
        if options.get_socket().is_none() && options.get_host().contains(',') {
            return Err(invalid(MULTIPLE_HOSTS.to_owned()));
        }
        // The brackets of an IPv6 address belong to the URL.
        let literal = options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let options = match literal.map(str::to_owned) {
            Some(literal) => options.host(&literal),
            None => options,
        };
        let tls = tls::decide(&parameters, options.get_ssl_mode(), neon::is_host(options.get_host()))
            .map_err(|reason| invalid(reason.to_owned()))?;
        if options.get_socket().is_none() {
            tls.check_address(&parameters).map_err(|reason| invalid(reason.to_owned()))?;
            tls.check_files(&parameters).map_err(invalid)?;
        }
        let mut notes: Vec<String> = tls.note.map(str::to_owned).into_iter().collect();
        if from_environment("PGSERVICE").is_some() {
            notes.push("PGSERVICE is ignored: the database URL decides".to_owned());
        }
        if !parameters.ignored.is_empty() {
            notes.push(format!("ignored parameters of the database URL: {}", parameters.ignored.join(", ")));
        }
        Ok(Self { url, options, tls, connect_timeout, notes })
    }

    /// Notes for the user: ignored parameters and stricter TLS modes.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The limit for an answer of the server; `None` is no limit.
    pub(in crate::postgres) fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// Evidence of a pooler in the URL itself.
    pub fn pooler_evidence(&self) -> Option<PoolerEvidence> {
        if self.options.get_socket().is_some() {
            return None;
        }
        neon::direct_host(self.options.get_host()).filter(|_| self.is_neon()).map(|_| PoolerEvidence::Host)
    }

    /// The URL of the server behind a pooler, if the pooler's host name contains the server's.
    #[must_use]
    pub fn unpooled(&self) -> Option<Self> {
        let direct = neon::direct_host(self.options.get_host()).filter(|_| self.is_neon())?;
        let mut url = without(&self.url, &["host", "hostaddr"]);
        url.set_host(Some(&direct)).ok()?;
        Some(Self { options: self.options.clone().host(&direct), url, ..self.clone() })
    }

    /// The server's host name without a pooler's suffix.
    pub(in crate::postgres) fn host(&self) -> String {
        // With `hostaddr`, the URL's host is still the name.
        let host = self.url.host_str().filter(|host| !host.is_empty());
        let host = host.unwrap_or_else(|| self.options.get_host()).trim_matches(['[', ']']);
        neon::direct_host(host).unwrap_or_else(|| host.to_owned())
    }

    /// Whether the host name is Neon's.
    pub(in crate::postgres) fn is_neon(&self) -> bool {
        neon::is_host(self.options.get_host())
    }

    /// The URL with its password, for programs that need it (`dev url`, `psql`).
    pub fn reveal(&self) -> &str {
        self.url.as_str()
    }

    /// The URL for PostgreSQL's client programs, without parameters that only the driver knows, and the
    /// password separately.
    pub(in crate::postgres) fn for_libpq(&self) -> (String, Option<String>) {
        let mut url = self.url.clone();
        // Outside of the query, `+` is a literal character.
        let encoded = url.password().map(|password| format!("password={}", password.replace('+', "%2B")));
        let mut password = encoded.and_then(|text| {
            url::form_urlencoded::parse(text.as_bytes()).next().map(|(_, password)| password.into_owned())
        });
        // Only a URL that cannot have a password returns an error.
        let _removed: Result<(), ()> = url.set_password(None);
        let mut kept = Vec::new();
        for (key, value) in self.url.query_pairs() {
            if key == "password" {
                password = Some(value.into_owned());
            } else if parameters::is_libpq_parameter(&key) {
                kept.push((parameters::canonical(&key).to_owned(), value.into_owned()));
            }
        }
        if self.is_neon() && !kept.iter().any(|(key, _)| key == "sslmode") {
            kept.push(("sslmode".to_owned(), "require".to_owned()));
        }
        set_parameters(&mut url, &kept);
        (url.into(), password)
    }

    /// The URL of another database on the same server.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        let mut url = without(&self.url, &["dbname"]);
        url.set_path(name);
        Self { options: self.options.clone().database(name), url, ..self.clone() }
    }

    /// The URL of another role in the same database.
    pub fn with_role(&self, name: &str, password: &str) -> Result<Self, Failure> {
        let invalid = || Failure::new(Code::DatabaseUrl, "the database URL cannot name another role");
        let mut url = without(&self.url, &["user", "password"]);
        url.set_username(name).and_then(|()| url.set_password(Some(password))).map_err(|()| invalid())?;
        let options = self.options.clone().username(name).password(password);
        Ok(Self { url, options, ..self.clone() })
    }

    /// The driver's options. `default_root` is libpq's default file of root certificates, if it exists.
    pub(in crate::postgres) fn options(&self, default_root: Option<String>) -> PgConnectOptions {
        let options = self.options.clone();
        if options.get_socket().is_some() {
            // As in libpq: a local socket needs no encryption.
            return options.ssl_mode(PgSslMode::Disable);
        }
        let tls = self.tls.clone().with_default_root(default_root);
        let options = options.ssl_mode(tls.mode);
        match tls.root {
            Some(root) => options.ssl_root_cert(root),
            None => options,
        }
    }

    /// Whether the URL, `PGPASSWORD` or the password file has a password for this server.
    pub(in crate::postgres) fn has_password(&self) -> bool {
        // The driver has read the password file. Its URL needs a plain user and host.
        self.options.clone().username("user").host("host").to_url_lossy().password().is_some()
    }

    /// `host:port`, or the folder of the socket.
    pub fn address(&self) -> String {
        match self.options.get_socket() {
            Some(folder) => format!("the socket in {}", folder.display()),
            None if self.options.get_host().contains(':') => {
                format!("[{}]:{}", self.options.get_host(), self.options.get_port())
            }
            None => format!("{}:{}", self.options.get_host(), self.options.get_port()),
        }
    }

    /// The name of the role.
    pub(in crate::postgres) fn role(&self) -> &str {
        self.options.get_username()
    }

    /// The database's name; the user's name if the URL has none.
    pub fn database(&self) -> &str {
        self.options.get_database().unwrap_or_else(|| self.options.get_username())
    }
}

const MULTIPLE_HOSTS: &str = "it contains several hosts; use only the primary's";

/// `scheme://user@/path` with the user as a parameter: libpq accepts a user without a host, and a URL does not (manual, chapter
/// "Connection URIs").
fn with_user_as_parameter(text: &str) -> Cow<'_, str> {
    let found = text.split_once("://").and_then(|(scheme, rest)| {
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        authority.strip_suffix('@').map(|user| (scheme, user, rest))
    });
    let Some((scheme, user, rest)) = found else { return Cow::Borrowed(text) };
    // In a parameter these have another meaning than before the host.
    let encoded = |part: &str| part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let parameters = match user.split_once(':') {
        Some((user, password)) => format!("user={}&password={}", encoded(user), encoded(password)),
        None => format!("user={}", encoded(user)),
    };
    let separator = if rest.contains('?') { '&' } else { '?' };
    Cow::Owned(format!("{scheme}://{rest}{separator}{parameters}"))
}

/// The URL without the parameters `names`.
fn without(url: &url::Url, names: &[&str]) -> url::Url {
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(key, _)| !names.contains(&key.as_ref()))
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    let mut url = url.clone();
    set_parameters(&mut url, &kept);
    url
}

/// Replaces all parameters of a URL. A space is written `%20`, since libpq does not decode `+`.
pub fn set_parameters(url: &mut url::Url, parameters: &[(String, String)]) {
    let encoded = |text: &str| {
        url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
    };
    let pairs: Vec<_> =
        parameters.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
    url.set_query((!pairs.is_empty()).then(|| pairs.join("&")).as_deref());
}

/// An environment variable that libpq uses for a parameter that the URL does not set (manual, chapter 34.15).
#[expect(clippy::disallowed_methods, reason = "libpq reads these variables; the driver reads only some")]
fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Names the variables of libpq that would choose a server without a URL.
pub fn libpq_target() -> Vec<&'static str> {
    let names = ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE"];
    names.into_iter().filter(|name| from_environment(name).is_some()).collect()
}

/// Refuses variables that libpq would obey and the driver does not.
fn refuse_environment(parameters: &Parameters) -> Result<(), String> {
    let names = |key: &str| parameters.driver.iter().any(|(name, _)| name == key);
    if from_environment("PGHOSTADDR").is_some() && !names("hostaddr") {
        return Err(
            "PGHOSTADDR is set, which Tenure does not read: unset it, or write hostaddr=… into the URL"
                .to_owned(),
        );
    }
    match from_environment("PGTARGETSESSIONATTRS") {
        Some(value) if !parameters.sets_session_attrs => parameters::check_session_attrs(&value)
            .map_err(|reason| format!("PGTARGETSESSIONATTRS is not supported: {reason}")),
        Some(_) | None => Ok(()),
    }
}

/// Why a text is not a URL. The library's messages do not repeat the text, but some are misleading.
fn parse_error(text: &str, error: url::ParseError) -> String {
    let authority =
        text.split("://").nth(1).and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    match error {
        _ if hosts.contains(',') => MULTIPLE_HOSTS.to_owned(),
        url::ParseError::InvalidPort => {
            format!("{error}; in a user or password write : as %3A, @ as %40, / as %2F, ? as %3F, # as %23")
        }
        url::ParseError::RelativeUrlWithoutBase if text.contains('=') => {
            "it is a connection string of key=value pairs; write it as a URL".to_owned()
        }
        url::ParseError::RelativeUrlWithoutBase => "it does not start with postgresql://".to_owned(),
        _ => error.to_string(),
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        if shown.password().is_some() {
            // Only a URL that cannot have a password returns an error.
            let _set: Result<(), ()> = shown.set_password(Some("***"));
        }
        let pairs: Vec<(String, String)> = shown
            .query_pairs()
            .map(|(key, value)| {
                let secret = key.to_ascii_lowercase().contains("password");
                (key.into_owned(), if secret { "***".to_owned() } else { value.into_owned() })
            })
            .collect();
        set_parameters(&mut shown, &pairs);
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
    fn for_libpq_separates_the_password() {
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
    fn printed_urls_keep_their_meaning_for_libpq() {
        let text = "postgresql://me@h/db?options=-c%20statement_timeout%3D50000&password=a%25b%20c%2Bd";
        let url = DatabaseUrl::parse(text).unwrap();
        assert_eq!(url.with_database("other").reveal(), text.replace("/db?", "/other?"));
        assert_eq!(
            url.to_string(),
            "postgresql://me@h/db?options=-c%20statement_timeout%3D50000&password=***"
        );
        let pooled = "postgresql://me@ep-a-pooler.us-east-2.aws.neon.tech/d?options=-c%20a%3Db";
        let direct = DatabaseUrl::parse(pooled).unwrap().unpooled().unwrap();
        assert_eq!(direct.reveal(), "postgresql://me@ep-a.us-east-2.aws.neon.tech/d?options=-c%20a%3Db");
    }

    #[test]
    fn no_output_contains_the_password() {
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
        let failure = DatabaseUrl::parse("postgresql://me@x/y?sslpassword=hunter2").unwrap_err();
        assert!(!format!("{failure} {failure:?}").contains("hunter2"));
        let url = DatabaseUrl::parse("postgresql://me@x/y?poolpassword=hunter2&pgbouncer=true").unwrap();
        assert!(!format!("{url} {:?} {:?}", url.options, url.notes).contains("hunter2"));
    }

    #[test]
    fn invalid_urls_are_explained() {
        for (text, expected) in [
            ("postgresql://me@a:5432,b:5432/d", "several hosts"),
            ("postgresql://me@a,b/d", "several hosts"),
            ("postgresql://me:pass/word@h/d", "%2F"),
            ("postgresql://me:7/Secret@h/d", "%2F"),
            ("postgresql://me:/Secret@h/d", "%2F"),
            ("postgresql://me:12?Secret@h/d", "%3F"),
            ("postgresql://me@h/d?password=a&Secret", "%26"),
            ("host=h dbname=d password=Secret", "key=value"),
            ("service=Secret", "key=value"),
            ("Secret", "postgresql://"),
            ("postgresql://h/d?target_session_attrs=read-write", "target_session_attrs"),
            ("postgresql://h/d?target_session_attrs=standby", "target_session_attrs"),
            ("postgresql://h/d?hostaddr=10.0.0.1&sslmode=verify-full", "hostaddr"),
            ("postgresql://h/d?sslmode=require&channel_binding=require&hostaddr=::1", "hostaddr"),
            ("postgresql://h/d?sslmode=verify-ca&hostaddr=10.0.0.1", "hostaddr"),
            ("postgresql://h/d?sslmode=verify-full&sslrootcert=/nowhere/Secret", "sslrootcert"),
            ("postgresql://h/d?sslmode=require&sslrootcert=nowhere.crt", "sslrootcert"),
            ("postgresql://h/d?sslcert=/nowhere/a&sslkey=/nowhere/b", "sslcert"),
            ("postgresql://h/d?connect_timeout=soon", "connect_timeout"),
        ] {
            let reason = DatabaseUrl::parse(text).unwrap_err().to_string();
            assert!(reason.contains(expected) && !reason.contains("Secret"), "{text}: {reason}");
        }
    }

    #[test]
    fn a_url_may_have_a_user_and_no_host() {
        for (text, user, password, database) in [
            ("postgresql://u@/db?host=/tmp", "u", false, "db"),
            ("postgres://u:a+b%26c=d@/db?host=/tmp&port=6000", "u", true, "db"),
            ("postgresql://me%40x:secret@?host=/tmp", "me@x", true, "me@x"),
            ("postgresql://u:@/?host=/tmp", "u", false, "u"),
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!((url.options.get_username(), url.database()), (user, database), "{text}");
            assert_eq!(url.address(), "the socket in /tmp", "{text}");
            assert_eq!(url.has_password(), password, "{text}");
            assert!(
                !format!("{url} {url:?}").contains("secret") && !url.to_string().contains("a%2Bb"),
                "{url}"
            );
        }
        let other = DatabaseUrl::parse("postgresql://u:a+b@/db?host=/tmp").unwrap().with_database("other");
        let pairs: Vec<_> = url::Url::parse(other.reveal()).unwrap().query_pairs().into_owned().collect();
        assert!(pairs.contains(&("password".to_owned(), "a+b".to_owned())), "{pairs:?}");
    }

    #[test]
    fn an_ipv6_address_has_brackets_only_in_the_url() {
        for (text, host, address) in [
            ("postgresql://u@[::1]:5433/db", "::1", "[::1]:5433"),
            ("postgresql://u@[2001:db8::7]/db", "2001:db8::7", "[2001:db8::7]:5432"),
            ("postgresql:///db?user=u&host=fe80::1&port=6000", "fe80::1", "[fe80::1]:6000"),
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!((url.options.get_host(), url.address().as_str()), (host, address), "{text}");
            assert_eq!(url.host(), host, "{text}");
        }
        let other = DatabaseUrl::parse("postgresql://u@[::1]/db").unwrap().with_database("other");
        assert_eq!((other.reveal(), other.options.get_host()), ("postgresql://u@[::1]/other", "::1"));
        assert!(DatabaseUrl::parse("postgresql://h/d?target_session_attrs=any&hostaddr=10.0.0.1").is_ok());
    }

    #[test]
    fn a_pooler_is_detected_by_its_host_name() {
        let url = |text| DatabaseUrl::parse(text).unwrap();
        let neon = url("postgresql://me:secret@ep-a-b-pooler.c-3.us-east-1.aws.neon.tech/d?sslmode=require");
        assert_eq!(neon.pooler_evidence(), Some(PoolerEvidence::Host));
        let direct = neon.unpooled().unwrap();
        assert_eq!(direct.address(), "ep-a-b.c-3.us-east-1.aws.neon.tech:5432");
        assert_eq!(
            direct.reveal(),
            "postgresql://me:secret@ep-a-b.c-3.us-east-1.aws.neon.tech/d?sslmode=require"
        );
        assert_eq!((direct.pooler_evidence(), direct.unpooled().is_some()), (None, false));
        let asked = url("postgresql://me@x/d?host=ep-a-pooler.us-east-2.aws.neon.tech").unpooled().unwrap();
        assert_eq!(asked.for_libpq().0, "postgresql://me@ep-a.us-east-2.aws.neon.tech/d?sslmode=require");
        // Other providers' names may have another meaning.
        assert!(url("postgresql://me@pg-pooler.corp/d").unpooled().is_none());
        // A port is no evidence.
        assert_eq!(url("postgresql://me@h:6543/d").pooler_evidence(), None);
        assert_eq!(
            url("postgresql://me@ep-a-pooler.us-east-2.aws.neon.tech/d?host=/run/x").pooler_evidence(),
            None
        );
        assert_eq!(url("postgresql://me@h/d").pooler_evidence(), None);
        assert!(url("postgresql://me@h:6543/d").unpooled().is_none());
    }

    #[test]
    fn connect_timeout_is_read_as_in_libpq() {
        let timeout =
            |query: &str| DatabaseUrl::parse(&format!("postgresql://h/d{query}")).unwrap().connect_timeout();
        assert_eq!(timeout(""), Some(CONNECT_TIMEOUT));
        assert_eq!(timeout("?connect_timeout=30"), Some(Duration::from_secs(30)));
        assert_eq!(timeout("?connect_timeout=1"), Some(Duration::from_secs(2)));
        assert_eq!((timeout("?connect_timeout=0"), timeout("?connect_timeout=-1")), (None, None));
    }
}
