//! From the configuration to what the authorization server exchanges for its tokens.

use anyhow::{Context, anyhow, ensure};
use hallpass_authorization_server::{AssertionKind, AssertionRule, ExchangeRule, IssuerKeys, TrustedIssuer};
use hallpass_protocol::{Issuer, JwkSet, Scope, ScopeSet};

use super::scopes::ScopePlan;
use crate::config;

/// Whose word, and which token, is exchanged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delegations {
    pub(super) trusted_issuers: Vec<TrustedIssuer>,
    pub(super) exchange: Vec<ExchangeRule>,
}

impl Delegations {
    /// What the file comes to; a mistake with the setting that it is in. A scope that no server has could never be granted.
    pub(super) fn of(
        set: &config::AuthorizationServer,
        servers: &[&ScopePlan],
    ) -> Result<Self, (&'static str, String)> {
        let trusted = |issuer: &config::TrustedIssuer| {
            let read = trusted_issuer(issuer)?;
            for scope in read.rules.iter().flat_map(|rule| rule.scopes.iter()) {
                ensure!(
                    servers
                        .iter()
                        .any(|known| known.described.iter().any(|(described, _)| described == scope)),
                    "a rule for {} grants `{scope}`, which no server here has; describe it in the server's scopes, or take \
                     it out",
                    issuer.issuer
                );
            }
            Ok(read)
        };
        let all = set.trusted_issuers.iter().map(trusted).collect::<anyhow::Result<_>>();
        let exchanges = set.exchange.iter().map(exchange).collect::<anyhow::Result<_>>();
        Ok(Self {
            trusted_issuers: all.map_err(|error| ("trusted_issuers", format!("{error:#}")))?,
            exchange: exchanges.map_err(|error| ("exchange", format!("{error:#}")))?,
        })
    }
}

fn trusted_issuer(set: &config::TrustedIssuer) -> anyhow::Result<TrustedIssuer> {
    let place = || format!("authorization_server.trusted_issuers, {}", set.issuer);
    Ok(TrustedIssuer {
        issuer: Issuer::parse(&set.issuer).with_context(place)?,
        keys: keys(set).with_context(place)?,
        kind: match set.kind {
            config::AssertionKind::IdJag => AssertionKind::IdJag,
            config::AssertionKind::Workload => AssertionKind::Workload,
        },
        once: set.once,
        rules: set
            .rules
            .iter()
            .map(|rule| {
                Ok(AssertionRule {
                    client_id: rule.client_id.clone(),
                    subject: rule.subject.clone(),
                    claims: rule.claims.clone().into_iter().collect(),
                    resources: rule.resources.clone(),
                    scopes: scopes(&rule.scopes).with_context(place)?,
                })
            })
            .collect::<anyhow::Result<_>>()?,
    })
}

fn exchange(set: &config::Exchange) -> anyhow::Result<ExchangeRule> {
    Ok(ExchangeRule {
        client_id: set.client_id.clone(),
        from: set.from.clone(),
        to: set.to.clone(),
        scopes: scopes(&set.scopes)
            .with_context(|| format!("authorization_server.exchange, {}", set.client_id))?,
    })
}

fn keys(set: &config::TrustedIssuer) -> anyhow::Result<IssuerKeys> {
    match (&set.jwks_uri, &set.jwks) {
        (Some(uri), None) if uri.starts_with("https://") => Ok(IssuerKeys::Uri(uri.clone())),
        (Some(_), None) => Err(anyhow!("jwks_uri has to be an https URL")),
        (None, Some(path)) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
            let keys: JwkSet = serde_json::from_str(&text)
                .with_context(|| format!("{} is no JSON Web Key Set", path.display()))?;
            match keys.keys.is_empty() {
                true => {
                    Err(anyhow!("{} holds no usable key: ES256, EdDSA, RS256 and PS256 are", path.display()))
                }
                false => Ok(IssuerKeys::Value(keys)),
            }
        }
        _ => Err(anyhow!("give either jwks_uri or jwks")),
    }
}

fn scopes(words: &[String]) -> anyhow::Result<ScopeSet> {
    words
        .iter()
        .map(|word| Scope::parse(word).with_context(|| format!("`{word}` can't be a scope")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(toml: &str) -> anyhow::Result<TrustedIssuer> {
        trusted_issuer(&toml::from_str(toml).unwrap())
    }

    const RULES: &str =
        "kind = 'workload'\nrules = [{ client_id = 'robot', subject = 'repo:us/*', scopes = ['read'] }]";

    #[test]
    fn an_issuer_has_keys_in_one_place() {
        let with = |keys: &str| issuer(&format!("issuer = 'https://idp.example'\n{keys}\n{RULES}"));
        let read = with("jwks_uri = 'https://idp.example/jwks'").unwrap();
        assert!(read.once, "each counts once");
        assert_eq!(read.rules[0].scopes.to_string(), "read");
        for wrong in [
            "",
            "jwks_uri = 'http://idp.example/jwks'",
            "jwks = '/nowhere'",
            "jwks = '/nowhere'\njwks_uri = 'https://idp.example/jwks'",
        ] {
            let error = format!("{:#}", with(wrong).unwrap_err());
            assert!(error.contains("https://idp.example"), "{error}");
        }
    }
}
