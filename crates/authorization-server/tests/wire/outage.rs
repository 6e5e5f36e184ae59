//! A database that goes away and comes back: a clear answer meanwhile, and nothing lost.

use crate::harness;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hallpass_authorization_server::AuditFilter;
use hallpass_testkit::database::{Cluster, TestDatabase};
use harness::{Answer, House, NATIVE};

const CLIENTS: usize = 4;

/// Rotates on and on, as a client does that tries again after a 503 with what it has; says how often.
async fn rotate(house: Arc<House>, mut token: String, unavailable: Arc<AtomicUsize>, until: usize) -> usize {
    let mut rotated = 0;
    while rotated < until || unavailable.load(Ordering::SeqCst) < CLIENTS {
        let answer = house.refresh(NATIVE, &token).await;
        match answer.status {
            200 => {
                token = answer.text("refresh_token").to_owned();
                rotated += 1;
            }
            503 => {
                assert_clear(&answer);
                unavailable.fetch_add(1, Ordering::SeqCst);
            }
            _ => panic!("{answer:?}"),
        }
    }
    rotated
}

fn assert_clear(answer: &Answer) {
    assert_eq!(answer.error(), (503, "temporarily_unavailable"));
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok()));
    let told = answer.json.to_string().to_lowercase();
    for inside in ["sql", "postgres", "pool", "select", "/tmp"] {
        assert!(!told.contains(inside), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgresql_stops_and_starts_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::new_in(folder.path());
    let house = House::furnished_on(TestDatabase::within(&cluster), |_| {}).await;
    let house = Arc::new(house);
    let code = house.code().await;
    let unavailable = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let token = house.tokens().await.text("refresh_token").to_owned();
        clients.push(tokio::spawn(rotate(Arc::clone(&house), token, Arc::clone(&unavailable), 5)));
    }
    let stopped = cluster.clone();
    tokio::task::spawn_blocking(move || stopped.crash()).await.unwrap();
    // What a person sees is a page, in words.
    let form = [("client_id", NATIVE), ("token", "x")];
    let authorize = house.http.get(house.authorize_url(&house.request()));
    let (page, refused, revoked) =
        tokio::join!(authorize.send(), house.redeem(&code), house.post("/revoke", &form));
    let page = page.unwrap();
    assert_eq!(page.status(), 503);
    assert!(page.headers().contains_key("retry-after"));
    let text = page.text().await.unwrap();
    assert!(text.contains("database does not answer"));
    let reference = text.split("Reference <code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    // No answer that it was done, for what could not be done.
    assert_clear(&refused);
    assert_clear(&revoked);
    let started = cluster.clone();
    tokio::task::spawn_blocking(move || started.start()).await.unwrap();
    for client in clients {
        let rotated = tokio::time::timeout(Duration::from_secs(50), client).await.unwrap().unwrap();
        assert!(rotated >= 5);
    }
    assert!(unavailable.load(Ordering::SeqCst) >= CLIENTS);
    assert_eq!(house.redeem(&code).await.status, 200, "the code was not touched");
    // What lay behind the page waited for the database.
    house.server.close().await.unwrap();
    let filter = AuditFilter { reference: Some(reference), ..AuditFilter::default() };
    let found = house.server.audit_log().list(&filter, 2).await.unwrap();
    let detail = found[0].detail.as_deref().unwrap();
    assert!(detail.starts_with("GET /authorize: storage: ") && detail.contains(" Cause: "), "{detail}");
    cluster.crash();
}
