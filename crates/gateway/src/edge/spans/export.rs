//! From whoever has a span to the collector (OTLP/HTTP, JSON). Nobody waits for it: where there is no room for a span, or it
//! cannot be delivered, it is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest::{Client, Response, redirect};
use serde::Deserialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::context::Context;
use super::document::document;
use super::span::Span;
use crate::edge::RequestId;
use crate::edge::log::access::{Answered, Asked};
use crate::edge::observed::Details;

/// So many spans wait. At 500 bytes each it is some 4 MB.
const WAITING: usize = 8 * 1024;
/// So many are sent at once.
const BATCH: usize = 512;
/// How long the first of them waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// How long a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it is waited before the same is sent again, if the collector says nothing else; twice as long each time.
const PAUSE: Duration = Duration::from_secs(1);
/// So often the same is sent: it may take half a minute.
const TRIES: u32 = 5;
/// How long the end waits for what is not sent yet.
const LAST: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const ANSWER: usize = 64 * 1024;

/// Who collects spans.
#[derive(Clone, Debug)]
pub struct Collector {
    /// Where it takes them, with the path (`/v1/traces`).
    pub endpoint: Url,
    /// What it wants to see, beside what OTLP asks for.
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// `service.name`.
    pub service: String,
    /// Of all requests, the part that is recorded: 0 to 1. A listed proxy that says so in `traceparent` has more recorded; whoever
    /// says that there is nothing to record, less.
    pub ratio: f64,
}

/// Takes spans to their collector. Clones share everything.
#[derive(Clone, Debug)]
pub struct Spans {
    sender: Sender<Span>,
    lost: Arc<AtomicU64>,
    ratio: f64,
}

/// The span of a request that is under way.
pub(crate) struct Begun {
    context: Context,
    at: SystemTime,
}

/// Sends what [`Spans`] takes.
#[derive(Debug)]
pub struct Exporter {
    client: Client,
    collector: Collector,
    waiting: Receiver<Span>,
    lost: Arc<AtomicU64>,
    /// Whether the last spans could not be sent: it is said once.
    fails: bool,
}

impl Spans {
    /// With who sends them; `lost` counts those that do not arrive.
    ///
    /// # Errors
    /// Where no client for HTTP can be made, as without any certificate to trust.
    pub fn to(collector: Collector, lost: Arc<AtomicU64>) -> Result<(Self, Exporter), reqwest::Error> {
        Self::holding(WAITING, collector, lost)
    }

    fn holding(
        waiting: usize,
        collector: Collector,
        lost: Arc<AtomicU64>,
    ) -> Result<(Self, Exporter), reqwest::Error> {
        let (sender, waiting) = channel(waiting);
        let ratio = collector.ratio;
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .timeout(PATIENCE)
            .user_agent(concat!("hallpass/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let exporter = Exporter { client, collector, waiting, lost: Arc::clone(&lost), fails: false };
        Ok((Self { sender, lost, ratio }, exporter))
    }

    /// A request comes, by a peer whose word about traces counts or not, and says to upstream whose child its spans are. `None`, where nobody records it.
    pub(crate) fn begin(
        &self,
        headers: &mut HeaderMap,
        id: &RequestId,
        at: SystemTime,
        is_believed: bool,
    ) -> Option<Begun> {
        let context = Context::of(headers, id, self.ratio, is_believed)?;
        context.tell(headers);
        context.is_recorded().then_some(Begun { context, at })
    }

    /// It has ended.
    pub(crate) fn end(&self, begun: &Begun, asked: &Asked, details: &Details, answered: &Answered) {
        let span = Span::of((begun.context, begun.at), asked, details, answered);
        if self.sender.try_send(span).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a collector made of a batch.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// All of it, but so many ("Partial Success").
    Rejected(u64),
    /// Nothing yet; it may be sent again, after this time if it says one.
    Later(Option<Duration>, String),
    /// Nothing, and it never will be.
    Never(String),
}

impl Exporter {
    /// Sends spans until `stop`, and then what is left, for five seconds at most.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        while !stop.is_cancelled() {
            let came = tokio::select! {
                () = stop.cancelled() => break,
                came = self.waiting.recv_many(&mut batch, BATCH) => came,
            };
            if came == 0 {
                return;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _ = timeout(GATHER, gather(&mut self.waiting, &mut batch)) => {}
            }
            if !stop.is_cancelled() {
                self.send(&batch, &stop).await;
                batch.clear();
            }
        }
        self.waiting.close();
        let left = batch.len() + self.waiting.len();
        let sent = Arc::new(AtomicU64::new(0));
        if timeout(LAST, self.send_rest(batch, &stop, &sent)).await.is_err() {
            let left = (left as u64).saturating_sub(sent.load(Ordering::Relaxed));
            self.lose(left, "the collector took too long at the end");
        }
    }

    async fn send_rest(&mut self, mut batch: Vec<Span>, stop: &CancellationToken, sent: &AtomicU64) {
        loop {
            let room = BATCH.saturating_sub(batch.len());
            if room > 0 {
                self.waiting.recv_many(&mut batch, room).await;
            }
            if batch.is_empty() {
                return;
            }
            self.send(&batch, stop).await;
            sent.fetch_add(batch.len() as u64, Ordering::Relaxed);
            batch.clear();
        }
    }

    /// Sends it, and again where the collector asks for that; after `stop` once.
    async fn send(&mut self, batch: &[Span], stop: &CancellationToken) {
        let spans = batch.len() as u64;
        let Ok(document) = document(&self.collector.service, batch) else {
            return self.lose(spans, "they cannot be written");
        };
        let mut pause = PAUSE;
        for tried in 1.. {
            match self.post(document.clone()).await {
                Taken::Rejected(0) => {
                    self.fails = false;
                    return;
                }
                Taken::Rejected(some) => return self.lose(some, "the collector rejects them"),
                Taken::Never(why) => return self.lose(spans, &why),
                Taken::Later(_, why) if tried >= TRIES || stop.is_cancelled() => {
                    return self.lose(spans, &why);
                }
                Taken::Later(after, _) => {
                    tokio::select! {
                        () = sleep(after.unwrap_or(pause).min(PATIENCE)) => {}
                        () = stop.cancelled() => {}
                    }
                    pause *= 2;
                }
            }
        }
    }

    async fn post(&self, document: Vec<u8>) -> Taken {
        let Collector { endpoint, fields, .. } = &self.collector;
        let mut request = self.client.post(endpoint.clone()).header(CONTENT_TYPE, "application/json");
        for (name, value) in fields {
            request = request.header(name, value);
        }
        match request.body(document).send().await {
            Ok(answer) => taken(answer).await,
            Err(error) => Taken::Later(None, chain(&error.without_url())),
        }
    }

    fn lose(&mut self, spans: u64, why: &str) {
        self.lost.fetch_add(spans, Ordering::Relaxed);
        if !self.fails && spans > 0 {
            tracing::warn!(why, "spans cannot be sent to their collector; they are lost until they can");
        }
        self.fails = true;
    }
}

/// Waits for as many as are sent at once, or for the last.
async fn gather(waiting: &mut Receiver<Span>, batch: &mut Vec<Span>) {
    while batch.len() < BATCH {
        if waiting.recv_many(batch, BATCH - batch.len()).await == 0 {
            return;
        }
    }
}

/// OTLP 1, "OTLP/HTTP Response": 429, 502, 503 and 504 may be sent again, nothing else.
async fn taken(answer: Response) -> Taken {
    let status = answer.status();
    if status.is_success() {
        return Taken::Rejected(rejected(answer).await);
    }
    let why = format!("the collector answers {status}");
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Taken::Later(after(answer.headers()), why),
        _ => Taken::Never(why),
    }
}

fn after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// How many it took not. What it says otherwise is nobody's business.
async fn rejected(mut answer: Response) -> u64 {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > ANSWER {
            return 0;
        }
    }
    count(&body)
}

fn count(body: &[u8]) -> u64 {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        partial_success: Partial,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Partial {
        rejected_spans: Number,
    }
    // Numbers of 64 bits are texts in this JSON, and many write them as numbers all the same.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Text(String),
        Number(u64),
    }
    match serde_json::from_slice::<Answer>(body).map(|answer| answer.partial_success.rejected_spans) {
        Ok(Number::Number(number)) => number,
        Ok(Number::Text(text)) => text.parse().unwrap_or(0),
        Err(_) => 0,
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(spans: &Spans) -> (Begun, Asked) {
        let mut headers = HeaderMap::new();
        let id = RequestId::of(&headers);
        let begun = spans.begin(&mut headers, &id, SystemTime::UNIX_EPOCH, false).unwrap();
        let here = std::net::IpAddr::from([127, 0, 0, 1]);
        let (method, path) = ("GET".to_owned(), "/".to_owned());
        (begun, Asked { id, peer: here, address: here, method, path })
    }

    /// Nobody sends: whoever has a span goes on all the same.
    #[tokio::test]
    async fn a_span_without_room_is_counted_and_waited_for_by_nobody() {
        let collector = Collector {
            endpoint: "http://127.0.0.1:1/v1/traces".parse().unwrap(),
            fields: Vec::new(),
            service: "hallpass".to_owned(),
            ratio: 1.0,
        };
        let lost = Arc::new(AtomicU64::new(0));
        let (spans, exporter) = Spans::holding(2, collector, Arc::clone(&lost)).unwrap();
        let (begun, asked) = begun(&spans);
        let answered = Answered { status: Some(200), took: Duration::ZERO, own: None, bytes: 0 };
        for _ in 0..5 {
            spans.end(&begun, &asked, &Details::default(), &answered);
        }
        assert_eq!(lost.load(Ordering::Relaxed), 3);
        drop(exporter);
        spans.end(&begun, &asked, &Details::default(), &answered);
        assert_eq!(lost.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn what_a_collector_rejects_is_counted() {
        for (body, rejected) in [
            (r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}"#, 3),
            (r#"{"partialSuccess":{"rejectedSpans":3}}"#, 3),
            (r#"{"partialSuccess":{}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":-1}}"#, 0),
            ("{}", 0),
            ("", 0),
            ("<html>", 0),
        ] {
            assert_eq!(count(body.as_bytes()), rejected, "{body}");
        }
    }
}
