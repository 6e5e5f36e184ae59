//! Signing in through somebody else: what the operator decides, and what comes of a person who was verified there.

use std::collections::BTreeSet;

use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::time::Timestamp;
use serde_json::Value;

use super::authenticated::mark;
use super::password::unknown_password;
use super::{Authenticated, UserName};
use crate::audit::{AuditKind, NewEvent};
use crate::browser::Browser;
use crate::provider::{Identity, Provider};
use crate::random::id;
use crate::server::Inner;
use crate::store::{IdentityRow, Made, NewPerson, Shown, SidHash, Standing, StoreError};

/// A way to sign in through somebody else's provider.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// In the address that people come back to.
    pub name: String,
    /// What people call the provider.
    pub shown: String,
    /// The provider.
    pub provider: Provider,
    /// Whom it may let in.
    pub who: WhoEnters,
    /// What its groups mean here.
    pub groups: GroupRules,
    /// Who this server is to the provider's transmitter of shared signals: the `aud` of its security events (OpenID CAEP 1.0). None
    /// are taken, where nothing is said. Its logout tokens always are.
    pub signals_audience: Option<String>,
}

/// Whom a provider may let in. With nothing said: people whose account here is linked already, and nobody else.
#[derive(Clone, Debug, Default)]
pub struct WhoEnters {
    /// Whoever the provider knows.
    pub anybody: bool,
    /// Whoever's verified address, or organization where the provider has a claim of that, is in one of these domains.
    pub domains: Vec<String>,
    /// Whoever is in one of these groups; of one of the domains as well, where both are said.
    pub groups: Vec<String>,
}

impl WhoEnters {
    /// Whether anybody new may come.
    pub(crate) fn lets_in_strangers(&self) -> bool {
        self.anybody || !self.domains.is_empty() || !self.groups.is_empty()
    }
}

/// What groups mean here. Who is in none of them gets what is left: nothing, where scopes are said.
#[derive(Clone, Debug)]
pub struct GroupRules {
    /// The claim that lists them; a path with dots, perhaps.
    pub claim: String,
    /// What members of a group may be granted. Where nothing is said: everything, whoever it is.
    pub scopes: Vec<(String, ScopeSet)>,
    /// Members of these run the server, and of those who come through this provider nobody else. Where nothing is said, the
    /// provider has no say in it.
    pub administrators: Vec<String>,
}

impl Default for GroupRules {
    fn default() -> Self {
        Self { claim: "groups".to_owned(), scopes: Vec::new(), administrators: Vec::new() }
    }
}

/// Why somebody does not enter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAdmitted {
    #[error("the account is disabled")]
    Disabled,
    #[error("the issuer is switched off (`hallpass issuer disable`)")]
    IssuerOff,
    #[error("the person's address or organization is not in a domain that is listed")]
    Domain,
    #[error("the person is in no group that is listed")]
    Group,
    #[error("nobody here is linked to this identity, and nobody new may enter through this provider")]
    Unknown,
    #[error("no name could be found for the person")]
    NoName,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SignIn {
    /// The claims that are needed beside the subject.
    pub(crate) fn wanted(&self) -> Vec<&str> {
        let groups = !self.who.groups.is_empty()
            || !self.groups.scopes.is_empty()
            || !self.groups.administrators.is_empty();
        let claim = self.groups.claim.split('.').next().unwrap_or_default();
        std::iter::once("email").chain(groups.then_some(claim)).collect()
    }

    /// That this person may enter now; asked at each login. True where strangers may, too.
    fn admits(&self, identity: &Identity) -> Result<bool, NotAdmitted> {
        let who = &self.who;
        if !who.domains.is_empty() && !self.is_of_domain(identity) {
            return Err(NotAdmitted::Domain);
        }
        if !who.groups.is_empty() && !self.is_in(identity, &who.groups) {
            return Err(NotAdmitted::Group);
        }
        Ok(who.lets_in_strangers())
    }

    /// A provider that has a claim for the organization means it: an address of that domain can be a private account's.
    fn is_of_domain(&self, identity: &Identity) -> bool {
        let domain = match &self.provider.settings().profile.hosted_domain {
            Some(claim) => identity.claim(claim).and_then(Value::as_str),
            None => {
                identity.verified_email().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain)
            }
        };
        let listed = |domain: &str| self.who.domains.iter().any(|one| one.eq_ignore_ascii_case(domain));
        domain.is_some_and(listed)
    }

    fn is_in(&self, identity: &Identity, groups: &[String]) -> bool {
        let lists_as_text = self.provider.settings().profile.lists_as_text;
        let words: BTreeSet<&str> = identity.words(&self.groups.claim, lists_as_text).into_iter().collect();
        groups.iter().any(|group| words.contains(group.as_str()))
    }

    fn scopes(&self, identity: &Identity) -> Option<String> {
        let rules = &self.groups.scopes;
        let of = |group: &String| self.is_in(identity, std::slice::from_ref(group));
        let all = rules.iter().filter(|(group, _)| of(group));
        let all = all.fold(ScopeSet::default(), |all, (_, scopes)| all.union(scopes));
        (!rules.is_empty()).then(|| all.to_string())
    }
}

/// Lets in whoever the provider has verified: by issuer and subject, and by nothing else. Somebody new gets an account, where
/// that is allowed. What groups mean is settled for those who do not enter, too: they may have another way in.
pub(crate) async fn log_in_through(
    server: &Inner,
    sign_in: &SignIn,
    browser: &Browser,
    identity: &Identity,
) -> Result<Authenticated, NotAdmitted> {
    let issuer = server.store.find_trusted_issuer(identity.issuer()).await?;
    if issuer.is_some_and(|issuer| issuer.disabled) {
        return Err(NotAdmitted::IssuerOff);
    }
    let admitted = sign_in.admits(identity);
    let found = server.store.find_identity(identity.issuer(), identity.subject()).await?;
    let row = match found {
        Some(row) => row,
        None if matches!(admitted, Ok(true)) => make(server, sign_in, identity).await?,
        None => return Err(admitted.err().unwrap_or(NotAdmitted::Unknown)),
    };
    if row.disabled {
        return Err(NotAdmitted::Disabled);
    }
    let scopes = sign_in.scopes(identity);
    let rules = &sign_in.groups.administrators;
    let admin = (!rules.is_empty()).then(|| sign_in.is_in(identity, rules));
    let standing = Standing { scopes: scopes.as_deref(), admin };
    server.store.note_identity(&row.id, &row.user_id, &standing).await?;
    admitted?;
    let said = identity.claim("auth_time").and_then(Value::as_i64).map(Timestamp::from_unix);
    let at = said.unwrap_or_else(|| server.store.now());
    let sid = identity.claim("sid").and_then(Value::as_str);
    let sid = sid.map(|sid| SidHash::of(identity.issuer(), sid));
    let known = mark(browser, &row.name_key);
    Ok(Authenticated::new(row.user_id, Shown::Identity { id: row.id, at, sid }, known))
}

/// How often another name is tried.
const TRIES: usize = 8;

/// A new account, which no password opens.
async fn make(server: &Inner, sign_in: &SignIn, identity: &Identity) -> Result<IdentityRow, NotAdmitted> {
    let (issuer, subject) = (identity.issuer(), identity.subject());
    for attempt in 0..TRIES {
        let name = name(server, sign_in, identity, attempt).ok_or(NotAdmitted::NoName)?;
        let (user_id, identity_id, hash) = (id(), id(), unknown_password());
        let person = NewPerson { id: &user_id, name: &name.shown, name_key: &name.key, password_hash: &hash };
        match server.store.insert_person(&person, (&identity_id, issuer, subject)).await? {
            Made::NameTaken => {}
            Made::Linked => break,
            Made::Yes => {
                let event = NewEvent::new(AuditKind::UserAdded).user(&user_id);
                server.store.record(event.detail(format!("came through {}", sign_in.name)));
                break;
            }
        }
    }
    server.store.find_identity(issuer, subject).await?.ok_or(NotAdmitted::NoName)
}

/// What the account is called. A company's assertion and SCIM find accounts by an address that is a name, so it is no address
/// but one that is the provider's to give. A name that is taken gets some letters behind it.
fn name(server: &Inner, sign_in: &SignIn, identity: &Identity, attempt: usize) -> Option<UserName> {
    if let Some(address) = own_address(server, sign_in, identity).filter(|_| attempt == 0) {
        return Some(address);
    }
    let text = |claim: &str| identity.claim(claim).and_then(Value::as_str);
    let candidates =
        [identity.verified_email(), text("preferred_username"), text("name"), Some(identity.subject())];
    let tail = if attempt == 0 { String::new() } else { format!(" ({})", id().get(..4).unwrap_or_default()) };
    let fitting = |text: &str| {
        let plain = crate::pages::shown(text).replace('@', " at ");
        let plain: String = plain.chars().take(64 - tail.len()).collect();
        UserName::parse(&format!("{}{tail}", plain.trim())).ok()
    };
    candidates.into_iter().flatten().filter(|text| !text.trim().is_empty()).find_map(fitting)
}

/// The verified address, where the operator lets this provider speak for its domain: here, or in assertions.
fn own_address(server: &Inner, sign_in: &SignIn, identity: &Identity) -> Option<UserName> {
    let address = identity.verified_email()?;
    let (_, domain) = address.rsplit_once('@')?;
    let trusted = server.settings.trusted_issuers.iter().filter(|one| one.issuer == *identity.issuer());
    let vouched = trusted.filter_map(|one| one.accounts.as_ref()).flat_map(|linking| &linking.email_domains);
    let mut listed = sign_in.who.domains.iter().chain(vouched);
    listed.any(|one| one.eq_ignore_ascii_case(domain)).then(|| UserName::parse(address).ok()).flatten()
}
