//! What is announced is what is there.

use super::Fronted;

#[tokio::test]
async fn nothing_is_announced_or_served_that_the_provider_alone_could_do() {
    let fronted = Fronted::furnished().await;
    let house = &fronted.house;
    let metadata =
        house.send(house.http.get(house.url("/.well-known/oauth-authorization-server"))).await.json;
    assert_eq!(metadata["issuer"], house.issuer.as_str());
    for own in ["authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint"] {
        assert!(metadata[own].as_str().unwrap().starts_with(&house.issuer), "{own}");
    }
    assert_eq!(metadata["grant_types_supported"], serde_json::json!(["authorization_code", "refresh_token"]));
    assert_eq!(metadata["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    for not_here in [
        "introspection_endpoint",
        "introspection_endpoint_auth_methods_supported",
        "device_authorization_endpoint",
        "dpop_signing_alg_values_supported",
    ] {
        assert!(metadata.get(not_here).is_none(), "{not_here}");
    }
    for path in ["/login", "/account", "/admin", "/device", "/setup", "/link"] {
        assert_eq!(house.http.get(house.url(path)).send().await.unwrap().status(), 404, "{path}");
    }
    for path in ["/introspect", "/device_authorization"] {
        assert_eq!(house.post(path, &[("client_id", "native")]).await.status, 404, "{path}");
    }
    for grant in [
        "client_credentials",
        "password",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ] {
        let form = [("grant_type", grant), ("client_id", "web"), ("client_secret", "s3cret")];
        assert_eq!(house.post("/token", &form).await.error(), (400, "unsupported_grant_type"), "{grant}");
    }
}
