//! What is taken from strangers' words into a log: bounded, and without what may be secret.

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// The JSON-RPC method.
    pub(crate) method: String,
    /// Of a tool, a prompt or a resource.
    pub(crate) name: Option<String>,
    /// How many more requests there are in a batch.
    pub(crate) more: usize,
}

/// Longer ones are cut, in bytes.
const LONGEST: usize = 256;

/// A word, no longer than a line bears.
pub(crate) fn word(text: &str) -> String {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text).to_owned()
}

/// A URI without its query, its fragment and whoever it names as its user: keys stand there.
pub(crate) fn uri(text: &str) -> String {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let text = text.get(..end).unwrap_or_default();
    let Some((scheme, rest)) = text.split_once("://") else { return word(text) };
    let authority = rest.find(['/', '\\']).unwrap_or(rest.len());
    let host = rest.get(..authority).and_then(|authority| authority.rfind('@')).map_or(0, |at| at + 1);
    word(&format!("{scheme}://{}", rest.get(host..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_cut_off() {
        for (text, kept) in [
            ("notes://private/1", "notes://private/1"),
            ("https://user:canary@h/x", "https://h/x"),
            ("https://a@canary@h/x@y", "https://h/x@y"),
            ("https://h?token=canary", "https://h"),
            ("x:y#canary", "x:y"),
            ("?canary", ""),
            ("", ""),
        ] {
            assert_eq!(uri(text), kept, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_word_is_never_longer_than_a_line_bears(text: String) {
            let cut = word(&text);
            proptest::prop_assert!(cut.len() <= LONGEST && text.starts_with(&cut));
            proptest::prop_assert!(!uri(&text).contains(['?', '#']));
        }
    }
}
