use std::net::IpAddr;
use std::time::Duration;

/// Why nothing was fetched. Messages name the host, and nothing else of the URL.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// Rule 1.
    #[error("only https URLs are fetched (http to this machine where loopback is allowed)")]
    Scheme,
    /// Rule 1.
    #[error("the URL holds a user name or password; leave it out")]
    Userinfo,
    /// Rule 1.
    #[error("the URL has no host")]
    NoHost,
    /// Rule 2.
    #[error(
        "{host} leads to {address}, which is {why}; if that is meant, open the host in the configuration"
    )]
    Address {
        /// The host in the URL.
        host: String,
        /// Where it leads.
        address: IpAddr,
        /// What kind of address that is.
        why: &'static str,
    },
    /// The name leads nowhere.
    #[error("{host} cannot be resolved: {reason}")]
    Resolve {
        /// The host in the URL.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Rule 4.
    #[error("{host} sent more than {limit} bytes")]
    TooLarge {
        /// The host in the URL.
        host: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Rule 4.
    #[error("{host} did not answer in full within {limit:?}")]
    Timeout {
        /// The host in the URL.
        host: String,
        /// The limit.
        limit: Duration,
    },
    /// No connection, no TLS, or no HTTP.
    #[error("{host} could not be reached: {reason}")]
    Unreachable {
        /// The host in the URL.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// What was to be sent is no JSON.
    #[error("the request could not be written: {0}")]
    Request(String),
    /// What came back is not the JSON that was expected.
    #[error("the answer is not the JSON that was expected: {0}")]
    Json(String),
    /// The HTTP client could not be set up, for want of root certificates for instance.
    #[error("the HTTP client could not be set up: {0}")]
    Setup(String),
}
