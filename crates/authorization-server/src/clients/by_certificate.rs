//! Clients that show who they are by a certificate of their connection (RFC 8705 §2).

use std::sync::Arc;

use rustls_pki_types::CertificateDer;

use super::authentication::no;
use super::certificate::{is_issued_by, key_of};
use super::client::KeySource;
use super::{Authentication, CertificateName, Client, NotAuthenticated, Unresolved, resolve};
use crate::server::Inner;

/// RFC 8705 §2.1: of an authority that is trusted for this, and with the client's own name.
pub(super) fn check_certificate(
    server: &Inner,
    name: &CertificateName,
    certificate: Option<&CertificateDer<'static>>,
) -> Result<(), NotAuthenticated> {
    let certificate = certificate.ok_or_else(no_certificate)?;
    let settings = server.settings.mutual_tls.as_ref();
    let authorities = settings.map(|settings| settings.authorities.as_slice()).unwrap_or_default();
    if !is_issued_by(certificate, authorities, server.store.now()) {
        return Err(no("the client certificate is not of an authority that counts here, or not for now"));
    }
    match name.is_of(certificate) {
        true => Ok(()),
        false => Err(no("the client certificate has another name than the one registered for this client")),
    }
}

/// RFC 8705 §2.2: whoever has issued it, its key is the client's.
pub(super) async fn check_certificate_key(
    server: &Inner,
    keys: &KeySource,
    certificate: Option<&CertificateDer<'static>>,
) -> Result<(), NotAuthenticated> {
    let certificate = certificate.ok_or_else(no_certificate)?;
    if !server.settings.mutual_tls.as_ref().is_some_and(|settings| settings.self_signed) {
        return Err(no("certificates of any authority do not count here"));
    }
    let key = key_of(certificate)
        .ok_or_else(|| no("the client certificate's key is of a kind that is not known"))?;
    let now = server.store.now();
    let known = server.client_keys.has_key(&server.fetcher, keys, &key, now).await;
    match known.map_err(|error| no(&format!("the client certificate cannot be checked: {error}")))? {
        true => Ok(()),
        false => Err(no("the client certificate's key is not among the client's keys")),
    }
}

fn no_certificate() -> NotAuthenticated {
    no("this client shows itself by a certificate, and none was shown on this connection")
}

/// A client with a metadata document whose connection shows a certificate: it counts where the document says so. One that
/// cannot be read counts as one that says nothing: what was granted to a client that shows a certificate stays out of
/// reach, and a public client's refresh does not fail because a web server is down.
pub(super) async fn by_certificate(
    server: &Inner,
    id: &str,
) -> Result<Option<Arc<Client>>, NotAuthenticated> {
    match resolve(server, id).await {
        Ok(client) => {
            let by = &client.authentication;
            let counts = matches!(by, Authentication::Certificate(_) | Authentication::CertificateKey(_));
            Ok(counts.then(|| Arc::new(client)))
        }
        Err(Unresolved::Store(error)) => Err(error.into()),
        Err(unresolved) => {
            tracing::info!(client = id, %unresolved, "a certificate was not looked at");
            Ok(None)
        }
    }
}
