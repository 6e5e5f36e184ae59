//! Whose metadata documents are taken (draft-ietf-oauth-client-id-metadata-document §"Client ID Domain Trust"; MCP
//! 2026-07-28, basic/authorization/security-considerations, "Trust Policies"). Judged before anything is fetched.

use url::Url;

use crate::hosts::HostPattern;

/// Domains of clients that are metadata documents. All are taken where both lists are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentDomains {
    /// Where it is not empty, no others.
    pub allow: Vec<HostPattern>,
    /// None of these, allowed or not.
    pub deny: Vec<HostPattern>,
}

/// The operator does not take clients of a domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operator of this server takes no clients of {domain}")]
pub(crate) struct DomainRefused {
    domain: String,
}

impl DocumentDomains {
    /// Whether the client with this id, a URL, may be one here.
    pub(crate) fn check(&self, id: &str) -> Result<(), DomainRefused> {
        let url = Url::parse(id).ok();
        let domain = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        let named = |list: &[HostPattern]| list.iter().any(|pattern| pattern.matches(domain));
        match !named(&self.deny) && (self.allow.is_empty() || named(&self.allow)) {
            true => Ok(()),
            false => Err(DomainRefused { domain: domain.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_wins_and_a_list_of_the_allowed_is_complete() {
        let list = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        for (allow, deny, host, taken) in [
            (vec![], vec![], "a.example", true),
            (vec![], vec!["a.example"], "a.example", false),
            (vec![], vec!["a.example"], "A.EXAMPLE", false),
            (vec![], vec!["a.example"], "a.example.", false),
            (vec![], vec!["*.example"], "b.a.example", false),
            (vec!["a.example"], vec![], "a.example", true),
            (vec!["a.example"], vec![], "b.example", false),
            (vec!["*.example"], vec!["b.example"], "b.example", false),
            (vec!["*.example"], vec!["b.example"], "a.example", true),
        ] {
            let domains = DocumentDomains { allow: list(&allow), deny: list(&deny) };
            let id = format!("https://{host}/client.json");
            assert_eq!(domains.check(&id).is_ok(), taken, "{allow:?} {deny:?} {host}");
        }
    }
}
