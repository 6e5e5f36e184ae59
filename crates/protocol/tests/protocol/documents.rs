//! The JSON documents: metadata (RFC 9728, RFC 8414) and registration (RFC 7591).

use hallpass_protocol::{
    AuthorizationServerMetadata, ClientInformation, ClientMetadata, Issuer, ProtectedResourceMetadata,
    ResourceIdentifier, Secret, Timestamp,
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// Reads a document and writes it again: nothing may be lost or added.
fn round_trip<T: Serialize + DeserializeOwned>(document: &Value) -> T {
    let read: T = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), *document);
    read
}

#[test]
fn protected_resource_metadata() {
    let read: ProtectedResourceMetadata = round_trip(&json!({
        "resource": "https://mcp.example.com/mcp",
        "authorization_servers": ["https://auth.example.com"],
        "scopes_supported": ["notes:read", "notes:write"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Notes",
        "resource_name#de": "Notizen",
        "resource_documentation": "https://mcp.example.com/docs",
        "dpop_bound_access_tokens_required": false,
    }));
    assert_eq!(read.other["resource_name#de"], "Notizen");
    let short: ProtectedResourceMetadata = round_trip(&json!({ "resource": "https://h" }));
    assert_eq!((short.authorization_servers.len(), short.scopes_supported), (0, None));
    assert!(serde_json::from_str::<ProtectedResourceMetadata>("{}").is_err());
}

/// RFC 9728 §3.3; a slash at the end of a bare host is the same place.
#[test]
fn the_metadata_of_another_resource_is_refused() {
    let metadata = |resource: &str| ProtectedResourceMetadata {
        resource: resource.to_owned(),
        ..ProtectedResourceMetadata::default()
    };
    let expected = ResourceIdentifier::parse("https://h").unwrap();
    for same in ["https://h", "https://h/", "HTTPS://H", "https://h:443"] {
        assert!(metadata(same).check_resource(&expected).is_ok(), "{same}");
    }
    for other in ["https://h/mcp", "https://evil", "http://h", "h", ""] {
        assert!(metadata(other).check_resource(&expected).is_err(), "{other}");
    }
}

#[test]
fn authorization_server_metadata() {
    let read: AuthorizationServerMetadata = round_trip(&json!({
        "issuer": "https://auth.example.com",
        "authorization_endpoint": "https://auth.example.com/authorize",
        "token_endpoint": "https://auth.example.com/token",
        "registration_endpoint": "https://auth.example.com/register",
        "revocation_endpoint": "https://auth.example.com/revoke",
        "jwks_uri": "https://auth.example.com/jwks",
        "scopes_supported": ["notes:read"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
        "backchannel_logout_supported": true,
    }));
    assert!(read.supports_s256());
    assert_eq!(read.other["backchannel_logout_supported"], true);
    let short: AuthorizationServerMetadata = round_trip(&json!({ "issuer": "https://a" }));
    assert!(!short.supports_s256());
    assert!(!short.authorization_response_iss_parameter_supported);
    assert!(serde_json::from_str::<AuthorizationServerMetadata>("{}").is_err());
}

/// Servers written in languages with null write it where they mean nothing.
#[test]
fn null_is_left_out() {
    let names = ["code_challenge_methods_supported", "authorization_response_iss_parameter_supported"];
    let mut document = json!({ "issuer": "https://a" });
    names.iter().for_each(|name| document[name] = Value::Null);
    let read: AuthorizationServerMetadata = serde_json::from_value(document).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), json!({ "issuer": "https://a" }));
    let document = json!({ "resource": "https://a", "authorization_servers": null });
    assert!(serde_json::from_value::<ProtectedResourceMetadata>(document).is_ok());
    let document = json!({ "client_id": "a", "redirect_uris": null, "client_secret": null });
    assert!(serde_json::from_value::<ClientInformation>(document).is_ok());
}

#[test]
fn plain_alone_is_no_support_for_pkce() {
    let document = json!({ "issuer": "https://a", "code_challenge_methods_supported": ["plain"] });
    assert!(!round_trip::<AuthorizationServerMetadata>(&document).supports_s256());
}

/// RFC 8414 §3.3, to the letter.
#[test]
fn the_metadata_of_another_issuer_is_refused() {
    let metadata = AuthorizationServerMetadata {
        issuer: "https://honest.example".to_owned(),
        ..AuthorizationServerMetadata::default()
    };
    let check = |issuer| metadata.check_issuer(&Issuer::parse(issuer).unwrap());
    assert_eq!(check("https://honest.example"), Ok(()));
    for other in [
        "https://attacker.example",
        "https://honest.example/",
        "https://HONEST.example",
        "https://honest.example:443",
    ] {
        assert!(check(other).is_err(), "{other}");
    }
}

#[test]
fn registration() {
    let read: ClientInformation = round_trip(&json!({
        "client_id": "abc",
        "client_secret": "hunter2",
        "client_id_issued_at": 1_700_000_000,
        "client_secret_expires_at": 1_800_000_000,
        "registration_access_token": "swordfish",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "client_name": "A client",
        "client_name#de": "Ein Client",
        "scope": "notes:read notes:write",
        "application_type": "native",
    }));
    assert_eq!(read.client_secret, Some(Secret::new("hunter2")));
    assert_eq!(read.metadata.other.keys().collect::<Vec<_>>(), ["client_name#de"]);
    let shown = format!("{read:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("swordfish"), "{shown}");
}

#[test]
fn when_a_client_secret_ends() {
    let mut client = ClientInformation::public("abc", ClientMetadata::default());
    let at = Timestamp::from_unix;
    client.client_secret_expires_at = Some(at(100));
    assert!(!client.secret_expired(at(200)), "there is no secret to expire");
    client.client_secret = Some(Secret::new("s"));
    assert!(!client.secret_expired(at(99)));
    assert!(client.secret_expired(at(100)));
    client.client_secret_expires_at = Some(at(0));
    assert!(!client.secret_expired(at(200)), "zero is for ever");
    client.client_secret_expires_at = None;
    assert!(!client.secret_expired(at(200)));
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        proptest::collection::vec(".{0,6}", 0..3).prop_map(Value::from),
    ]
}

/// Members that the documents know, with any value, and some that they do not.
fn document() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        prop::sample::select(vec![
            "resource",
            "issuer",
            "client_id",
            "client_secret",
            "redirect_uris",
            "scope",
            "authorization_servers",
            "scopes_supported",
            "token_endpoint",
            "jwks",
            "client_id_issued_at",
            "authorization_response_iss_parameter_supported",
        ])
        .prop_map(str::to_owned),
        "x_[a-z]{1,4}",
    ];
    proptest::collection::btree_map(name, value(), 0..8).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn any_document_is_read_or_refused(document in document()) {
        let document = Value::Object(document);
        let _ = serde_json::from_value::<ProtectedResourceMetadata>(document.clone());
        let _ = serde_json::from_value::<AuthorizationServerMetadata>(document.clone());
        let _ = serde_json::from_value::<ClientInformation>(document);
    }

    /// What a document says beyond what is known here survives.
    #[test]
    fn unknown_members_survive(extra in proptest::collection::btree_map("x_[a-z]{1,4}", value(), 0..5)) {
        let mut document = Map::from_iter([("resource".to_owned(), "https://h".into())]);
        document.extend(extra.clone());
        round_trip::<ProtectedResourceMetadata>(&Value::Object(document));
        let mut document = Map::from_iter([("issuer".to_owned(), "https://h".into())]);
        document.extend(extra.clone());
        round_trip::<AuthorizationServerMetadata>(&Value::Object(document));
        let mut document = Map::from_iter([("client_id".to_owned(), "c".into())]);
        document.extend(extra);
        round_trip::<ClientInformation>(&Value::Object(document));
    }
}
