//! Which project, with which key, at which address: flags before the environment before a `.neon` file, as
//! for Neon's own command line. Pure: `cli` reads the environment and the file.

use serde::Deserialize;

use crate::branch::secret::Secret;
use crate::error::{Code, Failure};

/// Where the API is, unless `NEON_API_HOST` says otherwise.
const USUAL: &str = "https://console.neon.tech/api/v2";

/// The file that links a folder to a project.
pub const CONTEXT_FILE: &str = ".neon";

/// What was found of each source.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--project-id`.
    pub flag: Option<String>,
    /// `NEON_PROJECT_ID`.
    pub project: Option<String>,
    /// `NEON_API_KEY`.
    pub key: Option<Secret>,
    /// `NEON_API_HOST`.
    pub host: Option<String>,
    /// The nearest `.neon` file: where it is, and its text.
    pub context: Option<(String, String)>,
}

/// All that a request needs.
#[derive(Debug, Clone)]
pub struct Access {
    pub(super) key: Secret,
    pub(super) project: String,
    pub(super) base: url::Url,
}

/// What matters of a `.neon` file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    project_id: Option<String>,
}

impl Access {
    /// Puts the sources together.
    pub fn resolve(given: &Given) -> Result<Self, Failure> {
        let said = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let key = given.key.as_ref().map(|key| key.reveal().trim()).filter(|key| !key.is_empty());
        let Some(key) = key else {
            return Err(Failure::new(Code::BranchAuth, "there is no key for Neon's API").hint(
                "set NEON_API_KEY; a key of the project alone is enough. Pull requests from forks have no secrets",
            ));
        };
        // What is not this is no key, and could not stand in a header.
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::new(
                Code::BranchAuth,
                "NEON_API_KEY holds a character that no key of Neon has",
            ));
        }
        let project = match (said(&given.flag), said(&given.project)) {
            (Some(flag), _) => Some((flag, "--project-id".to_owned())),
            (None, Some(project)) => Some((project, "NEON_PROJECT_ID".to_owned())),
            (None, None) => of_context(given.context.as_ref())?,
        };
        let Some((project, source)) = project else {
            return Err(Failure::new(Code::Settings, "no Neon project is named")
                .hint("set NEON_PROJECT_ID, say --project-id, or let `neon link` write a .neon file"));
        };
        let base = base(said(&given.host).as_deref().unwrap_or(USUAL))?;
        Ok(Self { key: Secret::new(key), project: a_project(project, &source)?, base })
    }
}

fn of_context(context: Option<&(String, String)>) -> Result<Option<(String, String)>, Failure> {
    let Some((path, text)) = context else { return Ok(None) };
    let read: Context = serde_json::from_str(text)
        .map_err(|error| Failure::new(Code::Settings, format!("{path} cannot be understood: {error}")))?;
    Ok(read.project_id.map(|project| (project, path.clone())))
}

/// A project's id; what people put there by mistake is named before the API answers "no such route".
fn a_project(id: String, source: &str) -> Result<String, Failure> {
    let wrong = |what: &str, hint: &str| {
        // The value is not repeated: it may be a URL with a password.
        Err(Failure::new(Code::Settings, format!("{source} {what}")).hint(hint))
    };
    let hint = "the project's id stands under Settings in Neon's console, such as spring-example-302709";
    if id.contains("://") {
        return wrong("is a URL, not a project's id", hint);
    }
    if id.contains('/') {
        return wrong("holds a /, so it is no project's id", hint);
    }
    if id.starts_with("br-") {
        return wrong("is a branch's id, not a project's", hint);
    }
    if id.starts_with("ep-") {
        return wrong("is an endpoint's id, not a project's", hint);
    }
    let sound = (1..=60).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if sound { Ok(id) } else { wrong("is no project's id", hint) }
}

/// The API's address, with a slash at its end, so that paths can be joined to it.
fn base(text: &str) -> Result<url::Url, Failure> {
    let wrong = |why: &str| {
        Failure::new(Code::Settings, format!("NEON_API_HOST {why}")).hint(format!("for example: {USUAL}"))
    };
    let mut url = url::Url::parse(text).map_err(|error| wrong(&format!("is no URL: {error}")))?;
    let here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(wrong("names no host")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user or a password"));
    }
    match url.scheme() {
        "https" => {}
        "http" if here => {}
        "http" => return Err(wrong("is not https, so the key would travel in the clear")),
        _ => return Err(wrong("is not https")),
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

    fn given() -> Given {
        Given { key: Some(Secret::new("napi_k")), project: Some("a-1".to_owned()), ..Given::default() }
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file() {
        let file = Some(("/x/.neon".to_owned(), r#"{"orgId":"o","projectId":"from-file"}"#.to_owned()));
        let mut all = Given { context: file, ..given() };
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
    fn without_a_key_it_is_a_matter_of_authority() {
        for key in [None, Some(""), Some("  "), Some("a\nb")] {
            let given = Given { key: key.map(Secret::new), ..given() };
            assert_eq!(Access::resolve(&given).unwrap_err().code, Code::BranchAuth, "{key:?}");
        }
    }

    #[test]
    fn what_is_no_project_is_said_and_not_repeated() {
        for wrong in ["br-a-1", "ep-a-1", "postgres://u:hunter2@h/d", "a/b", "A", "", &"a".repeat(61)] {
            let given = Given { project: Some(wrong.to_owned()), ..given() };
            let failure = Access::resolve(&given).unwrap_err();
            assert_eq!(failure.code, Code::Settings, "{wrong}");
            assert!(!failure.message.contains("hunter2"));
        }
    }

    #[test]
    fn the_address_is_https_or_here_with_or_without_a_slash() {
        for (text, becomes) in [
            ("https://console.neon.tech/api/v2", "https://console.neon.tech/api/v2/"),
            ("https://console.neon.tech/api/v2/", "https://console.neon.tech/api/v2/"),
            ("http://127.0.0.1:9/api/v2//", "http://127.0.0.1:9/api/v2/"),
            ("http://[::1]:9", "http://[::1]:9/"),
            ("http://localhost:9?x=1#y", "http://localhost:9/"),
        ] {
            let given = Given { host: Some(text.to_owned()), ..given() };
            assert_eq!(Access::resolve(&given).unwrap().base.as_str(), becomes);
        }
        assert_eq!(Access::resolve(&given()).unwrap().base.host_str(), Some("console.neon.tech"));
        for wrong in ["console.neon.tech", "http://console.neon.tech", "ftp://x/", "https://u:hunter2@x/"] {
            let given = Given { host: Some(wrong.to_owned()), ..given() };
            let failure = Access::resolve(&given).unwrap_err();
            assert_eq!(failure.code, Code::Settings, "{wrong}");
            assert!(!failure.message.contains("hunter2"));
        }
    }
}
