//! Verifies before the first statement that the target is the created branch. One of Neon's own tools once
//! returned the main branch's URL after a failed lookup. Pure.

use super::answer::{AnnotatedBranch, Endpoint, EndpointKind};
use crate::branch::{Branch, Kind, delete_command};
use crate::error::{Code, Failure};

/// Verifies that `branch_info` is `branch`, was created by Tenure, and is neither the default branch nor
/// protected.
pub(super) fn verify_branch(branch: &Branch, branch_info: &AnnotatedBranch) -> Result<(), Failure> {
    let reason = if branch_info.branch.id != branch.id.0 {
        "the API returned another branch"
    } else if branch_info.branch.default {
        "it is the project's default branch"
    } else if branch_info.branch.protected {
        "it is a protected branch"
    } else if branch_info.branch.is_deleted() {
        "it was deleted"
    } else if branch_info.run().is_none() {
        "it does not have Tenure's annotation"
    } else {
        return Ok(());
    };
    Err(target_failure(&branch.name.to_string(), reason))
}

/// Finds the read-write compute of this branch.
pub(super) fn endpoint<'e>(branch: &Branch, endpoints: &'e [Endpoint]) -> Result<&'e Endpoint, Failure> {
    let of_branch =
        |endpoint: &&Endpoint| endpoint.branch_id == branch.id.0 && endpoint.kind == EndpointKind::ReadWrite;
    let Some(found) = endpoints.iter().find(of_branch) else {
        let message = format!("the branch {} has no read-write compute", branch.name);
        return Err(Failure::new(Code::BranchNotReady, message).hint(format!(
            "delete it with `{}`; the next run recreates it",
            delete_command(branch.name.as_str(), Kind::Neon.as_str())
        )));
    };
    if found.disabled {
        let message = format!("the compute of the branch {} is disabled", branch.name);
        return Err(Failure::new(Code::BranchNotReady, message).hint("enable it in Neon's console"));
    }
    Ok(found)
}

/// Verifies that a host is this compute or its pooler.
pub(super) fn verify_host(host: &str, endpoint: &Endpoint, branch: &Branch) -> Result<(), Failure> {
    let (host, of_endpoint) = (unpooled(host), unpooled(&endpoint.host));
    let is_endpoint_id = host.split('.').next() == Some(endpoint.id.as_str());
    if host == of_endpoint || is_endpoint_id {
        return Ok(());
    }
    let reason = format!("the connection leads to {host}, but the compute is {}", endpoint.id);
    Err(target_failure(&branch.name.to_string(), &reason))
}

/// Verifies the identifiers that the server reports, if it reports any.
pub(super) fn verify_server_ids(
    endpoint_id: Option<&str>,
    branch_id: Option<&str>,
    endpoint: &Endpoint,
    branch: &Branch,
) -> Result<(), Failure> {
    let reported = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let differs =
        [(reported(branch_id), branch.id.0.as_str()), (reported(endpoint_id), endpoint.id.as_str())]
            .into_iter()
            .find_map(|(reported, request)| reported.filter(|reported| reported != request));
    match differs {
        None => Ok(()),
        Some(other) => {
            Err(target_failure(&branch.name.to_string(), &format!("the server reports that it is {other}")))
        }
    }
}

/// The host without the pooler's suffix of its first label.
fn unpooled(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.split_once('.') {
        Some((label, rest)) => format!("{}.{rest}", label.strip_suffix("-pooler").unwrap_or(label)),
        None => host.strip_suffix("-pooler").unwrap_or(&host).to_owned(),
    }
}

fn target_failure(name: &str, why: &str) -> Failure {
    Failure::new(Code::BranchTarget, format!("nothing was sent to the branch {name}: {why}"))
        .hint("check the project in Neon's console, or create a branch with another name (`tenure branch create NAME`)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::branch::{BranchId, BranchName, Content, Origin};

    fn branch() -> Branch {
        Branch {
            id: BranchId("br-a".to_owned()),
            name: BranchName::from_provider("pr-1"),
            origin: Origin::Created,
            content: Content::All,
            parent: Some("br-p".to_owned()),
            run: Some("u".to_owned()),
            created_at: None,
            expires_at: None,
            pending: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn branch_info(id: &str, more: &str, marked: bool) -> AnnotatedBranch {
        let json = format!(r#"{{"id":"{id}","name":"pr-1","parent_id":"br-p",{more}}}"#);
        let mut branch_info = AnnotatedBranch::new(serde_json::from_str(&json).unwrap(), None);
        if marked {
            branch_info.notes.insert(crate::branch::RUN_ANNOTATION.to_owned(), "u".to_owned());
        }
        branch_info
    }

    fn compute(id: &str, branch: &str, kind: &str) -> Endpoint {
        let json = format!(
            r#"{{"id":"{id}","host":"{id}.us-east-2.aws.neon.tech","branch_id":"{branch}","type":"{kind}"}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn default_protected_and_other_branches_are_rejected() {
        let usual = r#""default":false,"protected":false"#;
        assert!(verify_branch(&branch(), &branch_info("br-a", usual, true)).is_ok());
        for (id, more, marked) in [
            ("br-b", usual, true),
            ("br-a", usual, false),
            ("br-a", r#""default":true,"protected":false"#, true),
            ("br-a", r#""default":false,"protected":true"#, true),
            ("br-a", r#""default":false,"protected":false,"recovery":{"deleted_at":"x"}"#, true),
        ] {
            let failure = verify_branch(&branch(), &branch_info(id, more, marked)).unwrap_err();
            assert_eq!(failure.code, Code::BranchTarget, "{id} {more} {marked}");
        }
    }

    #[test]
    fn only_the_branchs_read_write_compute_is_accepted() {
        let computes = [compute("ep-r", "br-a", "read_only"), compute("ep-m", "br-p", "read_write")];
        assert_eq!(endpoint(&branch(), &computes).unwrap_err().code, Code::BranchNotReady);
        let computes = [computes.to_vec(), vec![compute("ep-w", "br-a", "read_write")]].concat();
        assert_eq!(endpoint(&branch(), &computes).unwrap().id, "ep-w");
    }

    #[test]
    fn the_host_is_the_compute_or_its_pooler() {
        let compute = compute("ep-silent-smoke-806639", "br-a", "read_write");
        for host in [
            "ep-silent-smoke-806639.us-east-2.aws.neon.tech",
            "EP-silent-smoke-806639-pooler.us-east-2.aws.neon.tech",
            "ep-silent-smoke-806639-pooler.c-3.us-east-2.aws.neon.tech",
        ] {
            assert!(verify_host(host, &compute, &branch()).is_ok(), "{host}");
        }
        for host in ["ep-main-1.us-east-2.aws.neon.tech", "ep-silent-smoke-80663.us-east-2.aws.neon.tech", ""]
        {
            assert_eq!(
                verify_host(host, &compute, &branch()).unwrap_err().code,
                Code::BranchTarget,
                "{host}"
            );
        }
    }

    #[test]
    fn a_server_with_other_identifiers_is_rejected() {
        let compute = compute("ep-w", "br-a", "read_write");
        let says = |endpoint, is| verify_server_ids(endpoint, is, &compute, &branch());
        assert!(says(None, None).is_ok() && says(Some(""), Some("")).is_ok());
        assert!(says(Some("ep-w"), Some("br-a")).is_ok());
        assert_eq!(says(Some("ep-main"), None).unwrap_err().code, Code::BranchTarget);
        assert_eq!(says(None, Some("br-p")).unwrap_err().code, Code::BranchTarget);
    }
}
