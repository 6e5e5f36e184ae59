//! Who signs the protected resource metadata.

use hallpass_protocol::jose::SigningKey;
use hallpass_resource_server::MetadataSigner;

use super::credentials::{CredentialFault, read};
use crate::config::{Section, SignedMetadata};

/// A key that was read.
#[derive(Debug)]
pub(crate) struct Signer {
    key: SigningKey,
    issuer: Option<String>,
}

impl Signer {
    /// What the file says.
    pub(super) fn of(said: &SignedMetadata, section: Section<'_>) -> Result<Self, CredentialFault> {
        let place = section.place(&["signed_metadata"]);
        let file = said.key_file.display().to_string();
        let pem = read(&said.key_file, &place)?;
        let key = SigningKey::from_pem(said.kid.clone(), &pem, None).map_err(|error| {
            CredentialFault::Content { place, file, what: format!("can't be used: {error}") }
        })?;
        Ok(Self { key, issuer: said.issuer.clone() })
    }

    /// For that endpoint.
    pub(super) fn at(&self, endpoint: &str) -> MetadataSigner {
        let issuer = self.issuer.clone().unwrap_or_else(|| endpoint.to_owned());
        MetadataSigner { issuer, key: self.key.clone() }
    }
}
