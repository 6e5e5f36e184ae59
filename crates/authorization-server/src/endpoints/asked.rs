//! What a client's request says of itself beside its form: header fields, and the certificate of its connection.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::response::Response;
use hallpass_protocol::certificate::{MalformedClientCert, PeerCertificate, client_cert, thumbprint};
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::request::Parts;
use http::{Extensions, HeaderMap};
use rustls_pki_types::CertificateDer;

use super::Server;
use super::oauth_answer::error;
use crate::settings::MutualTls;

/// Of a request to an endpoint that clients call.
pub(super) struct Asked {
    pub(super) headers: HeaderMap,
    /// The certificate that the client holds the key of (RFC 8705).
    pub(super) certificate: Option<CertificateDer<'static>>,
}

impl Asked {
    /// `x5t#S256` of the certificate.
    pub(super) fn thumbprint(&self) -> Option<String> {
        self.certificate.as_ref().map(thumbprint)
    }
}

impl FromRequestParts<Server> for Asked {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Response> {
        let headers = parts.headers.clone();
        let shown = match &server.settings.mutual_tls {
            Some(settings) => shown(settings, &headers, &parts.extensions),
            None => Ok(None),
        };
        match shown {
            Ok(certificate) => Ok(Self { headers, certificate }),
            Err(malformed) => Err(error(&OAuthError::new(ErrorCode::InvalidRequest, malformed.to_string()))),
        }
    }
}

/// The connection's own; of a listed proxy the one that it passes on (RFC 9440). From anyone else the field is nothing.
fn shown(
    settings: &MutualTls,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Option<CertificateDer<'static>>, MalformedClientCert> {
    let peer: Option<IpAddr> =
        extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical());
    match peer.is_some_and(|peer| settings.proxies.contains(&peer)) {
        true => client_cert(headers),
        false => Ok(extensions.get::<PeerCertificate>().map(|PeerCertificate(shown)| shown.clone())),
    }
}
