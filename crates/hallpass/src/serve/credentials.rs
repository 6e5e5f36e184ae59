//! What the configuration says of credentials and issuers, read and judged.

use std::path::Path;

use hallpass_guarded_fetch::{FetchError, Fetcher, Policy as FetchPolicy};
use hallpass_protocol::digest::DigestAlgorithm;
use hallpass_protocol::jose::{Algorithm, SigningKey};
use hallpass_protocol::{Clock, Issuer, Secret, is_loopback};
use hallpass_resource_server::accounts::DigestScheme;
use hallpass_resource_server::{
    self as resource_server, Accounts, CertificateAccount, Dpop, Introspection, IntrospectionClient, Keys,
    OwnAccounts, RemoteKeys, TrustedIssuer,
};

use super::issuers::{self, Reading};
use super::scopes::{ScopeFault, scope_set};
use crate::config;
use crate::config::{Credentials, DigestName, DpopMode, Section, Server};

/// A mistake in `server.credentials` or `server.issuers`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialFault {
    /// A file that is named can't be read.
    #[error("{place}: can't read {file}: {source}")]
    File {
        /// File and line, or the setting's name.
        place: String,
        /// The file that is named there.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that is named holds something else.
    #[error("{place}: {file} {what}")]
    Content {
        /// File and line, or the setting's name.
        place: String,
        /// The file that is named there.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// A value that can't be.
    #[error("{place}: {what}")]
    Value {
        /// File and line, or the setting's name.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// A scope that can't be.
    #[error(transparent)]
    Scope(#[from] ScopeFault),
    /// No connection to anyone can be made.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// How callers may show who they are.
#[derive(Debug, Default)]
pub(crate) struct CredentialPlan {
    said: Credentials,
    certificates: Vec<CertificateAccount>,
    issuers: Vec<Trusted>,
    /// Whether this server's own TLS asks for certificates.
    own_tls: bool,
}

/// One issuer, as it is trusted.
#[derive(Debug)]
pub(crate) struct Trusted {
    said: config::Issuer,
    /// Which of the file's it is.
    entry: usize,
    reading: Reading,
    algorithms: Vec<Algorithm>,
    fetcher: Fetcher,
    introspection: Option<IntrospectionClient>,
}

impl CredentialPlan {
    /// What the file comes to.
    pub(crate) fn of(server: &Server, section: Section<'_>) -> Result<Self, CredentialFault> {
        let said = server.credentials.clone();
        let at = |setting| section.place(&["credentials", setting]);
        let mut certificates = Vec::new();
        for certificate in &said.certificates {
            let place = at("certificates");
            let pem = read(&certificate.authority, &place)?;
            let authority = hallpass_resource_server::certificate::from_pem(&pem).ok_or_else(|| {
                let what = "holds no certificate in PEM".to_owned();
                CredentialFault::Content { place, file: certificate.authority.display().to_string(), what }
            })?;
            let scopes = scope_set(section, &certificate.scopes, &["credentials", "certificates"])?;
            certificates.push(CertificateAccount { authority, name: certificate.name.clone(), scopes });
        }
        let place = issuers::place(section);
        let mut issuers: Vec<Trusted> = Vec::new();
        for (entry, said) in server.issuers.iter().enumerate() {
            for reading in issuers::readings(said, section)? {
                if issuers.iter().any(|other| other.reading.issuer == reading.issuer) {
                    let what = format!(
                        "the issuer {} is there twice, and only the first would count; make it one entry with all `tenants` and `audiences`",
                        reading.issuer
                    );
                    return Err(CredentialFault::Value { place, what });
                }
                issuers.push(trusted((entry, said), reading, &place)?);
            }
        }
        if issuers.iter().filter(|issuer| issuer.introspection.is_some()).count() > 1 {
            let what =
                "only one issuer can be asked about opaque tokens: nothing says whose one is".to_owned();
            return Err(CredentialFault::Value { place, what });
        }
        Ok(Self { said, certificates, issuers, own_tls: false })
    }

    /// That nobody else is called as this server itself is.
    pub(crate) fn check_own(&self, own: &str, section: Section<'_>) -> Result<(), CredentialFault> {
        if self.issuers.iter().all(|other| other.reading.issuer.as_str() != own) {
            return Ok(());
        }
        let what = format!(
            "{own} is this server itself, whose tokens are taken anyway, and read in one way: take the entry out, or say arrangement = \"external\""
        );
        Err(CredentialFault::Value { place: issuers::place(section), what })
    }

    /// Proxies that end TLS and are believed.
    pub(crate) fn proxies(&self) -> &[std::net::IpAddr] {
        &self.said.proxies
    }

    /// What the file says.
    pub(super) fn said(&self) -> &Credentials {
        &self.said
    }

    /// Whose tokens are taken beside this server's own.
    pub(super) fn issuers(&self) -> impl Iterator<Item = (&config::Issuer, &Reading)> {
        self.issuers.iter().map(|trusted| (&trusted.said, &trusted.reading))
    }

    /// Tells whether clients can show certificates to this server itself.
    pub(crate) fn with_own_tls(self, asks: bool) -> Self {
        Self { own_tls: asks, ..self }
    }

    /// The first issuer that is named, and what fetches from it.
    pub(crate) fn first_issuer(&self) -> Option<(&Issuer, &Fetcher)> {
        self.issuers.first().map(|trusted| (&trusted.reading.issuer, &trusted.fetcher))
    }

    /// The first of them under all of its names: a provider may have one for each tenant.
    pub(crate) fn of_first(&self) -> impl Iterator<Item = &Issuer> {
        let first = self.issuers.first().map(|trusted| trusted.entry);
        self.issuers.iter().filter(move |one| Some(one.entry) == first).map(|one| &one.reading.issuer)
    }

    /// All issuers that are named.
    pub(crate) fn trusted(&self) -> &[Trusted] {
        &self.issuers
    }

    /// Whether tokens that are bound to no key are refused.
    pub(crate) fn requires_dpop(&self) -> bool {
        self.said.dpop == DpopMode::Require
    }

    /// Tells the resource server.
    pub(crate) fn apply(&self, settings: &mut resource_server::Settings, accounts: Accounts) {
        let said = &self.said;
        if let Some(realm) = &said.realm {
            settings.realm.clone_from(realm);
        }
        let digest = (!said.digest.is_empty()).then(|| DigestScheme { algorithms: algorithms(&said.digest) });
        if said.api_keys || said.basic || digest.is_some() {
            settings.accounts =
                Some(OwnAccounts { list: accounts, keys: said.api_keys, basic: said.basic, digest });
        }
        settings.dpop = (said.dpop != DpopMode::Off).then(|| Dpop {
            required: said.dpop == DpopMode::Require,
            nonces: said.dpop_nonces,
            ..Dpop::default()
        });
        settings.certificates.proxies.clone_from(&said.proxies);
        settings.certificates.bound_tokens = self.own_tls || !said.proxies.is_empty();
        settings.certificates.accounts.clone_from(&self.certificates);
        for trusted in &self.issuers {
            trusted.apply(settings);
        }
    }
}

impl Trusted {
    /// Whose tokens they are.
    pub(crate) fn issuer(&self) -> &Issuer {
        &self.reading.issuer
    }

    /// What fetches from it.
    pub(crate) fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// The profile that the file names.
    pub(crate) fn profile(&self) -> Option<&str> {
        self.said.profile.as_deref()
    }

    /// Whether it is asked about opaque tokens, and where if the file says.
    pub(crate) fn introspection(&self) -> Option<&config::Introspection> {
        self.said.introspection.as_ref()
    }

    /// Where its keys are, if the file says.
    pub(crate) fn jwks_uri(&self) -> Option<&url::Url> {
        self.said.jwks_uri.as_ref()
    }

    /// How it is asked about opaque tokens.
    pub(crate) fn asked(&self) -> Option<Introspection> {
        let (client, said) = (self.introspection.as_ref()?, self.said.introspection.as_ref()?);
        let issuer = self.reading.issuer.clone();
        let mut asked = Introspection::new(issuer, client.clone(), self.fetcher.clone());
        asked.claims = self.reading.claims.clone();
        asked.audiences.clone_from(&self.said.audiences);
        asked.endpoint.clone_from(&said.endpoint);
        asked.audience_required = !said.any_audience;
        Some(asked)
    }

    /// Its keys. Nothing is fetched yet.
    pub(crate) fn keys(&self, clock: Clock) -> RemoteKeys {
        let (issuer, fetcher) = (self.reading.issuer.clone(), self.fetcher.clone());
        match &self.said.jwks_uri {
            Some(url) => RemoteKeys::at(url.clone(), issuer, &self.algorithms, fetcher, clock),
            None => RemoteKeys::discovered(issuer, &self.algorithms, fetcher, clock),
        }
    }

    fn apply(&self, settings: &mut resource_server::Settings) {
        let clock: Clock = settings.clock.clone();
        let Reading { issuer, claims, types, kind, id_required } = self.reading.clone();
        if let Some(introspection) = self.asked() {
            settings.introspection = Some(introspection);
        }
        let keys = self.keys(clock);
        let audiences = self.said.audiences.clone();
        settings.issuers.push(TrustedIssuer {
            claims,
            types,
            kind,
            id_required,
            audiences,
            ..TrustedIssuer::new(issuer, Keys::fetched(keys))
        });
    }
}

fn trusted(
    (entry, said): (usize, &config::Issuer),
    reading: Reading,
    place: &str,
) -> Result<Trusted, CredentialFault> {
    let wrong = |what: String| CredentialFault::Value { place: place.to_owned(), what };
    let issuer = &reading.issuer;
    let algorithm = |name: &String| {
        Algorithm::from_name(name)
            .ok_or_else(|| wrong(format!("`{name}` is none of ES256, EdDSA, RS256, PS256")))
    };
    let algorithms = match said.algorithms.as_slice() {
        [] => Algorithm::ALL.to_vec(),
        names => names.iter().map(algorithm).collect::<Result<_, _>>()?,
    };
    // The operator chose these hosts; they may be inside the operator's network.
    let asked = said.introspection.as_ref().and_then(|said| said.endpoint.as_ref());
    let hosts = [Some(issuer.url()), said.jwks_uri.as_ref(), asked].into_iter().flatten();
    let policy = FetchPolicy {
        allow_loopback: is_loopback(issuer.url()),
        opened_hosts: hosts.filter_map(|url| url.host_str().map(str::to_owned)).collect(),
        ..FetchPolicy::default()
    };
    let introspection = said.introspection.as_ref().map(|said| client(said, place)).transpose()?;
    let fetcher = Fetcher::new(policy)?;
    Ok(Trusted { said: said.clone(), entry, reading, algorithms, fetcher, introspection })
}

fn client(said: &config::Introspection, place: &str) -> Result<IntrospectionClient, CredentialFault> {
    let id = said.client_id.clone();
    match (&said.secret_file, &said.key_file) {
        (Some(file), None) => {
            let secret = Secret::new(read(file, place)?.trim());
            Ok(IntrospectionClient::Secret { id, secret })
        }
        (None, Some(file)) => {
            let key = SigningKey::from_pem(None, &read(file, place)?, None).map_err(|error| {
                let (place, file) = (place.to_owned(), file.display().to_string());
                CredentialFault::Content { place, file, what: format!("can't be used: {error}") }
            })?;
            Ok(IntrospectionClient::PrivateKey { id, key })
        }
        _ => {
            let what = "introspection needs one of `secret_file` and `key_file`".to_owned();
            Err(CredentialFault::Value { place: place.to_owned(), what })
        }
    }
}

/// The algorithms of Digest by their names in the file.
pub(crate) fn algorithms(names: &[DigestName]) -> Vec<DigestAlgorithm> {
    let algorithm = |name: &DigestName| match name {
        DigestName::Sha256 => DigestAlgorithm::Sha256,
        DigestName::Sha512Trunc256 => DigestAlgorithm::Sha512Trunc256,
        DigestName::Md5 => DigestAlgorithm::Md5,
    };
    names.iter().map(algorithm).collect()
}

pub(super) fn read(file: &Path, place: &str) -> Result<String, CredentialFault> {
    std::fs::read_to_string(file).map_err(|source| CredentialFault::File {
        place: place.to_owned(),
        file: file.display().to_string(),
        source,
    })
}

/// A private key.
pub(super) fn read_key(file: &Path, kid: Option<String>, place: &str) -> Result<SigningKey, CredentialFault> {
    SigningKey::from_pem(kid, &read(file, place)?, None).map_err(|error| CredentialFault::Content {
        place: place.to_owned(),
        file: file.display().to_string(),
        what: format!("can't be used: {error}"),
    })
}
