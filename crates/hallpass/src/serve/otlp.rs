//! Spans of requests for a collector: planned and sent, where this program was built with that.

use std::fmt::{self, Display, Formatter};

use hallpass_gateway::edge::Metrics;
use hallpass_gateway::edge::spans::Spans;

use crate::config::{Otlp, Source};
use crate::exit::Failure;

/// A mistake in `[otlp]`, or in what it names.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OtlpFault {
    /// Nothing would be sent, and nobody would know.
    #[cfg(not(feature = "otlp"))]
    #[error(
        "{place}: this hallpass was built without OpenTelemetry, so it sends no spans; build it with --features otlp"
    )]
    NotBuilt {
        /// File and line.
        place: String,
    },
    /// A value that can't be.
    #[cfg(feature = "otlp")]
    #[error("{place}: {what}")]
    Value {
        /// File and line.
        place: String,
        /// What is wrong, and what to do.
        what: &'static str,
    },
    /// The file of a field.
    #[cfg(feature = "otlp")]
    #[error(transparent)]
    File(#[from] super::credentials::CredentialFault),
}

#[cfg(feature = "otlp")]
pub(super) use built::{Exports, OtlpPlan};
#[cfg(not(feature = "otlp"))]
pub(super) use not_built::{Exports, OtlpPlan};

#[cfg(feature = "otlp")]
mod built {
    use anyhow::Context;
    use hallpass_gateway::edge::spans::Collector;
    use hallpass_protocol::is_loopback;
    use http::HeaderValue;
    use tokio::task::JoinHandle;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config::{FieldName, OwnField};
    use crate::serve::credentials::{CredentialFault, read};

    /// Who collects spans, and which.
    #[derive(Clone, Debug)]
    pub(in crate::serve) struct OtlpPlan(Collector);

    /// Spans on their way.
    pub(in crate::serve) struct Exports {
        stop: CancellationToken,
        sending: JoinHandle<()>,
    }

    impl OtlpPlan {
        /// What the file comes to.
        pub(in crate::serve) fn of(said: &Otlp, source: &Source) -> Result<Self, OtlpFault> {
            let fault = |setting, what| OtlpFault::Value { place: source.place(&["otlp", setting]), what };
            let mut endpoint = said.endpoint.clone();
            if !matches!(endpoint.scheme(), "http" | "https") {
                return Err(fault(
                    "endpoint",
                    "spans are sent over http or https; write it as in http://127.0.0.1:4318",
                ));
            }
            if !endpoint.username().is_empty() || endpoint.password().is_some() {
                return Err(fault(
                    "endpoint",
                    "a password in the URL is seen by everyone; name its file in otlp.fields",
                ));
            }
            if !said.fields.is_empty() && endpoint.scheme() == "http" && !is_loopback(&endpoint) {
                return Err(fault("endpoint", "what otlp.fields say could be read on the way; use https"));
            }
            if !(0.0..=1.0).contains(&said.ratio) {
                return Err(fault("ratio", "a part of all requests is between 0 and 1, as in 0.1"));
            }
            if endpoint.path() == "/" {
                endpoint.set_path("/v1/traces");
            }
            let place = source.place(&["otlp", "fields"]);
            let fields = said.fields.iter().map(|(name, field)| own_field(&place, name, field));
            let fields = fields.collect::<Result<_, _>>()?;
            Ok(Self(Collector { endpoint, fields, service: said.service.clone(), ratio: said.ratio }))
        }

        /// Sends from now on; what is lost is counted.
        pub(in crate::serve) fn begin(&self, metrics: &Metrics) -> Result<(Spans, Exports), Failure> {
            let (spans, exporter) = Spans::to(self.0.clone(), metrics.lost_spans())
                .context("otlp: no client for HTTP can be made")?;
            let stop = CancellationToken::new();
            let sending = tokio::spawn(exporter.run(stop.clone()));
            Ok((spans, Exports { stop, sending }))
        }
    }

    impl Exports {
        /// Waits until what is left is sent.
        pub(in crate::serve) async fn end(self) {
            self.stop.cancel();
            drop(self.sending.await);
        }
    }

    impl Display for OtlpPlan {
        fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
            let Collector { endpoint, ratio, .. } = &self.0;
            // It may hold a key.
            let (mut shown, hidden) = (endpoint.clone(), if endpoint.query().is_some() { "?…" } else { "" });
            shown.set_query(None);
            shown.set_fragment(None);
            writeln!(f, "  otlp       spans of requests to {shown}{hidden}; {} % of them", ratio * 100.0)
        }
    }

    fn own_field(
        place: &str,
        name: &FieldName,
        field: &OwnField,
    ) -> Result<(http::HeaderName, HeaderValue), CredentialFault> {
        let value = HeaderValue::from_str(read(&field.file, place)?.trim()).ok();
        let value = value.filter(|value| !value.is_empty()).map(|mut value| {
            value.set_sensitive(true);
            value
        });
        name.name().zip(value).ok_or_else(|| CredentialFault::Content {
            place: place.to_owned(),
            file: field.file.display().to_string(),
            what: "does not hold what a field can say: one line of visible characters".to_owned(),
        })
    }
}

#[cfg(not(feature = "otlp"))]
mod not_built {
    use super::*;

    /// There is none.
    #[derive(Clone, Debug)]
    pub(in crate::serve) enum OtlpPlan {}

    /// There are none.
    pub(in crate::serve) enum Exports {}

    impl OtlpPlan {
        /// Refused: nothing here could send them.
        pub(in crate::serve) fn of(_: &Otlp, source: &Source) -> Result<Self, OtlpFault> {
            Err(OtlpFault::NotBuilt { place: source.place(&["otlp"]) })
        }

        pub(in crate::serve) fn begin(&self, _: &Metrics) -> Result<(Spans, Exports), Failure> {
            match *self {}
        }
    }

    impl Exports {
        #[allow(clippy::unused_async)] // As where it is built in.
        pub(in crate::serve) async fn end(self) {
            match self {}
        }
    }

    impl Display for OtlpPlan {
        fn fmt(&self, _: &mut Formatter<'_>) -> fmt::Result {
            match *self {}
        }
    }
}
