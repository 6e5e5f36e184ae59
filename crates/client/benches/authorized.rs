//! What authorization adds to a request that has a valid token, beside rmcp's own `AuthClient` in the same run.
//!
//!     cargo xtask bench client
//!
//! A sample is a batch, a row the median of its samples. The rows take turns, so that a machine that is busy for a
//! while is busy for all of them.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // It measures, and says what it measured.

use std::{
    collections::HashMap,
    convert::Infallible,
    hint::black_box,
    sync::Arc,
    time::{Instant, SystemTime},
};

use hallpass_client::{
    Client,
    interaction::Browser,
    rmcp::transport,
    store::{
        Account, AccountKey, FileStore, MemoryStore, Protection, Registration, TokenEndpointAuth, TokenStore,
    },
    tower::AuthorizeLayer,
};
use hallpass_protocol::{secret::Secret, time::Timestamp};
use hallpass_testkit::authorization_server::Peer;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use rmcp::{
    model::ClientJsonRpcMessage,
    transport::{
        auth::{
            AuthClient, AuthorizationManager, CredentialStore as _, InMemoryCredentialStore,
            StoredCredentials,
        },
        streamable_http_client::{
            SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
        },
    },
};
use serde::Serialize;
use serde_json::json;
use tower::{Layer as _, Service as _};

const SERVER: &str = "https://mcp.example.com/mcp";
const SAMPLES: usize = 101;
const BATCH: u32 = 2000;
/// A request over a socket takes a hundred times as long.
const SENT_BATCH: u32 = 100;
const THREADS: usize = 8;

/// As long as a JWT with a signature, an audience and some scopes.
fn token() -> String {
    "x".repeat(800)
}

/// One line of the result.
#[derive(Serialize)]
struct Row {
    what: &'static str,
    /// Nanoseconds, median.
    ns: f64,
    /// The same with eight threads at it: nanoseconds of one core.
    ns_of_8_threads: Option<f64>,
}

#[derive(Serialize)]
struct Results {
    cores: usize,
    rows: Vec<Row>,
    /// How much rmcp's `AuthClient` adds to a message for each nanosecond that the layer does.
    ratio: f64,
    /// Size of the store's file in bytes, by number of logins.
    store: Vec<(usize, u64)>,
    /// The same, of one login, after a thousand refreshes.
    store_after_refreshes: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // A test runner that asks for tests is told that there are none.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let results = measure();
    if arguments.iter().any(|argument| argument == "--json") {
        println!("{}", serde_json::to_string_pretty(&results).unwrap());
    } else {
        show(&results);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Something that is done once for each request.
trait Work: Sync {
    fn batch(&self, times: u32) -> impl Future<Output = ()>;
}

impl<F: AsyncFn(u32) + Sync> Work for F {
    async fn batch(&self, times: u32) {
        self(times).await;
    }
}

/// One batch, in nanoseconds for each time.
fn sample(runtime: &tokio::runtime::Runtime, work: &impl Work, times: u32) -> f64 {
    runtime.block_on(async {
        let start = Instant::now();
        work.batch(times).await;
        nanoseconds(start) / f64::from(times)
    })
}

/// The same by several threads: nanoseconds of a core for each time.
fn contended(work: &impl Work, cores: usize) -> f64 {
    let samples = (0..SAMPLES / 10).map(|_| {
        let barrier = std::sync::Barrier::new(THREADS + 1);
        let mut start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let runtime = runtime();
                    barrier.wait();
                    runtime.block_on(work.batch(BATCH * 5));
                });
            }
            barrier.wait();
            start = Instant::now();
        });
        let requests = f64::from(BATCH * 5) * THREADS as f64;
        nanoseconds(start) * cores.min(THREADS) as f64 / requests
    });
    median(samples.collect())
}

fn nanoseconds(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn measure() -> Results {
    let runtime = runtime();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let client = logged_in();
    let url = client.server().url().clone();

    let headers = async |times| {
        for _ in 0..times {
            black_box(client.headers(&Method::POST, &url).await.unwrap());
        }
    };
    let answering = tower::service_fn(async |request: Request<String>| {
        black_box(request);
        Ok::<_, Infallible>(Response::new(()))
    });
    let post =
        || Request::post(SERVER).header("content-type", "application/json").body(String::new()).unwrap();
    let bare_service = async |times| {
        let mut service = answering;
        for _ in 0..times {
            black_box(service.call(post()).await.unwrap());
        }
    };
    let boxed = tower::service_fn(|request: Request<String>| {
        black_box(request);
        std::future::ready(Ok::<_, Infallible>(Response::new(())))
    });
    let layered_service = async |times| {
        let mut service = AuthorizeLayer::new(client.clone()).layer(boxed);
        for _ in 0..times {
            black_box(service.call(post()).await.unwrap());
        }
    };
    let theirs = runtime.block_on(their_client(Nothing));
    let their_token = async |times| {
        for _ in 0..times {
            black_box(theirs.get_access_token().await.unwrap());
        }
    };
    let (uri, message): (Arc<str>, _) = (SERVER.into(), ping());
    let bare_rmcp = async |times| {
        for _ in 0..times {
            let sent = Nothing.post_message(Arc::clone(&uri), message.clone(), None, None, HashMap::new());
            black_box(sent.await.unwrap());
        }
    };
    let their_message = async |times| {
        for _ in 0..times {
            let sent = theirs.post_message(Arc::clone(&uri), message.clone(), None, None, HashMap::new());
            black_box(sent.await.unwrap());
        }
    };

    let mut taken: [Vec<f64>; 6] = Default::default();
    for _ in 0..SAMPLES {
        for (samples, one) in taken.iter_mut().zip([
            sample(&runtime, &headers, BATCH),
            sample(&runtime, &bare_service, BATCH),
            sample(&runtime, &layered_service, BATCH),
            sample(&runtime, &their_token, BATCH),
            sample(&runtime, &bare_rmcp, BATCH),
            sample(&runtime, &their_message, BATCH),
        ]) {
            samples.push(one);
        }
    }
    let [headers_ns, bare, layered, token_ns, bare_message, message_ns] = taken.map(median);
    let below = |all: f64, bare: f64| (all - bare).max(0.0);
    let (ours, rmcps) = (below(layered, bare), below(message_ns, bare_message));
    let of_8 = |work: f64, bare: f64| Some(below(work, bare));
    let mut rows = vec![
        Row {
            what: "hallpass: `headers()`",
            ns: headers_ns,
            ns_of_8_threads: Some(contended(&headers, cores)),
        },
        Row {
            what: "hallpass: what sending adds (reqwest, tower, rmcp)",
            ns: ours,
            ns_of_8_threads: of_8(contended(&layered_service, cores), contended(&bare_service, cores)),
        },
        Row {
            what: "rmcp `AuthClient`: `get_access_token()`",
            ns: token_ns,
            ns_of_8_threads: Some(contended(&their_token, cores)),
        },
        Row {
            what: "rmcp `AuthClient`: what sending adds",
            ns: rmcps,
            ns_of_8_threads: of_8(contended(&their_message, cores), contended(&bare_rmcp, cores)),
        },
    ];
    rows.extend(over_a_socket());
    let (store, store_after_refreshes) = sizes();
    Results { cores, rows, ratio: rmcps / ours, store, store_after_refreshes }
}

/// Whole messages to a server on this machine, through rmcp's trait.
fn over_a_socket() -> Vec<Row> {
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let peer = server.block_on(Peer::start());
    let runtime = runtime();
    let browser = Browser::new().announcer(|_| {}).launcher(|url| {
        tokio::spawn(reqwest::get(url.as_str().to_owned()));
        Ok(())
    });
    let ours = Client::builder(&peer.url()).unwrap().interaction(browser).build().unwrap();
    runtime.block_on(ours.login()).unwrap();
    // Also rmcp's transport is built over it, as a program would.
    drop(runtime.block_on(async { transport(ours.clone()) }));
    let known = runtime.block_on(ours.token()).unwrap().token.expose().to_owned();
    let (bare, theirs) =
        (reqwest::Client::new(), runtime.block_on(their_client_with(reqwest::Client::new(), known.clone())));
    let (uri, message): (Arc<str>, _) = (peer.url().into(), notification());
    let bare = async |times| {
        for _ in 0..times {
            let token = Some(known.clone());
            bare.post_message(Arc::clone(&uri), message.clone(), None, token, HashMap::new()).await.unwrap();
        }
    };
    let theirs = async |times| {
        for _ in 0..times {
            theirs.post_message(Arc::clone(&uri), message.clone(), None, None, HashMap::new()).await.unwrap();
        }
    };
    let ours = async |times| {
        for _ in 0..times {
            ours.post_message(Arc::clone(&uri), message.clone(), None, None, HashMap::new()).await.unwrap();
        }
    };
    let mut taken: [Vec<f64>; 3] = Default::default();
    for _ in 0..SAMPLES {
        taken[0].push(sample(&runtime, &bare, SENT_BATCH));
        taken[1].push(sample(&runtime, &theirs, SENT_BATCH));
        taken[2].push(sample(&runtime, &ours, SENT_BATCH));
    }
    let whats = [
        "a message to this machine, a fixed token over reqwest",
        "a message to this machine, rmcp's `AuthClient`",
        "a message to this machine, hallpass's rmcp adapter",
    ];
    whats
        .into_iter()
        .zip(taken)
        .map(|(what, taken)| Row { what, ns: median(taken), ns_of_8_threads: None })
        .collect()
}

/// A client with a login that is good for an hour.
fn logged_in() -> Client {
    let store = MemoryStore::new();
    store.update(&mut |document| document.put(account(SERVER))).unwrap();
    Client::builder(SERVER).unwrap().store(store).build().unwrap()
}

fn account(server: &str) -> Account {
    let now = Timestamp::from(SystemTime::now());
    Account {
        key: AccountKey { issuer: "https://as.example.com".into(), resource: server.into() },
        server: server.into(),
        account: String::new(),
        client: Registration {
            client_id: "client".into(),
            client_secret: None,
            secret_expires_at: None,
            auth: TokenEndpointAuth::None,
            redirect_uris: vec!["http://127.0.0.1:54321/callback".into()],
        },
        token_endpoint: "https://as.example.com/token".into(),
        revocation_endpoint: Some("https://as.example.com/revoke".into()),
        access_token: Secret::new(token()),
        dpop_key: None,
        bearer_only: false,
        refresh_token: Some(Secret::new("r".repeat(43))),
        expires_at: Some(Timestamp::from_unix(now.unix() + 3600)),
        granted: "read write".parse().unwrap(),
        requested: "read write".parse().unwrap(),
        issued_at: now,
    }
}

async fn their_client<C>(http: C) -> AuthClient<C> {
    their_client_with(http, token()).await
}

/// rmcp's client with the same login.
async fn their_client_with<C>(http: C, token: String) -> AuthClient<C> {
    let response = json!({"access_token": token, "token_type": "bearer", "expires_in": 3600, "refresh_token": "r".repeat(43)});
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let response = serde_json::from_value(response).unwrap();
    let known = StoredCredentials::new(
        "client".into(),
        Some(response),
        vec!["read".into(), "write".into()],
        Some(now),
    );
    let store = InMemoryCredentialStore::new();
    store.save(known).await.unwrap();
    let mut manager = AuthorizationManager::new(SERVER).await.unwrap();
    manager.set_credential_store(store);
    AuthClient::new(http, manager)
}

fn ping() -> ClientJsonRpcMessage {
    serde_json::from_value(json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).unwrap()
}

fn notification() -> ClientJsonRpcMessage {
    serde_json::from_value(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).unwrap()
}

/// Sends nothing, for the bare cost of the call.
#[derive(Clone)]
struct Nothing;

impl StreamableHttpClient for Nothing {
    type Error = Infallible;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        _: Option<Arc<str>>,
        token: Option<String>,
        custom: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, StreamableHttpError<Infallible>> {
        // The field that reqwest makes of it.
        let field = token.map(|token| HeaderValue::try_from(format!("Bearer {token}")).unwrap());
        black_box((uri, message, field, custom));
        Ok(StreamableHttpPostResponse::Accepted)
    }

    async fn delete_session(
        &self,
        _: Arc<str>,
        _: Arc<str>,
        _: Option<String>,
        _: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), StreamableHttpError<Infallible>> {
        Ok(())
    }

    async fn get_stream(
        &self,
        _: Arc<str>,
        _: Option<Arc<str>>,
        _: Option<String>,
        _: Option<String>,
        _: HashMap<HeaderName, HeaderValue>,
    ) -> Result<
        futures_util::stream::BoxStream<'static, Result<sse_stream::Sse, SseError>>,
        StreamableHttpError<Infallible>,
    > {
        Err(StreamableHttpError::ServerDoesNotSupportSse)
    }
}

/// How the store's file grows.
fn sizes() -> (Vec<(usize, u64)>, u64) {
    let folder = tempfile::tempdir().unwrap();
    let size = |path: &std::path::Path| std::fs::metadata(path).unwrap().len();
    let path = folder.path().join("tokens.json");
    let store = FileStore::protected(&path, Protection::KeyFile, None);
    let mut sizes = Vec::new();
    for number in 1..=100 {
        store
            .update(&mut |document| document.put(account(&format!("https://{number}.example.com/mcp"))))
            .unwrap();
        if [1, 10, 100].contains(&number) {
            sizes.push((number, size(&path)));
        }
    }
    let path = folder.path().join("one.json");
    let store = FileStore::protected(&path, Protection::KeyFile, None);
    store.update(&mut |document| document.put(account(SERVER))).unwrap();
    for _ in 0..1000 {
        store.update(&mut |document| assert!(document.renew(account(SERVER)))).unwrap();
    }
    (sizes, size(&path))
}

fn show(results: &Results) {
    println!("median of {SAMPLES} samples, {} cores\n", results.cores);
    println!("| what | µs | µs of a core, 8 threads |\n|---|---|---|");
    for row in &results.rows {
        let contended =
            row.ns_of_8_threads.map_or_else(|| "–".to_owned(), |ns| format!("{:.2}", ns / 1000.0));
        println!("| {} | {:.2} | {contended} |", row.what, row.ns / 1000.0);
    }
    println!("\nrmcp's `AuthClient` adds {:.1} times what hallpass adds.", results.ratio);
    println!("\n| logins | bytes of the store's file |\n|---|---|");
    for (logins, bytes) in &results.store {
        println!("| {logins} | {bytes} |");
    }
    println!("| 1, refreshed 1,000 times | {} |", results.store_after_refreshes);
}
