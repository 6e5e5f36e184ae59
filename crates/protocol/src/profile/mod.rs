//! What identity providers do differently: data, matched by issuer. Clients and relying parties read the same table.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::issuer::Issuer;
use crate::scope::ScopeSet;
use crate::server_metadata::{AuthorizationServerMetadata, WrongIssuer};

const BUILT_IN: &str = include_str!("providers.toml");

static PROVIDERS: LazyLock<Vec<Profile>> = LazyLock::new(|| Profile::from_toml(BUILT_IN).unwrap_or_default());

/// How one provider wants to be spoken to. The default is by the specification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// What the profile is called.
    pub name: String,
    /// Issuers that it is for. `*` stands for any characters but a slash.
    pub issuers: Vec<String>,
    /// Sends no `resource` (RFC 8707), since the provider refuses it.
    pub omit_resource: bool,
    /// The parameter of authorization requests that names the resource, in place of `resource`.
    pub resource_parameter: Option<String>,
    /// Names the resource in each scope, as in `RESOURCE/SCOPE`, and all of it by `RESOURCE/.default`.
    pub resource_in_scopes: bool,
    /// Sends `scope` with a refresh (RFC 6749 §6 makes it optional).
    pub refresh_scope: bool,
    /// Takes requests with `resource`, and issues tokens for what it would issue them for anyway.
    pub ignores_resource: bool,
    /// How the port of a loopback redirect URI is compared. Default: nothing is known.
    pub loopback_port: Option<LoopbackPort>,
    /// Parameters to add to authorization requests. None of them replaces one of the specification's.
    pub authorization_parameters: BTreeMap<String, String>,
    /// The same where refresh tokens are wanted, and only there.
    pub offline_parameters: BTreeMap<String, String>,
    /// Gives refresh tokens for the scope `offline_access` without `prompt=consent`. OpenID Connect Core §11: a provider
    /// ignores that scope in a request without.
    pub offline_without_consent: bool,
    /// Takes an issuer with and without the slash of its root for the same. RFC 8414 §3.3 does not.
    pub root_slash: bool,
    /// Issuers that the provider's metadata may name in place of the one that was asked for. RFC 8414 §3.3 allows
    /// none. The one that was asked for stays the name that credentials are bound to.
    pub metadata_issuers: Vec<String>,
    /// The registration endpoint in the metadata is not for everybody: no client tries it.
    pub closed_registration: bool,
    /// S256 is supported although the metadata does not say so.
    pub s256: bool,
    /// Sends the ID token where an access token belongs.
    pub id_token_as_bearer: bool,
    /// Where the endpoints are, for a provider that publishes no metadata.
    pub endpoints: Option<Endpoints>,
    /// What says that a refresh token is dead, beside `invalid_grant` (RFC 6749 §5.2).
    pub dead_refresh_errors: Vec<String>,
    /// The claim that says which organization an account belongs to, where an address does not.
    pub hosted_domain: Option<String>,
    /// Writes a list of words, such as groups, as one text with spaces between. Else a text is one word, spaces and all.
    pub lists_as_text: bool,
    /// Who somebody is, for a provider that has no ID tokens.
    pub people: Option<People>,
}

/// Where a provider without ID tokens says who somebody is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct People {
    /// What answers with JSON about whoever the access token is of.
    pub endpoint: String,
    /// The member that never becomes another person's.
    pub subject: String,
    /// The member that people know the person by.
    pub name: Option<String>,
    /// What answers with a list of addresses, each with `email`, `primary` and `verified`.
    pub emails: Option<String>,
}

/// How a provider compares the port of a loopback redirect URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LoopbackPort {
    /// Any port will do, as RFC 8252 §7.3 wants it.
    Any,
    /// Only the port that was registered.
    Registered,
}

/// Endpoints that are known beforehand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    /// Where a person is sent.
    pub authorization: String,
    /// Where codes become tokens.
    pub token: String,
    /// Where clients register (RFC 7591).
    pub registration: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation: Option<String>,
    /// Where devices start (RFC 8628).
    pub device: Option<String>,
    /// How clients may authenticate at the token endpoint. Without a list by Basic (RFC 8414 §2).
    pub authentication: Option<Vec<String>>,
}

impl Profile {
    /// The built-in profile of that name, to start a changed one from.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        PROVIDERS.iter().find(|profile| profile.name == name).cloned()
    }

    /// The built-in profile of an issuer, where one is known.
    #[must_use]
    pub fn of(issuer: &str) -> Option<Self> {
        PROVIDERS.iter().find(|profile| profile.is_for(issuer)).cloned()
    }

    /// Profiles from TOML: a list of tables `[[provider]]` with the fields of this type.
    ///
    /// # Errors
    /// Where it is no such list; the message names the line.
    pub fn from_toml(text: &str) -> Result<Vec<Self>, ProfileError> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            provider: Vec<Profile>,
        }
        let file: Result<File, _> = toml::from_str(text);
        file.map(|file| file.provider).map_err(|error| ProfileError(error.to_string()))
    }

    /// Whether an issuer is this provider's.
    #[must_use]
    pub fn is_for(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|pattern| matches(pattern, issuer))
    }

    /// Whether a client id that an MCP server publishes may be used: only where tokens are for the `resource` that was
    /// asked for. A provider that knows no `resource` would issue a token for whatever that client may do, and the
    /// MCP server would receive it. One without metadata is no newer.
    pub fn takes_published_id(&self) -> bool {
        !self.omit_resource && self.endpoints.is_none()
    }

    /// Whether a request for these scopes needs `prompt=consent`. An OpenID provider ignores `offline_access` without it, and
    /// then there is no refresh token (OpenID Connect Core §11); others know no such rule. What an OpenID provider lists,
    /// and no other authorization server, is the scope `openid` (OpenID Connect Discovery §3).
    #[must_use]
    pub fn needs_consent(&self, scopes: &ScopeSet, metadata: &AuthorizationServerMetadata) -> bool {
        let is_openid = metadata.scopes_supported.iter().flatten().any(|scope| scope == "openid");
        is_openid && scopes.contains("offline_access") && !self.offline_without_consent
    }

    /// Who the metadata speaks for, asked for as `issuer`. RFC 8414 §3.3, and OpenID Connect Discovery §4.3: identical,
    /// character for character. A profile may tolerate the slash of the root; the server's own spelling then is its name.
    /// It may also know what else the metadata says.
    ///
    /// # Errors
    /// [`WrongIssuer`].
    pub fn check_metadata(
        &self,
        metadata: &AuthorizationServerMetadata,
        issuer: &Issuer,
    ) -> Result<Issuer, WrongIssuer> {
        if self.metadata_issuers.contains(&metadata.issuer) {
            return Ok(issuer.clone());
        }
        if metadata.issuer != issuer.as_str()
            && self.same_issuer(&metadata.issuer, issuer.as_str())
            && let Ok(own) = Issuer::parse(&metadata.issuer)
        {
            return Ok(own);
        }
        metadata.check_issuer(issuer).map(|()| issuer.clone())
    }

    /// What is known beforehand of a provider that publishes nothing.
    #[must_use]
    pub fn preset(&self, issuer: &Issuer) -> Option<AuthorizationServerMetadata> {
        let endpoints = self.endpoints.as_ref()?;
        Some(AuthorizationServerMetadata {
            issuer: issuer.to_string(),
            authorization_endpoint: Some(endpoints.authorization.clone()),
            token_endpoint: Some(endpoints.token.clone()),
            registration_endpoint: endpoints.registration.clone(),
            revocation_endpoint: endpoints.revocation.clone(),
            device_authorization_endpoint: endpoints.device.clone(),
            token_endpoint_auth_methods_supported: endpoints.authentication.clone(),
            ..AuthorizationServerMetadata::default()
        })
    }

    /// Whether two issuers are the same to this provider.
    pub fn same_issuer(&self, one: &str, other: &str) -> bool {
        one == other
            || self.root_slash
                && one.strip_suffix('/').unwrap_or(one) == other.strip_suffix('/').unwrap_or(other)
    }
}

/// The text holds no profiles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these are no provider profiles: {0}")]
pub struct ProfileError(String);

/// Profiles of the caller, which come first, and the built-in ones.
#[derive(Clone, Debug, Default)]
pub struct Profiles(Vec<Profile>);

impl Profiles {
    /// One of the caller's.
    pub fn add(&mut self, profile: Profile) {
        self.0.push(profile);
    }

    /// The profile of an issuer: the caller's latest, a built-in one, or the specification.
    #[must_use]
    pub fn of(&self, issuer: &str) -> &Profile {
        static BY_THE_BOOK: LazyLock<Profile> = LazyLock::new(Profile::default);
        let own = self.0.iter().rev().find(|profile| profile.is_for(issuer));
        own.or_else(|| PROVIDERS.iter().find(|profile| profile.is_for(issuer))).unwrap_or(&BY_THE_BOOK)
    }
}

/// A stranger's issuer must not pass for a provider's: nothing matches across a slash.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    let within = rest.find('/').unwrap_or(rest.len());
    (1..=within).any(|end| rest.is_char_boundary(end) && matches(after, &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_profiles_are_read() {
        let all = Profile::from_toml(BUILT_IN).unwrap();
        let names: Vec<_> = all.iter().map(|profile| profile.name.as_str()).collect();
        assert_eq!(names, ["entra", "google", "github", "slack", "cognito", "okta", "auth0", "keycloak"]);
        assert!(all.iter().all(|p| p.issuers.iter().all(|issuer| issuer.starts_with("https://"))));
    }

    #[test]
    fn an_issuer_finds_its_profile() {
        for (issuer, expected) in [
            ("https://login.microsoftonline.com/contoso/v2.0", "entra"),
            ("https://accounts.google.com/", "google"),
            ("https://github.com/login/oauth", "github"),
            ("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab", "cognito"),
            ("https://dev-1.okta.com/oauth2/default", "okta"),
            ("https://login.microsoftonline.com/organizations/v2.0", "entra"),
            ("https://mcp.slack.com", "slack"),
            ("https://attacker.slack.com", ""),
            ("https://sso.example.com/auth/realms/staff", "keycloak"),
            ("https://tenant.eu.auth0.com/", "auth0"),
            ("https://sso.example.com/realms/staff", "keycloak"),
            ("https://example.com", ""),
            ("https://evil.example/.okta.com/oauth2/default", ""),
            ("https://login.microsoftonline.com.evil.example/contoso/v2.0", ""),
            ("https://github.com/login/oauth/evil", ""),
        ] {
            assert_eq!(Profiles::default().of(issuer).name, expected, "{issuer}");
        }
    }

    #[test]
    fn the_callers_profile_comes_first() {
        let mut profiles = Profiles::default();
        let entra = Profile { omit_resource: false, ..Profile::named("entra").unwrap() };
        profiles.add(entra.clone());
        assert_eq!(profiles.of("https://login.microsoftonline.com/contoso/v2.0"), &entra);
        assert!(Profile::named("nobody").is_none());
    }

    #[test]
    fn one_root_slash_is_tolerated_where_the_profile_says_so_and_nowhere_else() {
        let google = Profile::named("google").unwrap();
        assert!(google.same_issuer("https://accounts.google.com", "https://accounts.google.com/"));
        assert!(!google.same_issuer("https://accounts.google.com", "https://accounts.google.com//"));
        assert!(!Profile::default().same_issuer("https://a.example", "https://a.example/"));
    }

    #[test]
    fn metadata_speaks_for_the_issuer_that_was_asked_for() {
        let says = |issuer: &str| AuthorizationServerMetadata {
            issuer: issuer.to_owned(),
            ..AuthorizationServerMetadata::default()
        };
        let entra = Profile::named("entra").unwrap();
        let common = Issuer::parse("https://login.microsoftonline.com/common/v2.0").unwrap();
        let template = says("https://login.microsoftonline.com/{tenantid}/v2.0");
        assert_eq!(entra.check_metadata(&template, &common), Ok(common.clone()));
        assert!(Profile::default().check_metadata(&template, &common).is_err());
        let google = Issuer::parse("https://accounts.google.com/").unwrap();
        let own =
            Profile::named("google").unwrap().check_metadata(&says("https://accounts.google.com"), &google);
        assert_eq!(own.unwrap().as_str(), "https://accounts.google.com");
        let github = Issuer::parse("https://github.com/login/oauth").unwrap();
        let preset = Profile::named("github").unwrap().preset(&github).unwrap();
        assert_eq!(preset.token_endpoint_auth_methods_supported.unwrap(), ["client_secret_post"]);
        assert!(entra.preset(&common).is_none());
    }

    #[test]
    fn an_openid_provider_wants_consent_for_offline_access() {
        let needs = |profile: &Profile, supported: &[&str], asked: &str| {
            let scopes_supported = Some(supported.iter().map(|scope| (*scope).to_owned()).collect());
            let metadata =
                AuthorizationServerMetadata { scopes_supported, ..AuthorizationServerMetadata::default() };
            profile.needs_consent(&ScopeSet::parse(asked).unwrap(), &metadata)
        };
        let (by_the_book, openid) = (Profile::default(), ["openid", "offline_access"]);
        assert!(needs(&by_the_book, &openid, "openid offline_access"));
        assert!(!needs(&by_the_book, &openid, "openid"));
        assert!(!needs(&by_the_book, &["offline_access"], "offline_access"));
        for name in ["entra", "okta", "auth0", "keycloak"] {
            assert!(!needs(&Profile::named(name).unwrap(), &openid, "openid offline_access"), "{name}");
        }
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        let error = Profile::from_toml("[[provider]]\nomit_ressource = true").unwrap_err().to_string();
        assert!(error.contains("omit_ressource"), "{error}");
    }
}
