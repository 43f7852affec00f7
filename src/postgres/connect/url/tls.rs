//! The TLS mode of a connection, as in libpq (manual, chapter 34.19). Pure.
//!
//! It is stricter in two cases. `verify-ca` without a root certificate file becomes `verify-full`, since
//! otherwise a certificate of any site would be accepted. The driver does not support channel binding, so
//! `channel_binding=require` also becomes `verify-full`.

use std::path::Path;

use sqlx::postgres::PgSslMode;

use super::parameters::Parameters;

/// The value of `sslrootcert` for the system's root certificates.
const SYSTEM_ROOTS: &str = "system";

#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) mode: PgSslMode,
    /// The root certificate file.
    pub(super) root: Option<String>,
    /// Whether libpq's default root certificate file is used if it exists.
    pub(super) use_default_root: bool,
    /// A note for the user about a stricter mode.
    pub(super) note: Option<&'static str>,
}

/// `fallback` is the mode of the environment or the driver's default. `neon`: the server is Neon's, which
/// requires TLS.
pub(super) fn decide(parameters: &Parameters, fallback: PgSslMode, neon: bool) -> Result<Tls, &'static str> {
    let system = parameters.sslrootcert.as_deref() == Some(SYSTEM_ROOTS);
    let root = parameters.sslrootcert.clone().filter(|root| root != SYSTEM_ROOTS && !root.is_empty());
    let mut mode = match parameters.sslmode.as_deref() {
        Some(mode) => mode
            .parse()
            .map_err(|_| "sslmode is not one of disable, allow, prefer, require, verify-ca, verify-full")?,
        None if system => PgSslMode::VerifyFull,
        None if neon && matches!(fallback, PgSslMode::Prefer) => PgSslMode::Require,
        None => fallback,
    };
    if system && !matches!(mode, PgSslMode::VerifyFull) {
        return Err("sslrootcert=system requires sslmode=verify-full, as in libpq");
    }
    let mut note = None;
    match parameters.channel_binding.as_deref() {
        None | Some("prefer" | "disable") => {}
        Some("require") => match mode {
            PgSslMode::Disable | PgSslMode::Allow => {
                return Err("channel_binding=require needs TLS: set sslmode=verify-full");
            }
            PgSslMode::VerifyFull => {}
            _ => {
                mode = PgSslMode::VerifyFull;
                note = Some(
                    "channel_binding=require: the driver does not support channel binding, so the server's certificate is \
                     verified in full instead (sslmode=verify-full)",
                );
            }
        },
        Some(_) => return Err("channel_binding is not one of disable, prefer, require"),
    }
    let use_default_root = root.is_none() && !system && note.is_none();
    Ok(Tls { mode, root, use_default_root, note }.with_root())
}

impl Tls {
    /// The driver has one field for the name in the certificate and the address.
    pub(super) fn check_address(&self, parameters: &Parameters) -> Result<(), &'static str> {
        let compares_name = match self.mode {
            PgSslMode::VerifyFull => true,
            PgSslMode::VerifyCa => self.root.is_none(),
            _ => false,
        };
        let has_address = parameters.driver.iter().any(|(name, _)| name == "hostaddr");
        if has_address && compares_name {
            return Err(
                "hostaddr is not supported if TLS verifies the server's name (sslmode=verify-full): use the host name alone",
            );
        }
        Ok(())
    }

    /// Checks that the files exist, so that a wrong path is no fault of the server.
    pub(super) fn check_files(&self, parameters: &Parameters) -> Result<(), String> {
        if matches!(self.mode, PgSslMode::Disable) {
            return Ok(());
        }
        let root = self.root.as_deref().map(|root| ("sslrootcert", root));
        let own = parameters.driver.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let files = own.filter(|(name, _)| ["sslcert", "sslkey"].contains(name)).chain(root);
        match files.into_iter().find(|(_, path)| !Path::new(path).is_file()) {
            Some((name, _)) => Err(format!("the file in {name} does not exist")),
            None => Ok(()),
        }
    }

    /// Adjusts the mode to the root certificate file.
    fn with_root(mut self) -> Self {
        match (self.mode, &self.root) {
            (PgSslMode::Require, Some(_)) => self.mode = PgSslMode::VerifyCa,
            (PgSslMode::VerifyCa, None) if !self.use_default_root => self.mode = PgSslMode::VerifyFull,
            _ => {}
        }
        self
    }

    /// Uses the default root certificate file if it was `found`.
    pub(super) fn with_default_root(mut self, found: Option<String>) -> Self {
        if self.use_default_root
            && !matches!(self.mode, PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer)
        {
            self.root = found;
            self.use_default_root = false;
            return self.with_root();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(query: &str) -> Parameters {
        Parameters::classify(&url::Url::parse(&format!("postgresql://h/d?{query}")).unwrap()).unwrap()
    }

    fn mode(query: &str, neon: bool, default_root: Option<&str>) -> Result<String, &'static str> {
        let tls = decide(&parameters(query), PgSslMode::Prefer, neon)?
            .with_default_root(default_root.map(str::to_owned));
        Ok(format!("{:?} {}", tls.mode, tls.root.as_deref().unwrap_or("-")))
    }

    #[test]
    fn modes_are_as_in_libpq_or_stricter() {
        for (query, neon, default_root, expected) in [
            ("", false, None, "Prefer -"),
            ("", false, Some("/home/root.crt"), "Prefer -"),
            ("", true, None, "Require -"),
            ("sslmode=disable", true, None, "Disable -"),
            ("sslmode=require", false, None, "Require -"),
            ("sslmode=require", false, Some("/home/root.crt"), "VerifyCa /home/root.crt"),
            ("sslmode=require&sslrootcert=/ca", false, Some("/home/root.crt"), "VerifyCa /ca"),
            ("sslmode=verify-ca&sslrootcert=/ca", false, None, "VerifyCa /ca"),
            ("sslmode=verify-ca", false, None, "VerifyFull -"),
            ("sslmode=verify-ca", false, Some("/home/root.crt"), "VerifyCa /home/root.crt"),
            ("sslmode=verify-full", false, None, "VerifyFull -"),
            ("ssl-mode=verify-full&ssl-ca=/ca", false, None, "VerifyFull /ca"),
            ("sslrootcert=system", false, Some("/home/root.crt"), "VerifyFull -"),
            ("sslmode=require&channel_binding=require", true, None, "VerifyFull -"),
            ("sslmode=require&channel_binding=require", true, Some("/home/root.crt"), "VerifyFull -"),
            ("sslmode=require&channel_binding=prefer", true, None, "Require -"),
        ] {
            assert_eq!(mode(query, neon, default_root).as_deref(), Ok(expected), "{query}");
        }
    }

    #[test]
    fn contradictory_parameters_are_errors() {
        for query in [
            "sslmode=require&sslrootcert=system",
            "sslmode=disable&channel_binding=require",
            "channel_binding=always",
            "sslmode=yes",
        ] {
            assert!(mode(query, false, None).is_err(), "{query}");
        }
    }
}
