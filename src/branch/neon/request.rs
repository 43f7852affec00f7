//! What is asked of the API: values, no I/O.

use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::decide::Repeat;
use crate::branch::{Content, MARK, Wanted};

/// The annotation that says what a branch without a parent was made from.
pub(super) const PARENT: &str = "tenure-parent";

/// The API keeps so many annotations, ours included.
const MOST_ANNOTATIONS: usize = 48;

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// What is being done, for failures.
    pub(super) doing: String,
    pub(super) method: Method,
    /// Below the project; empty is the project itself.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    pub(super) repeat: Repeat,
}

impl Call {
    fn new(method: Method, path: &[&str], doing: impl Into<String>) -> Self {
        Self {
            doing: doing.into(),
            method,
            path: path.iter().map(|&segment| segment.to_owned()).collect(),
            query: Vec::new(),
            body: None,
            repeat: Repeat::Freely,
        }
    }

    pub(super) fn get(path: &[&str], doing: impl Into<String>) -> Self {
        Self::new(Method::GET, path, doing)
    }

    pub(super) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    /// Makes a branch with one compute that writes. The time after which it sleeps is left to the plan: some
    /// refuse any that is sent.
    pub(super) fn create(wanted: &Wanted, parent: &str, expires: Option<OffsetDateTime>) -> Self {
        let mut branch = json!({ "name": wanted.name.as_str(), "parent_id": parent });
        if let Some(expires) = expires.and_then(rfc3339) {
            branch["expires_at"] = json!(expires);
        }
        if wanted.content == Content::Schema {
            branch["init_source"] = json!("schema-only");
        }
        let mut notes: serde_json::Map<String, Value> = wanted
            .annotations
            .iter()
            .take(MOST_ANNOTATIONS)
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        notes.insert(MARK.to_owned(), json!(wanted.run.to_string()));
        notes.insert(PARENT.to_owned(), json!(parent));
        let mut call = Self::new(Method::POST, &["branches"], format!("making the branch {}", wanted.name));
        call.body = Some(json!({
            "branch": branch,
            "endpoints": [{ "type": "read_write" }],
            "annotation_value": notes,
        }));
        call.repeat = Repeat::IfWithoutEffect;
        call
    }

    /// Makes a branch as its parent is now. Twice is the same as once.
    pub(super) fn restore(id: &str, parent: &str, name: &str) -> Self {
        let doing = format!("making the branch {name} as its parent is now");
        let mut call = Self::new(Method::POST, &["branches", id, "restore"], doing);
        call.body = Some(json!({ "source_branch_id": parent }));
        call
    }

    /// Says when a branch ends.
    pub(super) fn expire(id: &str, at: OffsetDateTime, name: &str) -> Option<Self> {
        let at = rfc3339(at)?;
        let doing = format!("saying when the branch {name} ends");
        let mut call = Self::new(Method::PATCH, &["branches", id], doing);
        call.body = Some(json!({ "branch": { "expires_at": at } }));
        Some(call)
    }

    pub(super) fn delete(id: &str) -> Self {
        Self::new(Method::DELETE, &["branches", id], format!("deleting the branch {id}"))
    }

    pub(super) fn uri(branch: &str, database: &str, role: &str, pooled: bool) -> Self {
        Self::get(&["connection_uri"], "asking for the way to the branch")
            .query("branch_id", branch)
            .query("database_name", database)
            .query("role_name", role)
            .query("pooled", if pooled { "true" } else { "false" })
    }
}

/// A time as the API takes it: whole seconds, in UTC.
fn rfc3339(at: OffsetDateTime) -> Option<String> {
    let at = at.to_offset(time::UtcOffset::UTC).replace_nanosecond(0).ok()?;
    at.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    fn wanted(content: Content) -> Wanted {
        Wanted {
            name: "tenure/pr-1".parse().unwrap(),
            parent: None,
            content,
            expires: Duration::from_hours(1),
            run: uuid::Uuid::from_u128(7),
            annotations: BTreeMap::from([("github-pr-number".to_owned(), "1".to_owned())]),
        }
    }

    #[test]
    fn a_branch_is_asked_for_with_its_end_its_mark_and_no_time_to_sleep() {
        let end = OffsetDateTime::from_unix_timestamp_nanos(1_795_298_400_123_456_789).unwrap();
        let body = Call::create(&wanted(Content::All), "br-p", Some(end)).body.unwrap();
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
        let body = Call::create(&wanted(Content::Schema), "br-p", None).body.unwrap();
        assert_eq!(body["branch"]["init_source"], "schema-only");
        assert!(body["branch"].get("expires_at").is_none());
    }

    #[test]
    fn only_making_one_may_not_be_repeated_blindly() {
        assert_eq!(Call::create(&wanted(Content::All), "p", None).repeat, Repeat::IfWithoutEffect);
        for call in [Call::delete("b"), Call::restore("b", "p", "n"), Call::uri("b", "d", "r", true)] {
            assert_eq!(call.repeat, Repeat::Freely, "{call:?}");
        }
    }
}
