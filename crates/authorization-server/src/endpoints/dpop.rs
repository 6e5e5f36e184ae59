//! DPoP proofs at this server's own endpoints (RFC 9449 §5, §8).

use std::time::Duration;

use hallpass_protocol::dpop::{self, ExpectedProof, NONCE, USE_NONCE, VerifiedProof};
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::time::Timestamp;
use http::{HeaderMap, HeaderValue, Method};
use url::Url;

use super::Server;
use crate::grants::UnspentProof;
use crate::keys::SealingKey;
use crate::server::Inner;

/// How long a nonce is taken.
const NONCE_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// How far a clock may be apart, where no nonce tells the time.
const WINDOW: Duration = Duration::from_secs(60);
/// The same where a nonce does: the proof is as young as its nonce, whatever the client's clock says.
const WINDOW_WITH_NONCE: Duration = Duration::from_secs(60 * 60);

/// The key that a request proves to hold; none, where it carries no proof. The rules of RFC 9449 §4.3 in order. Whether the
/// proof was there before is asked by whoever uses it, last of all.
pub(super) fn proof(
    server: &Server,
    headers: &HeaderMap,
    path: &str,
) -> Result<Option<UnspentProof>, OAuthError> {
    let refused = |error: dpop::ProofError| OAuthError::new(invalid_proof(), error.to_string());
    let Some(proof) = dpop::proof_of(headers).map_err(refused)? else {
        return Ok(None);
    };
    let url = Url::parse(&server.url(path))
        .map_err(|_| OAuthError::new(ErrorCode::ServerError, "this server has no URL"))?;
    let alias = server.alias(path).and_then(|alias| Url::parse(&alias).ok());
    let nonces = server.settings.dpop_nonces;
    let expected = ExpectedProof {
        method: &Method::POST,
        url: &url,
        aliases: alias.as_slice(),
        access_token: None,
        now: server.store.now(),
        window: if nonces { WINDOW_WITH_NONCE } else { WINDOW },
    };
    let verified = dpop::verify(proof, &expected).map_err(refused)?;
    let ends = match nonces {
        true => check_nonce(server, &verified)?,
        false => verified.ends(),
    };
    let (thumbprint, id) = (verified.thumbprint().to_owned(), verified.id().to_owned());
    Ok(Some(UnspentProof { thumbprint, id, ends }))
}

/// RFC 9449 §8.2: a nonce in every answer to a client that uses DPoP, so that it always has a fresh one.
pub(super) fn with_nonce(server: &Server, asked: &HeaderMap, answer: &mut HeaderMap) {
    if !server.settings.dpop_nonces || !asked.contains_key(dpop::PROOF) {
        return;
    }
    if let Some(nonce) = new_nonce(server) {
        answer.insert(NONCE, nonce);
    }
}

fn invalid_proof() -> ErrorCode {
    ErrorCode::from("invalid_dpop_proof")
}

/// Rule 10; RFC 9449 §8. A nonce is the time at which it was made, sealed: every replica can read it, and nobody else can
/// make one. Gives its end.
fn check_nonce(server: &Inner, proof: &VerifiedProof) -> Result<Timestamp, OAuthError> {
    let made = proof.nonce().and_then(|nonce| key(server).open("", nonce).ok());
    let made = made.and_then(|made| <[u8; 8]>::try_from(made.as_slice()).ok());
    let made = made.map(|made| Timestamp::from_unix(i64::from_be_bytes(made)));
    let now = server.store.now();
    let good = made.filter(|made| *made <= now.after(WINDOW)).map(|made| made.after(NONCE_LIFETIME));
    good.filter(|ends| now < *ends).ok_or_else(|| {
        OAuthError::new(
            ErrorCode::from(USE_NONCE),
            "the DPoP proof needs the nonce of the DPoP-Nonce field of this answer",
        )
    })
}

fn new_nonce(server: &Inner) -> Option<HeaderValue> {
    let nonce = key(server).seal("", &server.store.now().unix().to_be_bytes()).ok()?;
    HeaderValue::from_str(&nonce).ok()
}

fn key(server: &Inner) -> SealingKey {
    server.store.key().sealing("dpop nonce")
}
