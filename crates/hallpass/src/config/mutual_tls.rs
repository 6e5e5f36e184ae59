//! `[authorization_server.mutual_tls]`: certificates of clients (RFC 8705).

use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::TlsFault;
use super::tls::authorities;

/// Certificates of clients (RFC 8705): they are shown where TLS ends, here (`[tls]`) or at `server.credentials.proxies`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MutualTls {
    /// Files with the certificates of authorities, in PEM: what they have issued for client authentication shows who a
    /// client is (`tls_client_auth`). Default: none.
    pub(crate) authorities: Vec<PathBuf>,
    /// Whether a client may be known by the key of its certificate, whoever has issued it. Default: false.
    pub(crate) self_signed: bool,
    /// Where clients go that show a certificate, if it is another host or port (`mtls_endpoint_aliases`).
    pub(crate) url: Option<Url>,
}

impl MutualTls {
    /// Reads the files.
    pub(crate) fn load(
        &self,
        proxies: &[IpAddr],
    ) -> Result<hallpass_authorization_server::MutualTls, TlsFault> {
        Ok(hallpass_authorization_server::MutualTls {
            authorities: authorities("authorization_server.mutual_tls.authorities", &self.authorities)?,
            self_signed: self.self_signed,
            proxies: proxies.to_vec(),
            aliases: self.url.clone(),
        })
    }
}
