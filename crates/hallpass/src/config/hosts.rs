//! Lists of hosts in the configuration: `"app.example.com"`, `"*.example.com"`; and of apps, by their schemes: `"cursor:"`.

use hallpass_authorization_server::{HostPattern, RedirectPattern};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A host, or all below one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub(crate) struct Host(pub(crate) HostPattern);

impl TryFrom<String> for Host {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|error: hallpass_authorization_server::HostPatternError| error.to_string())
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.0.to_string()
    }
}

/// Where codes may go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub(crate) struct Redirect(pub(crate) RedirectPattern);

impl TryFrom<String> for Redirect {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let read = text.parse().map(Self);
        read.map_err(|error: hallpass_authorization_server::HostPatternError| {
            format!("{error}; an app is named by its scheme, as in cursor:")
        })
    }
}

impl From<Redirect> for String {
    fn from(redirect: Redirect) -> Self {
        redirect.0.to_string()
    }
}

/// `[authorization_server.metadata_documents]`: whose clients may describe themselves by a document.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetadataDocuments {
    /// Take clients of these domains and of no others. Default: of all.
    #[serde(deserialize_with = "super::lists::some")]
    pub(crate) allow: Vec<Host>,
    /// Take no clients of these domains, allowed or not. Default: none.
    pub(crate) deny: Vec<Host>,
}
