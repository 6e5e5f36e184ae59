//! Three servers on one PostgreSQL database, behind one address. One of them is killed under load and started again, on and
//! on: no login fails that a second try does not mend.
//!
//! `HALLPASS_KILLS=20` kills twenty times.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hallpass_testkit::database::TestDatabase;
use hallpass_testkit::person::Person;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::house::{Client, House, access_token, free_port, refresh_token, status};
use crate::program::Serving;

const SERVERS: usize = 3;
/// People who log in at the same time, again and again; more of one account would be slowed down as guesses are.
const PEOPLE: usize = 4;
/// Logins between one kill and the next.
const LOGINS: usize = 6;

/// What the public address leads to: each connection to any server that takes it.
async fn balance(listener: TcpListener, ports: [u16; SERVERS]) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let first = rand::random::<u64>() as usize;
            for port in (first % SERVERS..).take(SERVERS).map(|at| ports[at % SERVERS]) {
                if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
                    // However it ends: whoever waits for an answer finds the connection closed.
                    drop(copy_bidirectional(&mut client, &mut server).await);
                    return;
                }
            }
        });
    }
}

#[derive(Default)]
struct Kills {
    begun: AtomicUsize,
    over: AtomicUsize,
}

struct Load {
    house: House,
    kills: Kills,
    logins: AtomicUsize,
    is_over: AtomicBool,
}

/// A whole login: password, consent, code, tokens, and a call that is let in.
async fn log_in(load: &Load) -> String {
    let client = load.house.restless_client();
    let code = load.house.code(&Person::restless()).await;
    let tokens = client.redeem(&code).await;
    assert_eq!(status(&tokens), 200, "{tokens:?}");
    assert_eq!(client.is_let_in(&access_token(&tokens)).await, Some(true));
    refresh_token(&tokens)
}

/// Logs in until it works. A try may fail where a server was killed while it lasted, and only there.
async fn person(load: Arc<Load>) {
    while !load.is_over.load(Ordering::SeqCst) {
        let before = load.kills.over.load(Ordering::SeqCst);
        let trying = tokio::spawn({
            let load = Arc::clone(&load);
            async move { log_in(&load).await }
        });
        let tried = trying.await;
        let met_a_kill = load.kills.begun.load(Ordering::SeqCst) > before;
        match tried {
            Ok(token) => {
                go_on(&load.house.restless_client(), token).await;
                load.logins.fetch_add(1, Ordering::SeqCst);
            }
            Err(failed) => assert!(met_a_kill, "a login failed, and nothing was killed: {failed}"),
        }
    }
}

/// A few refreshes: whoever gets no answer sends the same token again, and goes on.
async fn go_on(client: &Client, mut token: String) {
    for _ in 0..3 {
        let tokens = loop {
            match client.refresh(&token).await {
                None => tokio::task::yield_now().await,
                tokens => break tokens,
            }
        };
        assert_eq!(status(&tokens), 200, "{tokens:?}");
        token = refresh_token(&tokens);
    }
}

fn start(house: &House, port: u16) -> Serving {
    house.start_by(house.serve(&["--listen", &format!("127.0.0.1:{port}")]))
}

/// Kills one at random while people log in, and starts it again when others have logged in without it.
async fn kill_and_start(load: &Arc<Load>, servers: &mut [Serving; SERVERS], ports: [u16; SERVERS]) {
    let after = async |more: usize| {
        let until = load.logins.load(Ordering::SeqCst) + more;
        while load.logins.load(Ordering::SeqCst) < until {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    after(LOGINS).await;
    let one = rand::random::<u64>() as usize % SERVERS;
    load.kills.begun.fetch_add(1, Ordering::SeqCst);
    servers[one].kill();
    load.kills.over.fetch_add(1, Ordering::SeqCst);
    after(1).await;
    let starting = Arc::clone(load);
    let started = tokio::task::spawn_blocking(move || start(&starting.house, ports[one]));
    servers[one] = started.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_login_fails_for_good_when_one_of_three_servers_is_killed() {
    let kills = std::env::var("HALLPASS_KILLS").map_or(2, |kills| kills.parse::<usize>().unwrap());
    let database = TestDatabase::postgres();
    let house = House::new(&database);
    let ports: [u16; SERVERS] = std::array::from_fn(|_| free_port());
    let listener = TcpListener::bind(("127.0.0.1", house.port)).await.unwrap();
    let balancing = tokio::spawn(balance(listener, ports));
    let mut servers = ports.map(|port| start(&house, port));
    let load = Arc::new(Load {
        house,
        kills: Kills::default(),
        logins: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    });
    let people: Vec<_> = (0..PEOPLE).map(|_| tokio::spawn(person(Arc::clone(&load)))).collect();
    let killing = async {
        for _ in 0..kills {
            kill_and_start(&load, &mut servers, ports).await;
        }
        load.is_over.store(true, Ordering::SeqCst);
    };
    // A person who has failed ends the test, and not its patience.
    let (failed, failing) = tokio::sync::oneshot::channel();
    let watching = tokio::spawn(async move {
        for person in people {
            if let Err(error) = person.await {
                drop(failed.send(error));
                return;
            }
        }
    });
    tokio::select! {
        () = killing => watching.await.unwrap(),
        Ok(error) = failing => panic!("{error}"),
    }
    balancing.abort();
}
