//! What the name of a Neon host says. All else about Neon is in `branch::neon`; this is here because a connection needs it
//! before any branch is known.

/// What is added to the first label of a pooler's host.
const POOLER: &str = "-pooler";

/// Whether a host is one of Neon's, which takes no connection without TLS.
pub(super) fn is_host(host: &str) -> bool {
    host.ends_with(".neon.tech") || host.ends_with(".neon.build")
}

/// The host without the pooler's label, if it has one.
pub(super) fn direct_host(host: &str) -> Option<String> {
    let (label, domain) = host.split_once('.')?;
    let label = label.strip_suffix(POOLER).filter(|label| !label.is_empty())?;
    Some(format!("{label}.{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_label_counts() {
        let direct = direct_host("ep-a-pooler.us-east-2.aws.neon.tech");
        assert_eq!(direct.as_deref(), Some("ep-a.us-east-2.aws.neon.tech"));
        for host in ["aws-0.pooler.supabase.com", "ep-a.my-pooler.example", "my-pooler", "-pooler.example"] {
            assert_eq!(direct_host(host), None, "{host}");
        }
    }
}
