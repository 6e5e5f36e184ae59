//! `[otlp]`: spans of requests, for a collector of OpenTelemetry.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{FieldName, OwnField};

/// Spans of requests, for a collector of OpenTelemetry (OTLP over HTTP, JSON). For a hallpass that was built with the feature
/// `otlp`. A client's trace goes on through hallpass to upstream, with or without this.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Otlp {
    /// Where the collector takes spans; `/v1/traces` where it has no path.
    pub(crate) endpoint: Url,
    /// The part of all requests that is recorded: 0 to 1. A proxy of `[proxy]` has its own way: what it says in `traceparent` counts.
    /// Anybody else can only have less recorded by that. Default: 1.
    #[serde(default = "all")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) ratio: f64,
    /// What hallpass is called there (`service.name`). Default: `hallpass`.
    #[serde(default = "hallpass")]
    pub(crate) service: String,
    /// Fields that the collector wants to see, such as a key for its API. Their files are read at the start.
    #[serde(default)]
    pub(crate) fields: BTreeMap<FieldName, OwnField>,
}

fn all() -> f64 {
    1.0
}

fn hallpass() -> String {
    "hallpass".to_owned()
}
