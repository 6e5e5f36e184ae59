//! Who a provider is, and who this server is there.

use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::SigningKey;
use hallpass_protocol::profile::Profile;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;

/// What an operator decides about a provider.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// Who it is (RFC 8414 §2).
    pub issuer: Issuer,
    /// What it does differently.
    pub profile: Profile,
    /// Who this server is there.
    pub client_id: String,
    /// How it shows that.
    pub credentials: ProviderCredentials,
    /// What it asks for. `openid` among them asks for an ID token.
    pub scopes: ScopeSet,
    /// The tenants whose ID tokens are taken, where the provider's metadata has `{tenantid}` in place of one: by their
    /// number. Nobody's, where the list is empty.
    pub tenants: Vec<String>,
    /// Fetches what is the provider's.
    pub fetcher: Fetcher,
}

/// How a client shows who it is (OAuth 2.1 §2.4).
#[derive(Clone, Debug)]
pub enum ProviderCredentials {
    /// By its id alone: a public client.
    None,
    /// By a secret: with Basic, or as a parameter where the metadata lists that and not Basic.
    Secret(Secret),
    /// By a secret, with Basic (`client_secret_basic`).
    Basic(Secret),
    /// By a secret, as a parameter (`client_secret_post`).
    Post(Secret),
    /// By a signature (`private_key_jwt`, RFC 7523 §2.2).
    PrivateKey(SigningKey),
}
