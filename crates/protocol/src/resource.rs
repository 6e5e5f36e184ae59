//! Resource identifiers (RFC 8707 §2), which MCP calls the canonical URI of a server.

use url::Url;

use crate::text::impl_text;
use crate::uri;

/// Where the metadata of a protected resource lives (RFC 9728 §3).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The identifier of a protected resource: an absolute `http` or `https` URI without a fragment.
///
/// Held in canonical form, so that equality of identifiers is equality of texts: lower-case scheme
/// and host, no default port, no slash after a bare host (MCP 2026-07-28, basic/authorization,
/// "Canonical Server URI"). A slash at the end of a longer path is kept: it may mean something.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceIdentifier {
    text: String,
    url: Url,
}

/// Why a text identifies no resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// Longer than 2048 bytes.
    #[error("the resource identifier is longer than {} bytes", uri::MAX_LEN)]
    TooLong,
    /// RFC 3986 §2: a character that no URI has.
    #[error("the resource identifier holds characters that no URI may hold; percent-encode them")]
    Characters,
    /// RFC 8707 §2: an absolute URI.
    #[error("the resource identifier is not an absolute URI such as https://mcp.example.com/mcp")]
    NotAbsolute,
    /// MCP servers are reached over HTTP.
    #[error("the resource identifier is neither http nor https")]
    Scheme,
    /// RFC 8707 §2: no fragment.
    #[error("the resource identifier has a fragment (#…); leave it out")]
    Fragment,
    /// RFC 9110 §4.2.4: no user name or password in an http URI.
    #[error("the resource identifier holds a user name or password; leave it out")]
    Userinfo,
}

impl ResourceIdentifier {
    /// Reads an identifier and brings it into canonical form.
    ///
    /// # Errors
    /// One variant of [`ResourceError`] for each rule.
    pub fn parse(text: &str) -> Result<Self, ResourceError> {
        if text.len() > uri::MAX_LEN {
            return Err(ResourceError::TooLong);
        }
        if !uri::is_uri_text(text) {
            return Err(ResourceError::Characters);
        }
        if text.contains('#') {
            return Err(ResourceError::Fragment);
        }
        let url = Url::parse(text).map_err(|_| ResourceError::NotAbsolute)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ResourceError::Scheme);
        }
        // `https:host` and `https:///host` are errors that browsers forgive.
        if uri::authority(text).is_none_or(str::is_empty) {
            return Err(ResourceError::NotAbsolute);
        }
        if uri::has_userinfo(text) {
            return Err(ResourceError::Userinfo);
        }
        let text = match (url.path(), url.query()) {
            ("/", None) => url.as_str().trim_end_matches('/').to_owned(),
            _ => url.as_str().to_owned(),
        };
        // A percent-encoded host is decoded, `%22` among it, and a query may grow: what is written has to be readable.
        if text.len() > uri::MAX_LEN {
            return Err(ResourceError::TooLong);
        }
        if !uri::is_uri_text(&text) {
            return Err(ResourceError::Characters);
        }
        Ok(Self { text, url })
    }

    /// The canonical text: what stands in `resource`, in `aud`, and in the metadata.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same as a URL, to be fetched from.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether a request to `url` is a request to this resource: same scheme, host and port, and a
    /// path that is this one or lies below it, counted in whole segments. A resource with a query
    /// covers that query only.
    pub fn covers(&self, url: &Url) -> bool {
        let same_origin = self.url.scheme() == url.scheme()
            && self.url.host() == url.host()
            && self.url.port_or_known_default() == url.port_or_known_default();
        let query_fits = self.url.query().is_none() || self.url.query() == url.query();
        same_origin && query_fits && is_path_prefix(self.url.path(), url.path())
    }

    /// Where the metadata of this resource is: the well-known path goes between host and path
    /// (RFC 9728 §3.1).
    pub fn metadata_url(&self) -> Url {
        let mut url = self.url.clone();
        let path = match self.url.path() {
            "/" => "",
            path => path,
        };
        url.set_path(&format!("{WELL_KNOWN}{path}"));
        url
    }

    /// Where clients look that know only the host (MCP 2026-07-28, authorization server discovery,
    /// second bullet): the well-known path at the root.
    pub fn root_metadata_url(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path(WELL_KNOWN);
        url.set_query(None);
        url
    }
}

/// Whether `prefix` is `path` or an ancestor of it: `/a` is one of `/a/b`, and is none of `/ab`.
fn is_path_prefix(prefix: &str, path: &str) -> bool {
    match path.strip_prefix(prefix.trim_end_matches('/')) {
        Some("") => !prefix.ends_with('/') || path == prefix,
        Some(rest) => rest.starts_with('/'),
        None => false,
    }
}

impl_text!(ResourceIdentifier, ResourceError);
