//! One certificate, from the account to the chain (RFC 8555 §7.4).

use hallpass_gateway::listen::{Answered, Challenges, TlsError};
use hallpass_protocol::Secret;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::kept::{Issued, KeptFault};
use crate::config::TlsFault;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderFault {
    /// The authority, or the way to it.
    #[error("{}", told(.0))]
    Authority(#[from] instant_acme::Error),
    /// It looks for hallpass in ways that hallpass has no answer to.
    #[error(
        "the authority does not offer to look for {0} by TLS-ALPN-01, the one way that needs no other port"
    )]
    NoChallenge(String),
    /// It looked for a name, and did not find this hallpass.
    #[error(
        "{name} was not found to be here: {why}; it has to lead to this machine, and its port 443 to hallpass"
    )]
    NotFound {
        /// The name.
        name: String,
        /// What the authority says.
        why: String,
    },
    /// A challenge for something that nobody here asked for is not answered: the answer would say that it is here.
    #[error("the authority asks about {0}, for which no certificate was ordered")]
    Foreign(String),
    /// Refused as a whole.
    #[error("the authority has refused the order, and does not say why")]
    Refused,
    /// What it gave is none, or is for somebody else.
    #[error("what the authority has issued is no certificate for these names")]
    NoCertificate,
    /// A certificate for a challenge that can't be made.
    #[error("no answer to the authority's challenge can be made: {0}")]
    Answer(#[from] rcgen::Error),
    /// The same.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// What was got can't be served.
    #[error(transparent)]
    Unusable(#[from] TlsFault),
    /// What was got can't be kept.
    #[error("{0}; what cannot be kept is not used")]
    Kept(#[from] KeptFault),
    /// All of it together.
    #[error("the authority took longer than ten minutes")]
    TooLong,
}

impl OrderFault {
    /// Whether the authority was asked too often (RFC 8555 §6.6).
    pub(super) fn is_limited(&self) -> bool {
        self.is_problem("rateLimited")
    }

    /// Whether the authority does not know the account (RFC 8555 §6.7).
    pub(super) fn is_of_no_account(&self) -> bool {
        self.is_problem("accountDoesNotExist")
    }

    fn is_problem(&self, kind: &str) -> bool {
        let Self::Authority(instant_acme::Error::Api(problem)) = self else { return false };
        problem.r#type.as_ref().and_then(|kind| kind.strip_prefix("urn:ietf:params:acme:error:"))
            == Some(kind)
    }
}

/// An error of the library with all its causes.
fn told(error: &instant_acme::Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let mut said: Vec<String> = causes.map(ToString::to_string).collect();
    said.dedup();
    said.join(": ")
}

/// Gets one. Each name is answered for as long as it is looked for.
pub(super) async fn order(
    account: &Account,
    names: &[String],
    challenges: &Challenges,
    patience: &RetryPolicy,
) -> Result<Issued, OrderFault> {
    let identifiers: Vec<_> = names.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    let answered = answer(&mut order, names, challenges).await?;
    let polled = order.poll_ready(patience).await;
    drop(answered);
    match polled {
        Ok(OrderStatus::Ready) => {}
        Ok(_) | Err(instant_acme::Error::Api(_)) => {
            return Err(why(&mut order)
                .await
                .or(polled.err().map(OrderFault::from))
                .unwrap_or(OrderFault::Refused));
        }
        Err(error) => return Err(error.into()),
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    order.finalize_csr(params.serialize_request(&key)?.der()).await?;
    let chain = order.poll_certificate(patience).await?;
    let issued = Issued::of(chain, Secret::new(key.serialize_pem()));
    issued.filter(|issued| issued.is_for(names)).ok_or(OrderFault::NoCertificate)
}

/// Shows for each name what the authority looks for, and says that it may look.
async fn answer(
    order: &mut Order,
    names: &[String],
    challenges: &Challenges,
) -> Result<Vec<Answered>, OrderFault> {
    let mut answered = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        if !names.iter().any(|own| own.eq_ignore_ascii_case(&name)) {
            return Err(OrderFault::Foreign(name));
        }
        let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
            return Err(OrderFault::NoChallenge(name));
        };
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([name.clone()])?;
        // RFC 8737 §3: the digest of the key authorization, in an extension that nobody else understands.
        let digest = challenge.key_authorization().digest();
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest.as_ref())];
        let certificate = params.self_signed(&key)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        answered.push(challenges.answer(&name, certificate, key)?);
        challenge.set_ready().await?;
    }
    Ok(answered)
}

/// What the authority says of the name that it did not find.
async fn why(order: &mut Order) -> Option<OrderFault> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        authorization.refresh().await.ok()?;
        let name = authorization.identifier().to_string();
        let problem = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problem {
            return Some(OrderFault::NotFound { name, why: problem.to_string() });
        }
    }
    None
}
