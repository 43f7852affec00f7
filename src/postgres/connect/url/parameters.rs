//! Classifies each parameter of a URL: for the driver, for Tenure, ignored, or unsupported. Ignored ones are
//! reported by name, since a user may rely on them.

/// Passed to the driver unchanged.
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

/// Handled here, before the driver gets the URL.
const HANDLED: &[&str] = &["channel_binding", "connect_timeout", "sslmode", "sslrootcert"];

/// Ignored: parameters of other programs, and those of libpq that have no effect here.
const IGNORED: &[&str] = &[
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

/// Parameters that the driver cannot honour, with the reason.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("gsslib", "the driver has no GSSAPI"),
    ("passfile", "set PGPASSFILE instead"),
    ("replication", "a replication connection cannot run migrations"),
    ("require_auth", "the driver accepts every authentication method"),
    ("requirepeer", "the driver does not check the owner of a socket"),
    ("service", "write the service's parameters into the URL"),
    ("sslcertmode", "set sslcert and sslkey, or neither"),
    ("sslcrl", "the driver reads no revocation list"),
    ("sslcrldir", "the driver reads no revocation list"),
    ("sslpassword", "the driver reads no encrypted key: decrypt it into a file for sslkey"),
];

/// The classified parameters of a URL.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    /// For the driver, in their order.
    pub(super) driver: Vec<(String, String)>,
    pub(super) sslmode: Option<String>,
    pub(super) sslrootcert: Option<String>,
    pub(super) channel_binding: Option<String>,
    pub(super) connect_timeout: Option<String>,
    /// Whether it sets `target_session_attrs`.
    pub(super) sets_session_attrs: bool,
    /// The names of the ignored ones.
    pub(super) ignored: Vec<String>,
}

impl Parameters {
    /// The error names the parameter, never its value.
    pub(super) fn classify(url: &url::Url) -> Result<Self, String> {
        let mut classified = Self::default();
        for (key, value) in url.query_pairs() {
            let name = canonical(&key);
            let value = value.into_owned();
            match name {
                "sslmode" => classified.sslmode = Some(value),
                "sslrootcert" => classified.sslrootcert = Some(value),
                "channel_binding" => classified.channel_binding = Some(value),
                "connect_timeout" => classified.connect_timeout = Some(value),
                _ if DRIVER.contains(&name) || name.starts_with("options[") => {
                    classified.driver.push((name.to_owned(), value));
                }
                _ => {
                    check_supported(name, &value)?;
                    classified.sets_session_attrs |= name == "target_session_attrs";
                    if !IGNORED.contains(&name)
                        && let Some(known) = misspelled(name)
                    {
                        return Err(format!("unknown parameter {name:?}; did you mean {known:?}?"));
                    }
                    classified.ignored.push(name.to_owned());
                }
            }
        }
        classified.ignored.sort_unstable();
        classified.ignored.dedup();
        Ok(classified)
    }
}

/// Whether libpq knows the parameter.
pub(super) fn is_libpq_parameter(name: &str) -> bool {
    let name = canonical(name);
    !name.contains('-') && (DRIVER.contains(&name) || HANDLED.contains(&name))
}

/// The driver accepts some names in two spellings.
pub(super) fn canonical(name: &str) -> &str {
    match name {
        "ssl-mode" => "sslmode",
        "ssl-ca" | "ssl-root-cert" => "sslrootcert",
        "ssl-cert" => "sslcert",
        "ssl-key" => "sslkey",
        other => other,
    }
}

/// With one address, only these values of `target_session_attrs` accept every server.
pub(super) fn check_session_attrs(value: &str) -> Result<(), &'static str> {
    match value {
        "any" | "prefer-standby" => Ok(()),
        _ => Err("give the address of the server that you mean, without it"),
    }
}

fn check_supported(name: &str, value: &str) -> Result<(), String> {
    let reason = match (name, value.to_ascii_lowercase().as_str()) {
        ("target_session_attrs", value) => match check_session_attrs(value) {
            Ok(()) => return Ok(()),
            Err(reason) => reason,
        },
        ("gssencmode", "require") => "the driver has no GSSAPI",
        ("ssl_min_protocol_version" | "ssl_max_protocol_version", "tlsv1.3") => {
            "the driver accepts TLS 1.2 as well as 1.3"
        }
        ("ssl_max_protocol_version", "tlsv1" | "tlsv1.1") => "the driver accepts no TLS version below 1.2",
        ("gssencmode" | "ssl_min_protocol_version" | "ssl_max_protocol_version", _) => return Ok(()),
        _ => match UNSUPPORTED.iter().find(|(check_supported, _)| *check_supported == name) {
            Some((_, reason)) => reason,
            None => return Ok(()),
        },
    };
    Err(format!("{name} is not supported: {reason}"))
}

/// The security parameter with the most similar name. A misspelled one must not be ignored.
fn misspelled(name: &str) -> Option<&'static str> {
    let folded = name.to_ascii_lowercase().replace('-', "_");
    let security = HANDLED.iter().chain(["sslcert", "sslkey"].iter()).copied();
    crate::error::nearest(&folded, security).first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(query: &str) -> Result<Parameters, String> {
        Parameters::classify(&url::Url::parse(&format!("postgresql://h/d?{query}")).unwrap())
    }

    #[test]
    fn parameters_of_other_programs_are_ignored_and_named() {
        let classified =
            classified("pgbouncer=true&user=me&schema=x&connection_limit=1&never_heard_of=1").unwrap();
        assert_eq!(classified.ignored, ["connection_limit", "never_heard_of", "pgbouncer", "schema"]);
        assert_eq!(classified.driver, [("user".to_owned(), "me".to_owned())]);
    }

    #[test]
    fn unsupported_parameters_are_errors_without_values() {
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
            let reason = classified(query).unwrap_err();
            assert!(!reason.contains("hunter2"), "{reason}");
        }
        assert!(classified("gssencmode=disable&ssl_min_protocol_version=TLSv1.2").is_ok());
    }
}
