//! `[third_parties.NAME]`: somebody else's authorization server, of which hallpass is a client; and
//! `[authorization_server.sign_in.NAME]`: signing in through one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lists;

/// Somebody else's authorization server, and who hallpass is there.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ThirdParty {
    /// Its issuer identifier, exactly as its metadata says it. Default: what the profile says.
    #[serde(default)]
    pub(crate) issuer: Option<String>,
    /// What it does differently: the name of a `[[provider]]`, or of a profile that hallpass knows (`entra`, `google`, `github`,
    /// `slack`, `cognito`, `okta`, `auth0`, `keycloak`). Default: the one whose `issuers` fit.
    #[serde(default)]
    pub(crate) profile: Option<String>,
    /// What people read, as in "Continue with …" and "acts for you at …". Default: its name.
    #[serde(default, deserialize_with = "lists::words")]
    pub(crate) label: Option<String>,
    /// Who hallpass is there. Its redirect URI to be registered is `/providers/NAME/callback` below the public URL, to sign in
    /// through it, and `/provider/callback` where its tokens are handed on (`authorization_server.proxied`).
    pub(crate) client_id: String,
    /// A file with the client secret.
    #[serde(default)]
    pub(crate) secret_file: Option<PathBuf>,
    /// How the secret is shown: `basic` or `post`. Default: as its metadata says.
    #[serde(default)]
    pub(crate) secret_by: Option<SecretBy>,
    /// A file with a private key in PEM (`private_key_jwt`), in place of a secret.
    #[serde(default)]
    pub(crate) key_file: Option<PathBuf>,
    /// The name (`kid`) of that key. Default: its thumbprint (RFC 7638).
    #[serde(default)]
    pub(crate) kid: Option<String>,
    /// What is asked for where people sign in, or its tokens are handed on. Default: `openid`, `email` and `profile`, or `openid`
    /// alone where its tokens are handed on; nothing of a provider without ID tokens.
    #[serde(default, deserialize_with = "lists::some_of_all")]
    pub(crate) scopes: Option<Vec<String>>,
    /// The tenants whose people may enter, by their numbers, where the issuer stands for several (`common` and
    /// `organizations` of Entra ID). Default: none.
    #[serde(default, deserialize_with = "lists::some")]
    pub(crate) tenants: Vec<String>,
}

/// How a client secret is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SecretBy {
    /// With Basic (`client_secret_basic`).
    Basic,
    /// As a parameter (`client_secret_post`).
    Post,
}

/// Signing in through a third party: who enters, and what its groups mean here. With nothing said: people who have linked
/// their account there, and nobody else.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SignIn {
    /// What people read: "Continue with …". Default: what the third party is called.
    #[serde(deserialize_with = "lists::words")]
    pub(crate) label: Option<String>,
    /// Let in whoever the third party knows.
    pub(crate) anybody: bool,
    /// Let in people of these domains: by verified address, or by organization where the third party says that (Google).
    #[serde(deserialize_with = "lists::some")]
    pub(crate) domains: Vec<String>,
    /// Let in members of these groups; of one of the domains as well, where both are said.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) groups: Vec<String>,
    /// The claim that lists a person's groups; a path with dots, perhaps. Default: `groups`.
    pub(crate) groups_claim: Option<String>,
    /// What members of each group may be granted; others nothing. Default: everything, whoever it is.
    pub(crate) scopes: BTreeMap<String, Vec<String>>,
    /// The groups whose members run this server; nobody else who comes this way does. Default: the third party has no say in
    /// it.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) administrators: Vec<String>,
    /// Who this server is to the third party's transmitter of shared signals, the `aud` of its security events: then they are taken
    /// at `/security_events` (RFC 8935; OpenID CAEP 1.0, session revoked). Default: none are.
    pub(crate) signals_audience: Option<String>,
}
