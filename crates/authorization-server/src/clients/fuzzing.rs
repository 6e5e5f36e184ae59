//! What the fuzz targets reach of this.

use hallpass_protocol::form::Parameters;
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::secret::Secret;
use http::HeaderMap;
use url::Url;

use super::{Methods, Presented, document};
use crate::settings::MutualTls;

/// What a metadata document says of a client.
#[derive(Debug)]
pub struct Description {
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// What people see.
    pub name: Option<String>,
    /// Whether it shows nothing at the token endpoint.
    pub is_public: bool,
}

/// Whether a client id is meant to be fetched.
pub fn is_document_url(id: &str, issuer: &Issuer) -> bool {
    document::is_document_url(id, issuer)
}

/// The client that a document describes.
pub fn client_document(id: &str, body: &[u8]) -> Option<Description> {
    // With every method that could be switched on.
    let mutual_tls =
        MutualTls { authorities: vec![Vec::new().into()], self_signed: true, ..MutualTls::default() };
    let client = document::read(id, &Url::parse(id).ok()?, body, Methods::of(Some(&mutual_tls))).ok()?;
    Some(Description {
        is_public: client.is_public(),
        redirect_uris: client.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
        name: client.name,
    })
}

/// Who a client says to be, what it shows, and whether that came in the header.
pub fn client_credentials(headers: &HeaderMap, form: &Parameters) -> Option<(String, Option<Secret>, bool)> {
    let presented = Presented::find(headers, form).ok()?;
    let (id, shown) = presented.parts();
    Some((id.to_owned(), shown.cloned(), presented.in_header))
}
