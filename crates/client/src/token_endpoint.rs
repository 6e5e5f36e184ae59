//! One request to a token endpoint: client authentication, and what the answer means.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::{
    oauth_error::OAuthError, server_metadata::AuthorizationServerMetadata, token::TokenResponse,
};
use http::{HeaderMap, HeaderValue, header};
use url::{Url, form_urlencoded};

use crate::{
    error::{Error, Rule, Step, printable},
    fetched,
    store::{Registration, TokenEndpointAuth},
};

/// An answer that is no token.
#[derive(Debug)]
pub(crate) enum TokenError {
    /// The server's own verdict (RFC 6749 §5.2).
    Refused(OAuthError),
    /// Everything else; nothing is known about the grant.
    Failed(Error),
}

/// Sends `grant` with the client's authentication, and reads the tokens.
pub(crate) async fn request(
    fetcher: &Fetcher,
    step: Step,
    endpoint: &str,
    client: &Registration,
    grant: &[(&str, &str)],
) -> Result<TokenResponse, TokenError> {
    let misconfigured =
        |rule| TokenError::Failed(Error::Misconfigured { step, url: printable(endpoint), rule });
    let url = Url::parse(endpoint).map_err(|error| misconfigured(Rule::Malformed(error.to_string())))?;
    let (form, headers) = authenticated(client, grant);
    let answer = fetcher
        .post_form(&url, &form, headers)
        .await
        .map_err(|error| TokenError::Failed(fetched::failed(step, endpoint, error)))?;
    if fetched::is_transient(answer.status) {
        return Err(TokenError::Failed(fetched::transient(step, endpoint, &answer)));
    }
    if !answer.status.is_success() {
        // A refusal counts only in the form that RFC 6749 §5.2 gives it: a proxy's 403 page proves nothing.
        return Err(match serde_json::from_slice::<OAuthError>(&answer.body) {
            Ok(error) => TokenError::Refused(error),
            Err(_) => TokenError::Failed(fetched::transient(step, endpoint, &answer)),
        });
    }
    let tokens: TokenResponse = serde_json::from_slice(&answer.body).map_err(|_| {
        misconfigured(Rule::Malformed("the token response cannot be read (RFC 6749 §5.1)".into()))
    })?;
    if !tokens.token_type.eq_ignore_ascii_case("Bearer") {
        return Err(misconfigured(Rule::TokenType(printable(&tokens.token_type))));
    }
    if !is_vschar(tokens.access_token.expose()) {
        return Err(misconfigured(Rule::TokenCharacters));
    }
    Ok(tokens)
}

/// RFC 6749 A.12: one or more visible ASCII characters or spaces.
fn is_vschar(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// RFC 6749 §2.3.1 and §3.2.1.
pub(crate) fn authenticated<'a>(
    client: &'a Registration,
    parameters: &[(&'a str, &'a str)],
) -> (Vec<(&'a str, &'a str)>, HeaderMap) {
    let mut form = parameters.to_vec();
    let mut headers = HeaderMap::new();
    match (client.auth, &client.client_secret) {
        (TokenEndpointAuth::ClientSecretBasic, Some(secret)) => {
            let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encode(&client.client_id), encode(secret.expose()));
            if let Ok(mut value) = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))) {
                value.set_sensitive(true);
                headers.insert(header::AUTHORIZATION, value);
            }
        }
        (TokenEndpointAuth::ClientSecretPost, Some(secret)) => {
            form.push(("client_id", &client.client_id));
            form.push(("client_secret", secret.expose()));
        }
        _ => form.push(("client_id", &client.client_id)),
    }
    (form, headers)
}

/// How a client with or without a secret authenticates here. RFC 8414 §2: without a list it is Basic.
pub(crate) fn choose_auth(
    metadata: &AuthorizationServerMetadata,
    has_secret: bool,
) -> Result<TokenEndpointAuth, Error> {
    use TokenEndpointAuth::{ClientSecretBasic, ClientSecretPost, None as Public};
    match &metadata.token_endpoint_auth_methods_supported {
        Some(supported) if has_secret => {
            first_of(&[ClientSecretBasic, ClientSecretPost, Public], supported, metadata)
        }
        None if has_secret => Ok(ClientSecretBasic),
        // Whether public clients are welcome is often left out of the list.
        _ => Ok(Public),
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
    found.copied().ok_or_else(|| Error::Misconfigured {
        step: Step::Register,
        url: printable(&metadata.issuer),
        rule: Rule::NoTokenEndpointAuth(printable(&supported.join(", "))),
    })
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
    fn basic_encodes_both_parts_and_sends_neither_in_the_form() {
        let client = client(TokenEndpointAuth::ClientSecretBasic);
        let (form, headers) = authenticated(&client, &[("grant_type", "x")]);
        assert_eq!(form, [("grant_type", "x")]);
        let value =
            headers[header::AUTHORIZATION].to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
        assert_eq!(STANDARD.decode(value).unwrap(), b"id%3Awith+colon:s%25%26");
    }

    #[test]
    fn post_and_none_use_the_form() {
        let posting = client(TokenEndpointAuth::ClientSecretPost);
        assert_eq!(
            authenticated(&posting, &[]).0,
            [("client_id", "id:with colon"), ("client_secret", "s%&")]
        );
        let public = client(TokenEndpointAuth::None);
        assert_eq!(authenticated(&public, &[]).0, [("client_id", "id:with colon")]);
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
            assert_eq!(choose_auth(&metadata(methods), secret).unwrap(), expected, "{methods:?} {secret}");
        }
        assert_eq!(auth_to_register(&metadata(Some(&["client_secret_post", "none"]))).unwrap(), Public);
        assert_eq!(auth_to_register(&metadata(Some(&["client_secret_post"]))).unwrap(), ClientSecretPost);
        assert!(auth_to_register(&metadata(Some(&["tls_client_auth"]))).is_err());
    }
}
