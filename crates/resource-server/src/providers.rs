//! How identity providers write their access tokens: data, by name. Each fact has the public document that shows it; what is
//! not listed is by RFC 9068.
//!
//! How clients speak to a provider is another table, in the client's crate; a provider has the same name in both.

use hallpass_protocol::issuer::{Issuer, IssuerError};
use hallpass_protocol::jose::AccessTokenClaims;

use crate::claims::ClaimNames;
use crate::policy::pattern_matches;
use crate::settings::{Keys, TokenKind, TrustedIssuer};

/// How one provider writes its access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    /// What it is called.
    pub name: &'static str,
    /// Its issuers; `*` stands for any run of characters. Empty: any, since people run it under names of their own.
    pub issuers: &'static [&'static str],
    /// The issuer of all its tokens, or of one tenant's where it says `{tenant}`.
    pub issuer: Option<&'static str>,
    /// Tenants that are nobody's: they stand for several at the login, or anybody can have an account there.
    pub never: &'static [&'static str],
    /// Whether one issuer signs for everybody, so that a tenant must be named.
    pub for_everybody: bool,
    /// Whether its access tokens are opaque and its metadata names no introspection endpoint: nobody else can verify them.
    pub opaque: bool,
    /// The types of its tokens (`typ` of the header). An empty text: no type is said.
    pub types: &'static [&'static str],
    /// A claim that tells its access tokens from other tokens, and what it must be.
    pub kind: Option<(&'static str, &'static [&'static str])>,
    /// Whether each token has a `jti`.
    pub id: bool,
    /// The claim of the user.
    pub subject: &'static str,
    /// The claims of the client; the first that is there.
    pub client: &'static [&'static str],
    /// The claims whose words count as scopes.
    pub scopes: &'static [&'static str],
    /// The claims whose words count as scopes in a token that has none of those.
    pub scopes_otherwise: &'static [&'static str],
    /// The claim of the tenant.
    pub tenant: Option<&'static str>,
}

/// RFC 9068.
const BY_THE_BOOK: Provider = Provider {
    name: "",
    issuers: &[],
    issuer: None,
    never: &[],
    for_everybody: false,
    opaque: false,
    types: &[AccessTokenClaims::TYP],
    kind: None,
    id: true,
    subject: "sub",
    client: &["client_id"],
    scopes: &["scope"],
    scopes_otherwise: &[],
    tenant: None,
};

/// Every provider that is known.
pub const PROVIDERS: [Provider; 8] = [
    Provider {
        name: "entra",
        issuers: &["https://login.microsoftonline.com/*/v2.0", "https://sts.windows.net/*/"],
        issuer: Some("https://login.microsoftonline.com/{tenant}/v2.0"),
        // The last one has everybody's personal accounts.
        // https://learn.microsoft.com/en-us/entra/identity-platform/access-tokens#validate-the-issuer,
        // https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference (`iss`)
        never: &["common", "organizations", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"],
        // `typ` is always `JWT`; `azp` (v2.0) or `appid` (v1.0) is the client and stands in no ID token; `scp` is what an app may
        // do for a user, whose own `roles` may stand beside it; an application's own token has `roles` alone; `tid` is
        // the tenant; `uti` stands in for `jti`.
        // https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference
        types: &["JWT"],
        client: &["azp", "appid"],
        scopes: &["scp"],
        scopes_otherwise: &["roles"],
        tenant: Some("tid"),
        id: false,
        ..BY_THE_BOOK
    },
    Provider {
        name: "okta",
        // No `typ` in the header, `cid`, a list in `scp`, `jti` with `AT.` before it. An ID token has no `cid`.
        // https://developer.okta.com/docs/reference/api/oidc/#access-token,
        // https://groups.google.com/g/rabbitmq-users/c/O3GdCKf8soM (both tokens, decoded)
        types: &["", "at+jwt"],
        client: &["cid"],
        scopes: &["scp"],
        ..BY_THE_BOOK
    },
    Provider {
        name: "auth0",
        // Two profiles: `JWT` with `azp` and without `jti`, or RFC 9068. `permissions` is all
        // that the person may do, whatever the app was granted.
        // https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles
        types: &["at+jwt", "JWT"],
        client: &["client_id", "azp"],
        // https://auth0.com/docs/manage-users/organizations/using-tokens
        tenant: Some("org_id"),
        id: false,
        ..BY_THE_BOOK
    },
    Provider {
        name: "keycloak",
        // `JWT` for every kind of token, and the claim `typ` tells them apart: `Bearer` or, with a key, `DPoP`; `ID`, `Refresh`.
        // https://github.com/keycloak/keycloak/blob/main/core/src/main/java/org/keycloak/util/TokenUtil.java
        types: &["JWT", "at+jwt"],
        kind: Some(("typ", &["Bearer", "DPoP"])),
        client: &["azp", "client_id"],
        ..BY_THE_BOOK
    },
    Provider {
        name: "cognito",
        issuers: &["https://cognito-idp.*.amazonaws.com/*"],
        // The header has `kid` and `alg` only; `token_use` tells access from ID tokens. `aud` is there where `resource` was
        // asked for.
        // https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
        types: &["", "JWT"],
        kind: Some(("token_use", &["access"])),
        ..BY_THE_BOOK
    },
    Provider {
        name: "google",
        issuers: &["https://accounts.google.com"],
        issuer: Some("https://accounts.google.com"),
        for_everybody: true,
        opaque: true,
        // Its access tokens are opaque; what can be verified are ID tokens, for an audience that their holder chose.
        // `hd` is the organization. https://developers.google.com/identity/openid-connect/reference
        types: &["JWT"],
        client: &["azp"],
        scopes: &[],
        tenant: Some("hd"),
        id: false,
        ..BY_THE_BOOK
    },
    Provider {
        name: "github-actions",
        issuers: &["https://token.actions.githubusercontent.com"],
        issuer: Some("https://token.actions.githubusercontent.com"),
        for_everybody: true,
        // A workflow of anybody gets one for any audience: the owner of the repository is the tenant, by number, since a
        // name that was given up can be another's.
        // https://docs.github.com/en/actions/reference/security/oidc
        types: &["JWT"],
        client: &["repository"],
        scopes: &[],
        tenant: Some("repository_owner_id"),
        ..BY_THE_BOOK
    },
    Provider {
        name: "kubernetes",
        // The header has `alg` and `kid` only; `jti` since 1.32. The namespace is within `kubernetes.io`.
        // https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#schema-for-service-account-private-claims
        types: &["", "JWT"],
        client: &["sub"],
        scopes: &[],
        tenant: Some("kubernetes.io.namespace"),
        id: false,
        ..BY_THE_BOOK
    },
];

impl Provider {
    /// The provider of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PROVIDERS.iter().find(|provider| provider.name == name)
    }

    /// The provider whose issuer that is, where it tells.
    #[must_use]
    pub fn of(issuer: &str) -> Option<&'static Self> {
        let is_of = |provider: &&Self| provider.issuers.iter().any(|one| pattern_matches(one, issuer));
        PROVIDERS.iter().find(is_of)
    }

    /// Whether tokens with that issuer can be this provider's.
    #[must_use]
    pub fn can_be(&self, issuer: &str) -> bool {
        let known = self.issuers.is_empty() || self.issuers.iter().any(|one| pattern_matches(one, issuer));
        known && !self.is_nobodys(issuer)
    }

    /// Whether that issuer is of no tenant, or of one where anybody can have an account.
    #[must_use]
    pub fn is_nobodys(&self, issuer: &str) -> bool {
        let is = |one: &str, tenant: &str| one.replace('*', tenant).eq_ignore_ascii_case(issuer);
        self.never.iter().any(|tenant| self.issuers.iter().any(|one| is(one, tenant)))
    }

    /// The issuer of a tenant's tokens, where the provider has one for each.
    ///
    /// # Errors
    /// Where the tenant makes no issuer.
    pub fn issuer_of(&self, tenant: &str) -> Option<Result<Issuer, IssuerError>> {
        let pattern = self.issuer.filter(|issuer| issuer.contains("{tenant}"))?;
        Some(Issuer::parse(&pattern.replace("{tenant}", tenant)))
    }

    /// What its tokens call things.
    #[must_use]
    pub fn claims(&self) -> ClaimNames {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ClaimNames {
            subject: self.subject.to_owned(),
            client: list(self.client),
            scopes: list(self.scopes),
            scopes_otherwise: list(self.scopes_otherwise),
            tenant: self.tenant.map(str::to_owned),
            ..ClaimNames::default()
        }
    }

    /// An issuer of this provider.
    #[must_use]
    pub fn trusted(&self, issuer: Issuer, keys: Keys) -> TrustedIssuer {
        TrustedIssuer {
            claims: self.claims(),
            types: self.types.iter().map(|one| (*one).to_owned()).collect(),
            kind: self.kind(),
            id_required: self.id,
            ..TrustedIssuer::new(issuer, keys)
        }
    }

    /// What tells its access tokens from others.
    #[must_use]
    pub fn kind(&self) -> Option<TokenKind> {
        self.kind.map(|(claim, values)| TokenKind {
            claim: claim.to_owned(),
            values: values.iter().map(|one| (*one).to_owned()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_issuers_are_issuers() {
        for (at, provider) in PROVIDERS.iter().enumerate() {
            assert_eq!(PROVIDERS.iter().position(|other| other.name == provider.name), Some(at));
            if let Some(issuer) = provider.issuer {
                let issuer = issuer.replace("{tenant}", "acme");
                assert!(provider.can_be(&issuer), "{issuer}");
                Issuer::parse(&issuer).unwrap();
            }
            assert!(!provider.for_everybody || provider.tenant.is_some(), "{}", provider.name);
            assert!(
                !provider.types.contains(&"") || provider.kind.is_some() || provider.client != ["client_id"]
            );
        }
    }

    #[test]
    fn an_issuer_that_no_token_names_is_none() {
        let entra = Provider::named("entra").unwrap();
        assert!(entra.can_be("https://login.microsoftonline.com/7a1e/v2.0"));
        for issuer in [
            "https://login.microsoftonline.com/common/v2.0",
            "https://sts.windows.net/9188040d-6c67-4c5b-b112-36a304b66dad/",
            "https://login.microsoftonline.com/7a1e",
            "https://evil.example/v2.0",
        ] {
            assert!(!entra.can_be(issuer), "{issuer}");
        }
        assert_eq!(Provider::of("https://sts.windows.net/7a1e/"), Some(entra));
        assert_eq!(Provider::of("https://id.example"), None);
        let issuer = entra.issuer_of("7a1e").unwrap().unwrap();
        assert_eq!(issuer.as_str(), "https://login.microsoftonline.com/7a1e/v2.0");
        assert!(Provider::named("okta").unwrap().issuer_of("x").is_none());
    }
}
