//! `[tls.acme]`: a certificate that hallpass gets by itself.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{HostName, lists};

/// A certificate that hallpass gets by itself, and renews, from an authority that speaks ACME (RFC 8555). The authority looks for
/// hallpass at port 443 of each name (TLS-ALPN-01, RFC 8737). For a hallpass that was built with the feature `acme`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acme {
    /// The authority's directory. Default: `https://acme-v02.api.letsencrypt.org/directory`, Let's Encrypt.
    #[serde(default)]
    pub(crate) directory: Option<Url>,
    /// That whoever runs hallpass agrees to the authority's terms of service. Without it there is no certificate.
    #[serde(default)]
    pub(crate) terms_agreed: bool,
    /// Where the authority writes to, as in `mailto:ops@example.com`. Default: nowhere.
    #[serde(default, deserialize_with = "lists::some")]
    pub(crate) contact: Vec<String>,
    /// The names that the certificate is for. Default: the host of `public_url`, and those of servers with a `host`.
    #[serde(default, deserialize_with = "lists::some")]
    pub(crate) names: Vec<HostName>,
    /// A file with the certificates (PEM) of the authorities that the directory's own certificate is issued by, where the
    /// system does not know them.
    #[serde(default)]
    pub(crate) ca: Option<PathBuf>,
}
