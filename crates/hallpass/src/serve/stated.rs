//! For `config check`: everything that the file comes to, defaults included.

mod behind;
mod people;

use std::fmt::{Display, Formatter, Result};

use hallpass_authorization_server::{AssertionKind, IssuerKeys, TokenForm, Workload};
use hallpass_gateway::Listing;
use hallpass_gateway::upstream::Transport;
use hallpass_resource_server::AtExpiry;
use hallpass_resource_server::policy::{Condition, Rule, Verdict};

use self::behind::{Behind, Run};
use self::people::{Party, Ways};
use super::credentials::{CredentialPlan, algorithms};
use super::edge::Much;
use super::house_plan::HousePlan;
use super::issuers::Reading;
use super::plan::Plan;
use super::server_plan::ServerPlan;
use super::told::ToldPlan;
use super::upstream::Upstream;
use crate::config::{Arrangement, DpopMode, Registration};

/// Claims that tokens of hallpass itself have.
const OWN_CLAIMS: [&str; 10] =
    ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "cnf", "auth_time"];

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let tls = if self.tls.is_some() { ", TLS ends here" } else { "" };
        writeln!(f, "  listen     {}{tls}", self.listen)?;
        if let Some(address) = &self.monitoring {
            let metrics = if self.edge.metrics { ", /metrics" } else { "" };
            writeln!(f, "  monitoring {address}: /healthz, /readyz{metrics}")?;
        }
        if let Some(acme) = &self.acme {
            write!(f, "{acme}")?;
        }
        write!(f, "{}", self.edge)?;
        match &self.data {
            Some(folder) => writeln!(f, "  data       {}", folder.display())?,
            None => match crate::data::place(None) {
                Ok(usual) => writeln!(
                    f,
                    "  data       {}, of the user who runs this; --data or data names another",
                    usual.display()
                )?,
                Err(fault) => writeln!(f, "  data       {fault}")?,
            },
        }
        writeln!(f, "  master key {}", self.master_key)?;
        for house in &self.houses {
            self.house(house, f)?;
        }
        Ok(())
    }
}

impl Plan {
    fn house(&self, house: &HousePlan, f: &mut Formatter<'_>) -> Result {
        let usual = match &house.tenant {
            Some(name) => format!("tenants/{name}/hallpass.db in the data folder (SQLite)"),
            None => "hallpass.db in the data folder (SQLite)".to_owned(),
        };
        if let Some(name) = &house.tenant {
            writeln!(f, "\n  tenant     {name}: nothing of it is anything at another")?;
        }
        if let (Some(_), Ok(public)) = (&house.tenant, self.public_url()) {
            writeln!(f, "  issuer     {}", self.issuer(house, &public))?;
        }
        writeln!(f, "  database   {}", house.database.as_deref().unwrap_or(&usual))?;
        if house.fronted().next().is_some() {
            house.issues(f)?;
            self.people(house, f)?;
        }
        for server in &house.servers {
            if let Some(key) = &server.key {
                let of = house.tenant.as_ref().map_or_else(String::new, |name| format!(" of {name}"));
                writeln!(f, "\n  server     {key}{of}")?;
            }
            if let Ok(public) = self.public_url() {
                writeln!(f, "  endpoint   {}", self.endpoint(server, &public))?;
            }
            write!(f, "{server}")?;
        }
        Ok(())
    }
}

impl Plan {
    /// How they sign in, and what has to be registered at third parties.
    fn people(&self, house: &HousePlan, f: &mut Formatter<'_>) -> Result {
        if house.embedded().next().is_some() {
            writeln!(f, "  people     sign in {}", Ways(house))?;
        }
        let issuer = self.public_url().ok().map(|public| self.issuer(house, &public));
        let parties = house.client_of();
        parties.iter().try_for_each(|party| write!(f, "{}", Party(party, issuer.as_deref())))
    }
}

impl Display for ServerPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "  upstream   {}", Behind(&self.upstream, &self.options))?;
        if let Upstream::Stdio(command) = &self.upstream {
            write!(f, "{}", Run(command))?;
        }
        writeln!(f, "  is told    {}", self.told)?;
        for acts in &self.delegated {
            writeln!(f, "  acts at    {acts}")?;
        }
        self.logs_in(f)?;
        write!(f, "{}", self.credentials)?;
        let listing = match self.listing {
            Listing::Annotate => "lists of tools say which scopes each needs",
            Listing::Hide => "lists of tools leave out what no login opens",
            Listing::Leave => "lists of tools are left as they are",
        };
        // There they come on a stream, apart from the requests, and nothing is said in them.
        if self.options.transport != Transport::Sse {
            writeln!(f, "  listing    {listing}")?;
        }
        for (whose, limit) in [("each user", &self.limits.subject), ("all together", &self.limits.server)] {
            if !limit.is_none() {
                writeln!(f, "  limits     {whose}: {}", Much(limit))?;
            }
        }
        write!(f, "{}", self.scopes)?;
        self.unmeetable(f)
    }
}

impl ServerPlan {
    /// Who logs people in, and what becomes of that.
    fn logs_in(&self, f: &mut Formatter<'_>) -> Result {
        let who = match (self.arrangement, self.access_tokens) {
            (Arrangement::Embedded, TokenForm::Jwt) => "hallpass itself; its tokens are JWTs",
            (Arrangement::Embedded, TokenForm::Opaque) => "hallpass itself; its tokens are opaque",
            (Arrangement::External, _) => "the first of the issuers; hallpass issues no tokens",
            (Arrangement::Proxied, _) => {
                "the first of the issuers, whose tokens hallpass hands on; clients register and ask here"
            }
        };
        writeln!(f, "  login      {who}")?;
        let streams = match self.streams {
            AtExpiry::EndListening => "the stream of a GET ends with its token, the answer to a POST goes on",
            AtExpiry::EndAll => "every stream ends with its token",
            AtExpiry::GoOn => "streams go on when their token has expired",
        };
        writeln!(f, "  streams    {streams}")
    }
}

impl Display for ToldPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if let Some((endpoint, field)) = self.exchange() {
            write!(f, "who calls, by a token that {endpoint} makes for it ({field})")?;
        }
        match self.assertion() {
            None if self.exchange().is_some() => {}
            Some((field, audience)) => write!(f, "who calls, in an assertion for {audience} ({field})")?,
            None if self.is_told_nothing() => f.write_str("nothing about who calls")?,
            None => f.write_str("who calls, in X-Hallpass-Subject and its like")?,
        }
        let own: Vec<&str> = self.own_fields().collect();
        if !own.is_empty() {
            write!(f, "; hallpass's own {}", own.join(", "))?;
        }
        Ok(())
    }
}

impl HousePlan {
    /// What hallpass's own authorization server does; there is none in other arrangements.
    fn issues(&self, f: &mut Formatter<'_>) -> Result {
        let set = &self.authorization_server;
        let access_token = match &self.provider {
            Some(_) => "as the provider says".to_owned(),
            None => set.access_token_lifetime.to_string(),
        };
        writeln!(
            f,
            "  lifetimes  access token {access_token}, unused refresh token {}, grant {}",
            set.refresh_token_idle, set.grant_lifetime
        )?;
        writeln!(
            f,
            "  keys       {}, another one every {}, published {} ahead",
            set.signing_algorithm.name(),
            set.rotate_keys_every,
            set.publish_keys_ahead
        )?;
        let registration = match set.registration {
            Registration::Open => "open: clients register themselves",
            Registration::Token => "by token: clients show one that `hallpass client token issue` printed",
            Registration::Off => "off: clients are added by hand, or have a metadata document",
        };
        writeln!(f, "  clients    registration is {registration}")?;
        let said = set.trusted_issuers.iter().map(|said| said.profile.as_deref());
        for (trusted, profile) in self.delegations.trusted_issuers.iter().zip(said) {
            let keys = match &trusted.keys {
                IssuerKeys::Uri(uri) => uri.as_str(),
                IssuerKeys::Value(_) => "keys from a file",
            };
            let platform = match trusted.kind {
                AssertionKind::IdJag => "people of a company",
                AssertionKind::Workload => platform(trusted.issuer.as_str(), profile),
            };
            writeln!(f, "  trusted    {} ({platform}; {keys})", trusted.issuer)?;
            for rule in &trusted.rules {
                let claims: String =
                    rule.claims.iter().map(|(name, text)| format!(" and {name} is {text}")).collect();
                writeln!(
                    f,
                    "             {} may have {} where sub is {}{claims}",
                    rule.client_id, rule.scopes, rule.subject
                )?;
            }
        }
        Ok(())
    }
}

impl ServerPlan {
    /// Conditions that no token of this server itself can meet, where there is no other issuer.
    fn unmeetable(&self, f: &mut Formatter<'_>) -> Result {
        if self.credentials.issuers().next().is_some() {
            return Ok(());
        }
        let policy = &self.scopes.policy;
        let rules = [&policy.tools, &policy.prompts, &policy.resources, &policy.methods];
        for (rule, condition) in rules.into_iter().flatten().flat_map(conditions) {
            writeln!(
                f,
                "  note       {}: tokens of hallpass itself have no claim `{}`, so nobody meets the rule for \"{}\"; \
                 [[{}.issuers]] names issuers whose tokens have it",
                rule.place, condition.claim, rule.pattern, self.title
            )?;
        }
        Ok(())
    }
}

/// The platform that was named, or that the issuer tells.
fn platform(issuer: &str, named: Option<&str>) -> &'static str {
    named.and_then(Workload::named).unwrap_or_else(|| Workload::of(issuer)).name
}

/// The conditions of a rule on claims that hallpass does not issue.
fn conditions(rule: &Rule) -> impl Iterator<Item = (&Rule, &Condition)> {
    let conditions = match &rule.verdict {
        Verdict::Ask(demand) => demand.when.as_slice(),
        Verdict::Deny => &[],
    };
    let foreign = |condition: &&Condition| {
        let outermost = condition.claim.split('.').next().unwrap_or_default();
        !OWN_CLAIMS.contains(&outermost)
    };
    conditions.iter().filter(foreign).map(move |condition| (rule, condition))
}

/// How an issuer's tokens are read.
impl Display for Reading {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let claims = &self.claims;
        let types: Vec<_> = self.types.iter().map(|one| if one.is_empty() { "none" } else { one }).collect();
        write!(
            f,
            "typ {}; user {}, client {}",
            types.join(" or "),
            claims.subject,
            claims.client.join(" or ")
        )?;
        match claims.scopes.as_slice() {
            [] => write!(f, ", no scopes")?,
            scopes => write!(f, ", scopes {}", scopes.join(" and "))?,
        }
        if !claims.scopes_otherwise.is_empty() {
            write!(f, " (in a token without: {})", claims.scopes_otherwise.join(" and "))?;
        }
        if !claims.grants.is_empty() {
            write!(f, " and, for each, {}", claims.grants)?;
        }
        if let Some(tenant) = &claims.tenant {
            write!(f, ", tenant {tenant}")?;
        }
        if !claims.tenants.is_empty() {
            write!(f, " ({} only)", claims.tenants.join(", "))?;
        }
        if let Some(kind) = &self.kind {
            write!(f, "; {} is {}", kind.claim, kind.values.join(" or "))?;
        }
        Ok(())
    }
}

impl Display for CredentialPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let said = self.said();
        let mut ways = vec!["Bearer".to_owned()];
        let mut add = |is: bool, way: &str| is.then(|| ways.push(way.to_owned()));
        add(said.api_keys, "API keys");
        add(said.basic, "Basic");
        let digest: Vec<_> = algorithms(&said.digest).into_iter().map(|algorithm| algorithm.name()).collect();
        add(!digest.is_empty(), &format!("Digest ({})", digest.join(", ")));
        add(!said.certificates.is_empty(), "certificates alone");
        writeln!(f, "  credential {}", ways.join(", "))?;
        let dpop = match said.dpop {
            DpopMode::Accept => "tokens that are bound to a key are taken, and others",
            DpopMode::Require => "only tokens that are bound to a key are taken",
            DpopMode::Off => "tokens that are bound to a key are refused",
        };
        writeln!(f, "  DPoP       {dpop}")?;
        for (said, reading) in self.issuers() {
            let opaque = if said.introspection.is_some() { ", opaque tokens too" } else { "" };
            let profile = said.profile.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
            writeln!(f, "  issuer     {}{profile}{opaque}", reading.issuer)?;
            writeln!(f, "             {reading}")?;
            let others = said.audiences.iter().map(|audience| format!(" or {audience}")).collect::<String>();
            writeln!(f, "             for this server: aud is its URL{others}")?;
        }
        Ok(())
    }
}
