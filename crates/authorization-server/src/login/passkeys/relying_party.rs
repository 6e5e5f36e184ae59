//! Who passkeys are for.

use hallpass_protocol::issuer::Issuer;

/// This server, as authenticators know it: from the configured public URL, never from what a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RelyingParty {
    /// The host: passkeys are offered there and nowhere else.
    pub(crate) id: String,
    /// What the browser says about the page.
    pub(super) origin: String,
}

impl RelyingParty {
    /// WebAuthn §5.1.3: the id is a domain, so a server that is known by an IP address has no passkeys.
    pub(crate) fn of(issuer: &Issuer) -> Option<Self> {
        let url = issuer.url();
        let id = url.domain()?.to_owned();
        Some(Self { id, origin: url.origin().ascii_serialization() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_domain() {
        let of = |text: &str| RelyingParty::of(&Issuer::parse(text).unwrap());
        let party = of("https://Auth.example:8443/tenant").unwrap();
        assert_eq!((party.id.as_str(), party.origin.as_str()), ("auth.example", "https://auth.example:8443"));
        assert_eq!(of("http://localhost:8080").unwrap().id, "localhost");
        assert_eq!(of("http://127.0.0.1:8080"), None);
        assert_eq!(of("http://[::1]:8080"), None);
    }
}
