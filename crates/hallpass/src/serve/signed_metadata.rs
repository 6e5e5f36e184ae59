//! Who signs the protected resource metadata.

use hallpass_protocol::jose::SigningKey;
use hallpass_resource_server::MetadataSigner;

use super::credentials::{CredentialFault, read_key};
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
        let key = read_key(&said.key_file, said.kid.clone(), &section.place(&["signed_metadata"]))?;
        Ok(Self { key, issuer: said.issuer.clone() })
    }

    /// For that endpoint.
    pub(super) fn at(&self, endpoint: &str) -> MetadataSigner {
        let issuer = self.issuer.clone().unwrap_or_else(|| endpoint.to_owned());
        MetadataSigner { issuer, key: self.key.clone() }
    }
}
