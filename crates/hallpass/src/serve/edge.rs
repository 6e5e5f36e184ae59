//! What stands before every request: logs, counts.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use hallpass_gateway::edge::{Edge, Limit, Lines, Metrics, Proxies, Rotation, Sink, Topic, Watch};
use hallpass_protocol::forwarded::Fields;
use hallpass_resource_server::Verifications;

use super::audited::Audited;
use super::otlp::{Exports, OtlpFault, OtlpPlan};
use crate::config::{Config, Log, LogSink};
use crate::exit::Failure;

/// What the configuration says of it.
#[derive(Clone, Debug)]
pub(crate) struct EdgePlan {
    /// Where logs go.
    pub(super) log: Log,
    /// Where spans go.
    otlp: Option<OtlpPlan>,
    /// Who is believed.
    proxies: Proxies,
    /// How much each address may have.
    each_address: Limit,
    /// Whether anybody asks for counts.
    pub(super) metrics: bool,
    /// Who counts the tokens that were found good.
    pub(super) verifications: Option<Arc<Verifications>>,
}

/// Why it cannot be as the file says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EdgeFault {
    /// Two logs, each of which would put the other's file aside.
    #[error("log.access and log.audit name the same file; give each its own")]
    OneFile,
    /// Words are to be believed, and nobody says whose.
    #[error("[proxy] lists nobody; add trusted = [\"10.0.0.5\"], the proxies' addresses")]
    NobodyListed,
    /// Everybody would be one.
    #[error(
        "limits.address counts network addresses, and here each one is the proxy's that ends TLS in front; list it in \
         [proxy], as in trusted = [\"10.0.0.5\"]"
    )]
    EverybodyIsOne,
    /// Spans.
    #[error(transparent)]
    Otlp(#[from] OtlpFault),
}

impl EdgePlan {
    pub(crate) fn of(config: &Config) -> Result<Self, EdgeFault> {
        let log = config.log.clone();
        if matches!(log.access, Some(LogSink::File(_))) && log.access == log.audit {
            return Err(EdgeFault::OneFile);
        }
        let metrics = config.monitoring.listen.is_some() && config.monitoring.metrics;
        let verifications = metrics.then(Arc::default);
        let proxies = Proxies {
            listed: config.proxy.trusted.clone(),
            fields: config.proxy.fields.into(),
            host: config.proxy.host,
            // Set by whoever knows the public URL.
            https: false,
            protocol: config.proxy.protocol,
        };
        let is_empty = proxies.listed.is_empty();
        if is_empty && (proxies.protocol || proxies.host) {
            return Err(EdgeFault::NobodyListed);
        }
        let each_address = config.limits.address.into();
        let otlp = config.otlp.as_ref().map(|said| OtlpPlan::of(said, &config.source)).transpose()?;
        Ok(Self { log, otlp, proxies, each_address, metrics, verifications })
    }
}

impl EdgePlan {
    /// With what is known of the way that requests come: whether clients have to come by TLS, and whether peers are clients.
    pub(crate) fn reached(mut self, https: bool, peers_are_clients: bool) -> Result<Self, EdgeFault> {
        self.proxies.https = https;
        match self.each_address.is_none() || self.knows_clients(peers_are_clients) {
            true => Ok(self),
            false => Err(EdgeFault::EverybodyIsOne),
        }
    }

    /// Whether the addresses of clients are known.
    pub(crate) fn knows_clients(&self, peers_are_clients: bool) -> bool {
        peers_are_clients || !self.proxies.listed.is_empty()
    }
}

impl Display for EdgePlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (name, sink, each) in
            [("access", &self.log.access, "request"), ("audit", &self.log.audit, "event")]
        {
            if let Some(sink) = sink {
                writeln!(f, "  {name:<10} a line for each {each} to {sink}")?;
            }
        }
        if let Some(otlp) = &self.otlp {
            write!(f, "{otlp}")?;
        }
        if !self.proxies.listed.is_empty() {
            let listed: Vec<_> = self.proxies.listed.iter().map(ToString::to_string).collect();
            let fields = match self.proxies.fields {
                Fields::XForwarded => "X-Forwarded-For",
                Fields::Forwarded => "Forwarded",
            };
            let protocol = if self.proxies.protocol { " and the PROXY protocol" } else { "" };
            writeln!(
                f,
                "  proxies    {}: who the client is, they say by {fields}{protocol}",
                listed.join(", ")
            )?;
        }
        match self.each_address.is_none() {
            true => Ok(()),
            false => writeln!(f, "  limits     each address: {}", Much(&self.each_address)),
        }
    }
}

/// A limit in words.
pub(super) struct Much<'a>(pub(super) &'a Limit);

impl Display for Much<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Limit { rate, burst, requests, streams } = self.0;
        let mut words = Vec::new();
        if let Some(rate) = rate {
            words.push(format!("{} a second", several(rate.get(), "request")));
            words.extend(burst.map(|burst| format!("as many as {burst} in one go after a pause")));
        }
        words.extend(requests.map(|most| format!("{} at the same time", several(most.get(), "request"))));
        words.extend(streams.map(|most| several(most.get(), "open stream")));
        write!(f, "at most {}", words.join(", "))
    }
}

fn several(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// All of it, at work.
pub(crate) struct EdgeAtWork {
    /// For the listeners.
    pub(crate) edge: Edge,
    /// For whoever asks.
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// For the audit log.
    pub(crate) audited: Arc<Audited>,
    logs: Vec<Lines>,
    exports: Option<Exports>,
}

impl EdgePlan {
    /// Opens what is to be opened.
    pub(crate) fn begin(&self) -> Result<EdgeAtWork, Failure> {
        let metrics = Arc::new(Metrics::default());
        let open = |sink: &Option<LogSink>, setting, topic| {
            let Some(sink) = sink else { return Ok(None) };
            let lines = Lines::start(self.sink(sink, topic), metrics.lost_lines(), SystemTime::now);
            lines.map(Some).with_context(|| format!("{setting}: can't write to {sink}"))
        };
        let access = open(&self.log.access, "log.access", Topic::Access)?;
        let audit = open(&self.log.audit, "log.audit", Topic::Audit)?;
        let logs = access.iter().chain(&audit).cloned().collect();
        let (spans, exports) = self.otlp.as_ref().map(|otlp| otlp.begin(&metrics)).transpose()?.unzip();
        let watch = Watch { metrics: Arc::clone(&metrics), access, spans, now: SystemTime::now };
        let edge = Edge::default().behind(self.proxies.clone()).limiting(self.each_address);
        let is_watched = self.metrics || watch.access.is_some() || watch.spans.is_some();
        let edge = if is_watched { edge.watched_by(watch) } else { edge };
        let audited = Arc::new(Audited::new(audit));
        Ok(EdgeAtWork { edge, metrics: self.metrics.then_some(metrics), audited, logs, exports })
    }

    fn sink(&self, sink: &LogSink, topic: Topic) -> Sink {
        let rotation = Rotation {
            size: self.log.rotate_size.0,
            age: self.log.rotate_after.map(|span| span.0),
            keep: self.log.keep,
        };
        match sink {
            LogSink::Stdout => Sink::Stdout,
            LogSink::Syslog => Sink::Syslog(topic),
            LogSink::SyslogAt(server) => Sink::SyslogAt(*server, topic),
            LogSink::File(path) => Sink::File { path: path.clone(), rotation },
        }
    }
}

impl EdgeAtWork {
    /// Waits until every line is written, and every span sent.
    pub(crate) async fn end(self) {
        let Self { edge, logs, exports, .. } = self;
        drop(edge);
        if let Some(exports) = exports {
            exports.end().await;
        }
        drop(tokio::task::spawn_blocking(move || logs.iter().for_each(Lines::flush)).await);
    }
}
