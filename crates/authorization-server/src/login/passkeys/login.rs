//! A login with a passkey (WebAuthn §7.2).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::challenge::{self, Ceremony};
use super::client_data::{self, WrongClientData};
use super::public_key::PublicKey;
use super::{RelyingParty, authenticator_data};
use crate::browser::Browser;
use crate::login::Authenticated;
use crate::login::authenticated::mark;
use crate::server::Inner;
use crate::store::{Shown, StoreError};

/// What the browser brought from the authenticator, in base64url.
pub(crate) struct Assertion<'a> {
    pub(crate) credential_id: &'a str,
    pub(crate) client_data: &'a str,
    pub(crate) authenticator_data: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) user_handle: &'a str,
}

/// Why it opens nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasskeyRefused {
    /// Something is not base64url.
    #[error("the browser sent what cannot be read")]
    Unreadable,
    #[error(transparent)]
    ClientData(#[from] WrongClientData),
    #[error(transparent)]
    AuthenticatorData(#[from] authenticator_data::WrongAuthenticatorData),
    /// §7.2 step 12.
    #[error("the page has waited too long or was answered before")]
    Challenge,
    /// §7.2 step 6: nobody has this passkey, or somebody else, or the account is disabled.
    #[error("nobody here has this passkey")]
    Unknown,
    /// §7.2 step 21.
    #[error("the signature is not the passkey's")]
    Signature,
    /// §7.2 step 22, or the challenge was answered a moment ago.
    #[error("the passkey was copied, or the page was answered before")]
    Replayed,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Verifies the answer to a challenge for this browser. Nothing is counted: a signature cannot be guessed, and whoever
/// is being guessed at can always come in this way.
pub(crate) async fn log_in_with_passkey(
    server: &Inner,
    party: &RelyingParty,
    browser: &Browser,
    assertion: Assertion<'_>,
) -> Result<Authenticated, PasskeyRefused> {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| PasskeyRefused::Unreadable);
    let client_data = decode(assertion.client_data)?;
    let authenticator_data = decode(assertion.authenticator_data)?;
    let signature = decode(assertion.signature)?;
    let user_handle = decode(assertion.user_handle)?;
    let answered = client_data::challenge(&client_data, Ceremony::Login, party)?;
    let (key, now) = (server.store.key(), server.store.now());
    let ends =
        challenge::check(key, browser, Ceremony::Login, &answered, now).ok_or(PasskeyRefused::Challenge)?;
    let sign_count = authenticator_data::check(&authenticator_data, party)?.sign_count;
    let passkey = server.store.find_passkey(assertion.credential_id).await?;
    let passkey =
        passkey.filter(|passkey| passkey.user_id.as_bytes() == user_handle).ok_or(PasskeyRefused::Unknown)?;
    let public_key = decode(&passkey.public_key)?;
    let public_key =
        PublicKey::parse(passkey.algorithm, &public_key).ok_or(StoreError::Unreadable { what: "passkey" })?;
    let mut signed = authenticator_data;
    signed.extend_from_slice(digest(&SHA256, &client_data).as_ref());
    if !public_key.verifies(&signed, &signature) {
        return Err(PasskeyRefused::Signature);
    }
    if !server.store.use_passkey(assertion.credential_id, i64::from(sign_count), &answered, ends).await? {
        return Err(PasskeyRefused::Replayed);
    }
    Ok(Authenticated::new(
        passkey.user_id,
        Shown::Passkey(assertion.credential_id.to_owned()),
        mark(browser, &passkey.name_key),
    ))
}
