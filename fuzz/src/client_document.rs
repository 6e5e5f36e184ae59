//! Client ID Metadata Documents: on the first line the client id, behind it the document.
//!
//! What is fetched is https and is spelled in one way. What is taken says of itself that it is this client, nothing
//! twice and no secret, and every redirect URI of it may be claimed.

use hallpass_authorization_server::fuzzing::{client_document, is_document_url};
use hallpass_protocol::{Issuer, RedirectUri};
use url::Url;

use crate::{lines, twins};

/// Takes one input.
pub fn check(data: &[u8]) {
    let [id, body] = lines(data);
    let Ok(id) = std::str::from_utf8(id) else { return };
    let issuer = Issuer::parse("https://auth.example.com").expect("an issuer");
    if is_document_url(id, &issuer) {
        let url = Url::parse(id).expect("a URL");
        assert_eq!((url.as_str(), url.scheme()), (id, "https"));
        assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
        assert!(url.path() != "/" && !url.path().contains("/../") && !url.path().contains(['\\', '@']));
    }
    let Some(client) = client_document(id, body) else { return };
    assert!(body.len() <= 5 * 1024);
    assert!(!twins::repeats(body), "taken with a member twice");
    let said = twins::last(body).expect("JSON");
    assert_eq!(said["client_id"], id);
    assert!(said.get("client_secret").is_none() && said.get("client_secret_expires_at").is_none());
    let uris = said["redirect_uris"].as_array().expect("redirect URIs");
    assert!((1..=50).contains(&uris.len()));
    assert!(uris.iter().map(|uri| uri.as_str().expect("a text")).eq(client.redirect_uris.iter()));
    for uri in &client.redirect_uris {
        assert!(RedirectUri::parse_claimed(uri).is_ok(), "{uri}");
    }
    let name = client.name.expect("a name");
    assert!(!name.trim().is_empty() && said["client_name"] == name);
    match said["token_endpoint_auth_method"].as_str() {
        None | Some("none") => assert!(client.is_public),
        Some(method) => assert!(method == "private_key_jwt" && !client.is_public),
    }
}
