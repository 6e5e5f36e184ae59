//! Client certificates: as the key that a token is bound to (RFC 8705 §3), or alone, as the credential of a small
//! service.

use std::net::IpAddr;
use std::time::Duration;

use hallpass_protocol::certificate::{client_cert, thumbprint};
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::time::Timestamp;
use http::{Extensions, HeaderMap};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::caller::{Caller, Granted, Said};
use crate::policy::pattern_matches;
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::verify::{Standing, Verified};

pub use hallpass_protocol::certificate::{PeerCertificate, from_pem};

/// How certificates come here, and what they stand for.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    /// Whether the metadata says that tokens may be bound to a certificate (RFC 9728 §2): where TLS ends here with
    /// client certificates, or at a listed proxy. Bound tokens are checked in any case.
    pub bound_tokens: bool,
    /// Proxies that end TLS and are believed when they say `Client-Cert` (RFC 9440). From anyone else the field is
    /// nothing.
    pub proxies: Vec<IpAddr>,
    /// Certificates that are a credential by themselves.
    pub accounts: Vec<CertificateAccount>,
}

/// Certificates of one authority, and what their holders may do.
#[derive(Clone, Debug)]
pub struct CertificateAccount {
    /// The authority, in DER. It must have issued the certificate, for client authentication.
    pub authority: CertificateDer<'static>,
    /// What a subject alternative name (DNS name or URI) must be; `*` stands for any run of characters. The name is
    /// the `sub` of the caller.
    pub name: String,
    /// What its holder may do.
    pub scopes: ScopeSet,
}

/// A certificate that came with a request.
#[derive(Clone, Debug)]
pub(crate) struct Shown(CertificateDer<'static>);

/// Where requests come from, as the listener says.
pub(crate) fn peer_of(extensions: &Extensions) -> Option<IpAddr> {
    use axum::extract::ConnectInfo;
    extensions
        .get::<ConnectInfo<std::net::SocketAddr>>()
        .map(|ConnectInfo(address)| address.ip().to_canonical())
}

impl Certificates {
    /// The peer's own, or the one that a listed proxy passes on.
    ///
    /// # Errors
    /// [`Refusal::MalformedCertificate`], of a listed proxy's.
    pub(crate) fn shown(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Option<Shown>, Refusal> {
        let proxied = peer_of(extensions).is_some_and(|peer| self.proxies.contains(&peer));
        if !proxied {
            return Ok(extensions.get::<PeerCertificate>().map(|PeerCertificate(der)| Shown(der.clone())));
        }
        let said = client_cert(headers).map_err(|_| Refusal::MalformedCertificate)?;
        Ok(said.map(Shown))
    }

    /// The certificate as a credential.
    ///
    /// # Errors
    /// [`Refusal::UnknownCertificate`].
    pub(crate) fn verify(&self, shown: &Shown, settings: &Settings) -> Result<Verified, Refusal> {
        let now = settings.clock.now();
        let found = self.accounts.iter().find_map(|account| Some((account, shown.name_for(account, now)?)));
        let (account, name) = found.ok_or(Refusal::UnknownCertificate)?;
        let granted = Granted {
            principal: settings.account_principal("certificate", &name),
            issuer: settings.resource.to_string(),
            subject: name.clone(),
            client: name,
            scopes: account.scopes.clone(),
            tenant: settings.tenant.clone(),
            ..Granted::default()
        };
        let caller = Caller::new(Said {
            granted,
            token_id: shown.thumbprint(),
            // The certificate is shown, and judged, with each request.
            expires: now.after(Duration::from_secs(3600)),
        });
        Ok(Verified::new(caller, Standing::Certificate(shown.clone())))
    }
}

impl Shown {
    /// `x5t#S256` (RFC 8705 §3.1).
    pub(crate) fn thumbprint(&self) -> String {
        thumbprint(&self.0)
    }

    /// The name that fits, if the authority issued the certificate for client authentication, and for now.
    fn name_for(&self, account: &CertificateAccount, now: Timestamp) -> Option<String> {
        let anchor: TrustAnchor<'_> = anchor_from_trusted_cert(&account.authority).ok()?;
        let certificate = EndEntityCert::try_from(&self.0).ok()?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.unix()).ok()?));
        certificate
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &[anchor],
                &[],
                now,
                KeyUsage::client_auth(),
                None,
                None,
            )
            .ok()?;
        let mut names = certificate.valid_uri_names().chain(certificate.valid_dns_names());
        names.find(|name| pattern_matches(&account.name, name)).map(str::to_owned)
    }
}
