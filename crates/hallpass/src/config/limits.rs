//! `[limits.address]`, `[server.limits.subject]`, `[server.limits.all]`: how much there is for each.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much one network address may have, before anything else is looked at. IPv6 addresses count by their network of 64 bits.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// For each address, all servers and pages together. Default: no limit.
    pub(crate) address: Limit,
}

/// How much of one server there is, once it is known who asks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerLimits {
    /// For each user, through whatever client and from wherever. Default: no limit.
    pub(crate) subject: Limit,
    /// For all together. Default: no limit.
    pub(crate) all: Limit,
}

/// How much. What is left out is not limited. One too many gets a 429 that says the rule, and when to come again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limit {
    /// Requests a second, over time.
    pub(crate) rate: Option<NonZeroU32>,
    /// So many may come at once, where few came before. Default: as many as in a second.
    pub(crate) burst: Option<NonZeroU32>,
    /// Requests under way at once, open streams among them.
    pub(crate) requests: Option<NonZeroU32>,
    /// Streams of events that are open at once.
    pub(crate) streams: Option<NonZeroU32>,
}

impl From<Limit> for hallpass_gateway::edge::Limit {
    fn from(limit: Limit) -> Self {
        let Limit { rate, burst, requests, streams } = limit;
        Self { rate, burst, requests, streams }
    }
}

impl From<ServerLimits> for hallpass_gateway::ServerLimits {
    fn from(limits: ServerLimits) -> Self {
        Self { subject: limits.subject.into(), server: limits.all.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_none_at_all() {
        let problem = toml::from_str::<Limits>("[address]\nrate = 0").unwrap_err().to_string();
        assert!(problem.contains("line 2"), "{problem}");
        let limits: Limits = toml::from_str("address = { rate = 20, requests = 8 }").unwrap();
        assert_eq!((limits.address.rate, limits.address.burst), (NonZeroU32::new(20), None));
    }
}
