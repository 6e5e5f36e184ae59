//! `[server.delegated.NAME]`: the server acts at a third party for the person who calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FieldName, lists};

/// A third party at which a server acts for whoever calls, with a token that hallpass keeps and no client sees. NAME is that of a
/// `[third_parties.NAME]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Delegated {
    /// The field in which a server that speaks HTTP finds the token: behind `Bearer` in `Authorization`, alone in every other. What
    /// clients say there does not arrive.
    pub(crate) field: Option<FieldName>,
    /// The environment variable in which a command finds it.
    pub(crate) variable: Option<String>,
    /// What is asked for at the third party, in its words. Default: nothing in particular.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) scopes: Vec<String>,
    /// The scope of this server that stands for it: whoever is not granted it needs no account there, and the server gets no token.
    /// Default: everybody who logs in links an account there.
    pub(crate) scope: Option<String>,
}
