//! Client authentication: which method, and what it puts into a request.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hallpass_protocol::{
    client_assertion::ASSERTION_TYPE, jose::Algorithm, secret::Secret,
    server_metadata::AuthorizationServerMetadata,
};
use http::{HeaderMap, HeaderValue, header};
use url::form_urlencoded;

use crate::{
    error::{Error, Rule, Step, printable},
    store::{Registration, TokenEndpointAuth},
};

/// What a client has to show who it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Means {
    /// Its id alone.
    Nothing,
    /// A secret.
    Secret,
    /// A key, for that algorithm.
    Key(Algorithm),
    /// A certificate, with its key.
    Certificate,
}

/// A form and header fields with the client's authentication (RFC 6749 §2.3.1, §3.2.1; RFC 7521 §4.2).
pub(crate) fn authenticated<'a>(
    client: &'a Registration,
    assertion: Option<&'a Secret>,
    parameters: &[(&'a str, &'a str)],
) -> (Vec<(&'a str, &'a str)>, HeaderMap) {
    let mut form = parameters.to_vec();
    let mut headers = HeaderMap::new();
    // A pushed authorization request has one already.
    let names_client = form.iter().any(|(name, _)| *name == "client_id");
    let id = (!names_client).then_some(("client_id", client.client_id.as_str()));
    match (client.auth, &client.client_secret, assertion) {
        (TokenEndpointAuth::ClientSecretBasic, Some(secret), _) => {
            let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encode(&client.client_id), encode(secret.expose()));
            if let Ok(mut value) = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))) {
                value.set_sensitive(true);
                headers.insert(header::AUTHORIZATION, value);
            }
            // RFC 6749 §3.2.1: it may be named there as well, and the server of PyPI's `mcp` looks nowhere else.
            form.extend(id);
        }
        (TokenEndpointAuth::ClientSecretPost, Some(secret), _) => {
            form.extend(id);
            form.push(("client_secret", secret.expose()));
        }
        // The assertion's `sub` is the client (MCP extension `oauth-client-credentials`, "JWT
        // Authentication Example").
        (TokenEndpointAuth::PrivateKeyJwt, _, Some(assertion)) => {
            form.push(("client_assertion_type", ASSERTION_TYPE));
            form.push(("client_assertion", assertion.expose()));
        }
        // RFC 8705 §2: the certificate is shown in the handshake, and the request names the client all the same.
        _ => form.extend(id),
    }
    (form, headers)
}

/// How a client with these means authenticates here. RFC 8414 §2: without a list it is Basic.
pub(crate) fn choose_auth(
    metadata: &AuthorizationServerMetadata,
    means: Means,
) -> Result<TokenEndpointAuth, Error> {
    use TokenEndpointAuth::{
        ClientSecretBasic, ClientSecretPost, None as Public, PrivateKeyJwt, SelfSignedTlsClientAuth,
        TlsClientAuth,
    };
    let listed = metadata.token_endpoint_auth_methods_supported.as_deref();
    match (means, listed) {
        // Whether public clients are welcome is often left out of the list.
        (Means::Nothing, _) => Ok(Public),
        (Means::Secret, None) => Ok(ClientSecretBasic),
        (Means::Secret, Some(listed)) => {
            first_of(&[ClientSecretBasic, ClientSecretPost, Public], listed, metadata)
        }
        (Means::Key(algorithm), listed) => {
            let algorithms = metadata.token_endpoint_auth_signing_alg_values_supported.as_deref();
            if let Some(taken) = algorithms.filter(|taken| !taken.iter().any(|name| name == algorithm.name()))
            {
                return Err(none_fits(metadata, taken));
            }
            // Who has a key was told so by this server, whatever its list says or leaves out.
            listed.map_or(Ok(PrivateKeyJwt), |listed| first_of(&[PrivateKeyJwt], listed, metadata))
        }
        (Means::Certificate, None) => Ok(TlsClientAuth),
        // Both are the same in a request; which of them was agreed on is known to the server.
        (Means::Certificate, Some(listed)) => {
            first_of(&[TlsClientAuth, SelfSignedTlsClientAuth], listed, metadata)
        }
    }
}

/// What to register as: a native application is a public client (RFC 8252 §8.5) where that is possible.
pub(crate) fn auth_to_register(metadata: &AuthorizationServerMetadata) -> Result<TokenEndpointAuth, Error> {
    use TokenEndpointAuth::{ClientSecretBasic, ClientSecretPost, None as Public};
    match &metadata.token_endpoint_auth_methods_supported {
        Some(supported) => first_of(&[Public, ClientSecretBasic, ClientSecretPost], supported, metadata),
        None => Ok(Public),
    }
}

fn first_of(
    preferred: &[TokenEndpointAuth],
    supported: &[String],
    metadata: &AuthorizationServerMetadata,
) -> Result<TokenEndpointAuth, Error> {
    let found = preferred.iter().find(|method| supported.iter().any(|name| name == method.as_str()));
    found.copied().ok_or_else(|| none_fits(metadata, supported))
}

fn none_fits(metadata: &AuthorizationServerMetadata, supported: &[String]) -> Error {
    Error::Misconfigured {
        step: Step::Register,
        url: printable(&metadata.issuer),
        rule: Rule::NoTokenEndpointAuth(printable(&supported.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::secret::Secret;

    use super::*;

    fn metadata(methods: Option<&[&str]>) -> AuthorizationServerMetadata {
        AuthorizationServerMetadata {
            token_endpoint_auth_methods_supported: methods.map(|m| m.iter().map(|&m| m.to_owned()).collect()),
            ..AuthorizationServerMetadata::default()
        }
    }

    fn client(auth: TokenEndpointAuth) -> Registration {
        Registration {
            client_id: "id:with colon".into(),
            client_secret: Some(Secret::new("s%&")),
            secret_expires_at: None,
            auth,
            redirect_uris: vec![],
        }
    }

    #[test]
    fn basic_encodes_both_parts_and_the_secret_is_not_in_the_form() {
        let client = client(TokenEndpointAuth::ClientSecretBasic);
        let (form, headers) = authenticated(&client, None, &[("grant_type", "x")]);
        assert_eq!(form, [("grant_type", "x"), ("client_id", "id:with colon")]);
        let value =
            headers[header::AUTHORIZATION].to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
        assert_eq!(STANDARD.decode(value).unwrap(), b"id%3Awith+colon:s%25%26");
    }

    #[test]
    fn post_and_none_use_the_form() {
        let posting = client(TokenEndpointAuth::ClientSecretPost);
        assert_eq!(
            authenticated(&posting, None, &[]).0,
            [("client_id", "id:with colon"), ("client_secret", "s%&")]
        );
        let public = client(TokenEndpointAuth::None);
        assert_eq!(authenticated(&public, None, &[]).0, [("client_id", "id:with colon")]);
    }

    /// RFC 8705 §2.
    #[test]
    fn a_certificate_goes_with_the_client_id_and_nothing_else() {
        use TokenEndpointAuth::{SelfSignedTlsClientAuth, TlsClientAuth};
        let client = client(TlsClientAuth);
        let (form, headers) = authenticated(&client, None, &[]);
        assert_eq!((form, headers.len()), (vec![("client_id", "id:with colon")], 0));
        let choose = |methods| choose_auth(&metadata(methods), Means::Certificate);
        assert_eq!(choose(None).unwrap(), TlsClientAuth);
        assert_eq!(choose(Some(&["none", "self_signed_tls_client_auth"])).unwrap(), SelfSignedTlsClientAuth);
        assert!(choose(Some(&["none", "client_secret_basic"])).is_err());
    }

    #[test]
    fn the_method_follows_the_metadata() {
        use TokenEndpointAuth::{ClientSecretBasic, ClientSecretPost, None as Public};
        for (methods, secret, expected) in [
            (None, true, ClientSecretBasic),
            (None, false, Public),
            (Some(&["client_secret_post"][..]), true, ClientSecretPost),
            (Some(&["none", "client_secret_post", "client_secret_basic"][..]), true, ClientSecretBasic),
            (Some(&["none"][..]), true, Public),
            (Some(&["client_secret_basic"][..]), false, Public),
        ] {
            assert_eq!(
                choose_auth(&metadata(methods), if secret { Means::Secret } else { Means::Nothing }).unwrap(),
                expected,
                "{methods:?} {secret}"
            );
        }
        assert_eq!(auth_to_register(&metadata(Some(&["client_secret_post", "none"]))).unwrap(), Public);
        assert_eq!(auth_to_register(&metadata(Some(&["client_secret_post"]))).unwrap(), ClientSecretPost);
        assert!(auth_to_register(&metadata(Some(&["tls_client_auth"]))).is_err());
    }
}
