//! The used parts of the API's answers. Other fields are ignored, unknown statuses are
//! [`Other`](OperationStatus::Other), and only indispensable fields are required.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ApiBranch {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) default: bool,
    pub(super) protected: bool,
    pub(super) parent_id: Option<String>,
    pub(super) current_state: Option<String>,
    pub(super) init_source: Option<String>,
    pub(super) created_at: Option<String>,
    pub(super) last_reset_at: Option<String>,
    pub(super) expires_at: Option<String>,
    /// Only present for a deleted branch that can be recovered.
    pub(super) recovery: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Endpoint {
    pub(super) id: String,
    pub(super) host: String,
    pub(super) branch_id: String,
    #[serde(rename = "type")]
    pub(super) kind: EndpointKind,
    #[serde(default)]
    pub(super) disabled: bool,
}

/// The kind of a compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EndpointKind {
    ReadWrite,
    #[serde(other)]
    Other,
}

/// An asynchronous operation.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) action: String,
    pub(super) status: OperationStatus,
    #[serde(default)]
    pub(super) failures_count: i64,
    pub(super) error: Option<String>,
    pub(super) branch_id: Option<String>,
}

/// The status of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OperationStatus {
    Finished,
    Skipped,
    Failed,
    Error,
    Cancelled,
    /// Scheduling, running, cancelling, or unknown.
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProjectAnswer {
    pub(super) project: ApiProject,
}

/// The used part of a project.
#[derive(Debug, Deserialize)]
pub(super) struct ApiProject {
    pub(super) store_passwords: Option<bool>,
}

/// A created branch.
#[derive(Debug, Deserialize)]
pub(super) struct CreatedAnswer {
    pub(super) branch: ApiBranch,
    #[serde(default)]
    pub(super) operations: Vec<Operation>,
}

/// A branch that was read, changed or deleted.
#[derive(Debug, Deserialize)]
pub(super) struct BranchAnswer {
    pub(super) branch: ApiBranch,
    #[serde(default)]
    pub(super) operations: Vec<Operation>,
    pub(super) annotation: Option<Annotation>,
}

/// The annotation of a branch.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Annotation {
    #[serde(default)]
    pub(super) value: BTreeMap<String, serde_json::Value>,
}

/// A page of branches.
#[derive(Debug, Deserialize)]
pub(super) struct BranchesAnswer {
    pub(super) branches: Vec<ApiBranch>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, Annotation>,
    pub(super) pagination: Option<Pagination>,
}

/// The position of the next page.
#[derive(Debug, Deserialize)]
pub(super) struct Pagination {
    pub(super) next: Option<String>,
}

/// The computes of a branch.
#[derive(Debug, Deserialize)]
pub(super) struct EndpointsAnswer {
    pub(super) endpoints: Vec<Endpoint>,
}

/// One operation.
#[derive(Debug, Deserialize)]
pub(super) struct OperationAnswer {
    pub(super) operation: Operation,
}

/// A page of operations, the newest first.
#[derive(Debug, Deserialize)]
pub(super) struct OperationsAnswer {
    pub(super) operations: Vec<Operation>,
}

/// The databases of a branch.
#[derive(Debug, Deserialize)]
pub(super) struct DatabasesAnswer {
    pub(super) databases: Vec<Database>,
}

/// A database.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Database {
    pub(super) name: String,
    pub(super) owner_name: String,
}

/// A connection string. Not `Debug`, since it contains a password.
#[derive(Deserialize)]
pub(super) struct UriAnswer {
    pub(super) uri: String,
}

/// An error.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ErrorAnswer {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
    pub(super) request_id: Option<String>,
}

/// A branch with its annotations.
#[derive(Debug, Clone)]
pub(super) struct AnnotatedBranch {
    pub(super) branch: ApiBranch,
    pub(super) notes: BTreeMap<String, String>,
}

impl AnnotatedBranch {
    pub(super) fn new(branch: ApiBranch, annotation: Option<&Annotation>) -> Self {
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let notes = annotation
            .map(|annotation| {
                annotation.value.iter().map(|(key, value)| (key.clone(), text(value))).collect()
            })
            .unwrap_or_default();
        Self { branch, notes }
    }

    /// The id of the run of Tenure that created it.
    pub(super) fn run(&self) -> Option<&str> {
        self.notes.get(crate::branch::RUN_ANNOTATION).map(String::as_str)
    }
}

impl ApiBranch {
    /// Whether it was deleted and can be recovered.
    pub(super) fn is_deleted(&self) -> bool {
        self.recovery.as_ref().is_some_and(|recovery| !recovery.is_null())
    }

    /// Whether it has no rows of its parent. Apart from the default branch, a branch without a parent is
    /// schema-only, whatever its `init_source`.
    pub(super) fn is_schema_only(&self) -> bool {
        self.init_source.as_deref().is_some_and(|source| source.contains("schema"))
            || (self.parent_id.is_none() && !self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_fields_suffice_and_others_are_ignored() {
        let text = r#"{"branch":{"id":"br-a","name":"x","default":false,"protected":false,
            "current_state":"dreaming","parent_id":"br-p","restricted_actions":[{"name":"a","reason":"b"}]},
            "connection_uris":[],"operations":[{"id":"1","action":"invent","status":"pondering","project_id":"p"},
            {"id":"2","action":"start_compute","status":"finished","failures_count":0}]}"#;
        let answer: CreatedAnswer = serde_json::from_str(text).unwrap();
        assert_eq!(answer.operations[0].status, OperationStatus::Other);
        assert_eq!(answer.operations[1].status, OperationStatus::Finished);
        assert!(!answer.branch.is_schema_only() && !answer.branch.is_deleted());
        let least =
            r#"{"branches":[],"annotations":{"br-a":{"object":{},"value":{"tenure-run":"u","n":7}}}}"#;
        let page: BranchesAnswer = serde_json::from_str(least).unwrap();
        let branch_info = AnnotatedBranch::new(answer.branch, page.annotations.get("br-a"));
        assert_eq!((branch_info.run(), branch_info.notes["n"].as_str()), (Some("u"), "7"));
        assert!(page.pagination.is_none());
        let error: ErrorAnswer = serde_json::from_str("{}").unwrap();
        assert_eq!((error.code.as_str(), error.message.as_str()), ("", ""));
        let endpoint = r#"{"id":"ep-a","host":"ep-a.x","branch_id":"br-a","type":"analytic"}"#;
        assert_eq!(serde_json::from_str::<Endpoint>(endpoint).unwrap().kind, EndpointKind::Other);
    }

    #[test]
    fn a_root_branch_that_is_not_the_default_is_schema_only() {
        let branch = |json: &str| serde_json::from_str::<ApiBranch>(json).unwrap();
        assert!(
            branch(
                r#"{"id":"a","name":"a","default":false,"protected":false,"init_source":"parent-schema"}"#
            )
            .is_schema_only()
        );
        assert!(branch(r#"{"id":"a","name":"a","default":false,"protected":false}"#).is_schema_only());
        assert!(!branch(r#"{"id":"a","name":"a","default":true,"protected":true}"#).is_schema_only());
    }
}
