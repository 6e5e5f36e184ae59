//! Why no client can be built.

use hallpass_protocol::resource::ResourceError;

use crate::error::printable;

/// Why no client can be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The server's URL.
    #[error("`{url}` is not the URL of an MCP server: {}", why(.url, .source))]
    Server {
        /// As given, without what may be secret in it.
        url: String,
        /// What is wrong with it.
        source: ResourceError,
    },
    /// A token must not travel in plain text over a network.
    #[error("`{0}` is plain http and not on this machine; tokens would travel unprotected. Use https")]
    PlainHttp(String),
    /// What should be trusted is not there.
    #[error("there is no certificate in PEM form in what is to be trusted")]
    Certificates,
    /// The certificate to show is none, or is missing where a mode relies on it.
    #[error("{0}")]
    ClientCertificate(String),
    /// The proxy, by name or from the environment.
    #[error("{0}")]
    Proxy(String),
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be set up: {0}")]
    Http(String),
    /// A parameter that the login itself has to set.
    #[error("`{0}` is set by the login itself; it can't be given as an extra parameter")]
    ReservedParameter(String),
    /// MCP 2026-07-28, "Authorization Server Binding": a secret belongs to one authorization server.
    #[error(
        "the client secret belongs to one authorization server, and none is named: whatever server the MCP server names would get it. Name the issuer that the client is registered with"
    )]
    IssuerNeeded,
}

impl BuildError {
    pub(super) fn server(given: &str, source: ResourceError) -> Self {
        Self::Server { url: shown(given), source }
    }

    pub(super) fn plain_http(given: &str) -> Self {
        Self::PlainHttp(shown(given))
    }
}

/// In words for whoever typed the URL.
fn why(url: &str, source: &ResourceError) -> String {
    match source {
        ResourceError::NotAbsolute | ResourceError::Scheme if !url.contains("://") => {
            format!("write the whole of it, beginning with https://, as in https://{url}")
        }
        ResourceError::NotAbsolute if url.ends_with("://") => {
            "it names no host. Write the whole of it, as in https://mcp.example.com/mcp".to_owned()
        }
        ResourceError::Scheme => {
            "MCP servers are reached by https://, and on this machine by http://".to_owned()
        }
        ResourceError::Userinfo => {
            "it holds a user name or password; leave that out, a login or a header is the place for it"
                .to_owned()
        }
        source => source.to_string(),
    }
}

/// A user name, a password or a query may be secret, and errors end up in logs.
fn shown(given: &str) -> String {
    let (scheme, rest) = given.split_once("://").map_or(("", given), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let authority = authority.rsplit_once('@').map_or(authority.to_owned(), |(_, host)| format!("…@{host}"));
    let path = path.find(['?', '#']).map_or(path.to_owned(), |at| format!("{}…", &path[..=at]));
    let separator = if scheme.is_empty() { "" } else { "://" };
    printable(&format!("{scheme}{separator}{authority}{path}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::Client;

    fn said(url: &str) -> String {
        Client::builder(url).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn a_mistyped_url_is_explained() {
        for (url, words) in [
            ("http://", "names no host"),
            ("https:///mcp", "absolute URI such as https://"),
            ("ftp://mcp.example/mcp", "by https://"),
            ("mcp.example.com/mcp", "https://mcp.example.com/mcp"),
            ("localhost:8080/mcp", "https://localhost:8080/mcp"),
            ("https://user:canary@mcp.example/mcp", "leave that out"),
            ("https://mcp.example/mcp#canary", "fragment"),
            ("http://mcp.example/mcp?key=canary", "plain http"),
            ("https://mcp.example/m p", "percent-encode"),
        ] {
            let said = said(url);
            assert!(said.contains(words) && !said.contains("canary"), "{url}: {said}");
        }
    }

    proptest! {
        #[test]
        fn no_url_is_too_strange(url in "\\PC{0,40}") {
            let _ = Client::builder(&url).map(drop).map_err(|error| error.to_string());
        }
    }
}
