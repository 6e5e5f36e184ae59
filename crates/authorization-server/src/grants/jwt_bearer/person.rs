//! Whom an assertion speaks for: an account of this server by issuer and subject, then by a verified address, or else a new
//! one (ID-JAG §3.1, "subject resolution"); all of it as far as the operator allows.

use hallpass_protocol::jose::{JoseError, VerifiedJwt};
use serde_json::Value;

use crate::audit::{AuditKind, By, NewEvent};
use crate::delegation::{AccountLinking, AssertionKind, TrustedIssuer, is_of, of_tenant};
use crate::grants::Refusal;
use crate::login::UserName;
use crate::server::Inner;
use crate::store::{StoreError, VouchedBy, VouchedRow};

/// Whom an assertion names.
pub(super) struct Named {
    /// The issuer, with the tenant where it has several (ID-JAG §6).
    authority: String,
    subject: String,
    /// An address that the issuer has verified, and may speak for.
    address: Option<UserName>,
}

/// What is known of somebody before anything is written.
pub(super) enum Person {
    /// No account; a token is about the issuer's own name for the subject.
    Foreign(Named),
    /// Seen before.
    Known(VouchedRow),
    /// The account with this id has the address.
    ToLink(Named, String),
    /// Nobody here.
    ToCreate(Named),
}

/// Whom a token is about.
pub(super) struct Who {
    pub(super) subject: String,
    /// What its tokens hang on, beside issuer and client.
    pub(super) own_grant: Option<String>,
}

impl Person {
    /// Looks, and writes nothing: what an assertion says before it has counted changes nobody's account.
    pub(super) async fn find(
        server: &Inner,
        trusted: &TrustedIssuer,
        assertion: &VerifiedJwt,
    ) -> Result<Self, Refusal> {
        let named = Named::of(trusted, assertion)?;
        let Some(linking) = &trusted.accounts else { return Ok(Self::Foreign(named)) };
        if let Some(known) = server.store.find_vouched(&named.authority, &named.subject).await? {
            return if known.disabled { Err(Refusal::UserGone) } else { Ok(Self::Known(known)) };
        }
        if let Some(address) = &named.address {
            match server.store.find_by_address(&address.key).await?.as_slice() {
                [] => {}
                [(_, true)] => return Err(Refusal::UserGone),
                [(id, false)] => {
                    return match is_anothers(server, trusted, id).await? {
                        true => Err(Refusal::AnothersAddress),
                        false => Ok(Self::ToLink(named, id.clone())),
                    };
                }
                _ => return Err(Refusal::SharedAddress),
            }
        }
        if linking.create { Ok(Self::ToCreate(named)) } else { Err(Refusal::NoAccount) }
    }

    /// The account that there is already.
    pub(super) fn user_id(&self) -> Option<&str> {
        match self {
            Self::Known(known) => Some(&known.user_id),
            Self::ToLink(_, user_id) => Some(user_id),
            Self::Foreign(_) | Self::ToCreate(_) => None,
        }
    }

    /// Writes what there is to write. Of two at once for one person, the second finds what the first has written.
    pub(super) async fn settle(self, server: &Inner, trusted: &TrustedIssuer) -> Result<Who, Refusal> {
        let (named, user) = match self {
            Self::Foreign(named) => {
                // Two issuers may know two people by one name.
                let subject = format!("{}#{}", named.authority, named.subject);
                return Ok(Who { subject, own_grant: None });
            }
            Self::Known(known) => return Ok(Who::from(known)),
            Self::ToLink(named, id) => (named, Some(id)),
            Self::ToCreate(named) => (named, None),
        };
        let by = By::Issuer(trusted.issuer.as_str().to_owned());
        let identity = VouchedBy { issuer: &named.authority, subject: &named.subject };
        let (kind, name, known) = match user {
            Some(id) => {
                let known = server.store.link_vouched(&identity, &id).await?;
                (AuditKind::IdentityLinked, named.name(), known)
            }
            None => {
                let name = named.name();
                let known = server.store.create_vouched(&identity, &name.shown, &name.key).await?;
                (AuditKind::UserAdded, name, known)
            }
        };
        let known = known.ok_or(Refusal::NoAccount)?;
        if known.disabled {
            return Err(Refusal::UserGone);
        }
        if known.is_new {
            let event = NewEvent::new(kind).user(&known.user_id).by(&by);
            server
                .store
                .record(event.detail(format!("{}, {}#{}", name.shown, named.authority, named.subject)));
        }
        Ok(Who::from(known))
    }
}

impl From<VouchedRow> for Who {
    fn from(row: VouchedRow) -> Self {
        Self { subject: row.user_id, own_grant: Some(row.own_grant) }
    }
}

impl Named {
    fn of(trusted: &TrustedIssuer, assertion: &VerifiedJwt) -> Result<Self, Refusal> {
        let issuer = trusted.issuer.as_str();
        let authority = match assertion.claim("tenant").filter(|_| trusted.kind == AssertionKind::IdJag) {
            None => issuer.to_owned(),
            Some(Value::String(tenant)) if !tenant.is_empty() => of_tenant(issuer, tenant),
            Some(_) => return Err(Refusal::Assertion(JoseError::ClaimType("tenant"))),
        };
        let address = trusted.accounts.as_ref().and_then(|linking| verified_address(linking, assertion));
        Ok(Self { authority, subject: assertion.claims().subject.clone(), address })
    }

    /// What a new account is called: by the address, which nobody else can have here, or in a way that is no address, so that
    /// no other issuer's address is ever taken for it.
    fn name(&self) -> UserName {
        let host = self.authority.trim_start_matches("https://");
        let made = || UserName::parse(&format!("{} ({host})", self.subject)).ok();
        let plain = || {
            let id = crate::random::id();
            UserName { shown: id.clone(), key: id.to_lowercase() }
        };
        self.address.clone().or_else(made).unwrap_or_else(plain)
    }
}

/// Whether the account is somebody's of this issuer already, in whichever tenant: an address that changes hands takes nothing
/// along.
async fn is_anothers(server: &Inner, trusted: &TrustedIssuer, user_id: &str) -> Result<bool, StoreError> {
    let linked = server.store.list_identities(user_id).await?;
    Ok(linked.iter().any(|known| is_of(&known.issuer, trusted.issuer.as_str())))
}

/// OpenID Connect Core §5.1: `email` counts where `email_verified` is true, and in a domain that the operator lets this
/// issuer speak for.
fn verified_address(linking: &AccountLinking, assertion: &VerifiedJwt) -> Option<UserName> {
    if assertion.claim("email_verified") != Some(&Value::Bool(true)) {
        return None;
    }
    let address = assertion.claim("email")?.as_str()?;
    let (mailbox, domain) = address.rsplit_once('@')?;
    let domain = domain.to_lowercase();
    let plain = !mailbox.is_empty() && !mailbox.contains(['@', '"', ' ']);
    (plain && linking.email_domains.contains(&domain)).then(|| UserName::parse(address).ok()).flatten()
}
