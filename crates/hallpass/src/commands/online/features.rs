//! What each check is called, in which order they are shown, and which arrangement would mend what it finds.

use hallpass_client::doctor::{Finding, NOTHING_ANSWERS, Revision, Verdict};
use serde::Serialize;

/// Where hallpass stands between clients and the issuer, from the least to the most: the provider's own tokens behind
/// hallpass's endpoints; hallpass's tokens over the provider's session; hallpass's tokens, and the provider tells who it is.
pub(super) const ARRANGEMENTS: [&str; 3] = ["proxied", "delegated", "embedded"];

const ANY: &[&str] = &ARRANGEMENTS;
/// Clients get hallpass's own tokens.
const OWN_TOKENS: &[&str] = &["delegated", "embedded"];
/// Nothing but a change at the provider, or in the file.
const NONE: &[&str] = &[];

/// Check, name, and what would mend it. Their order is that of a client's way.
const FEATURES: [(&str, &str, &[&str]); 20] = [
    ("server.issuer", "issuer", NONE),
    ("server.metadata", "metadata", ANY),
    ("server.issuer_equal", "issuer equality", NONE),
    ("server.endpoints", "endpoints", NONE),
    ("server.https", "https", NONE),
    ("server.registration", "registration", ANY),
    ("server.open_registration", "open registration", ANY),
    ("server.cimd", "metadata documents", ANY),
    ("server.public_clients", "public clients", ANY),
    ("server.loopback", "loopback redirects", ANY),
    ("server.pkce", "S256", ANY),
    ("server.iss", "iss", ANY),
    ("server.resource_indicators", "resource indicators", ANY),
    ("server.grants", "grants", OWN_TOKENS),
    ("server.offline_access", "refresh tokens", ANY),
    ("server.dpop", "DPoP", OWN_TOKENS),
    ("server.keys", "keys", OWN_TOKENS),
    ("browser.server_metadata", "metadata in a browser", ANY),
    ("browser.token_endpoint", "tokens in a browser", ANY),
    ("server.introspection", "introspection", NONE),
];

/// What one check came to.
#[derive(Debug, Serialize)]
pub(super) struct Feature {
    /// The stable name of the check.
    pub(super) check: &'static str,
    /// The short one.
    pub(super) feature: &'static str,
    pub(super) verdict: Verdict,
    pub(super) sought: &'static str,
    pub(super) found: String,
    pub(super) source: &'static str,
    /// For whose clients it matters.
    pub(super) revisions: Vec<Revision>,
    /// What to change at the issuer or in the file.
    pub(super) change: Option<String>,
    /// Which arrangement would mend it; empty where nothing is to be mended, or no arrangement would.
    pub(super) mended_by: &'static [&'static str],
}

impl Feature {
    /// In which order it is shown. What hallpass itself needs comes last.
    pub(super) fn place(&self) -> usize {
        FEATURES.iter().position(|(check, ..)| *check == self.check).unwrap_or(FEATURES.len())
    }
}

impl From<Finding> for Feature {
    fn from(finding: Finding) -> Self {
        let known = FEATURES.iter().find(|(check, ..)| *check == finding.check);
        let (_, feature, mended_by) = *known.unwrap_or(&("", finding.check, NONE));
        // Every arrangement needs a provider that is there.
        let mended_by = if finding.change.as_deref() == Some(NOTHING_ANSWERS) { NONE } else { mended_by };
        Self {
            check: finding.check,
            feature,
            verdict: finding.verdict,
            sought: finding.sought,
            found: finding.found,
            source: finding.source,
            revisions: finding.revisions,
            change: finding.change,
            mended_by: if finding.verdict >= Verdict::Warning { mended_by } else { NONE },
        }
    }
}
