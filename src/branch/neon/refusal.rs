//! What an error of the API means: a code of ours, the API's own words, what to do next. Pure.

use super::answer::ErrorAnswer;
use crate::branch::secret::Secret;
use crate::error::{Code, Failure};

/// More of somebody else's text than this helps nobody.
const LONGEST: usize = 500;

/// The limits of an account or a project that are known by their codes.
const LIMITS: &[&str] = &[
    "ACTIVE_ENDPOINTS_LIMIT_EXCEEDED",
    "BRANCHES_LIMIT_EXCEEDED",
    "BRANCHES_PROTECTED_LIMIT_EXCEEDED",
    "COMPUTE_TIME_EXCEEDED",
    "DATA_TRANSFER_LIMIT_EXCEEDED",
    "ENDPOINTS_LIMIT_EXCEEDED",
    "NON_PRIMARY_BRANCH_COMPUTE_TIME_EXCEEDED",
    "PROJECTS_LIMIT_EXCEEDED",
    "ROOT_BRANCHES_LIMIT_EXCEEDED",
];

/// An answer that is no success.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
}

impl Refused {
    /// Reads the body of an answer; one that is no error of the API's is quoted by its status only.
    pub(super) fn read(status: u16, body: &[u8], sent_id: &str, key: &Secret) -> Self {
        let said: ErrorAnswer = serde_json::from_slice(body).unwrap_or_default();
        // Hidden before it is cut: the beginning of a key could stand at the cut.
        let clean = |text: &str| {
            let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
            key.hidden_in(&text).chars().take(LONGEST).collect::<String>()
        };
        Self {
            status,
            code: clean(&said.code),
            message: clean(&said.message),
            request_id: Some(said.request_id.map_or_else(|| sent_id.to_owned(), |id| clean(&id))),
        }
    }

    /// Whether the account or the project is at a limit; the status that comes with it is not always the same.
    pub(super) fn is_capacity(&self) -> bool {
        // To these two a limit is how many requests may come, which passes by itself.
        if matches!(self.status, 423 | 429) {
            return LIMITS.contains(&self.code.as_str());
        }
        self.code.contains("LIMIT_EXCEEDED")
            || self.code.contains("TIME_EXCEEDED")
            || says_capacity(&self.message)
    }

    /// Whether the reason may be one of the values that were sent along and could be left out.
    pub(super) fn is_of_a_value(&self) -> bool {
        matches!(self.status, 400 | 403 | 412 | 422) && !self.is_capacity()
    }

    /// The failure, where this was being done.
    pub(super) fn failure(&self, doing: &str) -> Failure {
        let said = match (self.code.as_str(), self.message.as_str()) {
            ("", "") => format!("HTTP {}", self.status),
            ("", message) => message.to_owned(),
            (code, "") => code.to_owned(),
            (code, message) => format!("{code}: {message}"),
        };
        let id = self.request_id.as_deref().map(|id| format!(" (request {id})")).unwrap_or_default();
        let failure = |code, hint: &str| Failure::new(code, format!("{doing}: {said}{id}")).hint(hint);
        if self.is_capacity() {
            return failure(
                Code::BranchCapacity,
                "delete branches that nobody needs (`tenure branch gc --provider neon --prefix tenure/ --older-than 1d`), or raise the limit",
            );
        }
        match self.status {
            401 => failure(Code::BranchAuth, "look at NEON_API_KEY: Neon does not know it"),
            403 => failure(
                Code::BranchAuth,
                "the key may not do this: it must be of the project, or of who owns the project",
            ),
            404 if self.message.contains("branch") => {
                failure(Code::BranchNotFound, "`neon branches list` shows what there is")
            }
            404 => failure(
                Code::Settings,
                "look at NEON_PROJECT_ID and NEON_API_HOST, and whether the key is of that project",
            ),
            409 => failure(Code::BranchExists, "give another name, or delete that one"),
            423 | 429 => failure(
                Code::BranchBusy,
                "run it again later; `[branch] retry_timeout` is how long is waited",
            ),
            408 | 500..=599 => failure(Code::BranchApi, "run it again; neonstatus.com says how Neon is"),
            300..=399 => failure(Code::Settings, "NEON_API_HOST leads elsewhere; the key is not sent there"),
            _ => failure(Code::BranchRefused, "the words are Neon's; docs/branches.md may know more"),
        }
    }
}

/// Says of a failure to give a branch that it is no verdict: what was to be tried there was not tried.
pub(super) fn not_verified(failure: Failure) -> Failure {
    if matches!(failure.code, Code::BranchCapacity | Code::BranchBusy) {
        return Failure { message: format!("not verified: {}", failure.message), ..failure };
    }
    failure
}

/// Whether a text of the API or of the proxy says that a limit was reached.
pub(super) fn says_capacity(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    [
        "limit exceeded",
        "limit reached",
        "check your quotas",
        "exceeded the compute time quota",
        "quota exceeded",
    ]
    .iter()
    .any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    fn refused(status: u16, code: &str, message: &str) -> Refused {
        let body = serde_json::json!({ "code": code, "message": message, "request_id": "r-1" });
        Refused::read(status, body.to_string().as_bytes(), "sent", &Secret::new("napi_hunter2"))
    }

    #[test]
    fn a_limit_is_a_limit_with_whatever_status() {
        for (status, code) in [
            (422, "BRANCHES_LIMIT_EXCEEDED"),
            (409, "ROOT_BRANCHES_LIMIT_EXCEEDED"),
            (422, "ACTIVE_ENDPOINTS_LIMIT_EXCEEDED"),
            (403, "NON_PRIMARY_BRANCH_COMPUTE_TIME_EXCEEDED"),
        ] {
            let failure = refused(status, code, "no more").failure("making the branch x");
            assert_eq!(failure.code, Code::BranchCapacity, "{code}");
            assert_eq!(failure.class(), Class::Refused);
            assert!(not_verified(failure).message.starts_with("not verified: making"), "{code}");
        }
        assert!(refused(422, "", "branches limit exceeded").is_capacity());
        assert!(refused(429, "BRANCHES_LIMIT_EXCEEDED", "no more").is_capacity());
        for (status, code) in [(429, ""), (429, "RATE_LIMIT_EXCEEDED"), (423, "")] {
            let failure = refused(status, code, "rate limit exceeded").failure("x");
            assert_eq!(failure.code, Code::BranchBusy, "{status} {code}");
        }
    }

    #[test]
    fn each_status_has_its_code_and_exit_code() {
        let code = |status, message| refused(status, "", message).failure("x").code;
        assert_eq!(code(401, ""), Code::BranchAuth);
        assert_eq!(code(403, ""), Code::BranchAuth);
        assert_eq!(code(404, "branch not found"), Code::BranchNotFound);
        assert_eq!(code(404, "project not found"), Code::Settings);
        assert_eq!(code(404, "this route does not exist"), Code::Settings);
        assert_eq!(code(409, "branch already exists"), Code::BranchExists);
        assert_eq!((code(423, ""), code(429, "")), (Code::BranchBusy, Code::BranchBusy));
        assert_eq!((code(500, ""), code(503, "")), (Code::BranchApi, Code::BranchApi));
        assert_eq!(code(302, ""), Code::Settings);
        assert_eq!(code(418, ""), Code::BranchRefused);
        assert_eq!(Code::BranchApi.class(), Class::Unreachable);
        assert_eq!(Code::BranchAuth.class(), Class::Usage);
    }

    #[test]
    fn what_the_api_says_is_quoted_without_the_key_and_with_the_requests_id() {
        let failure = refused(400, "BAD", "no such key napi_hunter2\n\u{1b}[31m").failure("asking");
        assert_eq!(failure.message, "asking: BAD: no such key ***[31m (request r-1)");
        for before in 480..510 {
            let failure = refused(400, "", &format!("{}napi_hunter2", "x".repeat(before))).failure("asking");
            assert!(!failure.message.contains("napi"), "{before}: {failure}");
        }
        let bare = Refused::read(502, b"<html>", "sent", &Secret::new("k")).failure("asking");
        assert_eq!(bare.message, "asking: HTTP 502 (request sent)");
    }
}
