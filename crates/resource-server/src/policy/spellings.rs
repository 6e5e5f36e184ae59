//! The spellings of a name that servers may take for it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::Url;

/// A name in one spelling.
pub(super) struct Name<'m> {
    pub(super) text: Cow<'m, str>,
    /// Whether every server takes it for the same. Of what only some do, rules count where there are any, and none is
    /// missed.
    pub(super) sure: bool,
    /// Whether it differs by nothing but slashes and what stands behind `#`: then a `permit` of Cedar is missed where it does
    /// not hold for this one, or `unless` would be no way to close anything.
    pub(super) same: bool,
}

impl<'m> Name<'m> {
    /// A name that has one spelling.
    pub(super) fn plain(text: &'m str) -> Self {
        Self { text: Cow::Borrowed(text), sure: true, same: true }
    }
}

/// A URI as it was sent, and as servers may read it: as a URL parser does (case of scheme and host, `..`), without
/// percent-encoding, with single slashes as operating systems count them, one after the other in any order: what `..` goes back
/// over depends on it. A rule for one must hold for all. Some look at the path alone.
pub(super) fn spellings(uri: &str) -> Vec<Name<'_>> {
    let mut known = vec![Spelling { text: uri.to_owned(), sure: true, decoded: false }];
    let mut at = 0;
    while let Some(spelling) = known.get(at).cloned() {
        let mut again = false;
        for next in
            [spelling.parsed(), spelling.decoded(), spelling.with_single_slashes()].into_iter().flatten()
        {
            let same = |one: &Spelling| one.text == next.text && one.decoded == next.decoded;
            match known.iter().position(same) {
                Some(place) if next.sure && !known[place].sure => {
                    known[place].sure = true;
                    // So is what follows from it.
                    again = true;
                }
                Some(_) => {}
                None if known.len() < MOST_SPELLINGS => known.push(next),
                None => {}
            }
        }
        at = if again { 0 } else { at + 1 };
    }
    let urls: Vec<Url> = known.iter().filter_map(|one| Url::parse(&one.text).ok()).collect();
    let whole = known.into_iter().map(|one| (one.text, one.sure, true));
    let parts = urls.into_iter().flat_map(by_path).map(|(text, same)| (text, false, same));
    let mut names = vec![Name::plain(uri)];
    for (text, sure, same) in whole.chain(parts) {
        match names.iter_mut().find(|name| name.text == text) {
            Some(name) => {
                name.sure |= sure;
                name.same |= same;
            }
            None => names.push(Name { text: Cow::Owned(text), sure, same }),
        }
    }
    names
}

/// There are three steps, and none of them says more the second time.
const MOST_SPELLINGS: usize = 32;

/// One reading of a URI, on the way to others.
#[derive(Clone)]
struct Spelling {
    text: String,
    /// See [`Name::sure`].
    sure: bool,
    /// Percent-encoding is taken away once.
    decoded: bool,
}

impl Spelling {
    /// What `..` leads to is the same for every server that follows it; no rule for that is a `..` too many.
    fn parsed(&self) -> Option<Self> {
        let text = String::from(Url::parse(&self.text).ok()?);
        let sure = self.sure || goes_back(&self.text);
        Some(Self { text, sure, decoded: self.decoded })
    }

    fn decoded(&self) -> Option<Self> {
        let text = percent_decoded(&self.text).filter(|_| !self.decoded)?;
        Some(Self { text, sure: self.sure, decoded: true })
    }

    /// Behind the authority, and before the query.
    fn with_single_slashes(&self) -> Option<Self> {
        let begin = self.text.find("://").map_or(0, |at| at + 3);
        let begin = begin + self.text[begin..].find('/')?;
        let end = self.text[begin..].find(['?', '#']).map_or(self.text.len(), |at| begin + at);
        let single = single_slashes(&self.text[begin..end])?;
        let text = format!("{}{single}{}", &self.text[..begin], &self.text[end..]);
        Some(Self { text, sure: false, decoded: self.decoded })
    }
}

/// Whether it has a segment that is `..`, however it is written.
fn goes_back(text: &str) -> bool {
    let text = text.to_ascii_lowercase().replace("%2e", ".").replace('\\', "/");
    text.split(['/', '?', '#']).any(|segment| segment == "..")
}

fn single_slashes(path: &str) -> Option<String> {
    let mut single = path.to_owned();
    while single.contains("//") {
        single = single.replace("//", "/");
    }
    (single != path).then_some(single)
}

/// Without fragment (RFC 3986 §3.5), without query, with single slashes, without the last one; and whether it is the same but
/// for slashes and fragment.
fn by_path(mut url: Url) -> Vec<(String, bool)> {
    url.set_fragment(None);
    let mut spellings = vec![(url.as_str().to_owned(), true)];
    let whole = url.query().is_none();
    url.set_query(None);
    spellings.push((url.as_str().to_owned(), whole));
    let single = single_slashes(url.path()).unwrap_or_else(|| url.path().to_owned());
    let trimmed = single.trim_end_matches('/').to_owned();
    for (path, same) in [(single, whole), (trimmed, false)] {
        url.set_path(&path);
        spellings.push((url.as_str().to_owned(), same));
    }
    spellings
}

/// The text without its percent-encoding, if it has any.
fn percent_decoded(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    (decoded != text).then(|| decoded.into_owned())
}
