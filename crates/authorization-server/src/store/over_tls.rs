//! PostgreSQL over TLS, with an authority of its own.

use hallpass_protocol::time::{Clock, Timestamp};
use hallpass_testkit::database::Cluster;
use hallpass_testkit::tls::Authority;

use super::{DatabaseUrl, Store};
use crate::keys::MasterKey;

async fn connect(url: &str) -> Result<Store, String> {
    let url = DatabaseUrl::parse(url).unwrap();
    let clock = Clock::new(|| Timestamp::from_unix(1_000));
    let connected = Store::connect(&url, 2, MasterKey::from_bytes([1; 32]), clock).await;
    connected.map_err(|error| error.to_string())
}

#[tokio::test]
async fn postgresql_is_reached_over_tls_and_only_with_the_right_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let issued = authority.issue(&["localhost"]);
    let cluster = Cluster::new_in(folder.path());
    let port = cluster.speak_tls(&issued.chain, &issued.key);
    let ca = |name: &str, authority: &Authority| {
        let path = folder.path().join(name);
        std::fs::write(&path, authority.pem()).unwrap();
        path.display().to_string()
    };
    let (own, other) = (ca("own.pem", &authority), ca("other.pem", &stranger));
    let at = |host: &str, rest: &str| format!("postgres://hallpass@{host}:{port}/postgres?{rest}");
    let store = connect(&at("localhost", &format!("sslmode=verify-full&sslrootcert={own}"))).await.unwrap();
    let over_tls: String =
        sqlx::query_scalar("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl")
            .fetch_one(store.reader())
            .await
            .unwrap();
    assert!(over_tls.starts_with("TLSv1."), "{over_tls}");
    for (host, rest, words) in [
        ("localhost", format!("sslmode=verify-full&sslrootcert={other}"), "not trusted here"),
        ("localhost", "sslmode=verify-full".to_owned(), "?sslrootcert=FILE"),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={own}"), "for another name"),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={other}"), "not trusted here"),
        ("localhost", format!("sslmode=verify-full&sslrootcert={own}.gone"), "own.pem.gone"),
    ] {
        let refused = connect(&at(host, &rest)).await.unwrap_err();
        assert!(refused.contains(words) && !refused.contains("hallpass@"), "{rest}: {refused}");
    }
    connect(&at("127.0.0.1", &format!("sslmode=verify-ca&sslrootcert={own}"))).await.unwrap();
    connect(&at("localhost", "sslmode=require")).await.unwrap();
    cluster.crash();
}
