//! What is counted of requests. Counting takes no lock: a server's counts are found once, and are atomics after that.
//! Nothing that a client says becomes a label, so there are never more series than servers and rules.

mod histogram;
pub mod process;
pub mod text;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hallpass_resource_server::RULES;
use http::StatusCode;

use self::histogram::Histogram;
use self::text::Text;
use super::limits::LIMIT_RULES;
use super::observed::Decision;
use super::proxies::PROXY_RULES;

const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
const DECISIONS: [(Decision, &str); 4] = [
    (Decision::None, "none"),
    (Decision::Permitted, "permitted"),
    (Decision::Refused, "refused"),
    (Decision::Limited, "limited"),
];

/// The counts of one process.
#[derive(Debug)]
pub struct Metrics {
    /// What is for no server: pages, endpoints of the authorization server, strangers' paths.
    elsewhere: Arc<ServerCounts>,
    servers: Mutex<BTreeMap<String, Arc<ServerCounts>>>,
    /// Lines that a log had no room for.
    lost_lines: Arc<AtomicU64>,
    /// Spans that did not reach their collector.
    lost_spans: Arc<AtomicU64>,
}

/// The counts of one server.
#[derive(Debug)]
pub(crate) struct ServerCounts {
    name: String,
    requests: [[AtomicU64; DECISIONS.len()]; CLASSES.len()],
    rules: Vec<AtomicU64>,
    own: Histogram,
    whole: Histogram,
    streams: AtomicI64,
    connections: AtomicU64,
    failed_connections: AtomicU64,
}

/// All rules that can be counted.
fn rules() -> impl Iterator<Item = &'static str> {
    RULES.iter().chain(LIMIT_RULES).chain(PROXY_RULES).copied()
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            elsewhere: ServerCounts::new(""),
            servers: Mutex::default(),
            lost_lines: Arc::default(),
            lost_spans: Arc::default(),
        }
    }
}

impl Metrics {
    /// The counts of the server of that name.
    pub(crate) fn server(&self, name: &str) -> Arc<ServerCounts> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(servers.entry(name.to_owned()).or_insert_with(|| ServerCounts::new(name)))
    }

    pub(super) fn elsewhere(&self) -> &Arc<ServerCounts> {
        &self.elsewhere
    }

    /// To be counted by logs that have no room.
    #[must_use]
    pub fn lost_lines(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost_lines)
    }

    /// To be counted by whoever sends spans.
    #[must_use]
    pub fn lost_spans(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost_spans)
    }

    /// Adds all of it to the text.
    pub fn write(&self, text: &mut Text) {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<_> = std::iter::once(&self.elsewhere).chain(servers.values()).collect();
        text.family(
            "hallpass_requests_total",
            "counter",
            "Requests that have ended, by the class of their status.",
        );
        for counts in &all {
            counts.write_requests(text);
        }
        text.family("hallpass_refusals_total", "counter", "Requests that broke a rule, by the rule.");
        for counts in &all {
            for (rule, count) in rules().zip(&counts.rules) {
                let labels = [("server", &*counts.name), ("rule", rule)];
                text.sample_if_any("hallpass_refusals_total", &labels, count.load(Ordering::Relaxed));
            }
        }
        text.family(
            "hallpass_own_seconds",
            "histogram",
            "From the head of a request to the head of its answer, without what client and upstream took.",
        );
        for counts in &all {
            counts.own.write(text, "hallpass_own_seconds", &counts.name);
        }
        text.family(
            "hallpass_request_seconds",
            "histogram",
            "From the head of a request to the end of its answer. Streams of events are not counted.",
        );
        for counts in &all {
            counts.whole.write(text, "hallpass_request_seconds", &counts.name);
        }
        text.family("hallpass_open_streams", "gauge", "Streams of events that are open.");
        for counts in &all {
            let open = counts.streams.load(Ordering::Relaxed);
            text.sample("hallpass_open_streams", &[("server", &*counts.name)], open);
        }
        text.family(
            "hallpass_upstream_connections_total",
            "counter",
            "Connections to upstream, by what became of them.",
        );
        for counts in &all {
            for (outcome, count) in [("opened", &counts.connections), ("failed", &counts.failed_connections)]
            {
                let labels = [("server", &*counts.name), ("outcome", outcome)];
                text.sample_if_any(
                    "hallpass_upstream_connections_total",
                    &labels,
                    count.load(Ordering::Relaxed),
                );
            }
        }
        text.family("hallpass_log_lines_lost_total", "counter", "Lines that a log had no room for.");
        text.sample("hallpass_log_lines_lost_total", &[], self.lost_lines.load(Ordering::Relaxed));
        text.family("hallpass_spans_lost_total", "counter", "Spans that did not reach their collector.");
        text.sample("hallpass_spans_lost_total", &[], self.lost_spans.load(Ordering::Relaxed));
    }
}

/// What became of a request, when it has ended.
pub(super) struct Ended {
    pub(super) status: Option<StatusCode>,
    pub(super) decision: Decision,
    pub(super) rule: Option<&'static str>,
    /// `None` without an answer.
    pub(super) own: Option<Duration>,
    /// `None` for a stream of events.
    pub(super) whole: Option<Duration>,
}

impl ServerCounts {
    fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            requests: Default::default(),
            rules: rules().map(|_| AtomicU64::default()).collect(),
            own: Histogram::default(),
            whole: Histogram::default(),
            streams: AtomicI64::default(),
            connections: AtomicU64::default(),
            failed_connections: AtomicU64::default(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn stream_begins(&self) {
        self.streams.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stream_ends(&self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn connected(&self, is_there: bool) {
        one_more(if is_there { &self.connections } else { &self.failed_connections });
    }

    pub(super) fn count(&self, ended: &Ended) {
        let class = ended.status.map_or(0, |status| usize::from(status.as_u16() / 100));
        let decision = DECISIONS.iter().position(|(decision, _)| *decision == ended.decision);
        let counted = self.requests.get(class).zip(decision).and_then(|(class, at)| class.get(at));
        counted.into_iter().for_each(one_more);
        if let Some(broken) = ended.rule {
            let known = rules().position(|rule| rule == broken).and_then(|at| self.rules.get(at));
            known.into_iter().for_each(one_more);
        }
        ended.own.into_iter().for_each(|own| self.own.note(own));
        ended.whole.into_iter().for_each(|whole| self.whole.note(whole));
    }

    fn write_requests(&self, text: &mut Text) {
        for (class, counts) in CLASSES.iter().zip(&self.requests) {
            for ((_, decision), count) in DECISIONS.iter().zip(counts) {
                let labels = [("server", &*self.name), ("status", class), ("decision", decision)];
                text.sample_if_any("hallpass_requests_total", &labels, count.load(Ordering::Relaxed));
            }
        }
    }
}

fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn ended(status: u16, decision: Decision, rule: Option<&'static str>) -> Ended {
        let took = Some(Duration::from_micros(300));
        Ended { status: StatusCode::from_u16(status).ok(), decision, rule, own: took, whole: took }
    }

    fn written(metrics: &Metrics) -> String {
        let mut text = Text::default();
        metrics.write(&mut text);
        text.into_string()
    }

    #[test]
    fn what_ended_is_counted_under_its_server() {
        let metrics = Metrics::default();
        let server = metrics.server("https://h/mcp");
        server.count(&ended(200, Decision::Permitted, None));
        server.count(&ended(200, Decision::Permitted, None));
        server.count(&ended(403, Decision::Refused, Some("denied")));
        server.count(&Ended { status: None, ..ended(0, Decision::None, None) });
        server.stream_begins();
        server.connected(true);
        server.connected(false);
        metrics.elsewhere().count(&ended(404, Decision::None, None));
        let text = written(&metrics);
        for line in [
            r#"hallpass_requests_total{server="https://h/mcp",status="2xx",decision="permitted"} 2"#,
            r#"hallpass_requests_total{server="https://h/mcp",status="4xx",decision="refused"} 1"#,
            r#"hallpass_requests_total{server="https://h/mcp",status="none",decision="none"} 1"#,
            r#"hallpass_requests_total{server="",status="4xx",decision="none"} 1"#,
            r#"hallpass_refusals_total{server="https://h/mcp",rule="denied"} 1"#,
            r#"hallpass_own_seconds_bucket{server="https://h/mcp",le="0.00025"} 0"#,
            r#"hallpass_own_seconds_bucket{server="https://h/mcp",le="0.0005"} 4"#,
            r#"hallpass_own_seconds_bucket{server="https://h/mcp",le="+Inf"} 4"#,
            r#"hallpass_own_seconds_count{server="https://h/mcp"} 4"#,
            r#"hallpass_open_streams{server="https://h/mcp"} 1"#,
            r#"hallpass_upstream_connections_total{server="https://h/mcp",outcome="opened"} 1"#,
            r#"hallpass_upstream_connections_total{server="https://h/mcp",outcome="failed"} 1"#,
            "hallpass_log_lines_lost_total 0",
            "hallpass_spans_lost_total 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }

    /// Whatever a client sends, no series is added: names of rules are this house's own.
    #[test]
    fn an_unknown_rule_adds_no_series() {
        let metrics = Metrics::default();
        metrics.server("s").count(&ended(403, Decision::Refused, Some("canary")));
        let text = written(&metrics);
        assert!(!text.contains("canary") && !text.contains("hallpass_refusals_total{"), "{text}");
    }

    #[test]
    fn no_two_rules_have_one_name() {
        assert_eq!(rules().collect::<HashSet<_>>().len(), rules().count());
    }

    #[test]
    fn a_name_has_one_row_of_counts() {
        let metrics = Metrics::default();
        assert!(Arc::ptr_eq(&metrics.server("a"), &metrics.server("a")));
    }
}
