//! Protected resource metadata as the client believes it (RFC 9728 §3.3): on the lines the server that was asked, where
//! the document was, and the document.
//!
//! What is believed names this server, or the whole of its host at the one place where only the host can say so.

use hallpass_client::fuzzing::is_believed;
use hallpass_protocol::{ProtectedResourceMetadata, ResourceIdentifier};
use url::Url;

use crate::lines;

/// Takes one input.
pub fn check(data: &[u8]) {
    let [server, location, document] = lines(data);
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let Some(Ok(server)) = text(server).map(ResourceIdentifier::parse) else { return };
    let Some(Ok(location)) = text(location).map(Url::parse) else { return };
    let Ok(metadata) = serde_json::from_slice::<ProtectedResourceMetadata>(document) else { return };
    let named = metadata.resource.clone();
    if !is_believed(metadata, &server, location.clone()) {
        return;
    }
    let named = Url::parse(&named).expect("a URL");
    assert_eq!(named.origin(), server.url().origin());
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    let is_this = path(&named) == path(server.url());
    let is_host = named.path() == "/" && named.query().is_none() && location == server.root_metadata_url();
    assert!(is_this || is_host, "{named} for {server} at {location}");
    assert!(named.query().is_none_or(|query| server.url().query() == Some(query)));
}
