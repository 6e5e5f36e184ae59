//! `[monitoring]`: a listener for load balancers and orchestrators.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ListenAddress;

/// A listener of its own that says how the program is: `/healthz` (it runs) and `/readyz` (it can do its work).
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Monitoring {
    /// Where to listen: host and port, such as `127.0.0.1:9464`. Whoever reaches it is answered. Default: nowhere.
    pub(crate) listen: Option<ListenAddress>,
}
