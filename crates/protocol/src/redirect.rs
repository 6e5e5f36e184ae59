//! Redirect URIs: which may be registered, and which request fits which registration
//! (OAuth 2.1 §2.3, RFC 8252 §7 and §8.3, RFC 9700 §2.1 and §4.1).

use url::{Url, form_urlencoded};

use crate::text::impl_text;
use crate::uri;

/// The hosts that mean "this machine" in a redirect URI, spelled exactly so. Other spellings of
/// the same address (`127.1`, `0x7f000001`, `LOCALHOST`) have no honest use here.
const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Schemes that never lead to an app of the user's that asked for it: they run a script, show or
/// open local content, start a program, or speak another protocol with the code in hand.
const DANGEROUS_SCHEMES: [&str; 43] = [
    "about",
    "blob",
    "chrome",
    "chrome-extension",
    "cid",
    "content",
    "data",
    "dict",
    "feed",
    "file",
    "filesystem",
    "ftp",
    "ftps",
    "gopher",
    "imap",
    "intent",
    "jar",
    "javascript",
    "ldap",
    "ldaps",
    "livescript",
    "mailto",
    "mhtml",
    "mid",
    "mocha",
    "ms-msdt",
    "ms-officecmd",
    "nfs",
    "res",
    "resource",
    "search-ms",
    "sftp",
    "shell",
    "sms",
    "smb",
    "ssh",
    "tel",
    "telnet",
    "urn",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// A redirect URI that may be registered.
///
/// Kept exactly as written, and compared so ([`RedirectUri::matches`]).
///
/// Three kinds are taken: `https` with any host; `http` on `localhost`, `127.0.0.1` or `[::1]`
/// (RFC 8252 §7.3); and private-use schemes (RFC 8252 §7.1). RFC 8252 wants a dot in those, as in
/// `com.example.app:/cb`. Clients that people use have none (`cursor://anysphere.cursor-mcp/…`,
/// `vscode://…`), so the dot is not asked for; what is refused instead is every scheme that a
/// browser or desktop treats as its own (`javascript:`, `data:`, `file:`, `mailto:` and the like),
/// and URIs without a hierarchy (`urn:ietf:wg:oauth:2.0:oob`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedirectUri {
    text: String,
    url: Url,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Https,
    Loopback,
    PrivateUse,
}

/// Why a redirect URI may not be registered or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// Longer than 2048 bytes.
    #[error("the redirect URI is longer than {} bytes", uri::MAX_LEN)]
    TooLong,
    /// RFC 3986 §2: a character that no URI has, a backslash among them.
    #[error("the redirect URI holds characters that no URI may hold; percent-encode them")]
    Characters,
    /// OAuth 2.1 §2.3.1: an absolute URI.
    #[error("the redirect URI is not an absolute URI such as http://127.0.0.1:3000/callback")]
    NotAbsolute,
    /// OAuth 2.1 §2.3.1: no fragment.
    #[error("the redirect URI has a fragment (#…); leave it out")]
    Fragment,
    /// A user name makes `https://trusted@evil` look like something it is not.
    #[error("the redirect URI holds a user name or password; leave it out")]
    Userinfo,
    /// RFC 9700 §2.1: exact matching, hence no patterns.
    #[error("the redirect URI holds a '*'; there are no patterns, register each URI in full")]
    Wildcard,
    /// RFC 8252 §7.3, RFC 9700 §4.1: plain http for loopback only.
    #[error("the redirect URI is plain http on another host than localhost, 127.0.0.1 or [::1]; use https")]
    InsecureHost,
    /// A scheme that is not an app's own.
    #[error("the redirect URI has the scheme {0:?}, which may not receive a code")]
    DangerousScheme(String),
    /// RFC 8252 §7.1: `scheme:/path` or `scheme://host/path`.
    #[error(
        "the redirect URI has no path of its own after the scheme; write it like com.example.app:/callback"
    )]
    Opaque,
}

impl RedirectUri {
    /// Checks a redirect URI.
    ///
    /// # Errors
    /// One variant of [`RedirectUriError`] for each rule.
    pub fn parse(text: &str) -> Result<Self, RedirectUriError> {
        if text.len() > uri::MAX_LEN {
            return Err(RedirectUriError::TooLong);
        }
        if !uri::is_uri_text(text) {
            return Err(RedirectUriError::Characters);
        }
        if text.contains('#') {
            return Err(RedirectUriError::Fragment);
        }
        let url = Url::parse(text).map_err(|_| RedirectUriError::NotAbsolute)?;
        if uri::has_userinfo(text) {
            return Err(RedirectUriError::Userinfo);
        }
        if text.contains('*') {
            return Err(RedirectUriError::Wildcard);
        }
        let kind = Self::kind(text, &url)?;
        Ok(Self { text: text.to_owned(), url, kind })
    }

    fn kind(text: &str, url: &Url) -> Result<Kind, RedirectUriError> {
        match url.scheme() {
            "http" | "https" if uri::authority(text).is_none_or(str::is_empty) => {
                Err(RedirectUriError::NotAbsolute)
            }
            "https" => Ok(Kind::Https),
            "http" if text.starts_with("http://") && loopback(text).is_some() => Ok(Kind::Loopback),
            "http" => Err(RedirectUriError::InsecureHost),
            scheme if DANGEROUS_SCHEMES.contains(&scheme) => {
                Err(RedirectUriError::DangerousScheme(scheme.to_owned()))
            }
            _ if url.cannot_be_a_base() => Err(RedirectUriError::Opaque),
            _ => Ok(Kind::PrivateUse),
        }
    }

    /// Whether a request with `requested` fits this registration: the same text, character by
    /// character (RFC 9700 §2.1). Only on a loopback host the port is free, since a native app
    /// takes the port it gets (RFC 8252 §7.3); the host still is the very one registered.
    pub fn matches(&self, requested: &RedirectUri) -> bool {
        if self.text == requested.text {
            return true;
        }
        match (loopback(&self.text), loopback(&requested.text)) {
            (Some(registered), Some(requested)) => registered == requested,
            _ => false,
        }
    }

    /// The URI, exactly as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme, in lower case.
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// The host, as a URL parser understands it; a private-use scheme may have none.
    pub fn host(&self) -> Option<&str> {
        self.url.host_str()
    }

    /// Whether it leads to plain http on this machine.
    pub fn is_loopback(&self) -> bool {
        self.kind == Kind::Loopback
    }

    /// Whether it leads to an app by a scheme of its own.
    pub fn is_private_use(&self) -> bool {
        self.kind == Kind::PrivateUse
    }

    /// The URI with parameters added to its query, which is kept (RFC 6749 §3.1.2): what goes
    /// into `Location`.
    pub fn with_params<'a>(&self, params: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(params);
        let separator = if self.text.contains('?') { '&' } else { '?' };
        format!("{}{separator}{}", self.text, query.finish())
    }
}

/// A loopback URI without its port: the host as written, and what follows the port.
fn loopback(text: &str) -> Option<(&'static str, &str)> {
    let rest = text.strip_prefix("http://")?;
    let authority = uri::authority(text)?;
    let after = rest.get(authority.len()..)?;
    let host = LOOPBACK_HOSTS.into_iter().find(|host| authority.starts_with(host))?;
    let port = authority.get(host.len()..)?;
    let digits = port.strip_prefix(':');
    let fits = match digits {
        None => port.is_empty(),
        Some(digits) => !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()),
    };
    fits.then_some((host, after))
}

impl_text!(RedirectUri, RedirectUriError);
