//! The name of one server among several.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint_path::TAKEN;

/// The longest name.
pub(super) const LONGEST: usize = 40;

/// What the file and the command line call a server: `NAME` of `[servers.NAME]`. Its endpoint is `/NAME/mcp`, unless the file
/// says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[a-z0-9][a-z0-9_-]{0,39}$"))]
pub(crate) struct ServerName(String);

impl ServerName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether it can be a segment of a path, and much else.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(plain)
        && name.len() <= LONGEST
        && name.chars().all(|c| plain(c) || matches!(c, '-' | '_'))
}

impl TryFrom<String> for ServerName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match is_plain(&name) && !TAKEN.contains(&name.as_str()) {
            true => Ok(Self(name)),
            false => Err(format!(
                "`{name}` can't be a server's name; take small letters, digits, - and _, {LONGEST} at most, as in \
                 [servers.notes] (taken: {})",
                TAKEN.join(", ")
            )),
        }
    }
}

impl From<ServerName> for String {
    fn from(name: ServerName) -> Self {
        name.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_segment_of_a_path_that_nobody_has() {
        for name in ["notes", "a", "team-2_x", "0", &"x".repeat(40)] {
            assert!(ServerName::try_from(name.to_owned()).is_ok(), "{name}");
        }
        for name in ["", "Notes", "a.b", "a/b", "..", "-a", "ä", "a b", "token", "login", &"x".repeat(41)] {
            assert!(ServerName::try_from(name.to_owned()).is_err(), "{name}");
        }
    }
}
