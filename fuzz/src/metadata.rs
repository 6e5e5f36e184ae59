//! Discovery documents (RFC 9728 §2, RFC 8414 §2).
//!
//! What is read reads back as it was after it was written, and the issuer and the resource are who they say they are.

use hallpass_protocol::{AuthorizationServerMetadata, Issuer, ProtectedResourceMetadata};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::twins;

/// Takes one input.
pub fn check(data: &[u8]) {
    if let Some(server) = reads_back::<AuthorizationServerMetadata>(data)
        && let Ok(issuer) = Issuer::parse(&server.issuer)
    {
        server.check_issuer(&issuer).expect("itself");
        let other = Issuer::parse("https://other.example").expect("an issuer");
        assert!(server.check_issuer(&other).is_err() || server.issuer == "https://other.example");
        let mut aliased = server.clone();
        aliased.use_mtls_endpoint_aliases();
        assert_eq!(aliased.issuer, server.issuer);
        assert_eq!(aliased.authorization_endpoint, server.authorization_endpoint);
    }
    reads_back::<ProtectedResourceMetadata>(data);
}

/// The document, if it is one. Written and read again it is the same.
pub(crate) fn reads_back<T>(data: &[u8]) -> Option<T>
where
    T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug,
{
    let read: T = serde_json::from_slice(data).ok()?;
    // Reading a float may be off by its last bit; documents have none that matter.
    if twins::last(data).as_ref().is_none_or(twins::has_floats) {
        return None;
    }
    let written = serde_json::to_vec(&read).expect("JSON");
    assert_eq!(serde_json::from_slice::<T>(&written).expect("what was just written"), read);
    Some(read)
}
