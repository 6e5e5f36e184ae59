//! Passkeys: what a browser brings from its authenticator, verified as WebAuthn Level 3 says, for passkeys alone.
//!
//! The attestation is never asked for (`none`), so it proves nothing and is not read; the public key comes from the
//! browser's `getPublicKey()` (§5.2.1.1). Keys are ES256, EdDSA or RS256. The user is always verified, so a passkey is
//! both factors at once.

mod authenticator_data;
mod challenge;
mod client_data;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod login;
mod public_key;
mod registration;
mod relying_party;

pub(crate) use challenge::{Ceremony, issue as issue_challenge};
pub(crate) use login::{Assertion, PasskeyRefused, log_in_with_passkey};
pub(crate) use public_key::ALGORITHMS;
pub(crate) use registration::{Attested, RegistrationRefused, register_passkey};
pub(crate) use relying_party::RelyingParty;
