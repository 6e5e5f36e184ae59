//! Where upstream is: a URL, or a pattern of URLs that verified claims choose among.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// The longest value.
const LONGEST: usize = 63;

/// A URL, or a pattern: `https://{tenant}.internal/mcp`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("format" = "uri-template"))]
pub(crate) struct UpstreamUrl {
    /// Text, and the variable after it if there is one.
    pieces: Vec<(String, Option<String>)>,
}

impl UpstreamUrl {
    /// The variables, each once, in the order of the pattern.
    pub(crate) fn variables(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for name in self.pieces.iter().filter_map(|(_, name)| name.as_deref()) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }

    /// The URL with these values, each of which is one that [`is_value`] takes.
    pub(crate) fn with(&self, values: &[(&str, &str)]) -> Result<Url, String> {
        let mut text = String::new();
        for (before, name) in &self.pieces {
            text.push_str(before);
            let value = name.as_ref().and_then(|name| values.iter().find(|(known, _)| known == name));
            text.push_str(value.map_or("", |(_, value)| value));
        }
        Url::parse(&text).map_err(|error| format!("`{text}` can't be a URL: {error}"))
    }
}

/// Whether it may stand in a host or a path: no value can end the part that it stands in, or begin another one.
pub(crate) fn is_value(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let dots = value.starts_with('.') || value.ends_with('.') || value.contains("..");
    !value.is_empty() && value.len() <= LONGEST && value.chars().all(plain) && !dots
}

impl TryFrom<String> for UpstreamUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` can't be a pattern: a variable is a claim's name in braces, as in https://{{tenant}}.internal/mcp"
            )
        };
        let (mut pieces, mut rest) = (Vec::new(), text.as_str());
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(wrong)?;
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
            if name.is_empty() || !name.chars().all(plain) || before.contains('}') {
                return Err(wrong());
            }
            pieces.push((before.to_owned(), Some(name.to_owned())));
            rest = after;
        }
        if rest.contains('}') {
            return Err(wrong());
        }
        pieces.push((rest.to_owned(), None));
        let url = Self { pieces };
        let letters: Vec<_> = url.variables().into_iter().map(|name| (name, "a")).collect();
        url.with(&letters)?;
        // The scheme, the user and the port are not for a claim to say.
        let scheme =
            url.pieces.first().is_some_and(|(before, _)| letters.is_empty() || before.contains("://"));
        if scheme { Ok(url) } else { Err(wrong()) }
    }
}

impl From<UpstreamUrl> for String {
    fn from(url: UpstreamUrl) -> Self {
        let piece = |(before, name): (String, Option<String>)| match name {
            Some(name) => format!("{before}{{{name}}}"),
            None => before,
        };
        url.pieces.into_iter().map(piece).collect()
    }
}

impl std::fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<UpstreamUrl, String> {
        UpstreamUrl::try_from(text.to_owned())
    }

    #[test]
    fn a_url_is_a_pattern_without_variables() {
        let url = read("http://localhost:3000/mcp?key=a").unwrap();
        assert!(url.variables().is_empty());
        assert_eq!(url.with(&[]).unwrap().as_str(), "http://localhost:3000/mcp?key=a");
    }

    #[test]
    fn variables_are_filled_in_where_they_stand() {
        let text = "https://{tenant}.internal/{org.unit}/{tenant}/mcp";
        let url = read(text).unwrap();
        assert_eq!(url.variables(), ["tenant", "org.unit"]);
        assert_eq!(url.to_string(), text);
        let filled = url.with(&[("tenant", "acme"), ("org.unit", "a-1")]).unwrap();
        assert_eq!(filled.as_str(), "https://acme.internal/a-1/acme/mcp");
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "mcp",
            "https://{}.internal",
            "https://{a",
            "https://a}",
            "https://{a b}/",
            "{a}://x",
            "https://{a}}/",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_cannot_leave_its_place() {
        for value in ["acme", "a", "A-1_b.c", "9188040d-6c67-4c5b-b112-36a304b66dad"] {
            assert!(is_value(value), "{value}");
        }
        for value in [
            "",
            ".",
            "..",
            "a/b",
            "/",
            "a@b",
            "a#",
            "a?b",
            "a%2fb",
            "%2e%2e",
            "a:80",
            "a\\b",
            "a b",
            "a\n",
            "ä",
            ".a",
            "a.",
            "a..b",
            &"x".repeat(64),
        ] {
            assert!(!is_value(value), "{value}");
        }
    }

    proptest::proptest! {
        /// Whatever is taken for a value, all of the URL but that value is as the operator wrote it.
        #[test]
        fn a_value_changes_nothing_but_itself(value in "[a-zA-Z0-9._%/@#?:-]{0,12}") {
            if is_value(&value) {
                let url = read("https://internal.example:8443/a/{v}/mcp?k=1").unwrap().with(&[("v", &value)]).unwrap();
                let expected = format!("https://internal.example:8443/a/{value}/mcp?k=1");
                proptest::prop_assert_eq!(url.as_str(), expected);
                if let Ok(url) = read("https://{v}.internal:8443/mcp").unwrap().with(&[("v", &value)]) {
                    let host = format!("{}.internal", value.to_ascii_lowercase());
                    proptest::prop_assert_eq!((url.host_str(), url.port(), url.path()), (Some(host.as_str()), Some(8443), "/mcp"));
                }
            }
        }
    }
}
