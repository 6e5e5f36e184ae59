//! What the server behind is told: about who is calling, and what opens it.

use std::path::PathBuf;

use http::HeaderName;
use http::header::{
    ACCEPT, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, ORIGIN, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;

/// What the server behind is told about who is calling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tells {
    /// Plain fields.
    #[default]
    Fields,
    /// A signed assertion.
    Assertion,
    /// A token that is made for it, in exchange for the caller's own (RFC 8693).
    Token,
    /// Nothing.
    Nothing,
}

/// `[server.assertion]`: a short JWT that says who is calling, for a server that believes no plain field.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Assertion {
    /// The field it is in; behind `Bearer` in `authorization`. Default: `x-hallpass-assertion`.
    pub(crate) field: Option<FieldName>,
    /// Whom it is for (`aud`). Default: scheme, host and port of `upstream`.
    pub(crate) audience: Option<String>,
    /// How long each is good, at most. Default: `1m`.
    pub(crate) lifetime: Option<Span>,
    /// A file with a private key in PEM (PKCS #8): EC P-256, Ed25519 or RSA. Its public half is published at
    /// `/.well-known/hallpass-assertions`. Default: the key of the embedded authorization server, published at `/jwks`.
    pub(crate) key_file: Option<PathBuf>,
    /// The name (`kid`) of that key. Default: its thumbprint (RFC 7638).
    pub(crate) kid: Option<String>,
}

/// A field with something secret.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnField {
    /// A file with all that the field says, such as `Bearer` and a token.
    pub(crate) file: PathBuf,
}

/// The name of a field that hallpass may set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct FieldName(String);

/// What carries the message itself.
const TAKEN: [HeaderName; 12] = [
    ACCEPT,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    EXPECT,
    HOST,
    ORIGIN,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

impl FieldName {
    /// The same, as HTTP has it; `None` never comes.
    pub(crate) fn name(&self) -> Option<HeaderName> {
        self.0.parse().ok()
    }
}

impl TryFrom<String> for FieldName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name: HeaderName =
            text.parse().map_err(|_| format!("`{text}` can't be the name of a field (RFC 9110 §5.1)"))?;
        match TAKEN.contains(&name) || name.as_str().starts_with("mcp-") {
            true => Err(format!("the field `{name}` belongs to the message itself; choose another")),
            false => Ok(Self(name.as_str().to_owned())),
        }
    }
}

impl From<FieldName> for String {
    fn from(name: FieldName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carries_the_message_is_not_set_by_hand() {
        for name in ["Authorization", "x-api-key", "X-Hallpass-Assertion"] {
            let taken = FieldName::try_from(name.to_owned()).unwrap();
            assert_eq!(String::from(taken), name.to_lowercase());
        }
        for name in ["host", "Content-Length", "transfer-encoding", "Mcp-Session-Id", "a b", "", "a:"] {
            assert!(FieldName::try_from(name.to_owned()).is_err(), "{name}");
        }
    }
}
