//! How a client comes to its tokens, where the caller says so.

use std::{fmt, sync::Arc};

use hallpass_protocol::{issuer::Issuer, scope::ScopeSet, secret::Secret};

use crate::{secret_source::SecretSource, token_endpoint::AssertionSigner};

/// How a client comes to its tokens.
///
/// | mode | asks a person | at the token endpoint | source |
/// |---|---|---|---|
/// | `Auto` | once the server has refused | code | MCP authorization |
/// | `None` | never | nothing | |
/// | `Bearer` | never | nothing | RFC 6750 |
/// | `OAuth` | before the first request | code | MCP authorization |
/// | `ClientCredentials` | never | client credentials | MCP extension `oauth-client-credentials` |
/// | `EnterpriseManaged` | never | token exchange, then JWT | MCP extension `enterprise-managed-authorization` |
/// | `WorkloadIdentity` | never | JWT | RFC 7523 §2.1, SEP-1933 |
///
/// The last three keep their tokens in memory alone: a process that has the credentials gets a token whenever
/// it needs one, and a stored token would be one more thing to steal.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Mode {
    /// What the server asks for. A server that asks for nothing gets nothing, and no request is made for it.
    #[default]
    Auto,
    /// No token, whatever the server says.
    None,
    /// This token and no other. Nothing is discovered, and nobody is asked.
    Bearer(SecretSource),
    /// A login, although the server may not insist on it: some let strangers in and show them less.
    OAuth,
    /// The client acts for itself.
    ClientCredentials(ClientCredentials),
    /// A person's employer decides (SEP-990): an ID token becomes an identity assertion at the identity provider,
    /// and that becomes an access token.
    EnterpriseManaged(EnterpriseManaged),
    /// The platform that a program runs on says what it is (SEP-1933).
    WorkloadIdentity(WorkloadIdentity),
}

/// A client that was registered by hand, and acts without a person.
#[derive(Clone, Debug)]
pub struct MachineClient {
    /// The client id.
    pub client_id: String,
    /// How it shows that it is this client.
    pub authentication: ClientAuthentication,
}

/// How a client shows who it is (RFC 6749 §2.3).
#[derive(Clone)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// It does not: a public client.
    None,
    /// A client secret, in the way that the server's metadata asks for.
    Secret(Secret),
    /// A signature (`private_key_jwt`).
    Assertion(Arc<dyn AssertionSigner>),
    /// The client's certificate, by [`Builder::client_certificate`](crate::Builder::client_certificate)
    /// (`tls_client_auth`, `self_signed_tls_client_auth`; RFC 8705 §2).
    Certificate,
}

/// See [`Mode::ClientCredentials`] (RFC 6749 §4.4).
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// The client.
    pub client: MachineClient,
    /// The authorization server that it was registered with; it is used with no other. A client with a secret has
    /// to name it, here or by [`authorization_server`](crate::Builder::authorization_server): whatever server the
    /// MCP server names would receive the secret. Assertions are of no use anywhere else.
    pub issuer: Option<Issuer>,
    /// What to ask for, in place of what the server names.
    pub scope: Option<ScopeSet>,
}

/// See [`Mode::EnterpriseManaged`].
#[derive(Clone, Debug)]
pub struct EnterpriseManaged {
    /// Who the person works for.
    pub identity_provider: IdentityProvider,
    /// The person's ID token from there (OpenID Connect Core §2), from a login that the caller has made. It
    /// goes to the identity provider and nowhere else.
    pub id_token: SecretSource,
    /// The client at the MCP server's authorization server.
    pub client: MachineClient,
    /// As in [`ClientCredentials::issuer`].
    pub issuer: Option<Issuer>,
    /// What to ask for, in place of what the server names.
    pub scope: Option<ScopeSet>,
}

/// The server that vouches for a person.
#[derive(Clone, Debug)]
pub struct IdentityProvider {
    /// Its issuer identifier.
    pub issuer: Issuer,
    /// Its token endpoint; without one it is looked up in its metadata.
    pub token_endpoint: Option<String>,
    /// The client there, which the ID token was issued to.
    pub client: MachineClient,
}

/// See [`Mode::WorkloadIdentity`].
#[derive(Clone, Debug)]
pub struct WorkloadIdentity {
    /// The client.
    pub client: MachineClient,
    /// The JWT that the platform issued for the authorization server. It is sent once for each token and not
    /// repeated when it is refused; and only to a server that its `aud` names.
    pub assertion: SecretSource,
    /// As in [`ClientCredentials::issuer`].
    pub issuer: Option<Issuer>,
    /// What to ask for, in place of what the server names.
    pub scope: Option<ScopeSet>,
}

impl Mode {
    /// The client and the issuer of a mode that needs no person.
    pub(crate) fn machine(&self) -> Option<(&MachineClient, Option<&Issuer>, Option<&ScopeSet>)> {
        match self {
            Self::ClientCredentials(mode) => Some((&mode.client, mode.issuer.as_ref(), mode.scope.as_ref())),
            Self::EnterpriseManaged(mode) => Some((&mode.client, mode.issuer.as_ref(), mode.scope.as_ref())),
            Self::WorkloadIdentity(mode) => Some((&mode.client, mode.issuer.as_ref(), mode.scope.as_ref())),
            _ => None,
        }
    }
}

impl Mode {
    /// How the clients of a mode that needs no person show who they are, the one at the identity provider included.
    pub(crate) fn authentications(&self) -> impl Iterator<Item = &ClientAuthentication> {
        let provider = match self {
            Self::EnterpriseManaged(mode) => Some(&mode.identity_provider.client),
            _ => None,
        };
        let client = self.machine().map(|(client, ..)| client);
        client.into_iter().chain(provider).map(|client| &client.authentication)
    }
}

impl ClientAuthentication {
    pub(crate) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    pub(crate) fn signer(&self) -> Option<&Arc<dyn AssertionSigner>> {
        match self {
            Self::Assertion(signer) => Some(signer),
            _ => None,
        }
    }
}

impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Secret(_) => "Secret([secret])",
            Self::Assertion(_) => "Assertion",
            Self::Certificate => "Certificate",
        })
    }
}
