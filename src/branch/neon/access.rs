//! The project, key and address of the API: flags override the environment, which overrides a `.neon` file, as
//! in Neon's command line. Pure: `cli` reads the environment and the file.

use serde::Deserialize;

use crate::branch::secret::Secret;
use crate::error::{Code, Failure};

/// The default of `NEON_API_HOST`.
const DEFAULT_URL: &str = "https://console.neon.tech/api/v2";

/// The name of the file that links a folder to a project.
pub const CONTEXT_FILE: &str = ".neon";

/// The values of each source.
#[derive(Debug, Clone, Default)]
pub struct AccessSources {
    /// `--project-id`.
    pub flag: Option<String>,
    /// `NEON_PROJECT_ID`.
    pub project: Option<String>,
    /// `NEON_API_KEY`.
    pub key: Option<Secret>,
    /// `NEON_API_HOST`.
    pub host: Option<String>,
    /// The path and the text of the nearest `.neon` file.
    pub context: Option<(String, String)>,
}

/// The access to a project.
#[derive(Debug, Clone)]
pub struct Access {
    pub(super) key: Secret,
    pub(super) project: String,
    pub(super) base: url::Url,
}

/// The used part of a `.neon` file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    project_id: Option<String>,
}

impl Access {
    /// Combines the sources.
    pub fn resolve(sources: &AccessSources) -> Result<Self, Failure> {
        let non_empty = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let key = sources.key.as_ref().map(|key| key.reveal().trim()).filter(|key| !key.is_empty());
        let Some(key) = key else {
            return Err(Failure::new(Code::BranchAuth, "the key for Neon's API is missing").hint(
                "set NEON_API_KEY, for example to a key of the project; pull requests from forks have no access to secrets",
            ));
        };
        // Keys contain only these characters; others are not allowed in a header.
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::new(
                Code::BranchAuth,
                "NEON_API_KEY contains a character that is not allowed in a key",
            ));
        }
        let project = match (non_empty(&sources.flag), non_empty(&sources.project)) {
            (Some(flag), _) => Some((flag, "--project-id".to_owned())),
            (None, Some(project)) => Some((project, "NEON_PROJECT_ID".to_owned())),
            (None, None) => project_of_context(sources.context.as_ref())?,
        };
        let Some((project, source)) = project else {
            return Err(Failure::new(Code::Settings, "the Neon project is missing")
                .hint("set NEON_PROJECT_ID or --project-id, or create a .neon file with `neon link`"));
        };
        let base = base(non_empty(&sources.host).as_deref().unwrap_or(DEFAULT_URL))?;
        Ok(Self { key: Secret::new(key), project: parse_project(project, &source)?, base })
    }
}

fn project_of_context(context: Option<&(String, String)>) -> Result<Option<(String, String)>, Failure> {
    let Some((path, text)) = context else { return Ok(None) };
    let read: Context = serde_json::from_str(text)
        .map_err(|error| Failure::new(Code::Settings, format!("{path} is invalid: {error}")))?;
    Ok(read.project_id.map(|project| (project, path.clone())))
}

/// Checks a project's id and explains common mistakes, for which the API only answers "no such route".
fn parse_project(id: String, source: &str) -> Result<String, Failure> {
    let invalid = |problem: &str, hint: &str| {
        // The value is not quoted: it may be a URL with a password.
        Err(Failure::new(Code::Settings, format!("{source} {problem}")).hint(hint))
    };
    let hint = "the project's id is under Settings in Neon's console, for example spring-example-302709";
    if id.contains("://") {
        return invalid("is a URL, not a project's id", hint);
    }
    if id.contains('/') {
        return invalid("contains a /, so it is not a project's id", hint);
    }
    if id.starts_with("br-") {
        return invalid("is a branch's id, not a project's", hint);
    }
    if id.starts_with("ep-") {
        return invalid("is an endpoint's id, not a project's", hint);
    }
    let is_valid = (1..=60).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_valid { Ok(id) } else { invalid("is not a project's id", hint) }
}

/// The API's base URL, with a final slash so that paths can be joined.
fn base(text: &str) -> Result<url::Url, Failure> {
    let invalid = |why: &str| {
        Failure::new(Code::Settings, format!("NEON_API_HOST {why}"))
            .hint(format!("for example: {DEFAULT_URL}"))
    };
    let mut url = url::Url::parse(text).map_err(|error| invalid(&format!("is not a URL: {error}")))?;
    let is_local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(invalid("has no host")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("contains a user or a password"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_local => {}
        "http" => return Err(invalid("is not https, so the key would be sent unencrypted")),
        _ => return Err(invalid("is not https")),
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> AccessSources {
        AccessSources {
            key: Some(Secret::new("napi_k")),
            project: Some("a-1".to_owned()),
            ..AccessSources::default()
        }
    }

    #[test]
    fn flags_override_the_environment_and_that_the_file() {
        let file = Some(("/x/.neon".to_owned(), r#"{"orgId":"o","projectId":"from-file"}"#.to_owned()));
        let mut all = AccessSources { context: file, ..sources() };
        all.flag = Some("from-flag".to_owned());
        assert_eq!(Access::resolve(&all).unwrap().project, "from-flag");
        all.flag = Some("  ".to_owned());
        assert_eq!(Access::resolve(&all).unwrap().project, "a-1");
        all.project = None;
        assert_eq!(Access::resolve(&all).unwrap().project, "from-file");
        all.context = Some(("/x/.neon".to_owned(), "{}".to_owned()));
        assert_eq!(Access::resolve(&all).unwrap_err().code, Code::Settings);
        all.context = Some(("/x/.neon".to_owned(), "[".to_owned()));
        assert!(Access::resolve(&all).unwrap_err().message.contains("/x/.neon"));
    }

    #[test]
    fn a_missing_key_is_an_authentication_failure() {
        for key in [None, Some(""), Some("  "), Some("a\nb")] {
            let sources = AccessSources { key: key.map(Secret::new), ..sources() };
            assert_eq!(Access::resolve(&sources).unwrap_err().code, Code::BranchAuth, "{key:?}");
        }
    }

    #[test]
    fn invalid_projects_are_errors_without_the_value() {
        for invalid in ["br-a-1", "ep-a-1", "postgres://u:hunter2@h/d", "a/b", "A", "", &"a".repeat(61)] {
            let sources = AccessSources { project: Some(invalid.to_owned()), ..sources() };
            let failure = Access::resolve(&sources).unwrap_err();
            assert_eq!(failure.code, Code::Settings, "{invalid}");
            assert!(!failure.message.contains("hunter2"));
        }
    }

    #[test]
    fn the_address_is_https_or_local() {
        for (text, becomes) in [
            ("https://console.neon.tech/api/v2", "https://console.neon.tech/api/v2/"),
            ("https://console.neon.tech/api/v2/", "https://console.neon.tech/api/v2/"),
            ("http://127.0.0.1:9/api/v2//", "http://127.0.0.1:9/api/v2/"),
            ("http://[::1]:9", "http://[::1]:9/"),
            ("http://localhost:9?x=1#y", "http://localhost:9/"),
        ] {
            let sources = AccessSources { host: Some(text.to_owned()), ..sources() };
            assert_eq!(Access::resolve(&sources).unwrap().base.as_str(), becomes);
        }
        assert_eq!(Access::resolve(&sources()).unwrap().base.host_str(), Some("console.neon.tech"));
        for invalid in ["console.neon.tech", "http://console.neon.tech", "ftp://x/", "https://u:hunter2@x/"] {
            let sources = AccessSources { host: Some(invalid.to_owned()), ..sources() };
            let failure = Access::resolve(&sources).unwrap_err();
            assert_eq!(failure.code, Code::Settings, "{invalid}");
            assert!(!failure.message.contains("hunter2"));
        }
    }
}
