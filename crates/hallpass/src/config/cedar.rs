//! Policies in Cedar, as the file names them.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lists;

/// Policies in Cedar. They can deny what the rules allow, and allow nothing that the rules refuse. For a hallpass that
/// was built with the feature `cedar`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cedar {
    /// The files of policies; all of them together are one set.
    #[serde(deserialize_with = "lists::some")]
    pub(crate) policies: Vec<PathBuf>,
    /// The claim that names a caller's groups; may be a path with dots. Default: `groups`.
    #[serde(default = "groups")]
    pub(crate) groups: String,
}

fn groups() -> String {
    "groups".to_owned()
}
