//! Maps errors of the API to failures with their message and a hint. Pure.

use super::answer::ErrorAnswer;
use crate::branch::secret::Secret;
use crate::error::{Code, Failure};

/// The maximum length of a quoted text, in characters.
const MAX_CHARS: usize = 500;

/// The API's codes for limits of an account or a project.
const LIMIT_CODES: &[&str] = &[
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

/// An error of the API.
#[derive(Debug, Clone)]
pub(super) struct ErrorResponse {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
}

impl ErrorResponse {
    /// Parses an error. Of a body in another format only the status is reported.
    pub(super) fn read(status: u16, body: &[u8], sent_id: &str, key: &Secret) -> Self {
        let text: ErrorAnswer = serde_json::from_slice(body).unwrap_or_default();
        // Masked before truncation, which could cut a key.
        let clean = |text: &str| {
            let text: String = text.chars().filter(|c| !c.is_control()).collect();
            key.redact(&text).chars().take(MAX_CHARS).collect::<String>()
        };
        Self {
            status,
            code: clean(&text.code),
            message: clean(&text.message),
            request_id: Some(text.request_id.map_or_else(|| sent_id.to_owned(), |id| clean(&id))),
        }
    }

    /// Whether a limit of the account or the project was reached. The status of these errors varies.
    pub(super) fn is_capacity(&self) -> bool {
        // With these statuses a limit usually means the request rate, which is temporary.
        if matches!(self.status, 423 | 429) {
            return LIMIT_CODES.contains(&self.code.as_str());
        }
        self.code.contains("LIMIT_EXCEEDED")
            || self.code.contains("TIME_EXCEEDED")
            || is_capacity_message(&self.message)
    }

    /// Whether an optional value of the request may be the reason.
    pub(super) fn may_be_about_a_value(&self) -> bool {
        matches!(self.status, 400 | 403 | 412 | 422) && !self.is_capacity()
    }

    /// The failure during `action`.
    pub(super) fn failure(&self, action: &str) -> Failure {
        let text = match (self.code.as_str(), self.message.as_str()) {
            ("", "") => format!("HTTP {}", self.status),
            ("", message) => message.to_owned(),
            (code, "") => code.to_owned(),
            (code, message) => format!("{code}: {message}"),
        };
        let id = self.request_id.as_deref().map(|id| format!(" (request {id})")).unwrap_or_default();
        let failure = |code, hint: &str| Failure::new(code, format!("{action}: {text}{id}")).hint(hint);
        if self.is_capacity() {
            return failure(
                Code::BranchCapacity,
                "delete unused branches (`tenure branch gc --provider neon --prefix tenure/ --older-than 1d`), or raise the limit",
            );
        }
        match self.status {
            401 => failure(Code::BranchAuth, "check NEON_API_KEY: Neon rejects it"),
            403 => failure(
                Code::BranchAuth,
                "the key lacks the permission: use a key of the project or of its owner",
            ),
            404 if self.message.contains("branch") => {
                failure(Code::BranchNotFound, "list the branches with `neon branches list`")
            }
            404 => failure(
                Code::Settings,
                "check NEON_PROJECT_ID, NEON_API_HOST, and that the key belongs to that project",
            ),
            409 => failure(Code::BranchExists, "choose another name, or delete that branch"),
            423 | 429 => failure(Code::BranchBusy, "run it again later, or raise `[branch] retry_timeout`"),
            408 | 500..=599 => failure(Code::BranchApi, "run it again; neonstatus.com shows Neon's status"),
            300..=399 => failure(
                Code::Settings,
                "NEON_API_HOST redirects to another address; the key is not sent there",
            ),
            _ => failure(Code::BranchRefused, "see docs/branches.md"),
        }
    }
}

/// Marks a failure to provide a branch as "not verified": the trial did not take place.
pub(super) fn not_verified(failure: Failure) -> Failure {
    if matches!(failure.code, Code::BranchCapacity | Code::BranchBusy) {
        return Failure { message: format!("not verified: {}", failure.message), ..failure };
    }
    failure
}

/// Whether a message of the API or the proxy reports a reached limit.
pub(super) fn is_capacity_message(text: &str) -> bool {
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

    fn response(status: u16, code: &str, message: &str) -> ErrorResponse {
        let body = serde_json::json!({ "code": code, "message": message, "request_id": "r-1" });
        ErrorResponse::read(status, body.to_string().as_bytes(), "sent", &Secret::new("napi_hunter2"))
    }

    #[test]
    fn limits_are_detected_with_every_status() {
        for (status, code) in [
            (422, "BRANCHES_LIMIT_EXCEEDED"),
            (409, "ROOT_BRANCHES_LIMIT_EXCEEDED"),
            (422, "ACTIVE_ENDPOINTS_LIMIT_EXCEEDED"),
            (403, "NON_PRIMARY_BRANCH_COMPUTE_TIME_EXCEEDED"),
        ] {
            let failure = response(status, code, "no more").failure("creating the branch x");
            assert_eq!(failure.code, Code::BranchCapacity, "{code}");
            assert_eq!(failure.class(), Class::Refused);
            assert!(not_verified(failure).message.starts_with("not verified: creating"), "{code}");
        }
        assert!(response(422, "", "branches limit exceeded").is_capacity());
        assert!(response(429, "BRANCHES_LIMIT_EXCEEDED", "no more").is_capacity());
        for (status, code) in [(429, ""), (429, "RATE_LIMIT_EXCEEDED"), (423, "")] {
            let failure = response(status, code, "rate limit exceeded").failure("x");
            assert_eq!(failure.code, Code::BranchBusy, "{status} {code}");
        }
    }

    #[test]
    fn statuses_are_mapped_to_codes() {
        let code = |status, message| response(status, "", message).failure("x").code;
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
    fn messages_have_no_key_and_the_request_id() {
        let failure = response(400, "BAD", "no such key napi_hunter2\n\u{1b}[31m").failure("asking");
        assert_eq!(failure.message, "asking: BAD: no such key ***[31m (request r-1)");
        for before in 480..510 {
            let failure = response(400, "", &format!("{}napi_hunter2", "x".repeat(before))).failure("asking");
            assert!(!failure.message.contains("napi"), "{before}: {failure}");
        }
        let bare = ErrorResponse::read(502, b"<html>", "sent", &Secret::new("k")).failure("asking");
        assert_eq!(bare.message, "asking: HTTP 502 (request sent)");
    }
}
