//! From the configuration to the providers that hallpass is a client of, and to signing in through them.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, ensure};
use hallpass_authorization_server::provider::{Provider, ProviderCredentials, ProviderSettings};
use hallpass_authorization_server::{GroupRules, SignIn, WhoEnters};
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::profile::{Profile, Profiles};
use hallpass_protocol::{Issuer, Scope, ScopeSet, Secret, SigningKey, is_loopback};

use super::plan_error::PlanError;
use super::scopes::ScopePlan;
use crate::config::{self, House, near};

/// A third party: what people call it, and the provider.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) shown: String,
    pub(super) provider: Provider,
}

/// Those that the file names.
pub(super) fn third_parties(house: &House<'_>) -> Result<BTreeMap<String, Known>, PlanError> {
    let known = |(name, said): (&String, &config::ThirdParty)| {
        let provider = settings(said, house.profiles(), &["openid", "email", "profile"]);
        let provider = Provider::new(provider.map_err(|error| wrong(house, name, &error))?);
        let shown = said.label.clone().unwrap_or_else(|| name.clone());
        Ok((name.clone(), Known { shown, provider }))
    };
    house.third_parties().iter().map(known).collect()
}

/// The ways to sign in that the file gives a house. A scope that no server has could never be granted.
pub(super) fn sign_ins(
    house: &House<'_>,
    known: &BTreeMap<String, Known>,
    servers: &[&ScopePlan],
) -> Result<Vec<SignIn>, PlanError> {
    let sign_in = |(name, said): (&String, &config::SignIn)| {
        known
            .get(name)
            .ok_or_else(|| {
                let near = meant(house, name);
                anyhow!("there is no [third_parties.{name}] to sign in through{}", instead(near.as_deref()))
            })
            .and_then(|known| sign_in(name, said, known.clone(), servers))
            .map_err(|error| {
                let place = house.place(&["authorization_server", "sign_in", name]);
                PlanError::Provider(format!("{error:#}")).at(place)
            })
    };
    house.authorization_server().sign_in.iter().map(sign_in).collect()
}

/// The third party that is called nearly so.
pub(super) fn meant(house: &House<'_>, name: &str) -> Option<String> {
    near(name, house.third_parties().keys().map(String::as_str)).map(ToOwned::to_owned)
}

/// What to do about a third party that is not there.
pub(super) fn instead(near: Option<&str>) -> String {
    match near {
        Some(near) => format!("; did you mean [third_parties.{near}]?"),
        None => "; add it, with client_id and secret_file".to_owned(),
    }
}

/// The third party of that name, to ask for tokens of its own; nothing where there is none.
pub(super) fn third_party(house: &House<'_>, name: &str) -> Result<Option<ProviderSettings>, PlanError> {
    let said = house.third_parties().get(name);
    said.map(|said| settings(said, house.profiles(), &["openid"]))
        .transpose()
        .map_err(|error| wrong(house, name, &error))
}

fn wrong(house: &House<'_>, name: &str, error: &anyhow::Error) -> PlanError {
    PlanError::Provider(format!("{error:#}")).at(house.outside(&["third_parties", name]))
}

/// Who it is and who hallpass is there. What is asked for where the file says nothing is `usual`.
fn settings(
    said: &config::ThirdParty,
    own: &[Profile],
    usual: &[&'static str],
) -> anyhow::Result<ProviderSettings> {
    let named = said.profile.as_deref().map(|name| named(name, own)).transpose()?;
    let issuer = match (&said.issuer, &named) {
        (Some(issuer), _) => issuer.clone(),
        (None, Some(profile)) => {
            let exact = profile.issuers.iter().find(|issuer| !issuer.contains('*'));
            exact
                .with_context(|| format!("{} has many issuers: say issuer = \"https://…\"", profile.name))?
                .clone()
        }
        (None, None) => return Err(anyhow!("say who it is: issuer = \"https://…\", or profile = \"…\"")),
    };
    let issuer = Issuer::parse(&issuer).with_context(|| format!("`{issuer}` can't be an issuer"))?;
    let profile = named.unwrap_or_else(|| {
        let mut profiles = Profiles::default();
        own.iter().for_each(|profile| profiles.add(profile.clone()));
        profiles.of(issuer.as_str()).clone()
    });
    let usual = || if profile.people.is_some() { Vec::new() } else { usual.to_vec() };
    let words = said.scopes.as_ref().map_or_else(usual, |words| words.iter().map(String::as_str).collect());
    let scopes = scopes(words)?;
    // The operator chose this host; it may be inside the operator's network.
    let policy = Policy {
        allow_loopback: is_loopback(issuer.url()),
        opened_hosts: issuer.url().host_str().map(str::to_owned).into_iter().collect(),
        ..Policy::default()
    };
    Ok(ProviderSettings {
        credentials: credentials(said)?,
        client_id: said.client_id.clone(),
        tenants: said.tenants.clone(),
        fetcher: Fetcher::new(policy)?,
        issuer,
        profile,
        scopes,
    })
}

/// The file's own come first.
fn named(name: &str, own: &[Profile]) -> anyhow::Result<Profile> {
    let own = own.iter().rev().find(|profile| profile.name == name).cloned();
    own.or_else(|| Profile::named(name)).ok_or_else(|| {
        anyhow!("there is no profile `{name}`: add a [[provider]] of that name, or leave it out")
    })
}

fn credentials(said: &config::ThirdParty) -> anyhow::Result<ProviderCredentials> {
    let read = |file: &std::path::Path| {
        std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))
    };
    match (&said.secret_file, &said.key_file) {
        (Some(_), Some(_)) => Err(anyhow!("give either secret_file or key_file")),
        (Some(file), None) => {
            let secret = Secret::new(read(file)?.trim());
            ensure!(!secret.expose().is_empty(), "{} is empty", file.display());
            Ok(match said.secret_by {
                None => ProviderCredentials::Secret(secret),
                Some(config::SecretBy::Basic) => ProviderCredentials::Basic(secret),
                Some(config::SecretBy::Post) => ProviderCredentials::Post(secret),
            })
        }
        (None, _) if said.secret_by.is_some() => Err(anyhow!("secret_by is set, and secret_file is not")),
        (None, Some(file)) => {
            let key = SigningKey::from_pem(said.kid.clone(), &read(file)?, None);
            Ok(ProviderCredentials::PrivateKey(key.with_context(|| format!("{}", file.display()))?))
        }
        (None, None) => Ok(ProviderCredentials::None),
    }
}

fn sign_in(
    name: &str,
    said: &config::SignIn,
    known: Known,
    servers: &[&ScopePlan],
) -> anyhow::Result<SignIn> {
    let settings = known.provider.settings();
    ensure!(
        settings.profile.people.is_some() || settings.scopes.contains("openid"),
        "without `openid` among the scopes of [third_parties.{name}] nobody says who a person is; or give its profile `people`"
    );
    let mut rules = Vec::new();
    for (group, words) in &said.scopes {
        let scopes = scopes(words.iter().map(String::as_str).collect())?;
        for scope in scopes.iter() {
            ensure!(
                servers.iter().any(|known| known.described.iter().any(|(described, _)| described == scope)),
                "the group `{group}` is granted `{scope}`, which no server here has; describe it in the server's scopes, \
                 or take it out"
            );
        }
        rules.push((group.clone(), scopes));
    }
    let usual = GroupRules::default();
    Ok(SignIn {
        name: name.to_owned(),
        shown: said.label.clone().unwrap_or(known.shown),
        provider: known.provider,
        who: WhoEnters { anybody: said.anybody, domains: said.domains.clone(), groups: said.groups.clone() },
        groups: GroupRules {
            claim: said.groups_claim.clone().unwrap_or(usual.claim),
            scopes: rules,
            administrators: said.administrators.clone(),
        },
        signals_audience: said.signals_audience.clone(),
    })
}

fn scopes(words: Vec<&str>) -> anyhow::Result<ScopeSet> {
    let scope = |word: &str| Scope::parse(word).with_context(|| format!("`{word}` can't be a scope"));
    words.into_iter().map(scope).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(toml: &str) -> Result<Vec<SignIn>, String> {
        let config: config::Config = toml::from_str(toml).unwrap();
        let house = config.houses()[0];
        let known = third_parties(&house).map_err(|error| error.to_string())?;
        sign_ins(&house, &known, &[]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_profile_says_what_the_file_leaves_out() {
        let read = of(
            "[third_parties.hub]\nprofile = 'github'\nclient_id = 'x'\n[authorization_server.sign_in.hub]",
        )
        .unwrap();
        let settings = read[0].provider.settings();
        assert_eq!(settings.issuer.as_str(), "https://github.com/login/oauth");
        assert!(settings.scopes.is_empty() && settings.profile.people.is_some());
        assert_eq!(read[0].shown, "hub");
        let own = "[[provider]]\nname = 'us'\nissuers = ['https://id.example']\ns256 = true\n\
            [third_parties.a]\nissuer = 'https://id.example'\nclient_id = 'x'\n[authorization_server.sign_in.a]";
        let read = of(own).unwrap();
        assert!(read[0].provider.settings().profile.s256);
        assert_eq!(read[0].provider.settings().scopes.to_string(), "openid email profile");
    }

    #[test]
    fn what_cannot_be_is_said_with_its_place() {
        let party = "[third_parties.a]\nclient_id = 'x'\n";
        for (toml, what) in [
            (party.to_owned(), "third_parties.a: say who it is"),
            (format!("{party}profile = 'entra'"), "has many issuers"),
            (format!("{party}profile = 'nobody'"), "no profile `nobody`"),
            (format!("{party}issuer = 'id.example'"), "can't be an issuer"),
            (
                format!(
                    "{party}issuer = 'https://id.example'\nscopes = ['email']\n[authorization_server.sign_in.a]"
                ),
                "without `openid`",
            ),
            (
                format!("{party}issuer = 'https://id.example'\nsecret_file = '/nowhere'"),
                "can't read /nowhere",
            ),
            (format!("{party}issuer = 'https://id.example'\nsecret_by = 'post'"), "secret_file is not"),
            ("[authorization_server.sign_in.b]".to_owned(), "no [third_parties.b]"),
            (
                format!(
                    "{party}profile = 'github'\n[authorization_server.sign_in.a.scopes]\nstaff = ['notes:read']"
                ),
                "which no server here has",
            ),
        ] {
            let error = of(&toml).unwrap_err();
            assert!(error.contains(what), "{toml}: {error}");
        }
    }
}
