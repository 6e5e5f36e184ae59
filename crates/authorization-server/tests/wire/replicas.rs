//! Two servers on one database: what may happen once happens once, and what one ends has ended in the other.

use crate::harness;
use std::sync::Arc;
use std::time::Duration;

use hallpass_authorization_server::{ClientDetails, NewClient};
use hallpass_protocol::secret::Secret;
use harness::{Answer, House, NATIVE, Replica, USER, redemption};
use tokio::sync::Barrier;

const CALLERS: usize = 64;

/// All at the same time, half of them to each: each has its connection open before the first one goes.
async fn race(house: &Arc<House>, replica: &Replica, form: &[(&'static str, String)]) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(CALLERS));
    let callers: Vec<_> = (0..CALLERS)
        .map(|n| {
            let base = if n % 2 == 0 { &house.issuer } else { &replica.address }.clone();
            let (house, barrier, form) = (Arc::clone(house), Arc::clone(&barrier), form.to_vec());
            tokio::spawn(async move {
                house.send(house.http.get(format!("{base}/jwks"))).await;
                barrier.wait().await;
                house.send(house.http.post(format!("{base}/token")).form(&form)).await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for caller in callers {
        answers.push(caller.await.unwrap());
    }
    answers
}

// Row 1 of never-again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_code_is_redeemed_once_by_64_at_two_replicas() {
    let house = Arc::new(House::furnished().await);
    let replica = house.replica().await;
    let code = house.code().await;
    let form = redemption(&code).map(|(name, value)| (name, value.to_owned()));
    let answers = race(&house, &replica, &form).await;
    let won: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    assert!(answers.iter().all(|a| a.status == 200 || a.error() == (400, "invalid_grant")));
    // The others were replays, so what the winner has is worth nothing, whichever server is asked.
    replica.server.keep_house().await.unwrap();
    house.server.keep_house().await.unwrap();
    let jti = house.verify(won[0].text("access_token")).jti;
    assert_eq!(replica.server.revocations().is_revoked(&jti), Ok(true));
    assert!(house.is_revoked(won[0].text("access_token")));
    let refreshed = house.refresh(NATIVE, won[0].text("refresh_token")).await;
    assert_eq!(refreshed.error(), (400, "invalid_grant"));
}

// Row 2 of never-again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_refresh_token_has_one_successor_for_64_at_two_replicas() {
    let house = Arc::new(House::furnished().await);
    let replica = house.replica().await;
    let first = house.tokens().await.text("refresh_token").to_owned();
    let form = [("grant_type", "refresh_token"), ("client_id", NATIVE), ("refresh_token", first.as_str())];
    let form = form.map(|(name, value)| (name, value.to_owned()));
    let answers = race(&house, &replica, &form).await;
    let successor = answers[0].text("refresh_token");
    for answer in &answers {
        assert_eq!((answer.status, answer.text("refresh_token")), (200, successor));
    }
    assert_ne!(successor, first);
    assert_eq!(house.refresh(NATIVE, successor).await.status, 200);
}

/// Waits until the replica refuses the token, without asking the database for it.
async fn hears(replica: &Replica, jti: &str) {
    let heard = async {
        while replica.server.revocations().is_revoked(jti) != Ok(true) {
            tokio::task::yield_now().await;
        }
    };
    // The promise is a second; the bound is longer, for machines that do much else.
    tokio::time::timeout(Duration::from_secs(15), heard).await.unwrap();
}

// Row 24 of never-again.
#[tokio::test]
async fn what_one_replica_ends_has_ended_in_the_other() {
    let house = House::furnished().await;
    let replica = house.replica().await;
    let jti = |tokens: &Answer| house.verify(tokens.text("access_token")).jti;
    let refresh = async |tokens: &Answer| {
        let token = tokens.text("refresh_token");
        let form = [("grant_type", "refresh_token"), ("client_id", NATIVE), ("refresh_token", token)];
        let url = format!("{}/token", replica.address);
        house.send(house.http.post(url).form(&form)).await.error().1.to_owned()
    };
    let by_grant = house.tokens().await;
    let given_back = [("client_id", NATIVE), ("token", by_grant.text("refresh_token"))];
    assert_eq!(house.post("/revoke", &given_back).await.status, 200);
    assert_eq!(refresh(&by_grant).await, "invalid_grant");
    hears(&replica, &jti(&by_grant)).await;

    let by_user = house.tokens().await;
    let code = house.code().await;
    assert!(house.server.users().disable(USER).await.unwrap());
    assert_eq!(refresh(&by_user).await, "invalid_grant");
    let url = format!("{}/token", replica.address);
    let redeemed = house.send(house.http.post(url).form(&redemption(&code))).await;
    assert_eq!(redeemed.error(), (400, "invalid_grant"));
    hears(&replica, &jti(&by_user)).await;
}

#[tokio::test]
async fn removing_a_client_at_one_replica_ends_it_in_the_other() {
    let house = House::furnished().await;
    let replica = house.replica().await;
    let tokens = house.tokens().await;
    assert!(house.server.clients().remove(NATIVE).await.unwrap());
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", NATIVE),
        ("refresh_token", tokens.text("refresh_token")),
    ];
    let refused = house.send(house.http.post(format!("{}/token", replica.address)).form(&form)).await;
    assert_eq!(refused.error(), (401, "invalid_client"));
    hears(&replica, &house.verify(tokens.text("access_token")).jti).await;
}

const ROBOT: &str = "robot";

fn robot(secret: &str) -> NewClient {
    NewClient {
        id: ROBOT.to_owned(),
        secret: Some(Secret::new(secret)),
        grant_types: vec!["client_credentials".to_owned()],
        ..NewClient::default()
    }
}

/// Asks one of the servers for a token of the robot's own.
async fn own_token(house: &House, address: &str) -> Answer {
    let form = [("grant_type", "client_credentials"), ("client_id", ROBOT), ("client_secret", "beep")];
    house.send(house.http.post(format!("{address}/token")).form(&form)).await
}

/// A house in which a robot may get tokens, and a protected server may ask about them.
async fn with_a_robot() -> House {
    let house = House::furnished().await;
    let clients = house.server.clients();
    clients.add(robot("beep")).await.unwrap();
    let details = ClientDetails { resources: Some(vec![house.resource()]), ..ClientDetails::default() };
    let server = NewClient { id: "server".to_owned(), details, ..robot("s") };
    clients.add(server).await.unwrap();
    house
}

async fn is_active(house: &House, token: &str) -> bool {
    let form = [("client_id", "server"), ("client_secret", "s"), ("token", token)];
    let answer = house.post("/introspect", &form).await;
    answer.json["active"].as_bool().unwrap()
}

/// How another process ends what a robot has.
#[derive(Clone, Copy, Debug)]
enum End {
    Disable,
    Remove,
    OtherSecret,
}

impl End {
    async fn come(self, house: &House) {
        let elsewhere = house.store().await.clients();
        match self {
            Self::Disable => assert!(elsewhere.disable(ROBOT).await.unwrap()),
            Self::Remove => assert!(elsewhere.remove(ROBOT).await.unwrap()),
            Self::OtherSecret => {
                assert!(elsewhere.remove(ROBOT).await.unwrap());
                elsewhere.add(robot("boop")).await.unwrap();
            }
        }
    }
}

// Row 24 of never-again: a server may remember a robot for a second, and what it signs then counts nowhere.
#[tokio::test]
async fn a_robot_that_ends_elsewhere_gets_nothing_that_counts_and_nothing_at_all_a_second_later() {
    for end in [End::Disable, End::Remove, End::OtherSecret] {
        let house = with_a_robot().await;
        let before = own_token(&house, &house.issuer).await;
        assert!(is_active(&house, before.text("access_token")).await);
        end.come(&house).await;
        let meanwhile = own_token(&house, &house.issuer).await;
        if meanwhile.status == 200 {
            assert!(!is_active(&house, meanwhile.text("access_token")).await, "{end:?}");
        }
        assert!(!is_active(&house, before.text("access_token")).await, "{end:?}");
        house.advance(1);
        assert_eq!(own_token(&house, &house.issuer).await.error(), (401, "invalid_client"), "{end:?}");
    }
}

// Row 24 of never-again: heard of, it counts at once, in the second in which the robot is remembered.
#[tokio::test]
async fn a_robot_that_ends_elsewhere_is_forgotten_when_that_is_heard() {
    for end in [End::Disable, End::Remove, End::OtherSecret] {
        let house = with_a_robot().await;
        let token = own_token(&house, &house.issuer).await;
        end.come(&house).await;
        let jti = house.verify(token.text("access_token")).jti;
        let heard = async {
            while house.server.revocations().is_revoked(&jti) != Ok(true) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(15), heard).await.unwrap();
        assert_eq!(own_token(&house, &house.issuer).await.error(), (401, "invalid_client"), "{end:?}");
    }
}
