//! How a connection is made safe, as libpq does it (manual, chapter 34.19): pure.
//!
//! Two things are stricter here. `verify-ca` without a file of authorities is `verify-full`, since any site's
//! certificate would do for it. And the driver cannot bind the authentication to the channel, so what asks for
//! that (`channel_binding=require`) gets the other proof that nobody stands between: `verify-full`.

use sqlx::postgres::PgSslMode;

use super::parameters::Parameters;

/// What `sslrootcert` says for the authorities that everybody trusts.
const SYSTEM: &str = "system";

/// How to connect.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) mode: PgSslMode,
    /// The file of authorities.
    pub(super) root: Option<String>,
    /// Whether a file of authorities in its usual place counts.
    pub(super) usual_root: bool,
    /// What is done otherwise than the URL says.
    pub(super) note: Option<&'static str>,
}

/// Decides. `otherwise` is what the environment says, or the driver's own default; `neon` whether the server is
/// one of Neon's, which takes no connection without TLS.
pub(super) fn decide(given: &Parameters, otherwise: PgSslMode, neon: bool) -> Result<Tls, &'static str> {
    let system = given.sslrootcert.as_deref() == Some(SYSTEM);
    let root = given.sslrootcert.clone().filter(|root| root != SYSTEM && !root.is_empty());
    let mut mode = match given.sslmode.as_deref() {
        Some(mode) => mode
            .parse()
            .map_err(|_| "sslmode is not one of disable, allow, prefer, require, verify-ca, verify-full")?,
        None if system => PgSslMode::VerifyFull,
        None if neon && matches!(otherwise, PgSslMode::Prefer) => PgSslMode::Require,
        None => otherwise,
    };
    if system && !matches!(mode, PgSslMode::VerifyFull) {
        return Err("sslrootcert=system goes with sslmode=verify-full only, as in libpq");
    }
    let mut note = None;
    match given.channel_binding.as_deref() {
        None | Some("prefer" | "disable") => {}
        Some("require") => match mode {
            PgSslMode::Disable | PgSslMode::Allow => {
                return Err("channel_binding=require needs TLS: set sslmode=verify-full");
            }
            PgSslMode::VerifyFull => {}
            _ => {
                mode = PgSslMode::VerifyFull;
                note = Some(
                    "channel_binding=require: the driver cannot bind to the channel, so the server's certificate is \
                     verified in full instead (sslmode=verify-full)",
                );
            }
        },
        Some(_) => return Err("channel_binding is not one of disable, prefer, require"),
    }
    let usual_root = root.is_none() && !system && note.is_none();
    Ok(Tls { mode, root, usual_root, note }.with_root())
}

impl Tls {
    /// What a file of authorities changes.
    fn with_root(mut self) -> Self {
        match (self.mode, &self.root) {
            (PgSslMode::Require, Some(_)) => self.mode = PgSslMode::VerifyCa,
            (PgSslMode::VerifyCa, None) if !self.usual_root => self.mode = PgSslMode::VerifyFull,
            _ => {}
        }
        self
    }

    /// The same, where the file of authorities in its usual place is `found`, or is none.
    pub(super) fn with_usual_root(mut self, found: Option<String>) -> Self {
        if self.usual_root && !matches!(self.mode, PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer)
        {
            self.root = found;
            self.usual_root = false;
            return self.with_root();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(query: &str) -> Parameters {
        Parameters::sort(&url::Url::parse(&format!("postgresql://h/d?{query}")).unwrap()).unwrap()
    }

    fn mode(query: &str, neon: bool, usual: Option<&str>) -> Result<String, &'static str> {
        let tls = decide(&given(query), PgSslMode::Prefer, neon)?.with_usual_root(usual.map(str::to_owned));
        Ok(format!("{:?} {}", tls.mode, tls.root.as_deref().unwrap_or("-")))
    }

    #[test]
    fn it_is_as_in_libpq_or_stricter() {
        for (query, neon, usual, then) in [
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
            assert_eq!(mode(query, neon, usual).as_deref(), Ok(then), "{query}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
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
