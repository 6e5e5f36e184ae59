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
const DANGEROUS_SCHEMES: [&str; 85] = [
    "about",
    "app-settings",
    "appinstaller",
    "apt",
    "blob",
    "chrome",
    "chrome-extension",
    "chrome-untrusted",
    "cid",
    "content",
    "data",
    "devtools",
    "dict",
    "edge",
    "facetime",
    "facetime-audio",
    "feed",
    "file",
    "filesystem",
    "ftp",
    "ftps",
    "git",
    "gopher",
    "hcp",
    "help",
    "imap",
    "intent",
    "irc",
    "ircs",
    "itms",
    "itms-apps",
    "itms-appss",
    "itms-services",
    "jar",
    "javascript",
    "jnlp",
    "jnlps",
    "ldap",
    "ldaps",
    "livescript",
    "mailto",
    "mhtml",
    "mid",
    "mk",
    "mms",
    "mocha",
    "moz-extension",
    "ms-msdt",
    "ms-officecmd",
    "news",
    "nfs",
    "nntp",
    "onenote",
    "rdp",
    "res",
    "resource",
    "rtsp",
    "safari-web-extension",
    "search",
    "search-ms",
    "sftp",
    "shell",
    "sip",
    "sips",
    "skype",
    "smb",
    "sms",
    "snmp",
    "ssh",
    "steam",
    "svn",
    "tel",
    "telnet",
    "tftp",
    "urn",
    "vbscript",
    "view-source",
    "vnc",
    "webcal",
    "webcals",
    "ws",
    "wss",
    "x-apple.systempreferences",
    "xmpp",
    "zoommtg",
];

/// Beginnings of schemes that are dangerous as a whole: Windows opens its own parts and Office by
/// `ms-…`, and any web site may claim a `web+…` (HTML §8.9.1.3) and any extension an `ext+…`.
const DANGEROUS_PREFIXES: [&str; 3] = ["ext+", "ms-", "web+"];

/// Schemes without a dot that a client may claim for itself, since apps in wide use have no other.
/// Whose each is stands beside it.
const KNOWN_APPS: [&str; 14] = [
    "claude",          // Claude Desktop
    "cursor",          // Cursor
    "goose",           // Goose
    "kiro",            // Kiro
    "lmstudio",        // LM Studio
    "positron",        // Positron
    "raycast",         // Raycast
    "trae",            // Trae
    "vscode",          // Visual Studio Code
    "vscode-insiders", // Visual Studio Code, preview
    "vscodium",        // VSCodium
    "warp",            // Warp
    "windsurf",        // Windsurf
    "zed",             // Zed
];

/// A redirect URI that may be registered.
///
/// Kept exactly as written, and compared so ([`RedirectUri::matches`]).
///
/// Three kinds are taken: `https` with any host; `http` on `localhost`, `127.0.0.1` or `[::1]`
/// (RFC 8252 §7.3); and private-use schemes (RFC 8252 §7.1). RFC 8252 wants a dot in those, as in
/// `com.example.app:/cb`. Clients that people use have none (`cursor://anysphere.cursor-mcp/…`,
/// `vscode://…`), so the dot is not asked for where an operator vouches for the URI. What a client
/// claims for itself needs it ([`RedirectUri::parse_claimed`]), unless the app is well known.
/// Refused in any case is every scheme that a browser or desktop treats as its own (`javascript:`,
/// `data:`, `file:`, `mailto:` and the like), and URIs without a hierarchy
/// (`urn:ietf:wg:oauth:2.0:oob`).
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
    /// RFC 8252 §7.1: a scheme that the client has claimed for itself begins with a domain.
    #[error(
        "the redirect URI has the scheme {0:?}, which any app could have; use one with a domain in it, like com.example.app:/callback, or have the operator add the client"
    )]
    UnknownScheme(String),
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
        if uri::has_userinfo(text) || !url.username().is_empty() || url.password().is_some() {
            return Err(RedirectUriError::Userinfo);
        }
        if text.contains('*') {
            return Err(RedirectUriError::Wildcard);
        }
        let kind = Self::kind(text, &url)?;
        Ok(Self { text: text.to_owned(), url, kind })
    }

    /// Checks a redirect URI that a client claims for itself, in a registration (RFC 7591) or in
    /// its metadata document: nobody vouches for it, so a private-use scheme has to have a dot
    /// (RFC 8252 §7.1) or belong to an app that is known.
    ///
    /// # Errors
    /// As [`RedirectUri::parse`], and [`RedirectUriError::UnknownScheme`].
    pub fn parse_claimed(text: &str) -> Result<Self, RedirectUriError> {
        let uri = Self::parse(text)?;
        let scheme = uri.scheme();
        match uri.kind {
            Kind::PrivateUse if !scheme.contains('.') && !KNOWN_APPS.contains(&scheme) => {
                Err(RedirectUriError::UnknownScheme(scheme.to_owned()))
            }
            _ => Ok(uri),
        }
    }

    fn kind(text: &str, url: &Url) -> Result<Kind, RedirectUriError> {
        match url.scheme() {
            // Browsers take `https:/host` for `https://host`, and look for its user elsewhere than we do.
            "http" | "https"
                if !text.get(url.scheme().len()..).is_some_and(|rest| rest.starts_with("://"))
                    || uri::authority(text).is_none_or(str::is_empty) =>
            {
                Err(RedirectUriError::NotAbsolute)
            }
            "https" => Ok(Kind::Https),
            "http" if text.starts_with("http://") && loopback(text).is_some() => Ok(Kind::Loopback),
            "http" => Err(RedirectUriError::InsecureHost),
            scheme
                if DANGEROUS_SCHEMES.contains(&scheme)
                    || DANGEROUS_PREFIXES.iter().any(|prefix| scheme.starts_with(prefix)) =>
            {
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

    /// Whose receiver it is, without the path: the origin (RFC 6454) on the web, the host on
    /// loopback, where the port is free, and the scheme of an app.
    pub fn receiver(&self) -> String {
        match self.kind {
            Kind::Https => self.url.origin().ascii_serialization(),
            Kind::Loopback => format!("http://{}", self.host().unwrap_or_default()),
            Kind::PrivateUse => format!("{}:", self.scheme()),
        }
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
