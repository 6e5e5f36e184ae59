//! A new passkey (WebAuthn §7.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::challenge::{self, Ceremony};
use super::client_data::{self, WrongClientData};
use super::public_key::PublicKey;
use super::{RelyingParty, authenticator_data};
use crate::browser::Browser;
use crate::server::Inner;
use crate::store::{NewPasskey, StoreError};

/// What the browser brought from the authenticator: base64url, but for the algorithm.
pub(crate) struct Attested<'a> {
    pub(crate) client_data: &'a str,
    pub(crate) authenticator_data: &'a str,
    pub(crate) public_key: &'a str,
    pub(crate) algorithm: &'a str,
}

/// Why it is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistrationRefused {
    /// Something is not base64url.
    #[error("the browser sent what cannot be read")]
    Unreadable,
    #[error(transparent)]
    ClientData(#[from] WrongClientData),
    #[error(transparent)]
    AuthenticatorData(#[from] authenticator_data::WrongAuthenticatorData),
    /// §7.1 step 8.
    #[error("the page has waited too long or was answered before")]
    Challenge,
    /// §7.1 step 17.
    #[error("the passkey's key is of a kind that was not asked for")]
    Key,
    /// §7.1 step 26.
    #[error("this passkey is registered already")]
    Taken,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Verifies the answer to a challenge for this browser, and keeps the passkey.
pub(crate) async fn register_passkey(
    server: &Inner,
    party: &RelyingParty,
    browser: &Browser,
    user_id: &str,
    name: &str,
    attested: Attested<'_>,
) -> Result<(), RegistrationRefused> {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| RegistrationRefused::Unreadable);
    let client_data = decode(attested.client_data)?;
    let authenticator_data = decode(attested.authenticator_data)?;
    let public_key = decode(attested.public_key)?;
    let answered = client_data::challenge(&client_data, Ceremony::Registration, party)?;
    let (key, now) = (server.store.key(), server.store.now());
    let ends = challenge::check(key, browser, Ceremony::Registration, &answered, now)
        .ok_or(RegistrationRefused::Challenge)?;
    let sign_count = authenticator_data::check(&authenticator_data, party)?.sign_count;
    let credential_id = URL_SAFE_NO_PAD.encode(authenticator_data::credential_id(&authenticator_data)?);
    let algorithm: i64 = attested.algorithm.parse().map_err(|_| RegistrationRefused::Key)?;
    PublicKey::parse(algorithm, &public_key).ok_or(RegistrationRefused::Key)?;
    if !server.store.use_challenge(&answered, ends).await? {
        return Err(RegistrationRefused::Challenge);
    }
    let passkey = NewPasskey {
        credential_id: &credential_id,
        name,
        algorithm,
        public_key: attested.public_key,
        sign_count: i64::from(sign_count),
    };
    match server.store.insert_passkey(user_id, &passkey).await? {
        true => Ok(()),
        false => Err(RegistrationRefused::Taken),
    }
}
