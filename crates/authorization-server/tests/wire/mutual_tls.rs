//! Certificates of clients (RFC 8705): who a client is, and what its tokens are bound to.

use crate::harness;
use std::net::IpAddr;

use hallpass_authorization_server::{
    AddClientError, CertificateName, ClientDetails, MutualTls, NewClient, Settings,
};
use hallpass_protocol::certificate::{from_pem, thumbprint};
use hallpass_protocol::jose::{JwkSet, SigningKey};
use hallpass_testkit::tls::{Authority, CertificateParams, DnType, Issued, SanType, self_signed};
use harness::{Answer, CALLBACK, House, redemption, set};

const GRANT: &str = "client_credentials";

/// Behind a proxy on this machine, which says what clients have shown it.
fn behind_a_proxy(settings: &mut Settings, authority: &Authority) {
    settings.mutual_tls = Some(MutualTls {
        authorities: vec![from_pem(&authority.pem()).unwrap()],
        self_signed: true,
        proxies: vec![IpAddr::from([127, 0, 0, 1])],
        aliases: None,
    });
}

async fn house(authority: &Authority) -> House {
    House::furnished_with(|settings| behind_a_proxy(settings, authority)).await
}

async fn add(house: &House, id: &str, details: ClientDetails) {
    let grant_types = vec![GRANT.to_owned()];
    let client = NewClient { id: id.to_owned(), grant_types, details, ..NewClient::default() };
    house.server.clients().add(client).await.unwrap();
}

fn named(name: CertificateName) -> ClientDetails {
    ClientDetails { tls_client_auth: Some(name), ..ClientDetails::default() }
}

/// A form to /token, on a connection that shows this.
async fn post(house: &House, shows: Option<&Issued>, form: &[(&str, &str)]) -> Answer {
    let request = house.http.post(house.url("/token")).form(form);
    house
        .send(shows.iter().fold(request, |r, issued| r.header("client-cert", format!(":{}:", issued.shown))))
        .await
}

async fn ask(house: &House, id: &str, shows: Option<&Issued>) -> Answer {
    post(house, shows, &[("grant_type", GRANT), ("client_id", id)]).await
}

fn robot(params: &mut CertificateParams) {
    params.distinguished_name.push(DnType::OrganizationName, "Acme, Inc.");
    params.distinguished_name.push(DnType::CommonName, "robot");
    params.subject_alt_names = vec![
        SanType::DnsName("robot.example".try_into().unwrap()),
        SanType::URI("spiffe://acme/robot".try_into().unwrap()),
        SanType::IpAddress("192.0.2.7".parse().unwrap()),
        SanType::Rfc822Name("robot@acme.example".try_into().unwrap()),
    ];
}

#[tokio::test]
async fn a_client_is_known_by_exactly_the_name_that_was_registered() {
    use CertificateName::{SanDns, SanEmail, SanIp, SanUri, SubjectDn};
    let authority = Authority::new();
    let house = house(&authority).await;
    let issued = authority.issue_with(robot);
    let text = str::to_owned;
    for (n, (name, is_its_own)) in [
        (SubjectDn(text(r"CN=robot,O=Acme\, Inc.")), true),
        (SubjectDn(text(r"O=Acme\, Inc.,CN=robot")), false),
        (SubjectDn(text("CN=robot")), false),
        (SubjectDn(text(r"CN=Robot,O=Acme\, Inc.")), false),
        (SanDns(text("robot.example")), true),
        (SanDns(text("example")), false),
        (SanDns(text("*.example")), false),
        (SanUri(text("spiffe://acme/robot")), true),
        (SanUri(text("spiffe://acme/robot/x")), false),
        (SanUri(text("robot.example")), false),
        (SanIp("192.0.2.7".parse().unwrap()), true),
        (SanIp("192.0.2.8".parse().unwrap()), false),
        (SanEmail(text("robot@acme.example")), true),
        (SanEmail(text("other@acme.example")), false),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("client-{n}");
        add(&house, &id, named(name.clone())).await;
        let answer = ask(&house, &id, Some(&issued)).await;
        let expected = if is_its_own { (200, "") } else { (401, "invalid_client") };
        assert_eq!(answer.error(), expected, "{name:?}: {:?}", answer.json);
        assert_eq!(ask(&house, &id, None).await.error(), (401, "invalid_client"), "nothing shown");
    }
}

#[tokio::test]
async fn a_certificate_counts_that_a_listed_authority_has_issued_and_for_now() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let house = house(&authority).await;
    add(&house, "robot", named(CertificateName::SanDns("robot.example".to_owned()))).await;
    let old = authority.issue_with(|params| {
        robot(params);
        params.not_after = hallpass_testkit::tls::date(2026, 1, 1);
    });
    let for_servers = authority.issue_with(|params| {
        robot(params);
        params.extended_key_usages = vec![hallpass_testkit::tls::ExtendedKeyUsagePurpose::ServerAuth];
    });
    for (issued, why) in [
        (stranger.issue_with(robot), "another authority"),
        (self_signed(robot), "no authority"),
        (old, "it has ended"),
        (for_servers, "not for clients"),
    ] {
        assert_eq!(ask(&house, "robot", Some(&issued)).await.error(), (401, "invalid_client"), "{why}");
    }
    let issued = authority.issue_with(robot);
    assert_eq!(ask(&house, "robot", Some(&issued)).await.status, 200);
    let both = [("grant_type", GRANT), ("client_id", "robot"), ("client_secret", "x")];
    assert_eq!(post(&house, Some(&issued), &both).await.error(), (401, "invalid_client"), "one way");
}

#[tokio::test]
async fn whoever_is_no_listed_proxy_says_nothing_of_certificates() {
    let authority = Authority::new();
    let house = House::furnished_with(|settings| {
        behind_a_proxy(settings, &authority);
        settings.mutual_tls.as_mut().unwrap().proxies = vec![IpAddr::from([192, 0, 2, 1])];
    })
    .await;
    add(&house, "robot", named(CertificateName::SanDns("robot.example".to_owned()))).await;
    let issued = authority.issue_with(robot);
    assert_eq!(ask(&house, "robot", Some(&issued)).await.error(), (401, "invalid_client"));
}

#[tokio::test]
async fn what_is_no_certificate_is_refused() {
    let authority = Authority::new();
    let house = house(&authority).await;
    add(&house, "robot", named(CertificateName::SanDns("robot.example".to_owned()))).await;
    for (field, error) in [("x", (400, "invalid_request")), (":AQI=:", (401, "invalid_client"))] {
        let form = [("grant_type", GRANT), ("client_id", "robot")];
        let request = house.http.post(house.url("/token")).header("client-cert", field).form(&form);
        assert_eq!(house.send(request).await.error(), error, "{field}");
    }
}

fn keys_of(issued: &Issued) -> ClientDetails {
    let key = SigningKey::from_pem(None, &issued.key, None).unwrap();
    ClientDetails {
        jwks: Some(JwkSet { keys: vec![key.public_jwk()] }),
        self_signed_tls_client_auth: true,
        ..ClientDetails::default()
    }
}

#[tokio::test]
async fn a_client_is_known_by_its_key_whoever_has_issued_the_certificate() {
    let authority = Authority::new();
    let house = house(&authority).await;
    let (own, other) = (self_signed(robot), self_signed(robot));
    add(&house, "own", keys_of(&own)).await;
    assert_eq!(ask(&house, "own", Some(&own)).await.status, 200);
    assert_eq!(ask(&house, "own", Some(&other)).await.error(), (401, "invalid_client"), "the same name");
    assert_eq!(ask(&house, "own", None).await.error(), (401, "invalid_client"));
    let strict = House::furnished_with(|settings| {
        behind_a_proxy(settings, &authority);
        settings.mutual_tls.as_mut().unwrap().self_signed = false;
    })
    .await;
    add(&strict, "own", keys_of(&own)).await;
    assert_eq!(ask(&strict, "own", Some(&own)).await.error(), (401, "invalid_client"), "switched off");
}

#[tokio::test]
async fn tokens_of_clients_that_say_so_are_bound_to_the_certificate() {
    let authority = Authority::new();
    let house = house(&authority).await;
    let (issued, other) = (authority.issue_with(robot), authority.issue_with(robot));
    let mut details = named(CertificateName::SanDns("robot.example".to_owned()));
    add(&house, "unbound", details.clone()).await;
    details.tls_client_certificate_bound_access_tokens = true;
    add(&house, "bound", details).await;
    let cnf = async |id| {
        let tokens = ask(&house, id, Some(&issued)).await;
        assert_eq!(tokens.text("token_type"), "Bearer", "RFC 8705 §3: not another scheme");
        let token = tokens.text("access_token");
        let form = [("client_id", id), ("token", token)];
        let request = house.http.post(house.url("/introspect")).form(&form);
        let shown = format!(":{}:", issued.shown);
        let told = house.send(request.header("client-cert", shown)).await;
        let claims = house.verify(token);
        assert_eq!(told.json.get("cnf"), claims.other.get("cnf"));
        claims.other.get("cnf").cloned()
    };
    assert_eq!(cnf("unbound").await, None);
    let bound = cnf("bound").await.unwrap();
    assert_eq!(bound["x5t#S256"], thumbprint(&from_pem(&issued.chain).unwrap()));
    // A public client: its refresh tokens are bound, too (RFC 8705 §4).
    let details =
        ClientDetails { tls_client_certificate_bound_access_tokens: true, ..ClientDetails::default() };
    let id = "public".to_owned();
    let client = NewClient { id, redirect_uris: vec![CALLBACK.to_owned()], details, ..NewClient::default() };
    house.server.clients().add(client).await.unwrap();
    let mut request = house.request();
    set(&mut request, "client_id", "public");
    let code = house.code_for(&request).await;
    let mut form = redemption(&code);
    form[1].1 = "public";
    assert_eq!(post(&house, None, &form).await.error(), (400, "invalid_request"), "no certificate");
    let tokens = post(&house, Some(&other), &form).await;
    let refresh =
        |token| [("grant_type", "refresh_token"), ("client_id", "public"), ("refresh_token", token)];
    let first = refresh(tokens.text("refresh_token"));
    assert_eq!(post(&house, Some(&issued), &first).await.error(), (400, "invalid_grant"));
    let next = post(&house, Some(&other), &first).await;
    let expected = thumbprint(&from_pem(&other.chain).unwrap());
    assert_eq!(house.verify(next.text("access_token")).other["cnf"]["x5t#S256"], expected);
}

#[tokio::test]
async fn the_metadata_say_what_is_switched_on() {
    let authority = Authority::new();
    let path = "/.well-known/oauth-authorization-server";
    let off = House::furnished().await;
    let told = off.send(off.http.get(off.url(path))).await.json;
    assert_eq!(told.get("tls_client_certificate_bound_access_tokens"), None);
    assert!(!told["token_endpoint_auth_methods_supported"].to_string().contains("tls"));
    let on = House::furnished_with(|settings| {
        behind_a_proxy(settings, &authority);
        settings.mutual_tls.as_mut().unwrap().aliases = Some("https://mtls.example/".parse().unwrap());
    })
    .await;
    let told = on.send(on.http.get(on.url(path))).await.json;
    assert_eq!(told["tls_client_certificate_bound_access_tokens"], true);
    for list in ["token", "revocation", "introspection"] {
        let methods = told[format!("{list}_endpoint_auth_methods_supported")].to_string();
        assert!(methods.contains("\"tls_client_auth\"") && methods.contains("self_signed_tls"), "{methods}");
    }
    assert_eq!(told["mtls_endpoint_aliases"]["token_endpoint"], "https://mtls.example/token");
    assert_eq!(told["mtls_endpoint_aliases"].get("authorization_endpoint"), None);
}

#[tokio::test]
async fn a_client_that_could_never_show_itself_is_not_added() {
    let authority = Authority::new();
    let house = house(&authority).await;
    let add = async |details| {
        let grant_types = vec![GRANT.to_owned()];
        let client = NewClient { id: "x".to_owned(), grant_types, details, ..NewClient::default() };
        house.server.clients().add(client).await.unwrap_err()
    };
    for name in [
        CertificateName::SubjectDn("robot".to_owned()),
        CertificateName::SubjectDn(String::new()),
        CertificateName::SanDns(String::new()),
        CertificateName::SanUri("a b".to_owned()),
    ] {
        assert!(matches!(add(named(name.clone())).await, AddClientError::CertificateName), "{name:?}");
    }
    let keyless = ClientDetails { self_signed_tls_client_auth: true, ..ClientDetails::default() };
    assert!(matches!(add(keyless).await, AddClientError::NoKeys));
    let mut two = keys_of(&self_signed(robot));
    two.tls_client_auth = Some(CertificateName::SanDns("robot.example".to_owned()));
    assert!(matches!(add(two).await, AddClientError::SeveralCredentials));
}
