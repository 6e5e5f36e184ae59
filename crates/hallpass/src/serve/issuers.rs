//! Whose tokens are taken, and how they are read: what the file says, before what the provider does, before RFC 9068.

use hallpass_protocol::Issuer;
use hallpass_protocol::issuer::IssuerError;
use hallpass_resource_server::{ClaimNames, Provider, TokenKind};

use super::credentials::CredentialFault;
use super::scopes::scope_set;
use crate::config::{self, Claims, Section};

/// One issuer, and how its tokens are read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) issuer: Issuer,
    pub(crate) claims: ClaimNames,
    pub(super) types: Vec<String>,
    pub(super) kind: Option<TokenKind>,
    pub(super) id_required: bool,
}

/// What `[[server.issuers]]` comes to: one, or one for each tenant of a provider that gives each an issuer of its own.
pub(crate) fn readings(said: &config::Issuer, section: Section<'_>) -> Result<Vec<Reading>, CredentialFault> {
    let wrong = |what: String| CredentialFault::Value { place: place(section), what };
    let provider = said.profile.as_deref().map(provider).transpose().map_err(wrong)?;
    let claims = ClaimNames {
        tenants: said.tenants.clone(),
        grants: scope_set(section, &said.grants, &["issuers"])?,
        scope_prefix: said.scope_prefix.clone(),
        ..claim_names(&said.claims, provider)
    };
    if claims.tenant.is_none() && !claims.tenants.is_empty() {
        return Err(wrong(
            "tenants are told by a claim: name it, as in claims = { tenant = \"tid\" }".to_owned(),
        ));
    }
    let issuers = issuers(said, provider).map_err(wrong)?;
    for issuer in &issuers {
        check_whose(issuer, &claims, provider).map_err(wrong)?;
    }
    let types = match (said.types.as_slice(), provider) {
        ([], Some(provider)) => provider.types.iter().map(|one| (*one).to_owned()).collect(),
        ([], None) => vec!["at+jwt".to_owned()],
        (types, _) => types.to_vec(),
    };
    let kind = match &said.kind {
        Some(kind) => Some(TokenKind { claim: kind.claim.clone(), values: kind.values.clone() }),
        None => provider.and_then(Provider::kind),
    };
    let id_required = !said.without_id && provider.is_none_or(|provider| provider.id);
    let reading = |issuer| Reading {
        issuer,
        claims: claims.clone(),
        types: types.clone(),
        kind: kind.clone(),
        id_required,
    };
    Ok(issuers.into_iter().map(reading).collect())
}

/// How the claims of that issuer are read.
pub(crate) fn claims_of(
    issuer: &str,
    server: &config::Server,
    section: Section<'_>,
) -> Result<ClaimNames, CredentialFault> {
    for said in &server.issuers {
        if let Some(reading) = readings(said, section)?.into_iter().find(|one| one.issuer.as_str() == issuer)
        {
            return Ok(reading.claims);
        }
    }
    Ok(ClaimNames::default())
}

pub(super) fn place(section: Section<'_>) -> String {
    section.place(&["issuers"])
}

fn provider(name: &str) -> Result<&'static Provider, String> {
    Provider::named(name).ok_or_else(|| {
        let known: Vec<_> =
            hallpass_resource_server::providers::PROVIDERS.iter().map(|one| one.name).collect();
        format!(
            "`{name}` is none of the profiles {}; leave it out and say what the tokens hold",
            known.join(", ")
        )
    })
}

fn issuers(said: &config::Issuer, provider: Option<&Provider>) -> Result<Vec<Issuer>, String> {
    let parse = |text: &str| {
        let issuer = Issuer::parse(text).map_err(|error| {
            let hint = match text.contains("://") {
                true => String::new(),
                false => format!("; with its scheme, as its metadata says it: https://{text}"),
            };
            format!("`{text}` can't be an issuer: {error}{hint}")
        })?;
        somebodys(issuer)
    };
    let Some(provider) = provider else {
        return match &said.issuer {
            Some(issuer) => Ok(vec![parse(issuer)?]),
            None => Err("an issuer needs its name, as in issuer = \"https://login.example.com\"".to_owned()),
        };
    };
    let name = provider.name;
    if let Some(issuer) = &said.issuer {
        let issuer = parse(issuer)?;
        return match provider.can_be(issuer.as_str()) {
            true => Ok(vec![issuer]),
            false => Err(format!(
                "no token of {name} names the issuer {issuer}; it is as in {}",
                provider.issuers.join(", ")
            )),
        };
    }
    let of_tenants: Option<Vec<_>> = said.tenants.iter().map(|tenant| provider.issuer_of(tenant)).collect();
    match (provider.issuer, of_tenants) {
        (Some(pattern), Some(of_tenants)) if pattern.contains("{tenant}") => match of_tenants.is_empty() {
            true => Err(format!("{name} has an issuer for each tenant: name it, or say tenants = [\"…\"]")),
            false => {
                let judged = |one: Result<_, IssuerError>| somebodys(one.map_err(|error| error.to_string())?);
                of_tenants.into_iter().map(judged).collect()
            }
        },
        (Some(issuer), _) => Ok(vec![parse(issuer)?]),
        (None, _) => {
            Err(format!("{name} is run under many names: say issuer = \"https://…\" as its metadata does"))
        }
    }
}

/// Whatever profile an entry has: the issuer's name tells.
fn somebodys(issuer: Issuer) -> Result<Issuer, String> {
    match Provider::of(issuer.as_str()) {
        Some(provider) if provider.is_nobodys(issuer.as_str()) => Err(format!(
            "{issuer} is no organization's: no token names it, or anybody can have an account there; name your own tenant of {}",
            provider.name
        )),
        _ => Ok(issuer),
    }
}

/// That tokens are taken of somebody, where the issuer signs for everybody, and where all of them would be granted something.
fn check_whose(issuer: &Issuer, claims: &ClaimNames, provider: Option<&Provider>) -> Result<(), String> {
    let known = Provider::of(issuer.as_str()).or(provider);
    let Some(provider) = known else { return Ok(()) };
    let (name, tenant) = (provider.name, provider.tenant.unwrap_or_default());
    if claims.tenants.is_empty() && provider.for_everybody {
        return Err(format!(
            "the issuer of {name} signs for everybody: say whose tokens are taken, as in profile = \"{name}\" and tenants = [\"…\"] (the claim `{tenant}`)"
        ));
    }
    if claims.tenants.is_empty() && provider.scopes.is_empty() && !claims.grants.is_empty() {
        return Err(format!(
            "`grants` would be everybody's whom {issuer} knows: say whose they are, as in tenants = [\"…\"] (the claim `{tenant}` of {name})"
        ));
    }
    let is_number = |owner: &String| owner.bytes().all(|byte| byte.is_ascii_digit());
    if claims.tenant.as_deref() == Some("repository_owner_id")
        && let Some(owner) = claims.tenants.iter().find(|owner| !is_number(owner))
    {
        return Err(format!(
            "`{owner}` is a name, which can be another's some day: in `tenants` say the owner's number, the `id` at https://api.github.com/users/{owner}"
        ));
    }
    Ok(())
}

fn claim_names(said: &Claims, provider: Option<&Provider>) -> ClaimNames {
    let usual = provider.map_or_else(ClaimNames::default, Provider::claims);
    let or = |said: &Vec<String>, usual: Vec<String>| if said.is_empty() { usual } else { said.clone() };
    ClaimNames {
        subject: said.subject.clone().unwrap_or(usual.subject),
        client: or(&said.client, usual.client),
        // Who names them wants these and no others.
        scopes_otherwise: if said.scopes.is_empty() { usual.scopes_otherwise } else { Vec::new() },
        scopes: or(&said.scopes, usual.scopes),
        tenant: said.tenant.clone().or(usual.tenant),
        ..ClaimNames::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Vec<Reading>, String> {
        readings(&toml::from_str(toml).unwrap(), Section::new(&config::Source::default(), None))
            .map_err(|fault| fault.to_string())
    }

    fn issuers(toml: &str) -> Vec<String> {
        read(toml).unwrap().into_iter().map(|reading| reading.issuer.to_string()).collect()
    }

    #[test]
    fn a_profile_knows_its_issuers() {
        assert_eq!(
            issuers("profile = 'entra'\ntenants = ['7a1e', '7a1f']"),
            ["https://login.microsoftonline.com/7a1e/v2.0", "https://login.microsoftonline.com/7a1f/v2.0"]
        );
        assert_eq!(
            issuers("profile = 'entra'\nissuer = 'https://sts.windows.net/7a1e/'"),
            ["https://sts.windows.net/7a1e/"]
        );
        let actions = "profile = 'github-actions'\ntenants = ['65']\ngrants = ['notes:read']";
        assert_eq!(issuers(actions), ["https://token.actions.githubusercontent.com"]);
        let claims = read(actions).unwrap().remove(0).claims;
        assert_eq!(
            (claims.tenants, claims.tenant.as_deref()),
            (vec!["65".to_owned()], Some("repository_owner_id"))
        );
        assert_eq!(claims.grants.to_string(), "notes:read");
        assert_eq!(
            issuers("profile = 'okta'\nissuer = 'https://login.acme.example/oauth2/default'").len(),
            1
        );
    }

    #[test]
    fn an_applications_roles_count_unless_other_claims_are_named() {
        let entra = |more: &str| {
            read(&format!("profile = 'entra'\ntenants = ['7a1e']\n{more}")).unwrap().remove(0).claims
        };
        assert_eq!(
            (entra("").scopes, entra("").scopes_otherwise),
            (vec!["scp".into()], vec!["roles".into()])
        );
        let named = entra("claims = { scopes = ['scope'] }");
        assert_eq!((named.scopes, named.scopes_otherwise), (vec!["scope".into()], Vec::<String>::new()));
    }

    #[test]
    fn what_the_file_says_comes_before_the_profile() {
        let toml = "profile = 'keycloak'\nissuer = 'https://id.example/realms/x'\ntypes = ['at+jwt']\n\
            claims = { scopes = ['realm_access.roles'] }\nkind = { claim = 'token', values = ['access'] }\nwithout_id = true";
        let reading = read(toml).unwrap().remove(0);
        assert_eq!(
            (reading.types, reading.claims.scopes),
            (vec!["at+jwt".to_owned()], vec!["realm_access.roles".to_owned()])
        );
        assert_eq!(reading.claims.client, ["azp", "client_id"]);
        assert_eq!(reading.kind.unwrap().claim, "token");
        assert!(!reading.id_required);
        let usual = read("issuer = 'https://id.example'").unwrap().remove(0);
        assert!(usual.id_required && usual.kind.is_none() && usual.types == ["at+jwt"]);
    }

    #[test]
    fn what_would_take_nobodys_tokens_or_everybodys_is_refused() {
        for (toml, what) in [
            ("", "needs its name"),
            ("profile = 'entera'", "none of the profiles entra, okta"),
            ("profile = 'entra'", "an issuer for each tenant"),
            (
                "profile = 'entra'\nissuer = 'https://login.microsoftonline.com/common/v2.0'",
                "no organization's",
            ),
            ("profile = 'entra'\ntenants = ['7a1e', 'common']", "no organization's"),
            ("profile = 'entra'\ntenants = ['9188040d-6c67-4c5b-b112-36a304b66dad']", "no organization's"),
            ("profile = 'entra'\ntenants = ['9188040D-6C67-4C5B-B112-36A304B66DAD']", "no organization's"),
            (
                "issuer = 'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0'",
                "no organization's",
            ),
            (
                "profile = 'okta'\nissuer = 'https://sts.windows.net/9188040d-6c67-4c5b-b112-36a304b66dad/'",
                "no organization's",
            ),
            ("profile = 'entra'\nissuer = 'https://login.example.com'", "no token of entra names"),
            ("profile = 'github-actions'", "signs for everybody"),
            ("profile = 'google'\nissuer = 'https://accounts.google.com'", "signs for everybody"),
            ("issuer = 'https://accounts.google.com'", "signs for everybody"),
            ("issuer = 'https://accounts.google.com'\nclaims = { tenant = 'hd' }", "signs for everybody"),
            ("issuer = 'https://token.actions.githubusercontent.com'", "signs for everybody"),
            (
                "profile = 'okta'\nissuer = 'https://token.actions.githubusercontent.com'",
                "signs for everybody",
            ),
            ("profile = 'github-actions'\ntenants = ['65', 'acme']", "`acme` is a name"),
            (
                "profile = 'kubernetes'\nissuer = 'https://k8s.example'\ngrants = ['a']",
                "kubernetes.io.namespace",
            ),
            ("profile = 'keycloak'", "under many names"),
            ("issuer = 'https://id.example'\ntenants = ['acme']", "claims = { tenant"),
            ("issuer = 'login.example.com'", "https://login.example.com"),
            ("issuer = 'https://id.example'\ngrants = ['a\"b']", "can't be a scope"),
        ] {
            let fault = read(toml).unwrap_err();
            assert!(fault.contains(what), "{toml}: {fault}");
        }
        for toml in [
            "profile = 'kubernetes'\nissuer = 'https://k8s.example'",
            "profile = 'kubernetes'\nissuer = 'https://k8s.example'\ntenants = ['mcp']\ngrants = ['a']",
            "issuer = 'https://accounts.google.com'\ntenants = ['acme.example']\nclaims = { tenant = 'hd' }",
            "profile = 'github-actions'\ntenants = ['acme']\nclaims = { tenant = 'repository_owner' }",
        ] {
            assert_eq!(issuers(toml).len(), 1, "{toml}");
        }
    }

    /// What clients do differently is a table of the client's crate; where both know a provider, they mean the same one.
    #[test]
    fn a_provider_has_one_name() {
        for provider in hallpass_resource_server::providers::PROVIDERS {
            let Some(client) = hallpass_client::Profile::named(provider.name) else {
                assert!(["github-actions", "kubernetes"].contains(&provider.name), "{}", provider.name);
                continue;
            };
            for issuer in provider.issuers {
                assert!(client.issuers.iter().any(|known| known == issuer), "{issuer}");
            }
        }
    }
}
