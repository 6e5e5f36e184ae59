//! The path of a protected endpoint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ServerName;

/// First segments that are the authorization server's own, or everyone's.
pub(super) const TAKEN: [&str; 23] = [
    ".well-known",
    "account",
    "admin",
    "assets",
    "authorize",
    "backchannel_logout",
    "consent",
    "device",
    "device_authorization",
    "favicon.ico",
    "introspect",
    "jwks",
    "link",
    "login",
    "par",
    "passkeys.js",
    "providers",
    "register",
    "revoke",
    "scim",
    "security_events",
    "setup",
    "token",
];

/// The path of an endpoint: absolute, without query, already in its simplest spelling.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^/[A-Za-z0-9._~/-]+$"))]
pub(crate) struct EndpointPath(String);

impl EndpointPath {
    /// Where a server is whose path nobody has said: `/mcp`, or `/NAME/mcp`.
    pub(crate) fn usual(name: Option<&ServerName>) -> Self {
        match name {
            Some(name) => Self(format!("/{name}/mcp")),
            None => Self("/mcp".to_owned()),
        }
    }

    /// The same below a path, which has no slash at the end.
    pub(crate) fn below(&self, base: &str) -> Self {
        Self(format!("{base}{}", self.0))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EndpointPath {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._~-".contains(c);
        let segments = path.strip_prefix('/').map(|rest| rest.split('/'));
        let simple = segments.is_some_and(|mut segments| {
            segments.all(|s| !s.is_empty() && s != "." && s != ".." && s.chars().all(plain))
        });
        let first = path.split('/').nth(1).unwrap_or_default();
        if simple && !TAKEN.contains(&first) {
            Ok(Self(path))
        } else {
            Err(format!(
                "`{path}` can't be an endpoint's path; write it as in /mcp or /notes/mcp (taken: {})",
                TAKEN.join(", ")
            ))
        }
    }
}

impl From<EndpointPath> for String {
    fn from(path: EndpointPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_spelling() {
        for path in ["/mcp", "/notes/mcp", "/a-b_c.d~e"] {
            assert!(EndpointPath::try_from(path.to_owned()).is_ok(), "{path}");
        }
        for path in [
            "",
            "/",
            "mcp",
            "/mcp/",
            "//mcp",
            "/a/../b",
            "/a%2e",
            "/a?b",
            "/a;b",
            "/.well-known/x",
            "/token",
            "/favicon.ico",
        ] {
            assert!(EndpointPath::try_from(path.to_owned()).is_err(), "{path}");
        }
    }

    /// A name that would give a path that is taken is refused as a name.
    #[test]
    fn a_usual_path_is_one_that_could_be_written() {
        let name = ServerName::try_from("team-2_x".to_owned()).unwrap();
        for name in [None, Some(&name)] {
            let usual = EndpointPath::usual(name);
            assert_eq!(EndpointPath::try_from(usual.as_str().to_owned()), Ok(usual));
        }
    }
}
