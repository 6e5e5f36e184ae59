//! A host of its own for one of several servers.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Host;

/// A host, without scheme and port: those are the public URL's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("format" = "hostname"))]
pub(crate) struct HostName(Host);

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bare = !text.is_empty() && !text.contains(['/', ':', '@', '?', '#', '*', '%', ' ']);
        let host = Host::parse(&text).ok().filter(|_| bare);
        host.map(Self).ok_or_else(|| {
            format!("`{text}` can't be a host; write its name alone, as in notes.example.com (scheme and port are those of public_url)")
        })
    }
}

impl From<HostName> for String {
    fn from(host: HostName) -> Self {
        host.to_string()
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_nothing_else() {
        for text in ["notes.example.com", "notes.localhost", "10.0.0.1", "NOTES.example"] {
            assert!(HostName::try_from(text.to_owned()).is_ok(), "{text}");
        }
        for text in
            ["", "https://a", "a:80", "a/b", "*.example.com", "a b", "u@a", "a?x", "a#x", "a%2eb", "[::1]:1"]
        {
            assert!(HostName::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
