//! The requests to the API, as values.

use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::retry::Idempotency;
use crate::branch::{BranchRequest, Content, RUN_ANNOTATION};

/// The annotation with the parent, for a branch without a parent in the API.
pub(super) const PARENT: &str = "tenure-parent";

/// The API's limit of annotations, less Tenure's.
const MAX_ANNOTATIONS: usize = 48;

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The action, for error messages.
    pub(super) action: String,
    pub(super) method: Method,
    /// The path below the project; empty for the project.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    pub(super) repeat: Idempotency,
}

impl Call {
    fn new(method: Method, path: &[&str], action: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            method,
            path: path.iter().map(|&segment| segment.to_owned()).collect(),
            query: Vec::new(),
            body: None,
            repeat: Idempotency::Idempotent,
        }
    }

    pub(super) fn get(path: &[&str], action: impl Into<String>) -> Self {
        Self::new(Method::GET, path, action)
    }

    pub(super) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    /// Creates a branch with one read-write compute. The suspend timeout is not set, since some plans reject
    /// it.
    pub(super) fn create(request: &BranchRequest, parent: &str, expires: Option<OffsetDateTime>) -> Self {
        let mut branch = json!({ "name": request.name.as_str(), "parent_id": parent });
        if let Some(expires) = expires.and_then(rfc3339) {
            branch["expires_at"] = json!(expires);
        }
        if request.content == Content::Schema {
            branch["init_source"] = json!("schema-only");
        }
        let mut notes: serde_json::Map<String, Value> = request
            .annotations
            .iter()
            .take(MAX_ANNOTATIONS)
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        notes.insert(RUN_ANNOTATION.to_owned(), json!(request.run.to_string()));
        notes.insert(PARENT.to_owned(), json!(parent));
        let mut call =
            Self::new(Method::POST, &["branches"], format!("creating the branch {}", request.name));
        call.body = Some(json!({
            "branch": branch,
            "endpoints": [{ "type": "read_write" }],
            "annotation_value": notes,
        }));
        call.repeat = Idempotency::NotIdempotent;
        call
    }

    /// Resets a branch to its parent.
    pub(super) fn restore(id: &str, parent: &str, name: &str) -> Self {
        let action = format!("resetting the branch {name} to its parent");
        let mut call = Self::new(Method::POST, &["branches", id, "restore"], action);
        call.body = Some(json!({ "source_branch_id": parent }));
        call
    }

    /// Sets the expiry time of a branch.
    pub(super) fn expire(id: &str, at: OffsetDateTime, name: &str) -> Option<Self> {
        let at = rfc3339(at)?;
        let action = format!("setting the expiry time of the branch {name}");
        let mut call = Self::new(Method::PATCH, &["branches", id], action);
        call.body = Some(json!({ "branch": { "expires_at": at } }));
        Some(call)
    }

    pub(super) fn delete(id: &str) -> Self {
        Self::new(Method::DELETE, &["branches", id], format!("deleting the branch {id}"))
    }

    pub(super) fn uri(branch: &str, database: &str, role: &str, pooled: bool) -> Self {
        Self::get(&["connection_uri"], "reading the URL of the branch")
            .query("branch_id", branch)
            .query("database_name", database)
            .query("role_name", role)
            .query("pooled", if pooled { "true" } else { "false" })
    }
}

/// Formats a time for the API: whole seconds, in UTC.
fn rfc3339(at: OffsetDateTime) -> Option<String> {
    let at = at.to_offset(time::UtcOffset::UTC).replace_nanosecond(0).ok()?;
    at.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    fn request(content: Content) -> BranchRequest {
        BranchRequest {
            name: "tenure/pr-1".parse().unwrap(),
            parent: None,
            content,
            expires: Duration::from_hours(1),
            run: uuid::Uuid::from_u128(7),
            annotations: BTreeMap::from([("github-pr-number".to_owned(), "1".to_owned())]),
        }
    }

    #[test]
    fn a_request_has_expiry_and_annotations_and_no_suspend_timeout() {
        let end = OffsetDateTime::from_unix_timestamp_nanos(1_795_298_400_123_456_789).unwrap();
        let body = Call::create(&request(Content::All), "br-p", Some(end)).body.unwrap();
        assert_eq!(
            body,
            json!({
                "branch": {"name": "tenure/pr-1", "parent_id": "br-p", "expires_at": "2026-11-21T22:00:00Z"},
                "endpoints": [{"type": "read_write"}],
                "annotation_value": {
                    "github-pr-number": "1",
                    "tenure-run": "00000000-0000-0000-0000-000000000007",
                    "tenure-parent": "br-p",
                },
            })
        );
        assert!(!body.to_string().contains("suspend_timeout"));
        let body = Call::create(&request(Content::Schema), "br-p", None).body.unwrap();
        assert_eq!(body["branch"]["init_source"], "schema-only");
        assert!(body["branch"].get("expires_at").is_none());
    }

    #[test]
    fn only_creation_is_not_idempotent() {
        assert_eq!(Call::create(&request(Content::All), "p", None).repeat, Idempotency::NotIdempotent);
        for call in [Call::delete("b"), Call::restore("b", "p", "n"), Call::uri("b", "d", "r", true)] {
            assert_eq!(call.repeat, Idempotency::Idempotent, "{call:?}");
        }
    }
}
