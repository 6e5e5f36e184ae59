//! DPoP at the token endpoint (RFC 9449).

use crate::harness;
use hallpass_authorization_server::{ClientDetails, MutualTls, NewClient};
use hallpass_protocol::dpop::Proof;
use hallpass_protocol::jose::SigningKey;
use harness::{Answer, CALLBACK, House, NATIVE, redemption, set};
use http::Method;
use url::Url;

/// A key, and how many proofs it has made.
struct Holder {
    key: SigningKey,
    nonce: Option<String>,
}

impl Holder {
    fn new() -> Self {
        Self { key: SigningKey::generate_es256().unwrap(), nonce: None }
    }

    fn proof(&self, house: &House, jti: &str) -> String {
        let url = Url::parse(&house.url("/token")).unwrap();
        let now = house.clock.now();
        let nonce = self.nonce.as_deref();
        let proof = Proof { method: &Method::POST, url: &url, access_token: None, nonce, jti, now };
        proof.sign(&self.key).unwrap()
    }

    /// Gets a nonce first.
    async fn ready(&mut self, house: &House) {
        let answer = send(house, &self.proof(house, "first"), &redemption("x")).await;
        assert_eq!(answer.error(), (400, "use_dpop_nonce"));
        self.nonce = answer.header("dpop-nonce").map(str::to_owned);
    }

    async fn post(&self, house: &House, jti: &str, form: &[(&str, &str)]) -> Answer {
        send(house, &self.proof(house, jti), form).await
    }
}

async fn send(house: &House, proof: &str, form: &[(&str, &str)]) -> Answer {
    house.send(house.http.post(house.url("/token")).header("dpop", proof).form(form)).await
}

fn refresh(token: &str) -> [(&str, &str); 3] {
    [("grant_type", "refresh_token"), ("client_id", NATIVE), ("refresh_token", token)]
}

#[tokio::test]
async fn tokens_of_a_public_client_belong_to_its_key() {
    let house = House::furnished().await;
    let (mut holder, mut thief) = (Holder::new(), Holder::new());
    holder.ready(&house).await;
    thief.ready(&house).await;
    let code = house.code().await;
    let tokens = holder.post(&house, "1", &redemption(&code)).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    assert_eq!(tokens.text("token_type"), "DPoP");
    assert!(tokens.header("dpop-nonce").is_some());
    let claims = house.verify(tokens.text("access_token"));
    assert_eq!(claims.other["cnf"]["jkt"], holder.key.thumbprint());
    let form = refresh(tokens.text("refresh_token"));
    assert_eq!(house.post("/token", &form).await.error(), (400, "invalid_grant"), "without a proof");
    assert_eq!(thief.post(&house, "2", &form).await.error(), (400, "invalid_grant"), "another key");
    let next = holder.post(&house, "2", &form).await;
    assert_eq!((next.status, next.text("token_type")), (200, "DPoP"));
    // The successor too.
    let form = refresh(next.text("refresh_token"));
    assert_eq!(thief.post(&house, "3", &form).await.error(), (400, "invalid_grant"));
    assert_eq!(holder.post(&house, "3", &form).await.status, 200);
}

#[tokio::test]
async fn a_confidential_client_may_take_another_key() {
    let house = House::furnished().await;
    let (mut one, mut two) = (Holder::new(), Holder::new());
    one.ready(&house).await;
    two.ready(&house).await;
    let code = house.code_for(&house.web_request()).await;
    let secret = [("client_id", harness::WEB), ("client_secret", harness::WEB_SECRET)];
    let redeem =
        [("grant_type", "authorization_code"), ("code", &code), ("code_verifier", harness::VERIFIER)];
    let tokens = one.post(&house, "1", &[&redeem[..], &secret].concat()).await;
    assert_eq!(tokens.text("token_type"), "DPoP");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens.text("refresh_token"))];
    let next = two.post(&house, "1", &[&refresh[..], &secret].concat()).await;
    let claims = house.verify(next.text("access_token"));
    assert_eq!(claims.other["cnf"]["jkt"], two.key.thumbprint());
}

#[tokio::test]
async fn a_proof_counts_once() {
    let house = House::furnished_with(|settings| settings.dpop_nonces = false).await;
    let holder = Holder::new();
    let proof = holder.proof(&house, "once");
    let (first, second) = (house.code().await, house.code().await);
    assert_eq!(send(&house, &proof, &redemption(&first)).await.status, 200);
    assert_eq!(send(&house, &proof, &redemption(&second)).await.error(), (400, "invalid_dpop_proof"));
    // Another key may have the same id, and the code was not touched.
    let other = Holder::new().proof(&house, "once");
    assert_eq!(send(&house, &other, &redemption(&second)).await.status, 200);
}

/// Anyone can make proofs: those of requests that get nothing must not fill the memory.
#[tokio::test]
async fn a_proof_that_brings_no_token_is_not_remembered() {
    let house = House::furnished_with(|settings| settings.dpop_nonces = false).await;
    let holder = Holder::new();
    let other = house.code_for(&house.web_request()).await;
    let mut wrong = redemption(&other);
    wrong[4].1 = "another-verifier-that-is-long-enough-0123456789";
    for (n, form) in [redemption("x"), redemption(&other), wrong].iter().enumerate() {
        assert_eq!(send(&house, &holder.proof(&house, &n.to_string()), form).await.status, 400);
    }
    let refused = send(&house, &holder.proof(&house, "r"), &refresh("x")).await;
    assert_eq!(refused.error(), (400, "invalid_grant"));
    let machine = [("grant_type", "client_credentials"), ("client_id", NATIVE)];
    assert_eq!(
        send(&house, &holder.proof(&house, "m"), &machine).await.error(),
        (400, "unauthorized_client")
    );
    assert_eq!(house.number("SELECT COUNT(*) FROM seen_ids").await, 0);
}

#[tokio::test]
async fn an_old_proof_is_refused() {
    let house = House::furnished_with(|settings| settings.dpop_nonces = false).await;
    let proof = Holder::new().proof(&house, "1");
    house.advance(60);
    let refused = send(&house, &proof, &redemption("x")).await;
    assert_eq!(refused.error(), (400, "invalid_dpop_proof"));
    assert_eq!(refused.header("dpop-nonce"), None, "nonces are off");
}

#[tokio::test]
async fn a_nonce_is_this_servers_own_and_not_old() {
    let house = House::furnished().await;
    let mut holder = Holder::new();
    holder.ready(&house).await;
    house.advance(299);
    assert_eq!(holder.post(&house, "1", &redemption("x")).await.error(), (400, "invalid_grant"));
    house.advance(1);
    assert_eq!(holder.post(&house, "2", &redemption("x")).await.error(), (400, "use_dpop_nonce"));
    let own = holder.nonce.clone().unwrap();
    let elsewhere = House::furnished().await;
    let mut foreign = Holder::new();
    foreign.ready(&elsewhere).await;
    for nonce in ["", "x", &own[..own.len() - 4], foreign.nonce.as_deref().unwrap()] {
        holder.nonce = Some(nonce.to_owned());
        assert_eq!(holder.post(&house, "3", &redemption("x")).await.error(), (400, "use_dpop_nonce"));
    }
}

#[tokio::test]
async fn two_proofs_or_garbage_are_refused() {
    let house = House::furnished().await;
    for proofs in [vec!["x"], vec!["a.b.c", "a.b.c"], vec![""]] {
        let request = proofs.iter().fold(house.http.post(house.url("/token")), |r, p| r.header("dpop", *p));
        let refused = house.send(request.form(&redemption("x"))).await;
        assert_eq!(refused.error(), (400, "invalid_dpop_proof"), "{proofs:?}");
    }
}

#[tokio::test]
async fn a_code_that_names_a_key_is_redeemed_by_its_holder() {
    let house = House::furnished().await;
    let (mut holder, mut thief) = (Holder::new(), Holder::new());
    holder.ready(&house).await;
    thief.ready(&house).await;
    let mut request = house.request();
    set(&mut request, "dpop_jkt", &holder.key.thumbprint());
    let code = house.code_for(&request).await;
    assert_eq!(house.redeem(&code).await.error(), (400, "invalid_grant"), "no proof");
    assert_eq!(thief.post(&house, "1", &redemption(&code)).await.error(), (400, "invalid_grant"));
    assert_eq!(holder.post(&house, "1", &redemption(&code)).await.status, 200);
    set(&mut request, "dpop_jkt", "short");
    let page = hallpass_testkit::person::Person::new().open(house.authorize_url(&request)).await;
    assert_eq!(page.location_param("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_client_that_always_binds_gets_no_bearer_token() {
    let house = House::furnished().await;
    let details = ClientDetails { dpop_bound_access_tokens: true, ..ClientDetails::default() };
    let id = "bound".to_owned();
    let client = NewClient { id, redirect_uris: vec![CALLBACK.to_owned()], details, ..NewClient::default() };
    house.server.clients().add(client).await.unwrap();
    let mut request = house.request();
    set(&mut request, "client_id", "bound");
    let code = house.code_for(&request).await;
    let mut form = redemption(&code);
    form[1].1 = "bound";
    assert_eq!(house.post("/token", &form).await.error(), (400, "invalid_dpop_proof"));
    let mut holder = Holder::new();
    holder.ready(&house).await;
    assert_eq!(holder.post(&house, "1", &form).await.text("token_type"), "DPoP");
}

/// RFC 8705 §5: clients that show certificates come by another name, which `htu` then has. Never by one that only `Host`
/// says.
#[tokio::test]
async fn a_proof_is_for_one_of_the_names_that_this_server_was_given() {
    let aliases: Url = "https://mtls.example:8443/".parse().unwrap();
    let mutual_tls = MutualTls { aliases: Some(aliases), ..MutualTls::default() };
    let on = House::furnished_with(|settings| settings.mutual_tls = Some(mutual_tls)).await;
    let off = House::furnished().await;
    let send = async |house: &House, url: &str| {
        let (url, now) = (url.parse().unwrap(), house.clock.now());
        let proof =
            Proof { method: &Method::POST, url: &url, access_token: None, nonce: None, jti: "1", now };
        let proof = proof.sign(&SigningKey::generate_es256().unwrap()).unwrap();
        let host = url.authority().to_owned();
        let request = house.http.post(house.url("/token")).header("dpop", proof).header("host", host);
        let answer = house.send(request.form(&redemption("x"))).await;
        // What is asked next is a nonce, where the name was right.
        answer.error().1.to_owned()
    };
    for own in [on.url("/token"), "https://mtls.example:8443/token".to_owned()] {
        assert_eq!(send(&on, &own).await, "use_dpop_nonce", "{own}");
    }
    assert_eq!(send(&off, &off.url("/token")).await, "use_dpop_nonce");
    for (house, other) in [
        (&on, "https://mtls.example/token"),
        (&on, "https://mtls.example:8443/par"),
        (&on, "https://evil.example/token"),
        (&off, "https://mtls.example:8443/token"),
    ] {
        assert_eq!(send(house, other).await, "invalid_dpop_proof", "{other}");
    }
}
