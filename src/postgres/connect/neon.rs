//! Detects Neon and its poolers by the name of the host. All other code for Neon is in `branch::neon`; this is here because every
//! connection needs it.

/// The suffix of the first label of Neon's pooler hosts.
const POOLER_SUFFIX: &str = "-pooler";

/// Whether a host is Neon's, which requires TLS.
pub(super) fn is_host(host: &str) -> bool {
    host.ends_with(".neon.tech") || host.ends_with(".neon.build")
}

/// The host without the pooler's suffix; `None` if it has none.
pub(super) fn direct_host(host: &str) -> Option<String> {
    let (label, domain) = host.split_once('.')?;
    let label = label.strip_suffix(POOLER_SUFFIX).filter(|label| !label.is_empty())?;
    Some(format!("{label}.{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_label_is_checked() {
        let direct = direct_host("ep-a-pooler.us-east-2.aws.neon.tech");
        assert_eq!(direct.as_deref(), Some("ep-a.us-east-2.aws.neon.tech"));
        for host in ["aws-0.pooler.supabase.com", "ep-a.my-pooler.example", "my-pooler", "-pooler.example"] {
            assert_eq!(direct_host(host), None, "{host}");
        }
    }
}
