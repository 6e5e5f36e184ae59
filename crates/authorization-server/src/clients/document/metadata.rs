//! What a document says: a table of rules.

use hallpass_protocol::json;
use hallpass_protocol::redirect::RedirectUri;
use hallpass_protocol::registration::ClientMetadata;
use serde_json::Value;
use url::Url;

use super::super::client::{AUTHORIZATION_CODE, REFRESH_TOKEN};
use super::super::methods::{Unsaid, flag, shown_by};
use super::super::{Authentication, Client, ClientDetails, ClientKind, Methods};
use super::{DocumentError, LONGEST_DOCUMENT};

const MOST_REDIRECT_URIS: usize = 50;

/// Every rule. The methods are those that are switched on here.
pub(in crate::clients) fn read(
    id: &str,
    url: &Url,
    body: &[u8],
    methods: Methods,
) -> Result<Client, DocumentError> {
    if body.len() > LONGEST_DOCUMENT {
        return Err(DocumentError::TooLong);
    }
    let value =
        json::from_slice_unique(body).map_err(|error| DocumentError::NotMetadata(error.to_string()))?;
    check_client_id(id, &value)?;
    check_no_secret(&value)?;
    let metadata: ClientMetadata =
        serde_json::from_value(value).map_err(|error| DocumentError::NotMetadata(error.to_string()))?;
    check_grant_types(&metadata)?;
    check_response_types(&metadata)?;
    Ok(Client {
        id: id.to_owned(),
        redirect_uris: redirect_uris(&metadata)?,
        kind: ClientKind::Document { domain: url.host_str().unwrap_or_default().to_owned() },
        authentication: authentication(&metadata, methods)?,
        grant_types: metadata.grant_types.clone().unwrap_or_default(),
        own_grant: String::new(),
        details: ClientDetails {
            dpop_bound_access_tokens: flag(&metadata, "dpop_bound_access_tokens"),
            require_pushed_authorization_requests: flag(&metadata, "require_pushed_authorization_requests"),
            tls_client_certificate_bound_access_tokens: methods.bind(&metadata),
            ..ClientDetails::default()
        },
        may_refresh: metadata
            .grant_types
            .as_ref()
            .is_none_or(|grants| grants.iter().any(|grant| grant == REFRESH_TOKEN)),
        scopes: None,
        name: Some(metadata.client_name.filter(|name| !name.trim().is_empty()).ok_or(DocumentError::NoName)?),
    })
}

fn check_client_id(id: &str, document: &Value) -> Result<(), DocumentError> {
    let same = document.get("client_id").and_then(Value::as_str) == Some(id);
    same.then_some(()).ok_or(DocumentError::OtherClientId)
}

fn check_no_secret(document: &Value) -> Result<(), DocumentError> {
    let secret =
        ["client_secret", "client_secret_expires_at"].iter().any(|member| document.get(member).is_some());
    (!secret).then_some(()).ok_or(DocumentError::Secret)
}

/// RFC 7591's default, client_secret_basic, cannot be meant here (CIMD-02 §4.1), so absent is `none`.
fn authentication(metadata: &ClientMetadata, methods: Methods) -> Result<Authentication, DocumentError> {
    let asked = metadata.token_endpoint_auth_method.as_deref().unwrap_or("none");
    let there = methods.without_secret();
    let Some(method) = there.iter().copied().find(|method| *method == asked) else {
        return Err(DocumentError::AuthMethod { asked: asked.to_owned(), supported: there.join(", ") });
    };
    shown_by(metadata, method).map_err(|unsaid| match unsaid {
        Unsaid::Keys => DocumentError::Keys(method),
        Unsaid::CertificateName => DocumentError::CertificateName,
    })
}

fn check_grant_types(metadata: &ClientMetadata) -> Result<(), DocumentError> {
    let named = names(metadata.grant_types.as_ref(), AUTHORIZATION_CODE);
    named.then_some(()).ok_or(DocumentError::GrantTypes)
}

fn check_response_types(metadata: &ClientMetadata) -> Result<(), DocumentError> {
    let named = names(metadata.response_types.as_ref(), "code");
    named.then_some(()).ok_or(DocumentError::ResponseTypes)
}

fn names(list: Option<&Vec<String>>, name: &str) -> bool {
    list.is_none_or(|list| list.iter().any(|item| item == name))
}

fn redirect_uris(metadata: &ClientMetadata) -> Result<Vec<RedirectUri>, DocumentError> {
    let uris = &metadata.redirect_uris;
    if uris.is_empty() || uris.len() > MOST_REDIRECT_URIS {
        return Err(DocumentError::RedirectUris);
    }
    Ok(uris.iter().map(|uri| RedirectUri::parse_claimed(uri)).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::redirect::RedirectUriError;
    use serde_json::json;

    use super::*;
    use crate::settings::MutualTls;

    const ID: &str = "https://app.example/client.json";

    fn document() -> Value {
        json!({
            "client_id": ID,
            "client_name": "An app",
            "redirect_uris": ["http://127.0.0.1:3000/callback"],
            "grant_types": ["authorization_code"],
            "token_endpoint_auth_method": "none"
        })
    }

    fn read_with(member: &str, value: Value) -> Result<Client, DocumentError> {
        let mut document = document();
        document[member] = value;
        read(ID, &Url::parse(ID).unwrap(), document.to_string().as_bytes(), Methods::default())
    }

    #[test]
    fn a_whole_document_describes_a_public_client_of_its_domain() {
        let client =
            read(ID, &Url::parse(ID).unwrap(), document().to_string().as_bytes(), Methods::default())
                .unwrap();
        assert_eq!(client.kind, ClientKind::Document { domain: "app.example".to_owned() });
        assert!(client.is_public());
        assert!(!client.may_refresh, "grant_types do not name refresh_token");
    }

    #[test]
    fn the_client_id_is_the_url_exactly() {
        for other in ["https://app.example/client.json/", "https://APP.example/client.json", ""] {
            let error = read_with("client_id", json!(other)).unwrap_err();
            assert!(matches!(error, DocumentError::OtherClientId));
        }
    }

    #[test]
    fn shared_secrets_are_refused() {
        let error = read_with("client_secret", json!("s")).unwrap_err();
        assert!(matches!(error, DocumentError::Secret));
        for method in
            ["client_secret_basic", "client_secret_post", "tls_client_auth", "self_signed_tls_client_auth"]
        {
            let error = read_with("token_endpoint_auth_method", json!(method)).unwrap_err();
            assert!(matches!(error, DocumentError::AuthMethod { asked, .. } if asked == method));
        }
    }

    #[test]
    fn keys_are_in_one_place() {
        let error = read_with("token_endpoint_auth_method", json!("private_key_jwt")).unwrap_err();
        assert!(matches!(error, DocumentError::Keys(_)));
        let key = hallpass_protocol::jose::SigningKey::generate_es256().unwrap().public_jwk();
        let read = |members: &[(&str, Value)]| {
            let mut document = document();
            document["token_endpoint_auth_method"] = json!("private_key_jwt");
            for (member, value) in members {
                document[member] = value.clone();
            }
            super::read(ID, &Url::parse(ID).unwrap(), document.to_string().as_bytes(), Methods::default())
        };
        let jwks = ("jwks", json!({"keys": [key]}));
        let uri = ("jwks_uri", json!("https://app.example/jwks"));
        assert!(!read(std::slice::from_ref(&jwks)).unwrap().is_public());
        assert!(!read(std::slice::from_ref(&uri)).unwrap().is_public());
        for wrong in [vec![jwks, uri], vec![("jwks", json!({"keys": [{"kty": "oct", "k": "AA"}]}))]] {
            assert!(matches!(read(&wrong), Err(DocumentError::Keys(_))));
        }
    }

    #[test]
    fn name_and_redirect_uris_are_required() {
        assert!(matches!(read_with("client_name", json!(" ")), Err(DocumentError::NoName)));
        assert!(matches!(read_with("redirect_uris", json!([])), Err(DocumentError::RedirectUris)));
        let error = read_with("redirect_uris", json!(["http://evil.example/"])).unwrap_err();
        assert!(matches!(error, DocumentError::RedirectUri(_)));
    }

    #[test]
    fn a_scheme_that_any_app_could_have_is_refused() {
        let error = read_with("redirect_uris", json!(["evilapp://claude.ai/cb"])).unwrap_err();
        assert!(matches!(error, DocumentError::RedirectUri(RedirectUriError::UnknownScheme(_))));
        assert!(read_with("redirect_uris", json!(["cursor://anysphere.cursor-mcp/cb"])).is_ok());
    }

    #[test]
    fn other_flows_are_refused() {
        let error = read_with("grant_types", json!(["client_credentials"])).unwrap_err();
        assert!(matches!(error, DocumentError::GrantTypes));
        let error = read_with("response_types", json!(["token"])).unwrap_err();
        assert!(matches!(error, DocumentError::ResponseTypes));
    }

    #[test]
    fn a_long_document_is_not_read() {
        let error = read_with("client_uri", json!("x".repeat(LONGEST_DOCUMENT))).unwrap_err();
        assert!(matches!(error, DocumentError::TooLong));
    }

    #[test]
    fn a_certificate_shows_a_client_where_that_is_switched_on() {
        let settings =
            MutualTls { authorities: vec![Vec::new().into()], self_signed: true, ..MutualTls::default() };
        let methods = Methods::of(Some(&settings));
        let read = |method: &str, members: &[(&str, Value)]| {
            let mut document = document();
            document["token_endpoint_auth_method"] = json!(method);
            document["tls_client_certificate_bound_access_tokens"] = json!(true);
            for (member, value) in members {
                document[member] = value.clone();
            }
            super::read(ID, &Url::parse(ID).unwrap(), document.to_string().as_bytes(), methods)
        };
        let name = ("tls_client_auth_san_dns", json!("app.example"));
        let client = read("tls_client_auth", std::slice::from_ref(&name)).unwrap();
        assert!(matches!(client.authentication, Authentication::Certificate(_)));
        assert!(client.details.tls_client_certificate_bound_access_tokens);
        let other = ("tls_client_auth_san_uri", json!("https://app.example/"));
        for wrong in [vec![], vec![name, other], vec![("tls_client_auth_san_ip", json!("app.example"))]] {
            let refused = read("tls_client_auth", &wrong);
            assert!(matches!(refused, Err(DocumentError::CertificateName)), "{wrong:?}");
        }
        let key = hallpass_protocol::jose::SigningKey::generate_es256().unwrap().public_jwk();
        let keys = ("jwks", json!({"keys": [key]}));
        let client = read("self_signed_tls_client_auth", &[keys]).unwrap();
        assert!(matches!(client.authentication, Authentication::CertificateKey(_)));
        let refused = read("self_signed_tls_client_auth", &[]);
        assert!(matches!(refused, Err(DocumentError::Keys("self_signed_tls_client_auth"))));
    }
}
