//! Under which name an issuer's people are known: its own, or that of one of its tenants.

use url::form_urlencoded::byte_serialize;

/// The tenant of an issuer that has several (ID-JAG §6). No issuer has a query (RFC 8414 §2), so nobody else has this name.
pub(crate) fn of_tenant(issuer: &str, tenant: &str) -> String {
    format!("{issuer}?tenant={}", byte_serialize(tenant.as_bytes()).collect::<String>())
}

/// Whether a name is the issuer's, or that of one of its tenants.
pub(crate) fn is_of(authority: &str, issuer: &str) -> bool {
    let rest = authority.strip_prefix(issuer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("?tenant="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_are_their_issuers_and_nobody_elses() {
        let tenant = of_tenant("https://idp.example", "a&b/é");
        assert_eq!(tenant, "https://idp.example?tenant=a%26b%2F%C3%A9");
        assert!(is_of(&tenant, "https://idp.example") && is_of("https://idp.example", "https://idp.example"));
        for other in ["https://idp.example.evil", "https://idp.example/", "https://idp.exampl"] {
            assert!(!is_of(&tenant, other) && !is_of(other, "https://idp.example"), "{other}");
        }
    }
}
