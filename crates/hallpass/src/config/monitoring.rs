//! `[monitoring]`: a listener for load balancers, orchestrators and Prometheus.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ListenAddress;

/// A listener of its own that says how the program is: `/healthz` (it runs), `/readyz` (it can do its work) and `/metrics`
/// (counts, for Prometheus).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Monitoring {
    /// Where to listen: host and port, such as `127.0.0.1:9464`. Whoever reaches it is answered. Default: nowhere.
    pub(crate) listen: Option<ListenAddress>,
    /// Whether requests are counted, and `/metrics` says so. Default: true.
    pub(crate) metrics: bool,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self { listen: None, metrics: true }
    }
}
