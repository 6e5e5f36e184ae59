//! From the configuration to what the authorization server exchanges for its tokens.

use anyhow::{Context, anyhow, ensure};
use hallpass_authorization_server::{
    AccountLinking, AssertionKind, AssertionRule, ExchangeRule, IssuerKeys, TrustedIssuer, WORKLOADS,
    Workload,
};
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
    let platform = platform(set).with_context(place)?;
    let trusted = TrustedIssuer {
        issuer: Issuer::parse(&set.issuer).with_context(place)?,
        keys: keys(set, platform).with_context(place)?,
        kind: match set.kind {
            config::AssertionKind::IdJag => AssertionKind::IdJag,
            config::AssertionKind::Workload => AssertionKind::Workload,
        },
        audience: set.audience.clone(),
        logout_audience: set.logout_client_id.clone(),
        signals_audience: set.signals_audience.clone(),
        accounts: accounts(set).with_context(place)?,
        once: set.once.unwrap_or_else(|| platform.is_none_or(|platform| platform.id)),
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
    };
    for rule in &trusted.rules {
        platform.map_or(Ok(()), |platform| platform.check(rule)).with_context(place)?;
    }
    ensure!(
        trusted.once || trusted.kind == AssertionKind::Workload,
        "{}: an identity assertion always counts once; take `once = false` out",
        place()
    );
    ensure!(
        trusted.logout_audience.is_none() || trusted.accounts.is_some(),
        "{}: a logout there ends logins of accounts here, and its people have none: add accounts = \"linked\", or take \
         logout_client_id out",
        place()
    );
    ensure!(
        trusted.signals_audience.is_none() || trusted.accounts.is_some(),
        "{}: a signal ends logins of accounts here, and its people have none: add accounts = \"linked\", or take \
         signals_audience out",
        place()
    );
    Ok(trusted)
}

/// The platform whose workloads an issuer speaks for; none where it speaks for people.
fn platform(set: &config::TrustedIssuer) -> anyhow::Result<Option<&'static Workload>> {
    let named = set.profile.as_deref().map(|name| {
        let known = WORKLOADS.map(|workload| workload.name).join(", ");
        Workload::named(name).ok_or_else(|| anyhow!("there is no profile `{name}`; there are {known}"))
    });
    let named = named.transpose()?;
    match (set.kind, named) {
        (config::AssertionKind::IdJag, Some(named)) => Err(anyhow!(
            "the profile `{}` is of workloads, and kind = \"id-jag\" is of people: take one out",
            named.name
        )),
        (config::AssertionKind::IdJag, None) => Ok(None),
        (config::AssertionKind::Workload, named) => {
            let platform = named.unwrap_or_else(|| Workload::of(&set.issuer));
            ensure!(
                platform.can_be(&set.issuer),
                "{} has no such issuer of one tenant's own: its issuers are {}",
                platform.name,
                platform.issuers.join(" or ")
            );
            Ok(Some(platform))
        }
    }
}

/// People have accounts, workloads have none.
fn accounts(set: &config::TrustedIssuer) -> anyhow::Result<Option<AccountLinking>> {
    let create = match set.accounts {
        config::Accounts::None => {
            ensure!(
                set.email_domains.is_empty(),
                "email_domains says whose addresses are linked to accounts: add accounts = \"linked\", or take it out"
            );
            return Ok(None);
        }
        config::Accounts::Linked => false,
        config::Accounts::Created => true,
    };
    ensure!(
        matches!(set.kind, config::AssertionKind::IdJag),
        "a workload has no account here: take `accounts` out"
    );
    for domain in &set.email_domains {
        ensure!(
            !domain.is_empty() && !domain.contains(['@', '*', '/', ' ']),
            "`{domain}` is no domain: write it as in example.com"
        );
    }
    let email_domains = set.email_domains.iter().map(|domain| domain.to_lowercase()).collect();
    Ok(Some(AccountLinking { email_domains, create }))
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

fn keys(set: &config::TrustedIssuer, platform: Option<&Workload>) -> anyhow::Result<IssuerKeys> {
    let published = platform.and_then(|platform| platform.jwks_uri).filter(|_| set.jwks.is_none());
    match (set.jwks_uri.as_deref().or(published), &set.jwks) {
        (Some(uri), None) if uri.starts_with("https://") => Ok(IssuerKeys::Uri(uri.to_owned())),
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

    fn refused(toml: &str) -> String {
        format!("{:#}", issuer(toml).unwrap_err())
    }

    /// A workload of GitHub with this rule.
    fn github(rule: &str) -> String {
        format!(
            "issuer = 'https://token.actions.githubusercontent.com'\nkind = 'workload'\n\
             rules = [{{ client_id = 'ci', scopes = ['read'], {rule} }}]"
        )
    }

    #[test]
    fn a_rule_that_pins_too_little_is_refused_with_what_to_add() {
        let read =
            issuer(&github("subject = 'repo:acme/notes:*', claims = { ref = 'refs/heads/main' }")).unwrap();
        let keys = "https://token.actions.githubusercontent.com/.well-known/jwks";
        assert_eq!(read.keys, IssuerKeys::Uri(keys.to_owned()), "known");
        let wide = refused(&github("subject = 'repo:acme/notes:*'"));
        assert!(wide.contains("pins no branch or environment") && wide.contains("refs/heads/main"), "{wide}");
        let wide = refused(&github("subject = '*', claims = { ref = 'refs/heads/main' }"));
        assert!(wide.contains("pins no repository") && wide.contains("OWNER/NAME"), "{wide}");
        let all = refused(&format!(
            "issuer = 'https://idp.example'\njwks_uri = 'https://idp.example/jwks'\n{}",
            RULES.replace("repo:us/*", "*")
        ));
        assert!(all.contains("pins no subject"), "{all}");
    }

    #[test]
    fn a_platform_says_where_its_keys_are_and_whether_its_tokens_have_names() {
        let rules = "kind = 'workload'\nrules = [{ client_id = 'r', subject = '1', scopes = ['read'] }]";
        let google = issuer(&format!("issuer = 'https://accounts.google.com'\n{rules}")).unwrap();
        assert!(!google.once);
        let cluster =
            format!("issuer = 'https://cluster.example'\njwks_uri = 'https://cluster.example/k'\n{rules}");
        assert!(issuer(&cluster).unwrap().once);
        assert!(!issuer(&format!("profile = 'kubernetes'\n{cluster}")).unwrap().once);
        assert!(issuer(&format!("profile = 'kubernetes'\nonce = true\n{cluster}")).unwrap().once);
        let unknown = refused(&format!("profile = 'heroku'\n{cluster}"));
        assert!(
            unknown.contains("there is no profile `heroku`; there are github-actions, kubernetes"),
            "{unknown}"
        );
        let other = refused(&format!("profile = 'aws'\n{cluster}"));
        assert!(other.contains("https://*.tokens.sts.global.api.aws"), "{other}");
        let nobody =
            "issuer = 'https://login.microsoftonline.com/common/v2.0'\njwks_uri = 'https://k.example/k'";
        assert!(refused(&format!("{nobody}\n{rules}")).contains("of one tenant's own"));
    }

    #[test]
    fn people_may_have_accounts_and_their_assertions_count_once() {
        let people = "issuer = 'https://idp.example'\njwks_uri = 'https://idp.example/jwks'\nkind = 'id-jag'\n\
                      rules = [{ client_id = 'app', subject = '*', scopes = ['read'] }]";
        assert_eq!(issuer(people).unwrap().accounts, None);
        let linked = format!("accounts = 'linked'\nemail_domains = ['Example.com']\n{people}");
        let linking = AccountLinking { email_domains: vec!["example.com".to_owned()], create: false };
        assert_eq!(issuer(&linked).unwrap().accounts, Some(linking));
        assert!(issuer(&format!("accounts = 'created'\n{people}")).unwrap().accounts.unwrap().create);
        for (wrong, says) in [
            (format!("once = false\n{people}"), "always counts once"),
            (format!("logout_client_id = 'h'\n{people}"), "its people have none"),
            (format!("signals_audience = 'h'\n{people}"), "take signals_audience out"),
            (format!("email_domains = ['example.com']\n{people}"), "add accounts = \"linked\""),
            (linked.replace("Example.com", "*.example.com"), "is no domain"),
            (linked.replace("Example.com", "ada@example.com"), "is no domain"),
            (format!("profile = 'gcp'\n{people}"), "is of people"),
            (linked.replace("id-jag", "workload").replace("'*'", "'a'"), "a workload has no account"),
        ] {
            let error = refused(&wrong);
            assert!(error.contains(says), "{says}: {error}");
        }
    }
}
