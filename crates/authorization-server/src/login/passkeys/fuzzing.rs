//! What the fuzz targets reach of this.

use hallpass_protocol::issuer::Issuer;

use super::challenge::Ceremony;
use super::public_key::PublicKey;
use super::{RelyingParty, authenticator_data};

/// The challenge that was answered, if the client data is for this server and ceremony.
pub fn client_data(json: &[u8], registration: bool, issuer: &Issuer) -> Option<String> {
    let ceremony = if registration { Ceremony::Registration } else { Ceremony::Login };
    super::client_data::challenge(json, ceremony, &RelyingParty::of(issuer)?).ok()
}

/// The counter, if the authenticator's data is for this server.
pub fn sign_count(bytes: &[u8], issuer: &Issuer) -> Option<u32> {
    Some(authenticator_data::check(bytes, &RelyingParty::of(issuer)?).ok()?.sign_count)
}

/// The id of a new credential.
pub fn credential_id(bytes: &[u8]) -> Option<&[u8]> {
    authenticator_data::credential_id(bytes).ok()
}

/// Whether a key verifies a message; `None` if it is no key.
pub fn verifies(algorithm: i64, spki: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    PublicKey::parse(algorithm, spki).map(|key| key.verifies(message, signature))
}
