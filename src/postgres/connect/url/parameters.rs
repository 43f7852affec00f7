//! What becomes of each parameter of a URL: the driver's, ours, another program's, or one that cannot be obeyed.
//! None is passed over in silence, since one of them may be what somebody relies on.

/// What the driver understands as it is.
const DRIVER: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "statement-cache-capacity",
    "user",
];

/// What is obeyed here, before the driver sees the URL.
const OURS: &[&str] = &["channel_binding", "connect_timeout", "sslmode", "sslrootcert"];

/// What changes nothing for us: other programs' own, and what libpq does by itself or not at all.
const OTHERS: &[&str] = &[
    // Prisma
    "connection_limit",
    "pgbouncer",
    "pool_timeout",
    "schema",
    "socket_timeout",
    "statement_cache_size",
    // JDBC
    "currentSchema",
    "preparedStatementCacheQueries",
    "prepareThreshold",
    "reWriteBatchedInserts",
    // pgx, lib/pq, node-postgres
    "default_query_exec_mode",
    "lock_timeout",
    "max_conns",
    "pool_max_conns",
    "pool_mode",
    "pool_size",
    "prepared_statements",
    "search_path",
    "statement_cache_capacity",
    "statement_timeout",
    "supa",
    "timezone",
    "uselibpqcompat",
    "workaround",
    // libpq
    "client_encoding",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcompression",
    "sslnegotiation",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
];

/// What would be a promise that nobody keeps.
const CANNOT: &[(&str, &str)] = &[
    ("gsslib", "the driver has no GSSAPI"),
    ("passfile", "set PGPASSFILE instead"),
    ("replication", "a connection for replication runs no migration"),
    ("require_auth", "the driver answers whatever the server asks for"),
    ("requirepeer", "the driver does not look who serves a socket"),
    ("service", "write what the service stands for into the URL"),
    ("sslcertmode", "give sslcert and sslkey, or leave them out"),
    ("sslcrl", "the driver reads no revocation list"),
    ("sslcrldir", "the driver reads no revocation list"),
    ("sslpassword", "the driver reads no encrypted key: decrypt it into a file for sslkey"),
];

/// The parameters of a URL, sorted.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    /// For the driver, in order.
    pub(super) driver: Vec<(String, String)>,
    /// For us.
    pub(super) sslmode: Option<String>,
    pub(super) sslrootcert: Option<String>,
    pub(super) channel_binding: Option<String>,
    pub(super) connect_timeout: Option<String>,
    /// The names of those that were left out.
    pub(super) left_out: Vec<String>,
}

impl Parameters {
    /// Sorts them. The error says which one is wrong, never its value.
    pub(super) fn sort(url: &url::Url) -> Result<Self, String> {
        let mut sorted = Self::default();
        for (key, value) in url.query_pairs() {
            let name = usual(&key);
            let value = value.into_owned();
            match name {
                "sslmode" => sorted.sslmode = Some(value),
                "sslrootcert" => sorted.sslrootcert = Some(value),
                "channel_binding" => sorted.channel_binding = Some(value),
                "connect_timeout" => sorted.connect_timeout = Some(value),
                _ if DRIVER.contains(&name) || name.starts_with("options[") => {
                    sorted.driver.push((name.to_owned(), value));
                }
                _ => {
                    cannot(name, &value)?;
                    if !OTHERS.contains(&name)
                        && let Some(meant) = misspelt(name)
                    {
                        return Err(format!("there is no parameter {name:?}; {meant:?} is one"));
                    }
                    sorted.left_out.push(name.to_owned());
                }
            }
        }
        sorted.left_out.sort_unstable();
        sorted.left_out.dedup();
        Ok(sorted)
    }
}

/// Whether a program of PostgreSQL's own knows the parameter.
pub(super) fn is_libpqs(name: &str) -> bool {
    let name = usual(name);
    !name.contains('-') && (DRIVER.contains(&name) || OURS.contains(&name))
}

/// The driver takes some names in two spellings.
pub(super) fn usual(name: &str) -> &str {
    match name {
        "ssl-mode" => "sslmode",
        "ssl-ca" | "ssl-root-cert" => "sslrootcert",
        "ssl-cert" => "sslcert",
        "ssl-key" => "sslkey",
        other => other,
    }
}

fn cannot(name: &str, value: &str) -> Result<(), String> {
    let why = match (name, value.to_ascii_lowercase().as_str()) {
        ("gssencmode", "require") => "the driver has no GSSAPI",
        ("ssl_min_protocol_version" | "ssl_max_protocol_version", "tlsv1.3") => {
            "the driver takes TLS 1.2 as well as 1.3"
        }
        ("ssl_max_protocol_version", "tlsv1" | "tlsv1.1") => "the driver takes no TLS below 1.2",
        ("gssencmode" | "ssl_min_protocol_version" | "ssl_max_protocol_version", _) => return Ok(()),
        _ => match CANNOT.iter().find(|(cannot, _)| *cannot == name) {
            Some((_, why)) => why,
            None => return Ok(()),
        },
    };
    Err(format!("{name} cannot be obeyed: {why}"))
}

/// The parameter that was likely meant. One that was meant to make the connection safe must not be lost.
fn misspelt(name: &str) -> Option<&'static str> {
    let folded = name.to_ascii_lowercase().replace('-', "_");
    let safe = OURS.iter().chain(["sslcert", "sslkey"].iter()).copied();
    crate::error::nearest(&folded, safe).first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(query: &str) -> Result<Parameters, String> {
        Parameters::sort(&url::Url::parse(&format!("postgresql://h/d?{query}")).unwrap())
    }

    #[test]
    fn other_programs_parameters_are_left_out_by_name() {
        let sorted = sorted("pgbouncer=true&user=me&schema=x&connection_limit=1&never_heard_of=1").unwrap();
        assert_eq!(sorted.left_out, ["connection_limit", "never_heard_of", "pgbouncer", "schema"]);
        assert_eq!(sorted.driver, [("user".to_owned(), "me".to_owned())]);
    }

    #[test]
    fn what_cannot_be_obeyed_is_refused_and_not_repeated() {
        for query in [
            "sslcrl=hunter2",
            "service=hunter2",
            "require_auth=hunter2",
            "gssencmode=require",
            "ssl_min_protocol_version=TLSv1.3",
            "ssl_mod=hunter2",
            "SSLMODE=hunter2",
            "sslrootcerts=hunter2",
            "channelbinding=hunter2",
        ] {
            let why = sorted(query).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
        assert!(sorted("gssencmode=disable&ssl_min_protocol_version=TLSv1.2").is_ok());
    }
}
