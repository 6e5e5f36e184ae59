//! kill -9 in the middle of code exchanges, refreshes and revocations: after the restart nothing that may happen once has
//! happened twice, nothing that was revoked lives, and whoever lost an answer goes on.
//!
//! `HALLPASS_KILLS=20` makes twenty rounds with a thousand requests at once, on both databases.

use std::sync::Arc;

use hallpass_testkit::database::TestDatabase;
use hallpass_testkit::person::Person;
use tokio::task::JoinSet;

use crate::house::{Client, House, Outcome, refresh_token, status};

#[derive(Clone, Copy)]
enum What {
    Redeem,
    Refresh,
    Revoke,
}

/// Logins and reckonings that go on at the same time: how long they take is how long the test takes. More logins of one
/// account at once would be slowed down as guesses are.
const HANDS: usize = 4;

/// One item of the work: which of all, what is done, and with which code or token.
type Item = (usize, What, String);

/// Work is a quarter refreshes, a quarter revocations, and half of it codes: those last, since they live for a minute, and
/// so does the grace of a refresh token, which is asked for first afterwards.
async fn prepare(house: &Arc<House>, at_once: usize) -> Vec<Item> {
    let mut hands = JoinSet::new();
    for hand in 0..HANDS {
        let house = Arc::clone(house);
        hands.spawn(async move {
            let (client, person) = (house.client(), Person::new());
            let mut work = Vec::new();
            for n in (hand..at_once).step_by(HANDS) {
                let code = house.code(&person).await;
                work.push(match n * 4 / at_once {
                    0 => (n, What::Refresh, refresh_token(&client.redeem(&code).await)),
                    1 => (n, What::Revoke, refresh_token(&client.redeem(&code).await)),
                    _ => (n, What::Redeem, code),
                });
            }
            work
        });
    }
    let mut work = hands.join_all().await.concat();
    work.sort_by_key(|(n, ..)| *n);
    work
}

/// One round: so many requests at once, the kill after some of them were answered, and the reckoning.
async fn round(house: &Arc<House>, at_once: usize) -> usize {
    let mut serving = house.start();
    let work = prepare(house, at_once).await;
    let client = house.client();
    let (answered, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let running: Vec<_> = work
        .iter()
        .cloned()
        .map(|(_, what, secret)| {
            let (client, answered) = (client.clone(), answered.clone());
            tokio::spawn(async move {
                let outcome = match what {
                    What::Redeem => client.redeem(&secret).await,
                    What::Refresh => client.refresh(&secret).await,
                    What::Revoke => client.revoke(&secret).await,
                };
                answered.send(()).unwrap();
                outcome
            })
        })
        .collect();
    // Another moment in each round: after a tenth of the answers, or after most.
    for _ in 0..at_once * (1 + rand::random::<u64>() as usize % 8) / 10 {
        answers.recv().await.unwrap();
    }
    serving.kill();
    let mut outcomes = Vec::new();
    for request in running {
        outcomes.push(request.await.unwrap());
    }
    let _serving = house.start();
    let lost = outcomes.iter().filter(|outcome| outcome.is_none()).count();
    let mut hands: [Vec<_>; HANDS] = Default::default();
    for ((n, what, secret), outcome) in work.into_iter().zip(outcomes) {
        hands[n % HANDS].push((what, secret, outcome));
    }
    let mut reckoning = JoinSet::new();
    for hand in hands {
        let client = house.client();
        reckoning.spawn(async move {
            for (what, secret, outcome) in hand {
                reckon(&client, what, &secret, &outcome).await;
            }
        });
    }
    reckoning.join_all().await;
    lost
}

async fn reckon(client: &Client, what: What, secret: &str, outcome: &Outcome) {
    match what {
        What::Redeem => reckon_code(client, secret, outcome).await,
        What::Refresh => reckon_refresh(client, secret, outcome).await,
        What::Revoke if status(outcome) == 200 => {
            assert_eq!(status(&client.refresh(secret).await), 400, "what was revoked lives");
        }
        // Whoever gets no answer asks again.
        What::Revoke => {
            assert_eq!(status(&client.revoke(secret).await), 200);
            assert_eq!(status(&client.refresh(secret).await), 400);
        }
    }
}

async fn reckon_code(client: &Client, code: &str, outcome: &Outcome) {
    let again = client.redeem(code).await;
    match (status(outcome), status(&again)) {
        // It was answered, so it is a replay, and ends what came from it.
        (200, 400) => {
            let token = refresh_token(outcome);
            assert_eq!(status(&client.refresh(&token).await), 400, "what was revoked lives");
        }
        // Nobody knows whether it was consumed; it is consumed by now.
        (0, 200) => assert_eq!(status(&client.redeem(code).await), 400),
        (0, 400) => {}
        other => panic!("a code: {other:?}"),
    }
}

async fn reckon_refresh(client: &Client, token: &str, outcome: &Outcome) {
    let again = client.refresh(token).await;
    assert_eq!(status(&again), 200, "whoever lost its answer goes on: {outcome:?} {again:?}");
    let successor = refresh_token(&again);
    if status(outcome) == 200 {
        assert_eq!(refresh_token(outcome), successor, "one token has one successor");
    } else {
        assert_eq!(status(outcome), 0);
    }
    assert_eq!(status(&client.refresh(&successor).await), 200);
}

async fn rounds(database: TestDatabase) {
    let long = std::env::var("HALLPASS_KILLS").ok().map(|kills| kills.parse::<usize>().unwrap());
    let (rounds, at_once) = long.map_or((2, 40), |rounds| (rounds, 1_000));
    let house = Arc::new(House::new(&database));
    let mut lost = 0;
    for _ in 0..rounds {
        lost += round(&house, at_once).await;
    }
    assert!(lost > 0, "{rounds} rounds of {at_once} requests at once, and no kill hit anything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kills_on_sqlite() {
    rounds(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kills_on_postgresql() {
    rounds(TestDatabase::postgres()).await;
}
