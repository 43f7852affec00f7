//! The proof before the first statement: what will be connected to is the branch that was made. An
//! official tool once handed out the main branch's URL when a look-up had failed. Pure.

use super::answer::{Endpoint, EndpointKind, Noted};
use crate::branch::{Branch, Kind, to_delete};
use crate::error::{Code, Failure};

/// Proves that `noted`, as the API shows it now, is `branch`, that Tenure made it, and that nobody else needs it.
pub(super) fn is_ours(branch: &Branch, noted: &Noted) -> Result<(), Failure> {
    let wrong = if noted.branch.id != branch.id.0 {
        "the API shows another branch than the one that was asked for"
    } else if noted.branch.default {
        "it is the project's default branch"
    } else if noted.branch.protected {
        "it is a protected branch"
    } else if noted.branch.is_deleted() {
        "it was deleted meanwhile"
    } else if noted.run().is_none() {
        "it does not carry Tenure's mark"
    } else {
        return Ok(());
    };
    Err(refused(&branch.name.to_string(), wrong))
}

/// Finds the compute that writes to this branch.
pub(super) fn endpoint<'e>(branch: &Branch, endpoints: &'e [Endpoint]) -> Result<&'e Endpoint, Failure> {
    let of_branch =
        |endpoint: &&Endpoint| endpoint.branch_id == branch.id.0 && endpoint.kind == EndpointKind::ReadWrite;
    let Some(found) = endpoints.iter().find(of_branch) else {
        let message = format!("the branch {} has no compute that can write", branch.name);
        return Err(Failure::new(Code::BranchNotReady, message).hint(format!(
            "`{}`; the next run makes it anew",
            to_delete(branch.name.as_str(), Kind::Neon.as_str())
        )));
    };
    if found.disabled {
        let message = format!("the compute of the branch {} is disabled", branch.name);
        return Err(Failure::new(Code::BranchNotReady, message).hint("enable it in Neon's console"));
    }
    Ok(found)
}

/// Proves that a host is that compute, directly or through its pooler.
pub(super) fn leads_to(host: &str, endpoint: &Endpoint, branch: &Branch) -> Result<(), Failure> {
    let (host, of_endpoint) = (unpooled(host), unpooled(&endpoint.host));
    let by_id = host.split('.').next() == Some(endpoint.id.as_str());
    if host == of_endpoint || by_id {
        return Ok(());
    }
    let wrong = format!("the connection leads to {host}, and its compute is {}", endpoint.id);
    Err(refused(&branch.name.to_string(), &wrong))
}

/// Proves what the server itself says of where it is, as far as it does.
pub(super) fn server_says(
    endpoint_id: Option<&str>,
    branch_id: Option<&str>,
    endpoint: &Endpoint,
    branch: &Branch,
) -> Result<(), Failure> {
    let said = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let differs = [(said(branch_id), branch.id.0.as_str()), (said(endpoint_id), endpoint.id.as_str())]
        .into_iter()
        .find_map(|(said, wanted)| said.filter(|said| said != wanted));
    match differs {
        None => Ok(()),
        Some(other) => Err(refused(
            &branch.name.to_string(),
            &format!("the server that answered says that it is {other}"),
        )),
    }
}

/// The host without the suffix that leads to the pooler; only the first label has one.
fn unpooled(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.split_once('.') {
        Some((label, rest)) => format!("{}.{rest}", label.strip_suffix("-pooler").unwrap_or(label)),
        None => host.strip_suffix("-pooler").unwrap_or(&host).to_owned(),
    }
}

fn refused(name: &str, why: &str) -> Failure {
    Failure::new(Code::BranchTarget, format!("nothing was sent to the branch {name}: {why}"))
        .hint("look at the project in Neon's console; a branch of another name is made by `tenure branch create NAME`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::branch::{BranchId, BranchName, Content, Origin};

    fn branch() -> Branch {
        Branch {
            id: BranchId("br-a".to_owned()),
            name: BranchName::seen("pr-1"),
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

    fn noted(id: &str, more: &str, marked: bool) -> Noted {
        let json = format!(r#"{{"id":"{id}","name":"pr-1","parent_id":"br-p",{more}}}"#);
        let mut noted = Noted::new(serde_json::from_str(&json).unwrap(), None);
        if marked {
            noted.notes.insert(crate::branch::MARK.to_owned(), "u".to_owned());
        }
        noted
    }

    fn compute(id: &str, branch: &str, kind: &str) -> Endpoint {
        let json = format!(
            r#"{{"id":"{id}","host":"{id}.us-east-2.aws.neon.tech","branch_id":"{branch}","type":"{kind}"}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn neither_a_default_nor_a_protected_nor_a_foreign_branch_is_taken() {
        let usual = r#""default":false,"protected":false"#;
        assert!(is_ours(&branch(), &noted("br-a", usual, true)).is_ok());
        for (id, more, marked) in [
            ("br-b", usual, true),
            ("br-a", usual, false),
            ("br-a", r#""default":true,"protected":false"#, true),
            ("br-a", r#""default":false,"protected":true"#, true),
            ("br-a", r#""default":false,"protected":false,"recovery":{"deleted_at":"x"}"#, true),
        ] {
            let failure = is_ours(&branch(), &noted(id, more, marked)).unwrap_err();
            assert_eq!(failure.code, Code::BranchTarget, "{id} {more} {marked}");
        }
    }

    #[test]
    fn only_the_branchs_own_writing_compute_is_taken() {
        let computes = [compute("ep-r", "br-a", "read_only"), compute("ep-m", "br-p", "read_write")];
        assert_eq!(endpoint(&branch(), &computes).unwrap_err().code, Code::BranchNotReady);
        let computes = [computes.to_vec(), vec![compute("ep-w", "br-a", "read_write")]].concat();
        assert_eq!(endpoint(&branch(), &computes).unwrap().id, "ep-w");
    }

    #[test]
    fn the_host_is_the_computes_directly_or_pooled() {
        let compute = compute("ep-silent-smoke-806639", "br-a", "read_write");
        for host in [
            "ep-silent-smoke-806639.us-east-2.aws.neon.tech",
            "EP-silent-smoke-806639-pooler.us-east-2.aws.neon.tech",
            "ep-silent-smoke-806639-pooler.c-3.us-east-2.aws.neon.tech",
        ] {
            assert!(leads_to(host, &compute, &branch()).is_ok(), "{host}");
        }
        for host in ["ep-main-1.us-east-2.aws.neon.tech", "ep-silent-smoke-80663.us-east-2.aws.neon.tech", ""]
        {
            assert_eq!(leads_to(host, &compute, &branch()).unwrap_err().code, Code::BranchTarget, "{host}");
        }
    }

    #[test]
    fn a_server_that_says_that_it_is_another_is_left_alone() {
        let compute = compute("ep-w", "br-a", "read_write");
        let says = |endpoint, is| server_says(endpoint, is, &compute, &branch());
        assert!(says(None, None).is_ok() && says(Some(""), Some("")).is_ok());
        assert!(says(Some("ep-w"), Some("br-a")).is_ok());
        assert_eq!(says(Some("ep-main"), None).unwrap_err().code, Code::BranchTarget);
        assert_eq!(says(None, Some("br-p")).unwrap_err().code, Code::BranchTarget);
    }
}
